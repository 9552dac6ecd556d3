"""One message for two real stores, one of which dies at a step that the test chooses."""
import itertools
import signal
import smtplib
import time
import unittest

from testdata.cluster.cluster import HOST, Cluster, free_port
from testdata.cluster.deliveries import Message, Mta, copies
from testdata.cluster.postfix import Postfix

ALICE, BOB = USERS = ("alice@example.com", "bob@example.com")
SECONDS = 60
# More than the other messages take together.
QUOTA_MIB = 8
QUOTA = """
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:Quota
  quota_rule = *:storage=%dM
}
""" % QUOTA_MIB


class SmtpStoreLossEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.stores = cls.cluster.start_stores(2, users=USERS, extra=("", QUOTA))
        cls.homes = dict(zip(USERS, cls.stores))
        cls.relay = cls.cluster.start_server(Postfix(cls.cluster, "relay", routes={
            user: (HOST, store.lmtp) for user, store in cls.homes.items()}))
        cls.router = cls.cluster.start_proxy("smtprouter", {
            **cls.cluster.local_settings({user: {"host": f"{HOST}:{store.lmtp}"}
                                          for user, store in cls.homes.items()}),
            "localDomains": ["example.com"], "upstream": {"protocol": "lmtp", "connectTimeout": "2s"},
            "fallbackRelay": {"host": HOST, "port": cls.relay.port},
            "spoolFolder": str(cls.cluster.folder)},
            [{"address": HOST, "port": free_port(), "tls": "startTls", "role": "inbound"}])
        cls.numbers = itertools.count(1)

    def setUp(self):
        self.message = Message(next(self.numbers), USERS, 300000)
        self.client = smtplib.SMTP(HOST, self.router.port, timeout=SECONDS)
        self.addCleanup(self.client.close)

    # --- The client's steps ---

    def envelope(self):
        """The answers to RCPT."""
        self.client.ehlo()
        self.client.mail(self.message.sender)
        return [self.client.rcpt(user)[0] for user in USERS]

    def begin(self):
        self.assertEqual(self.client.docmd("DATA")[0], 354)

    def send(self, *parts):
        """Of the text with its dots stuffed, which is answered behind the last part."""
        text = (b"\r\n" + self.message.text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
        for part in parts:
            self.client.sock.sendall(text[part])

    def answer(self):
        return self.client.getreply()[0]

    # --- What lies where ---

    def count(self, user):
        digests = copies(self.homes[user].folder / "mail" / user).get(self.message.id, [])
        self.assertLessEqual(set(digests), {self.message.digest})
        return len(digests)

    def await_counts(self, *counts):
        deadline = time.monotonic() + SECONDS
        while (found := [self.count(user) for user in USERS]) != list(counts) or not self.relay.queue_is_empty():
            self.assertLess(time.monotonic(), deadline, f"{found}, not {counts}: {self.router.text()[-2000:]}")
            time.sleep(0.1)

    def try_again(self, recipients=USERS):
        self.message.recipients = recipients
        Mta(self.router.port).hand_in(self.message, time.monotonic() + SECONDS)

    # --- Steps ---

    def kill(self, store):
        """Returns when the router knows."""
        known = len(self.router.records("upstream_failure"))
        store.kill()
        deadline = time.monotonic() + SECONDS
        while len(self.router.records("upstream_failure")) == known:
            self.assertLess(time.monotonic(), deadline, "the loss isn't noticed")
            time.sleep(0.02)

    def test_lost_behind_its_acceptance_of_the_recipient(self):
        for store in self.stores:
            with self.subTest(store=store.name):
                self.setUp()
                self.assertEqual(self.envelope(), [250, 250])
                self.kill(store)
                try:
                    # The refusal itself follows the message (RFC 2920 §3.1).
                    self.begin()
                    self.send(slice(None))
                    self.assertEqual(self.answer(), 451)
                    self.await_counts(0, 0)
                finally:
                    store.start()
                self.try_again()
                self.await_counts(1, 1)

    def test_lost_in_the_middle_of_the_message(self):
        for store in self.stores:
            with self.subTest(store=store.name):
                self.setUp()
                self.assertEqual(self.envelope(), [250, 250])
                self.begin()
                self.send(slice(0, 100000))
                self.kill(store)
                try:
                    self.send(slice(100000, None))
                    self.assertEqual(self.answer(), 451)
                    self.await_counts(0, 0)
                finally:
                    store.start()
                self.try_again()
                self.await_counts(1, 1)

    def lose_at_commit(self, store):
        """What the client hears; the store has taken the message, and never comes to read it."""
        self.begin()
        store.signal_all(signal.SIGSTOP)
        try:
            self.send(slice(None))
            time.sleep(0.5)  # the router waits for the store now
        finally:
            store.kill()
        return self.answer()

    def test_the_first_lost_at_its_commit(self):
        self.assertEqual(self.envelope(), [250, 250])
        try:
            self.assertEqual(self.lose_at_commit(self.stores[0]), 451)
            self.await_counts(0, 0)
        finally:
            self.stores[0].start()
        self.try_again()
        self.await_counts(1, 1)

    def test_the_second_lost_at_its_commit(self):
        """The relay has it then, so the client needn't come again."""
        self.assertEqual(self.envelope(), [250, 250])
        try:
            self.assertEqual(self.lose_at_commit(self.stores[1]), 250)
            self.assertEqual((self.count(ALICE), self.count(BOB)), (1, 0))
            self.assertFalse(self.relay.queue_is_empty())
        finally:
            self.stores[1].start()
        self.await_counts(1, 1)
        lost = [record for record in self.router.records("upstream_failure") if "lost" in record]
        self.assertIn(f":{self.stores[1].lmtp}", lost[-1]["upstream"])

    def test_a_second_fault_may_double_but_loses_nothing(self):
        """The relay is lost as well: who has accepted gets the message twice, as mail_fan_out.h says."""
        self.assertEqual(self.envelope(), [250, 250])
        self.relay.kill()
        try:
            self.assertEqual(self.lose_at_commit(self.stores[1]), 451)
        finally:
            self.stores[1].start()
            self.relay.start()
        self.await_counts(1, 0)
        self.try_again()
        self.await_counts(2, 1)

    def test_without_the_relay_nothing_is_held(self):
        self.relay.kill()
        try:
            self.assertEqual(self.envelope(), [250, 452])
            self.begin()
            self.send(slice(None))
            self.assertEqual(self.answer(), 250)
            self.try_again(USERS[1:])
        finally:
            self.relay.start()
        self.await_counts(1, 1)

    def test_a_refusal_behind_the_message_is_the_relays_to_return(self):
        """bob's mailbox is too small: LMTP says so only then, and the relay writes to the sender."""
        self.message = Message(next(self.numbers), USERS, 2 * QUOTA_MIB << 20)
        self.assertEqual(self.envelope(), [250, 250])
        self.begin()
        self.send(slice(None))
        self.assertEqual(self.answer(), 250)
        self.await_counts(1, 0)
        self.assertRegex(self.relay.maillog(), f"to=<{BOB}>.*status=bounced.*552 5.2.2")


if __name__ == "__main__":
    unittest.main()
