"""imapproxy between real clients and real Dovecot stores."""
import hashlib
import imaplib
import pathlib
import select
import socket
import ssl
import subprocess
import time
import unittest

from testdata.cluster.cluster import HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Cluster

ALICE, BOB = "alice@example.com", "bob@example.com"
SECONDS = 60
MEBIBYTE = 1 << 20
BIG_BYTES = 256 * MEBIBYTE
# What one session may hold for a peer that doesn't read, with room for a worker's own buffers.
GROWTH_KIB = 8 * 1024
MANY_SESSIONS = 2000
MANY_MESSAGES = 2000


def big_message():
    line = b"%062d\r\n"
    lines = BIG_BYTES // len(line % 0)
    return b"Subject: big\r\n\r\n" + b"".join(line % number for number in range(lines))


class ImapEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        local = tuple(f"{name}@example.com" for name in ("idle", "big", "far", "near"))
        cls.stores = cls.cluster.start_stores(2, users=(ALICE, BOB, *local))
        first, second = cls.stores
        cls.settings = cls.cluster.local_settings({
            ALICE: {"host": f"{HOST}:{first.imap}"}, BOB: {"host": f"{HOST}:{second.imap}"},
            **{name: {"host": f"{HOST}:{first.imap}"} for name in local}})
        # Two thousand clients connect before the first of them logs in, and the store
        # starts a process for each.
        cls.proxy = cls.cluster.start_proxy("imapproxy", {
            **cls.settings, "workers": 1, "limits": {"loginTimeout": "20m"},
            "upstream": {**cls.settings.get("upstream", {}), "loginTimeout": "5m"}})
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)

    def client(self, user=ALICE, password=PASSWORD, proxy=None):
        client = imaplib.IMAP4(HOST, (proxy or self.proxy).port, SECONDS)
        self.addCleanup(client.socket().close)
        client.login(f'"{user}"', password)
        return client

    def refusal(self, user=ALICE, password=PASSWORD, proxy=None):
        with self.assertRaises(imaplib.IMAP4.error) as refused:
            self.client(user, password, proxy)
        return str(refused.exception)

    def start_proxy(self, label, **settings):
        return self.cluster.start_proxy("imapproxy", {**self.settings, **settings}, label=f"imap-{label}")

    def secret(self, text):
        file = self.cluster.folder / "master.secret"
        file.write_text(text)
        file.chmod(0o600)
        return str(file)

    # --- Ways in ---

    def test_reaches_each_users_own_store(self):
        for user, home in ((ALICE, 0), (BOB, 1)):
            client = self.client(user)
            self.assertEqual(client.select()[0], "OK")
            self.stores[home].await_log(f"Login: user=<{user}>")
            self.assertNotIn(f"Login: user=<{user}>", self.stores[1 - home].dovecot_log())

    def test_hands_on_the_stores_own_capabilities(self):
        client = imaplib.IMAP4(HOST, self.proxy.port, SECONDS)
        self.addCleanup(client.socket().close)
        self.assertIn("STARTTLS", client.capabilities)
        self.assertNotIn("SORT", client.capabilities)
        client.login(ALICE, PASSWORD)
        client.untagged_responses.clear()
        _, (capabilities,) = client.capability()
        self.assertIn(b"SORT", capabilities.split())

    def test_serves_start_tls_and_implicit_tls(self):
        client = imaplib.IMAP4(HOST, self.proxy.port, SECONDS)
        client.starttls(self.trust)
        self.assertNotIn("STARTTLS", client.capabilities)
        client.login(ALICE, PASSWORD)
        client.logout()
        secure = imaplib.IMAP4_SSL(HOST, self.proxy.listeners[1], ssl_context=self.trust, timeout=SECONDS)
        secure.login(BOB, PASSWORD)
        secure.logout()

    def test_serves_curl(self):
        for url, options in (("imap", []), ("imap", ["--ssl-reqd"]), ("imaps", [])):
            port = self.proxy.listeners[url == "imaps"]
            curl = subprocess.run(
                ["curl", "-sS", "--cacert", self.cluster.certificates.ca, "--max-time", "20", *options,
                 "-u", f"{ALICE}:{PASSWORD}", f"{url}://{HOST}:{port}/"], capture_output=True, text=True)
            self.assertEqual(curl.returncode, 0, curl.stderr)
            self.assertIn("INBOX", curl.stdout)

    def test_serves_openssl_s_client(self):
        for options in (["-port", str(self.proxy.port), "-starttls", "imap"],
                        ["-port", str(self.proxy.listeners[1])]):
            with subprocess.Popen(
                    ["openssl", "s_client", "-host", HOST, "-quiet", "-verify_return_error",
                     "-CAfile", self.cluster.certificates.ca, *options],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as openssl:
                openssl.stdin.write(f'a LOGIN "{ALICE}" "{PASSWORD}"\r\n'.encode())
                openssl.stdin.flush()
                self.assertTrue(any(line.startswith(b"a OK [CAPABILITY ") for line in openssl.stdout))
                openssl.stdin.write(b"b LOGOUT\r\n")
                openssl.stdin.flush()
                self.assertTrue(any(line.startswith(b"b OK ") for line in openssl.stdout))
                openssl.kill()

    def test_refuses_wrong_passwords_and_unknown_users_alike(self):
        answers = {self.refusal(user, password) for user, password in (
            (ALICE, "wrong"), (ALICE, ""), ("nobody@example.com", PASSWORD), ("*)(uid=*", PASSWORD))}
        self.assertEqual(len(answers), 1, answers)
        self.assertIn("[AUTHENTICATIONFAILED]", answers.pop())

    # --- Traffic ---

    def test_lets_mbsync_synchronise_both_ways_byte_for_byte(self):
        folder = self.cluster.folder / "mbsync"
        for kind in ("cur", "new", "tmp"):
            (folder / "far" / kind).mkdir(parents=True)
        bodies = set()
        for number in range(MANY_MESSAGES):
            text = f"Message-ID: <{number}@example.org>\nSubject: {number}\n\n" + f"{number} line\n" * (number % 97)
            (folder / "far" / "cur" / f"{number}.host:2,S").write_text(text)
            bodies.add(text)
        self.mbsync(folder, "far", "Push New", "IMAPS", self.proxy.listeners[1])
        self.mbsync(folder, "near", "Pull New", "STARTTLS", self.proxy.port)
        read = self.maildir(folder, "near")
        self.assertEqual(len(read), MANY_MESSAGES)
        self.assertEqual({self.without_sync_header(text) for text in read}, bodies)
        # Both ways at once, in plaintext: each Maildir's news reach the other by way of the store.
        for maildir in ("far", "near"):
            text = f"Message-ID: <{maildir}@example.org>\n\nfrom {maildir}\n"
            (folder / maildir / "cur" / f"{maildir}.host:2,S").write_text(text)
            bodies.add(text)
        for maildir in ("far", "near", "far"):
            self.mbsync(folder, maildir, "All", "None", self.proxy.port)
        for maildir in ("far", "near"):
            self.assertEqual({self.without_sync_header(text) for text in self.maildir(folder, maildir)}, bodies)

    @staticmethod
    def maildir(folder, name):
        return [file.read_text() for file in (folder / name).rglob("*")
                if file.is_file() and not file.name.startswith(".")]

    def mbsync(self, folder, maildir, sync, tls, port):
        control = folder / f"{maildir}.mbsyncrc"
        control.write_text(f"""
IMAPAccount proxy
Host localhost
Port {port}
User far@example.com
Pass {PASSWORD}
SSLType {tls}
CertificateFile {self.cluster.certificates.ca}
AuthMechs PLAIN

IMAPStore remote
Account proxy

MaildirStore local
Path {folder}/
Inbox {folder}/{maildir}

Channel all
Far :remote:
Near :local:
Patterns INBOX
Sync {sync}
SyncState {folder}/{maildir}.state
""")
        (folder / maildir).mkdir(exist_ok=True)
        for kind in ("cur", "new", "tmp"):
            (folder / maildir / kind).mkdir(exist_ok=True)
        done = subprocess.run(["mbsync", "-q", "-c", control, "all"], capture_output=True, text=True,
                              timeout=120, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.returncode, 0, done.stderr)

    @staticmethod
    def without_sync_header(text):
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("X-TUID: "))

    def each_way(self):
        """An IMAP4 of each kind that is not logged in: plaintext, STARTTLS, implicit TLS."""
        plain, upgraded = (imaplib.IMAP4(HOST, self.proxy.port, SECONDS) for _ in range(2))
        upgraded.starttls(self.trust)
        implicit = imaplib.IMAP4_SSL(HOST, self.proxy.listeners[1], ssl_context=self.trust, timeout=SECONDS)
        for client in (plain, upgraded, implicit):
            self.addCleanup(client.socket().close)
            yield client

    def test_tells_an_idle_client_of_a_new_message(self):
        for number, waiting in enumerate(self.each_way(), 1):
            with self.subTest(waiting=type(waiting).__name__, number=number):
                self.tells_of_a_new_message(waiting, number)

    def tells_of_a_new_message(self, waiting, number):
        waiting.login("idle@example.com", PASSWORD)
        waiting.select()
        waiting.send(b"i IDLE\r\n")
        self.assertTrue(waiting.readline().startswith(b"+ "))
        self.client("idle@example.com").append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")
        readable, _, _ = select.select([waiting.socket()], [], [], SECONDS)
        self.assertTrue(readable)
        self.assertEqual(waiting.readline(), b"* %d EXISTS\r\n" % number)

    def test_passes_a_big_message_both_ways_and_waits_for_a_slow_reader(self):
        self.pass_big_message(self.client("big@example.com"))

    def test_passes_a_big_message_through_tls_and_waits_for_a_slow_reader(self):
        client = imaplib.IMAP4_SSL(HOST, self.proxy.listeners[1], ssl_context=self.trust, timeout=SECONDS)
        self.addCleanup(client.socket().close)
        client.login("big@example.com", PASSWORD)
        self.pass_big_message(client)

    def pass_big_message(self, client):
        message = big_message()
        before = self.proxy.memory_kib()
        self.assertEqual(client.append("INBOX", None, None, message)[0], "OK")
        client.select()
        client.send(b"f FETCH * BODY.PEEK[]\r\n")
        self.assertLess(self.memory_at_rest() - before, GROWTH_KIB)
        self.client(ALICE)  # others don't wait
        line = client.readline()
        size = int(line.rpartition(b"{")[2].rstrip(b"}\r\n"))
        received = client.read(size)
        self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(message).digest())
        self.assertEqual(client.readline(), b")\r\n")
        self.assertTrue(client.readline().startswith(b"f OK"))

    def memory_at_rest(self):
        """KiB, once it has stopped growing."""
        deadline = time.monotonic() + SECONDS
        last, same = self.proxy.memory_kib(), 0
        while same < 10 and time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.proxy.memory_kib()
            last, same = now, same + 1 if now <= last else 0
        return last

    def test_keeps_many_sessions_while_logins_go_on(self):
        clients = []
        for _ in range(MANY_SESSIONS):
            connection = socket.create_connection((HOST, self.proxy.port), SECONDS)
            self.addCleanup(connection.close)
            clients.append((connection, connection.makefile("rb", buffering=0)))
        login = f'a LOGIN "{BOB}" "{PASSWORD}"\r\n'.encode()
        for connection, stream in clients:
            self.assertTrue(stream.readline().startswith(b"* OK"))
        for start in range(0, MANY_SESSIONS, 50):
            for connection, _ in clients[start:start + 50]:
                connection.sendall(login)
            for _, stream in clients[start:start + 50]:
                self.assertTrue(stream.readline().startswith(b"a OK"))
        self.client(ALICE).logout()
        for connection, stream in clients:
            connection.sendall(b"n NOOP\r\n")
            self.assertTrue(stream.readline().startswith(b"n OK"))
        self.client(BOB).logout()

    # --- Stores ---

    def test_says_unavailable_when_a_store_is_down_and_recovers(self):
        self.stores[1].stop()
        try:
            self.assertIn("[UNAVAILABLE]", self.refusal(BOB))
            self.client(ALICE).logout()
        finally:
            self.stores[1].start()
        self.client(BOB).logout()

    def empty_map(self):
        file = self.cluster.folder / "nobody.json"
        file.write_text('{"users": {}}')
        file.chmod(0o600)
        return [{"name": "Map", "type": "localFile", "localFile": str(file)}]

    def test_lets_the_store_judge_where_told_so(self):
        proxy = self.start_proxy("store-judges", authenticateOnProxy=False)
        self.client(proxy=proxy).logout()
        self.assertIn("[AUTHENTICATIONFAILED]", self.refusal(password="wrong", proxy=proxy))

    def test_logs_in_as_master_user(self):
        proxy = self.start_proxy("master", upstream={"login": {
            "method": "masterUser", "user": MASTER_USER, "passwordFile": self.secret(MASTER_PASSWORD)}})
        self.assertEqual(self.client(proxy=proxy).select()[0], "OK")

    def test_verifies_a_stores_certificate(self):
        ca = str(self.cluster.certificates.ca)
        for tls, port in (("startTls", self.stores[0].imap), ("implicit", self.stores[0].imaps)):
            mapping = {"userMap": "Map", "mappingHost": HOST, "mappingPort": port}
            with self.subTest(tls=tls):
                shared = {"mapping": mapping, "authenticateOnProxy": False, "userMaps": self.empty_map()}
                good = self.start_proxy(f"{tls}-good", **shared, upstream={"tls": tls, "caFile": ca})
                self.client(proxy=good).logout()
                # Not of the system's authorities.
                bad = self.start_proxy(f"{tls}-bad", **shared, upstream={"tls": tls})
                logins = self.stores[0].dovecot_log().count("Login: user=")
                self.assertIn("[UNAVAILABLE]", self.refusal(proxy=bad))
                self.assertEqual(self.stores[0].dovecot_log().count("Login: user="), logins)

    def test_keeps_passwords_out_of_its_log(self):
        self.client().logout()
        self.refusal(password="wr0ng-" + PASSWORD)
        self.refusal(user=PASSWORD, password=ALICE)  # in each other's place
        self.assertTrue(self.proxy.records())
        for file in pathlib.Path(self.cluster.folder).glob("imap*.log"):
            self.assertNotIn(PASSWORD, file.read_text())
            self.assertNotIn(MASTER_PASSWORD, file.read_text())


if __name__ == "__main__":
    unittest.main()
