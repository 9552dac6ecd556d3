"""sieveproxy between real clients and real Pigeonhole stores."""
import base64
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from testdata.cluster.cluster import (
    HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Cluster, free_port)

ALICE, BOB = "alice@example.com", "bob@example.com"


class ManageSieve:
    """Just enough of RFC 5804."""

    def __init__(self, port, context=None):
        self.socket = socket.create_connection((HOST, port), 10)
        if context is not None:
            self.secure(context)
        else:
            self.capabilities = self.read()

    def secure(self, context):
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.capabilities = self.read()

    def read(self):
        """Lines up to OK, NO or BYE."""
        received = b""
        while not re.search(rb"^(OK|NO|BYE)\b.*\r\n\Z", received, re.MULTILINE):
            piece = self.socket.recv(65536)
            if not piece:
                break
            received += piece
        return received.decode()

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        return self.read()

    def authenticate(self, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ask(f'AUTHENTICATE "PLAIN" "{token}"')

    def close(self):
        self.socket.close()


class Tunnel:
    """TLS for a client that has none: one connection to `port`, taken as it is to `proxy_port` inside TLS."""

    def __init__(self, proxy_port, context):
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(proxy_port, context), daemon=True).start()

    def serve(self, proxy_port, context):
        plain, _ = self.listener.accept()
        secure = context.wrap_socket(socket.create_connection((HOST, proxy_port), 10), server_hostname="localhost")
        back = threading.Thread(target=self.pump, args=(secure, plain), daemon=True)
        back.start()
        self.pump(plain, secure)
        back.join()
        plain.close()
        secure.close()
        self.listener.close()

    @staticmethod
    def pump(source, target):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


class SieveEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        first, second = cls.cluster.start_stores(2)
        cls.settings = cls.cluster.local_settings({
            ALICE: {"host": f"{HOST}:{first.sieve}"}, BOB: {"host": f"{HOST}:{second.sieve}"}})
        cls.settings["mapping"] |= {"mappingHost": HOST, "mappingPort": first.sieve}
        cls.proxy = cls.cluster.start_proxy("sieveproxy", cls.settings)
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)

    def client(self, proxy=None):
        client = ManageSieve((proxy or self.proxy).port)
        self.addCleanup(client.close)
        return client

    def await_learned(self, proxy):
        for _ in range(100):
            if proxy.records("capabilities_learned"):
                return
            try:
                proxy.process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        self.fail(proxy.text())

    def test_announces_the_stores_extensions_and_not_its_name(self):
        self.await_learned(self.proxy)
        store = ManageSieve(self.cluster.stores[0].sieve)
        self.addCleanup(store.close)
        extensions = re.search(r'^"SIEVE" .*$', store.capabilities, re.MULTILINE).group()
        capabilities = self.client().capabilities
        self.assertIn(extensions, capabilities)
        self.assertIn('"VERSION" "1.0"', capabilities)
        for word in ("Dovecot", "Pigeonhole", "XCLIENT"):
            self.assertNotIn(word, capabilities)

    def test_reaches_each_users_own_store(self):
        for user, store in ((ALICE, 0), (BOB, 1)):
            client = self.client()
            self.assertRegex(client.authenticate(user, PASSWORD), "^OK")
            self.assertRegex(client.ask('PUTSCRIPT "own" {6+}\r\nkeep;\n'), "^OK")
            self.assertIn('"own"', client.ask("LISTSCRIPTS"))
            client.ask("LOGOUT")
            self.cluster.stores[store].await_log(f"Login: user=<{user}>")
            self.assertNotIn(f"Login: user=<{user}>", self.cluster.stores[1 - store].dovecot_log())

    def test_serves_start_tls_and_implicit_tls(self):
        client = self.client()
        self.assertIn('"STARTTLS"', client.capabilities)
        self.assertRegex(client.ask("STARTTLS"), "^OK")
        client.secure(self.trust)
        self.assertNotIn('"STARTTLS"', client.capabilities)
        self.assertRegex(client.authenticate(ALICE, PASSWORD), "^OK")
        implicit = ManageSieve(self.proxy.listeners[1], context=self.trust)
        self.addCleanup(implicit.close)
        self.assertRegex(implicit.authenticate(ALICE, PASSWORD), "^OK")

    def test_reaches_stores_by_start_tls(self):
        proxy = self.cluster.start_proxy("sieveproxy", {
            **self.settings,
            "upstream": {"tls": "startTls", "caFile": str(self.cluster.certificates.ca)},
        }, label="sieve-tls")
        self.assertRegex(self.client(proxy).authenticate(BOB, PASSWORD), "^OK")
        self.cluster.stores[1].await_log(f"Login: user=<{BOB}>.*, TLS,")

    def run_sieve_connect(self, port, *arguments):
        with tempfile.TemporaryFile() as password:
            password.write(PASSWORD.encode())
            password.seek(0)
            return subprocess.run(
                ["sieve-connect", "--server", "localhost", "--4", "--port", str(port), "--user", ALICE,
                 "--tlscafile", self.cluster.certificates.ca, "--passwordfd", str(password.fileno()), *arguments],
                pass_fds=[password.fileno()], capture_output=True, text=True, timeout=60)

    def test_serves_sieve_connect(self):
        """By STARTTLS, without TLS, and inside TLS from the start: as no client of Debian's can do that, by a tunnel."""
        plaintext = self.cluster.start_proxy(
            "sieveproxy", self.settings, [{"address": HOST, "port": free_port(), "tls": "none"}], label="sieve-plain")
        with tempfile.NamedTemporaryFile("w", suffix=".sieve", dir=self.cluster.folder) as script:
            script.write('require "fileinto"; fileinto "x";\n')
            script.flush()
            ways = {"STARTTLS": ("--noclearchan", lambda: self.proxy.port),
                    "plaintext": ("--clearchan", lambda: plaintext.port),
                    "implicit": ("--clearchan", lambda: Tunnel(self.proxy.listeners[1], self.trust).port)}
            for way, (channel, port) in ways.items():
                with self.subTest(way):
                    for action in (["--localsieve", script.name, "--remotesieve", way, "--upload"], ["--list"]):
                        done = self.run_sieve_connect(port(), channel, *action)
                        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    self.assertIn(way, done.stdout)

    def test_refuses_wrong_passwords_and_unknown_users_alike(self):
        answers = {self.client().authenticate(user, password) for user, password in
                   ((ALICE, "wrong"), ("nobody@example.com", PASSWORD))}
        self.assertEqual(answers, {'NO "Authentication failed."\r\n'})

    def test_refuses_what_is_not_for_strangers(self):
        client = self.client()
        self.assertRegex(client.ask('HAVESPACE "x" 10'), "^NO")
        self.assertEqual(client.ask('NOOP "here"'), 'OK (TAG "here") "Done."\r\n')

    def test_says_temporary_when_a_store_is_down_and_recovers(self):
        store = self.cluster.stores[1]
        store.stop()
        try:
            client = self.client()
            self.assertRegex(client.authenticate(BOB, PASSWORD), r"^NO \(TRYLATER\)")
        finally:
            store.start()
        self.assertRegex(client.authenticate(BOB, PASSWORD), "^OK")

    def test_logs_in_as_master_user(self):
        secret = self.cluster.folder / "master.secret"
        secret.write_text(MASTER_PASSWORD)
        secret.chmod(0o600)
        proxy = self.cluster.start_proxy("sieveproxy", {
            **self.settings,
            "upstream": {"login": {"method": "masterUser", "user": MASTER_USER, "passwordFile": str(secret)}},
        }, label="sieve-master")
        self.assertRegex(self.client(proxy).authenticate(ALICE, PASSWORD), "^OK")

    def test_keeps_passwords_out_of_its_log(self):
        client = self.client()
        client.authenticate(PASSWORD, ALICE)  # in each other's place
        client.authenticate(ALICE, PASSWORD)
        client.ask("LOGOUT")
        self.assertNotIn(PASSWORD, self.proxy.text())


if __name__ == "__main__":
    unittest.main()
