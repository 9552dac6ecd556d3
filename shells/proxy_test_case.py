"""A proxy in front of a fake store, as its tests want it."""
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from shells.dialects import Imap
from shells.fake_store import FakeStore
from shells.shell_process import HOST, PASSWORD, SECONDS, Client, ShellProcess, kept_for_each_octet, map_entry

TLS_HOST = "127.0.0.2"  # where start_with_tls() listens with implicit TLS
ALICE = "alice@example.com"


def certify(folder):
    """A self-signed certificate in the place of any old one: its text."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=front", "-keyout", folder / "key", "-out", folder / "pem"],
        check=True, stderr=subprocess.DEVNULL)
    (folder / "key").chmod(0o600)
    return (folder / "pem").read_text()


class ProxyTestCase(unittest.TestCase):
    dialect = Imap  # which proxy

    def setUp(self):
        self.store = FakeStore(dialect=self.dialect)
        self.addCleanup(self.store.close)
        self.users = {ALICE: map_entry(self.store)}

    def start(self, **settings):
        """Listening, with its admin listener too; its first is process.port."""
        process = self.start_any(**settings)
        listeners = len(settings.get("listeners", [1])) + ("admin" in settings)
        process.await_records("listening", listeners)
        return process

    def start_any(self, **settings):
        process = ShellProcess(f"shells/{self.dialect.SERVICE}proxy", settings, self.users)
        self.addCleanup(process.close)
        return process

    def tls(self):
        """The settings of that name, with a certificate of its own."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        certify(folder)
        return {"certificates": [{"certificate": str(folder / "pem"), "privateKey": str(folder / "key")}]}

    def start_with_tls(self, **settings):
        """STARTTLS on HOST, implicit TLS on TLS_HOST."""
        return self.start(
            listeners=[{"address": HOST, "port": 0, "tls": "startTls"},
                       {"address": TLS_HOST, "port": 0, "tls": "implicit"}],
            tls=self.tls(), **settings)

    def connect(self, proxy, port=None, host=HOST):
        client = Client(port or proxy.port, host)
        self.addCleanup(client.close)
        return client

    def connect_implicit(self, proxy):
        """To the second listener of start_with_tls(); no handshake yet."""
        return self.connect(proxy, proxy.ports()[1], TLS_HOST)

    def answer(self, client):
        """The last line of the next answer, or "" at the end."""
        while (line := client.line()) and not re.match(self.dialect.LAST, line):
            pass
        return line

    def ask(self, client, command):
        client.send(command)
        return self.answer(client)

    def greeted(self, proxy):
        client = self.connect(proxy)
        self.answer(client)
        return client

    def joined(self, proxy, user=ALICE):
        """A client that has logged in and has heard its store."""
        client = self.greeted(proxy)
        self.assertRegex(self.ask(client, self.dialect.login(user, PASSWORD)), self.dialect.ACCEPTED)
        self.hears(client)
        return client

    def hears(self, client, store="store"):
        client.send("x NOOP")
        self.assertEqual(client.line(), f"{store}: x NOOP")

    @staticmethod
    def descriptors(proxy):
        return len(os.listdir(f"/proc/{proxy.process.pid}/fd"))

    def await_descriptors(self, proxy, most):
        """What a finished connection still holds goes within seconds."""
        deadline = time.monotonic() + SECONDS
        while self.descriptors(proxy) > most:
            self.assertLess(time.monotonic(), deadline, self.descriptors(proxy))
            time.sleep(0.05)

    @staticmethod
    def memory_kib(proxy):
        """Resident, of its own."""
        pid = proxy.process.pid
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
        return kib // kept_for_each_octet(pid)
