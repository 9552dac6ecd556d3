"""smtprouter under load, and while its stores die: each message that was accepted arrives once."""
import collections
import itertools
import random
import re
import signal
import subprocess
import threading
import time
import unittest

from testdata.cluster.cluster import HOST, Cluster, free_port
from testdata.cluster.deliveries import Message, Mta, copies
from testdata.cluster.postfix import Postfix

ALICE, BOB = USERS = ("alice@example.com", "bob@example.com")
# What smtp-source makes of one address: all but the last recipient have numbers.
NUMBERED = ("user@example.com", "2user@example.com")
SENDER = "sender@example.org"
SECONDS = 240
KILLS = 14


class SmtpDeliveryEndToEndTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.__exit__)

    def start_dovecots(self, users):
        """Stores behind LMTP, each user in one of them, and a Postfix to fall back on."""
        self.stores = self.cluster.start_stores(2, users=users)
        self.ports = [store.lmtp for store in self.stores]
        self.maildirs = [store.folder / "mail" / user for user, store in zip(users, self.stores)]
        self.start_router("lmtp", users)

    def start_postfixes(self, users):
        """The same with stores behind SMTP."""
        self.stores = [self.cluster.start_server(Postfix(self.cluster, f"store{number}", mailboxes=[user]))
                       for number, user in enumerate(users, 1)]
        self.ports = [store.port for store in self.stores]
        self.maildirs = [store.folder / "mail" / user for user, store in zip(users, self.stores)]
        self.start_router("smtp", users)

    def start_router(self, protocol, users):
        self.relay = self.cluster.start_server(Postfix(self.cluster, "relay", routes={
            user: (HOST, port) for user, port in zip(users, self.ports)}))
        self.router = self.cluster.start_proxy("smtprouter", {
            **self.cluster.local_settings({user: {"host": f"{HOST}:{port}"}
                                           for user, port in zip(users, self.ports)}),
            "hostName": "mx.example.com", "localDomains": ["example.com"],
            "upstream": {"protocol": protocol, "port": self.ports[0], "connectTimeout": "2s"},
            "fallbackRelay": {"host": HOST, "port": self.relay.port},
            "spoolFolder": str(self.cluster.folder)},
            [{"address": HOST, "port": free_port(), "tls": "startTls", "role": "inbound"}])

    def until(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)

    def smtp_source(self, count):
        source = subprocess.run(
            ["smtp-source", "-s", "16", "-m", str(count), "-l", "4000", "-f", SENDER, "-r", "2",
             "-t", NUMBERED[0], f"inet:{HOST}:{self.router.port}"],
            capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(source.returncode, 0, source.stderr)

    def assert_each_came_once(self, count):
        """Both have all the messages, and the same octets of each."""
        first, second = (copies(maildir, b"Message-Id:") for maildir in self.maildirs)
        self.assertEqual(len(first), count)
        self.assertEqual({len(digests) for digests in first.values()}, {1})
        self.assertEqual(first, second)

    def test_thousands_for_two_lmtp_stores_each(self):
        self.start_dovecots(NUMBERED)
        self.smtp_source(2000)
        self.assert_each_came_once(2000)
        self.assertNotIn("from=<", self.relay.maillog())

    def test_thousands_for_two_smtp_stores_each(self):
        self.start_postfixes(NUMBERED)
        self.smtp_source(500)
        self.until(lambda: all(store.queue_is_empty() for store in self.stores), "stores have work left")
        self.assert_each_came_once(500)
        self.assertNotIn("from=<", self.relay.maillog())

    # --- While the stores die ---

    def test_stores_are_killed_and_return(self):
        self.start_dovecots(USERS)
        sent, failures, over = [], [], threading.Event()
        numbers = itertools.count(1)

        def send():
            mta = Mta(self.router.port)
            try:
                while not over.is_set():
                    number = next(numbers)
                    message = Message(number, (USERS, USERS, USERS[:1], USERS[1:])[number % 4])
                    mta.hand_in(message, time.monotonic() + SECONDS)
                    sent.append(message)
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

        senders = [threading.Thread(target=send) for _ in range(8)]
        for sender in senders:
            sender.start()
        try:
            self.kill_in_turn(random.Random(4))
        finally:
            over.set()
            for sender in senders:
                sender.join()
        self.assertEqual(failures, [])
        self.until(self.relay.queue_is_empty, "the relay has work left")
        self.assert_explained(sent)

    def kill_in_turn(self, chance):
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1))
            store = chance.choice(self.stores)
            if chance.random() < 0.5:  # so that many wait for it, at any step
                store.signal_all(signal.SIGSTOP)
                time.sleep(chance.uniform(0.05, 0.5))
            store.kill()
            time.sleep(chance.uniform(0, 0.5))
            store.start()

    def assert_explained(self, sent):
        """Nothing is missing, changed, or twice, but where a killed store's answer is lost for ever:
        whoever waited for it says so, and then nobody can know (RFC 1047)."""
        doubts = self.doubts_of_router() + self.doubts_of_relay()
        twice = 0
        for user, maildir in zip(USERS, self.maildirs):
            found = copies(maildir)
            wanted = {message.id: message for message in sent if user in message.recipients}
            self.assertEqual(found.keys(), wanted.keys(), user)
            for number, digests in found.items():
                message = wanted[number]
                self.assertEqual(set(digests), {message.digest}, f"{number} for {user}")
                self.assertLessEqual(len(digests), 1 + doubts[message.sender, user], f"{number} for {user}")
                twice += len(digests) > 1
        fallbacks = sum(record["relayed"] for record in self.router.records("recipient"))
        print(f"{len(sent)} messages; {fallbacks} by the relay; {sum(doubts.values())} lost answers, "
              f"{twice} copies too many")

    def doubts_of_router(self):
        """(sender, recipient) → how often a store was lost behind the message."""
        senders = {record["session"]: record["sender"] for record in self.router.records("message")}
        users = {f"{HOST}:{port}": user for port, user in zip(self.ports, USERS)}
        return collections.Counter(
            (senders[record["session"]], users[record["upstream"]])
            for record in self.router.records("upstream_failure") if "lost" in record)

    def doubts_of_relay(self):
        log = self.relay.maillog()
        senders = dict(re.findall(r"qmgr\[\d+\]: (\w+): from=<(.*?)>", log))
        return collections.Counter(
            (senders[name], user)
            for name, user in re.findall(r": (\w+): to=<(.*?)>.*may be sent more than once", log))


if __name__ == "__main__":
    unittest.main()
