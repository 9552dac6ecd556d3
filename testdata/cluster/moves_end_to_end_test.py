"""A hundred accounts that move by one LDAP modify while their owners are busy and mail flows."""
import collections
import datetime
import hashlib
import itertools
import random
import smtplib
import threading
import time
import unittest

from shells.dialects import Imap, Pop3, plain
from shells.fake_mail_store import FakeMailStore
from shells.fake_store import FakeStore
from shells.shell_process import PASSWORD, Client
from testdata.cluster.cluster import HOST, Cluster, free_port
from testdata.cluster.deliveries import Message, Mta, without_trace

OLD, NEW = "127.0.0.1", "127.0.0.2"  # one host for every protocol, whose ports the proxies know
USERS = [f"user{number}@example.com" for number in range(100)]
STAYS = "stays@example.com"
SECONDS = 30
SENDERS = 12


class Mailbox(FakeStore):
    """Answers every command with a message of its own name, in parts; `pause` lies between them."""
    PARTS = 2

    def __init__(self, name, dialect, pause, **where):
        self.pause = pause
        super().__init__(name, dialect, **where)

    @classmethod
    def answer(cls, name, dialect):
        """The parts of it. The lines of the message are such as end answers elsewhere."""
        text = b"".join(b"%s line %d\r\n" % (name, number) for number in range(3))
        if dialect is Imap:
            begin = b"* 1 FETCH (BODY[] {%d}\r\n" % (len(text) * cls.PARTS)
            return [begin, *[text] * cls.PARTS, b")\r\nx OK\r\n"]
        return [b"+OK\r\n", *[text] * cls.PARTS, b".\r\n"]

    def _echo(self, stream):
        for line in stream:
            if self._is_logout(line):
                stream.write(self.dialect.store_says(line))
                return
            for part in self.answer(self.name, self.dialect):
                stream.write(part)
                time.sleep(self.pause)


class AppendStore(FakeStore):
    """Takes what is appended: `uploads`."""

    def __init__(self, name, **where):
        self.uploads = []
        super().__init__(name, **where)

    def _echo(self, stream):
        for line in stream:
            size = int(line.partition(b"{")[2].partition(b"}")[0])
            stream.write(b"+ go on\r\n")
            upload = b""
            while len(upload) < size and (data := stream.read(size - len(upload))):
                upload += data
            self.uploads.append(upload)
            stream.readline()
            stream.write(b"x OK\r\n")


class Owner(threading.Thread):
    """Reads its message at "old" again and again, until it leaves or hears something else: `heard`."""
    COMMANDS = {Imap: b"x FETCH 1 BODY[]\r\n", Pop3: b"RETR 1\r\n"}

    def __init__(self, proxy, dialect, user):
        super().__init__(daemon=True)
        self.dialect, self.client = dialect, Client(proxy.port)
        self.leaves, self.whole, self.heard = False, 0, b""
        self.client.line()
        self.client.send(dialect.login(user, PASSWORD))
        self.accepted = self.client.line()

    def run(self):
        message = b"".join(Mailbox.answer(b"old", self.dialect))
        try:
            while not (self.leaves and self.whole):
                self.client.socket.sendall(self.COMMANDS[self.dialect])
                while len(self.heard) < len(message) and (data := self.client.socket.recv(65536)):
                    self.heard += data
                if self.heard != message:
                    break
                self.whole, self.heard = self.whole + 1, b""
        except OSError:
            pass  # the command came too late
        self.client.close()


class SlowSmtp(smtplib.SMTP):
    """Sends a message in parts, so that a move comes in the middle of some."""
    PARTS = 4

    def send(self, octets):
        step = len(octets) // self.PARTS + 1
        if step < 200:
            return super().send(octets)
        for begin in range(0, len(octets), step):
            super().send(octets[begin:begin + step])
            time.sleep(0.2)


Attempt = collections.namedtuple("Attempt", "message taken began ended")


