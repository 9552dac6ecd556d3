"""A message of 200 MiB passes through smtprouter in bounded memory, to one host and to two."""
import hashlib
import pathlib
import re
import signal
import smtplib
import threading
import time
import unittest

from shells.shell_process import kept_for_each_octet
from testdata.cluster.cluster import HOST, Cluster, free_port
from testdata.cluster.deliveries import copies
from testdata.cluster.postfix import Postfix

ALICE, BOB = USERS = ("alice@example.com", "bob@example.com")
SECONDS = 120
MEBIBYTE = 1 << 20
MEBIBYTES = 200
# What the process may grow by, whatever the message has: buffers of two hosts
# and the spool, in both directions.
MOST_GROWTH_MIB = 8
LINE = b"x" * 126 + b"\r\n"
PIECE = LINE * (MEBIBYTE // len(LINE))


class SmtpLargeMessageEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.stores = cls.cluster.start_stores(2, users=USERS)
        cls.homes = dict(zip(USERS, cls.stores))
        cls.relay = cls.cluster.start_server(Postfix(cls.cluster, "relay", routes={
            user: (HOST, store.lmtp) for user, store in cls.homes.items()}))

    def setUp(self):
        self.router = self.cluster.start_proxy("smtprouter", {
            **self.cluster.local_settings({user: {"host": f"{HOST}:{store.lmtp}"}
                                           for user, store in self.homes.items()}),
            "workers": 1, "localDomains": ["example.com"], "messageBytes": 1 << 30,
            "upstream": {"protocol": "lmtp"},
            "fallbackRelay": {"host": HOST, "port": self.relay.port},
            "spoolFolder": str(self.cluster.folder)},
            [{"address": HOST, "port": free_port(), "tls": "none", "role": "inbound"}], self.id())
        self.addCleanup(self.router.stop)
        self.addCleanup(self.forget)
        self.head = b"From: <a@example.org>\r\nX-Id: %s\r\n\r\n" % self.id().encode()
        self.client = smtplib.SMTP(HOST, self.router.port, timeout=SECONDS)
        self.addCleanup(self.client.close)
        self.client.ehlo()

    def forget(self):
        for user, store in self.homes.items():
            for file in (store.folder / "mail" / user / "new").glob("*"):
                file.unlink()

    def peak_mib(self):
        pid = self.router.process.pid
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024 / kept_for_each_octet(pid)

    def envelope(self, users):
        """Then the peak of before the message."""
        self.assertEqual(self.client.mail("a@example.org")[0], 250)
        for user in users:
            self.assertEqual(self.client.rcpt(user)[0], 250)
        self.before = self.peak_mib()

    def data(self, pieces=MEBIBYTES):
        self.client.sock.sendall(b"".join([PIECE] * pieces))

    def assert_taken(self, users):
        code, text = self.client.getreply()
        self.assertEqual(code, 250, text)
        growth = self.peak_mib() - self.before
        print(f"{self.id()}: {self.before:.1f} MiB, grew by {growth:.1f}")
        self.assertLess(growth, MOST_GROWTH_MIB)
        deadline = time.monotonic() + SECONDS
        digests = hashlib.sha256(self.head.replace(b"\r\n", b"\n"))
        for _ in range(MEBIBYTES):
            digests.update(PIECE.replace(b"\r\n", b"\n"))
        for user in users:
            maildir = self.homes[user].folder / "mail" / user
            while not (found := copies(maildir)):
                self.assertLess(time.monotonic(), deadline, self.relay.maillog()[-2000:])
                time.sleep(0.2)
            self.assertEqual(found, {self.id(): [digests.hexdigest()]}, user)

    def by_data(self, users):
        self.envelope(users)
        self.assertEqual(self.client.docmd("DATA")[0], 354)
        self.client.sock.sendall(self.head)
        self.data()
        self.client.sock.sendall(b".\r\n")
        self.assert_taken(users)

    def test_data_for_one_host(self):
        self.by_data(USERS[:1])

    def test_data_for_two_hosts(self):
        self.by_data(USERS)

    def test_one_chunk_for_one_host(self):
        self.envelope(USERS[:1])
        self.client.sock.sendall(b"BDAT %d LAST\r\n" % (len(self.head) + MEBIBYTES * MEBIBYTE) + self.head)
        self.data()
        self.assert_taken(USERS[:1])

    def test_many_chunks_for_two_hosts(self):
        self.envelope(USERS)
        self.client.sock.sendall(b"BDAT %d\r\n" % len(self.head) + self.head)
        for _ in range(MEBIBYTES):
            self.client.sock.sendall(b"BDAT %d\r\n" % MEBIBYTE)
            self.data(1)
        self.client.sock.sendall(b"BDAT 0 LAST\r\n")
        for _ in range(MEBIBYTES + 1):
            self.assertEqual(self.client.getreply()[0], 250)
        self.assert_taken(USERS)

    def test_the_slowest_host_sets_the_pace(self):
        """It holds the client back, not the memory full; and is lost at last, so that the relay reads
        the whole message from the spool."""
        self.envelope(USERS)
        self.assertEqual(self.client.docmd("DATA")[0], 354)
        self.client.sock.sendall(self.head)
        second = self.stores[1]
        second.signal_all(signal.SIGSTOP)
        sender = threading.Thread(target=self.data)
        sender.start()
        sender.join(2)
        self.assertTrue(sender.is_alive(), "the client wasn't held back")
        self.assertLess(self.peak_mib() - self.before, MOST_GROWTH_MIB)
        second.signal_all(signal.SIGCONT)
        sender.join()
        second.signal_all(signal.SIGSTOP)
        self.client.sock.sendall(b".\r\n")
        self.await_alice()
        second.kill()
        second.start()
        self.assert_taken(USERS)

    def await_alice(self):
        """The first has committed."""
        deadline = time.monotonic() + SECONDS
        while not copies(self.stores[0].folder / "mail" / ALICE):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