class Sender(Mta, threading.Thread):
    """Hands in mail for anybody, on one connection, until it is stopped."""

    def __init__(self, port, number, ids, stop):
        Mta.__init__(self, port)
        threading.Thread.__init__(self, daemon=True)
        self.ids, self.stop, self.chance = ids, stop, random.Random(number)
        self.made, self.error = [], None
        self.client = SlowSmtp(HOST, port, timeout=SECONDS)
        self.client.ehlo("mta.example.org")

    def run(self):
        try:
            while not self.stop.is_set():
                recipients = self.chance.sample(USERS, self.chance.choice((1, 1, 3)))
                self.hand_in(Message(next(self.ids), recipients), time.monotonic() + SECONDS)
            self.client.quit()
        except (AssertionError, OSError) as error:
            self.error = repr(error)

    def attempt(self, message, recipients):
        began = time.time()
        self.client.rset()
        taken = self.transact(self.client, message, recipients)
        self.made.append(Attempt(message, taken, began, time.time()))
        return taken


def read(stored):
    """(X-Id, digest) of a message as it came over SMTP."""
    lines = stored.splitlines(keepends=True)
    text = without_trace(b"".join(line[line.startswith(b"."):] for line in lines)).replace(b"\r\n", b"\n")
    number = next(line for line in text.splitlines() if line.startswith(b"X-Id:")).split()[1]
    return number.decode(), hashlib.sha256(text).hexdigest()


def seconds_of(record):
    return datetime.datetime.fromisoformat(record["time"]).timestamp()


class MovesEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.cluster.start_directory()
        for user in [STAYS, *USERS]:
            cls.cluster.add_user(user, OLD)

    def setUp(self):
        self.move(OLD)

    def move(self, host, *changes, users=USERS):
        """One modify of each; when it began and ended."""
        began = time.time()
        self.cluster.ldif("".join(
            f"dn: uid={user.partition('@')[0]},dc=example,dc=com\nchangetype: modify\n" + "\n-\n".join(
                [f"replace: mailHost\nmailHost: {host}", *changes]) + "\n\n" for user in users), modify=True)
        return began, time.time()

    def pair(self, make):
        """make(name, where) at OLD, and at NEW with the same port."""
        while True:
            old = make("old", {"host": OLD})
            self.addCleanup(old.close)
            try:
                new = make("new", {"host": NEW, "port": old.port})
            except OSError:
                continue  # somebody else has it there
            self.addCleanup(new.close)
            return old, new

    def start(self, name, store, connector, listeners=None, **settings):
        directory = self.cluster.ldap_settings()
        directory["ldapConnectors"][0].update(connector, movingAttribute="carLicense")
        proxy = self.cluster.start_proxy(name, {
            "allowPlaintextLogin": "always", "workers": 2, "capabilityInterval": "0s", **directory, **settings,
            "upstream": {"port": store.port}}, listeners, label=f"{name}{store.port}")  # a log of its own
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        self.addCleanup(proxy.stop)
        if connector.get("follow"):
            self.await_true(lambda: proxy.records("live_map_complete"), proxy)
        return proxy

    def await_true(self, found, proxy):
        deadline = time.monotonic() + SECONDS
        while not found():
            self.assertLess(time.monotonic(), deadline, proxy.text()[-3000:])
            time.sleep(0.01)

    # --- Mail flows ---

    def start_router(self, store, **connector):
        return self.start("smtprouter", store, connector, localDomains=["example.com"])

    def send_while_moving(self, router, stores, late):
        """Each message arrives once and as it was; one that is begun `late` seconds behind the move only at NEW."""
        stop, ids = threading.Event(), itertools.count(1)
        self.addCleanup(stop.set)
        senders = [Sender(router.port, number, ids, stop) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(1)
        began, moved = self.move(NEW)
        time.sleep(late + 1)
        stop.set()
        for sender in senders:
            sender.join(SECONDS)
            self.assertIsNone(sender.error)
        taken = {(attempt.message.id, recipient): attempt
                 for sender in senders for attempt in sender.made for recipient in attempt.taken}
        arrived = self.arrived(stores)
        self.assertEqual(set(arrived), set(taken), "nothing is lost, and nothing comes that wasn't taken")
        for key, attempt in taken.items():
            (store, digest), = arrived[key]
            self.assertEqual(digest, attempt.message.digest)
            if attempt.ended < began:
                self.assertEqual(store, "old")
            if attempt.began > moved + late:
                self.assertEqual(store, "new")
        # It was all there to be seen.
        self.assertGreater(sum(attempt.ended < began for attempt in taken.values()), 10)
        self.assertGreater(sum(attempt.began < moved and attempt.ended > began for attempt in taken.values()), 5)
        self.assertGreater(sum(attempt.began > moved + late for attempt in taken.values()), 10)

    @staticmethod
    def arrived(stores):
        """(number, recipient) → [(store's name, digest) of each copy]"""
        found = collections.defaultdict(list)
        for name, store in zip(("old", "new"), stores):
            for recipients, stored in store.deliveries:
                number, digest = read(stored)
                for recipient in recipients:
                    found[number, recipient].append((name, digest))
        return found

    def mail_stores(self):
        return self.pair(lambda name, where: FakeMailStore(where))

    def test_mail_that_flows_arrives_once_and_by_the_live_map_within_a_second_at_the_new_host_only(self):
        stores = self.mail_stores()
        # So that nothing but the map can know of the change.
        router = self.start_router(stores[0], follow=True, cache={"ttl": "1h", "negativeTtl": "1h"})
        self.send_while_moving(router, stores, late=1)

    def test_mail_that_flows_arrives_once_and_by_the_cache_when_that_is_old_at_the_new_host_only(self):
        stores = self.mail_stores()
        router = self.start_router(stores[0], cache={"ttl": "1s"})
        self.send_while_moving(router, stores, late=1)

    def test_mail_for_a_mailbox_on_its_way_is_put_off_and_comes_once_to_the_new_host(self):
        for connector in ({"follow": True}, {"cache": {"ttl": "100ms"}}):
            with self.subTest(connector):
                self.move(OLD)
                stores = self.mail_stores()
                router = self.start_router(stores[0], **connector)
                on_its_way, other = USERS[:2]
                self.move(OLD, "add: carLicense\ncarLicense: TRUE", users=[on_its_way])
                time.sleep(0.5)
                answers = []
                with smtplib.SMTP(HOST, router.port, timeout=SECONDS) as client:
                    client.ehlo()
                    client.mail("sender@example.org")
                    answers = [client.rcpt(user) for user in (on_its_way, other)]
                self.assertEqual(answers[0], (450, b"4.2.1 Mailbox is being moved"))
                self.assertEqual(answers[1][0], 250)
                mta, message = Mta(router.port), Message(1, [on_its_way, other])
                sending = threading.Thread(target=mta.hand_in, args=(message, time.monotonic() + SECONDS))
                sending.start()
                self.await_true(lambda: mta.attempts > 3, router)
                self.move(NEW, "delete: carLicense", users=[on_its_way])
                sending.join(SECONDS)
                self.assertEqual(self.arrived(stores), {("1", on_its_way): [("new", message.digest)],
                                                        ("1", other): [("old", message.digest)]})

    # --- The owners are busy ---

    def joined(self, proxy, dialect, *users):
        """The stores that new sessions hear."""
        owners = [Owner(proxy, dialect, user) for user in users]
        for owner in owners:
            self.assertRegex(owner.accepted, dialect.ACCEPTED)
            owner.leaves = True  # behind its first message
            owner.start()
        for owner in owners:
            owner.join(SECONDS)
            self.assertTrue(owner.whole or b"new" in owner.heard, owner.heard)
        return ["old" if owner.whole else "new" for owner in owners]

    def test_busy_owners_hear_the_end_between_two_answers_and_come_to_the_new_host(self):
        for name, dialect, good_bye in (("imapproxy", Imap, b"* BYE "), ("pop3proxy", Pop3, b"")):
            with self.subTest(name):
                self.move(OLD)
                stores = self.pair(lambda store, where, dialect=dialect: Mailbox(store, dialect, 0.15, **where))
                proxy = self.start(name, stores[0], {"follow": True})
                stays = Owner(proxy, dialect, STAYS)
                owners = [Owner(proxy, dialect, user) for user in USERS]
                for owner in [stays, *owners]:
                    owner.start()
                time.sleep(0.5)
                _, moved = self.move(NEW)
                self.assertEqual(set(self.joined(proxy, dialect, *USERS)), {"new"})
                for owner in owners:
                    owner.join(SECONDS)
                    self.assertGreater(owner.whole, 0)
                    self.assertEqual(owner.heard[:6], good_bye, "no message was cut")
                self.await_true(lambda: len(self.sessions_at(proxy, stores[0], OLD)) >= len(USERS), proxy)
                ended = self.sessions_at(proxy, stores[0], OLD)
                self.assertEqual(sorted(record["user"] for record in ended), sorted(USERS))
                self.assertLess(max(map(seconds_of, ended)) - moved, 1)
                self.assertTrue(stays.is_alive())

    def finish_upload(self, client, begin, rest):
        """What is answered, where the account moves in the middle and the client stops for long there."""
        client.socket.sendall(begin)
        time.sleep(0.2)
        self.move(NEW, users=[STAYS])
        self.addCleanup(self.move, OLD, users=[STAYS])
        time.sleep(2)
        client.socket.sendall(rest)
        return client.line()

    def test_an_appended_message_under_way_is_taken_first(self):
        stores = self.pair(lambda name, where: AppendStore(name, **where))
        proxy = self.start("imapproxy", stores[0], {"follow": True})
        client = Owner(proxy, Imap, STAYS).client
        client.send("x APPEND INBOX {18}")
        self.assertEqual(client.line(), "+ go on")
        self.assertEqual(self.finish_upload(client, b"line 1\r\n", b"0123456789\r\n"), "x OK")
        self.assertRegex(client.rest(), "^[*] BYE ")
        self.assertEqual((stores[0].uploads, stores[1].uploads), ([b"line 1\r\n0123456789"], []))

    def test_a_submitted_message_under_way_is_taken_first(self):
        stores = self.pair(lambda name, where: FakeMailStore(
            where, EHLO=b"250-store\r\n250 AUTH PLAIN\r\n", AUTH=b"235 2.7.0 in\r\n"))
        router = self.start(
            "smtprouter", stores[0], {"follow": True}, [{"address": HOST, "port": free_port(), "role": "submission"}],
            submission={"mode": "home", "upstream": {"port": stores[0].port}}, localDomains=["example.com"])
        client = Client(router.port)
        self.addCleanup(client.close)
        for command in (None, "HELO x.example.org", "EHLO x.example.org", f"AUTH PLAIN {plain(STAYS, PASSWORD)}",
                        f"MAIL FROM:<{STAYS}>", "RCPT TO:<x@example.org>", "DATA"):
            if command is not None:
                client.send(command)
            while (answer := client.line())[3:4] == "-":
                pass
            self.assertRegex(answer, "^[23]", command)
        self.assertEqual(self.finish_upload(client, b"line 1\r\n", b"line 2\r\n.\r\n"), "250 2.0.0 taken")
        self.assertEqual(client.rest(), "")
        self.assertEqual((stores[0].messages, stores[1].messages), ([b"line 1\r\nline 2\r\n"], []))

    @staticmethod
    def sessions_at(proxy, store, host):
        return [record for record in proxy.records() if record.get("upstream") == f"{host}:{store.port}"]

    def test_pop3_logins_wait_for_a_mailbox_on_its_way(self):
        stores = self.pair(lambda name, where: Mailbox(name, Pop3, 0, **where))
        proxy = self.start("pop3proxy", stores[0], {"follow": True}, moveHold="25s")
        self.move(OLD, "add: carLicense\ncarLicense: TRUE", users=USERS[:1])
        time.sleep(0.5)
        heard = []
        waiting = threading.Thread(target=lambda: heard.extend(self.joined(proxy, Pop3, USERS[0])))
        waiting.start()
        self.assertEqual(self.joined(proxy, Pop3, USERS[1]), ["old"])
        time.sleep(0.5)
        self.assertEqual((heard, [user for user, _ in stores[0].logins]), ([], USERS[1:2]))
        self.move(NEW, "delete: carLicense", users=USERS[:1])
        waiting.join(SECONDS)
        self.assertEqual(heard, ["new"])

    def test_a_login_that_has_waited_in_vain_is_told_to_come_later(self):
        stores = self.pair(lambda name, where: Mailbox(name, Pop3, 0, **where))
        proxy = self.start("pop3proxy", stores[0], {"follow": True}, moveHold="1s")
        self.move(OLD, "add: carLicense\ncarLicense: TRUE", users=USERS[:1])
        time.sleep(0.5)
        began = time.monotonic()
        self.assertEqual(Owner(proxy, Pop3, USERS[0]).accepted, Pop3.UNAVAILABLE)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertEqual(stores[0].logins, [])
        self.move(OLD, "delete: carLicense", users=USERS[:1])


if __name__ == "__main__":
    unittest.main()
