"""All LDAP servers are lost: what users, and servers with mail for them, are told by each protocol."""
import itertools
import signal
import time
import unittest

from shells.dialects import Imap, Pop3, Sieve, base64_of
from shells.fake_mail_store import FakeMailStore
from shells.fake_store import FakeStore
from shells.shell_process import PASSWORD, Client
from testdata.cluster.cluster import HOST, Cluster, free_port
from testdata.cluster.mirror import Mirror

KNOWN, LATER = "alice@example.com", "bob@example.com"  # bob's owner comes in the outage first
SECONDS = 60
PROXIES = {"imapproxy": Imap, "pop3proxy": Pop3, "sieveproxy": Sieve}
# What may remember: the cache alone, and the live map, with passwords in both cases.
CONNECTORS = ({"cache": {"ttl": "0s", "negativeTtl": "0s", "passwordTtl": "1s"}},
              {"follow": True, "cache": {"passwordTtl": "1s"}})


class LdapOutageEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.mirror = Mirror(cls.cluster)
        for user in (KNOWN, LATER):
            cls.cluster.add_user(user, HOST)  # for every protocol, whose ports the proxies know
        cls.mirror.await_copy(LATER.partition("@")[0])
        cls.names = itertools.count(1)

    def setUp(self):
        self.servers = (self.mirror.first, self.mirror.second)

    def start(self, connector):
        self.proxies = {}
        for name, dialect in PROXIES.items():
            self.proxies[name] = self.start_one(name, FakeStore(dialect=dialect), connector)
        self.mail_store = FakeMailStore()
        self.router = self.start_one(
            "smtprouter", self.mail_store, connector,
            [{"address": HOST, "port": free_port(), "tls": "startTls", "role": role}
             for role in ("inbound", "submission")], localDomains=["example.com"])
        self.await_map(connector, "live_map_complete")

    def await_map(self, connector, event):
        for proxy in (*self.proxies.values(), self.router):
            self.await_true(lambda proxy=proxy: "follow" not in connector or proxy.records(event))

    def start_one(self, name, store, connector, listeners=None, **settings):
        self.addCleanup(store.close)
        directory = self.cluster.ldap_settings()
        directory["ldapConnectors"][0].update({"urls": self.mirror.urls, "timeout": "1s"}, **connector)
        proxy = self.cluster.start_proxy(name, {
            "allowPlaintextLogin": "always", "workers": 1, "capabilityInterval": "0s", "failureDelay": "10ms",
            "upstream": {"port": store.port}, **directory, **settings}, listeners,
            f"{name}{next(self.names)}")  # a log of its own
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        self.addCleanup(proxy.stop)
        return proxy

    def await_true(self, found):
        deadline = time.monotonic() + SECONDS
        while not found():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def stranger(self):
        """Asked for the first time: nothing is remembered of it."""
        return f"nobody{next(self.names)}@example.com"

    # --- What is said ---

    def log_in(self, name, user, password=PASSWORD):
        client = Client(self.proxies[name].port)
        try:
            client.send(PROXIES[name].login(user, password))
            greeting = client.line()
            while PROXIES[name] is Sieve and not greeting.startswith("OK"):
                greeting = client.line()
            return client.line()
        finally:
            client.close()

    def smtp(self, port, *commands):
        """The answers, each its first line."""
        client = Client(port)
        try:
            answers = []
            for command in (None, *commands):
                if command is not None:
                    client.send(command)
                answers.append(client.line())
                while answers[-1][3:4] == "-" and client.line()[3:4] == "-":
                    pass
            return answers[1:]
        finally:
            client.close()

    def rcpt(self, user):
        return self.smtp(self.router.port, "EHLO x.example.org", "MAIL FROM:<a@example.org>", f"RCPT TO:<{user}>")[-1]

    def submit(self, user, password=PASSWORD):
        message = base64_of(f"\0{user}\0{password}")
        return self.smtp(self.router.listeners[1], "EHLO x.example.org", f"AUTH PLAIN {message}")[-1]

    # --- What must be said ---

    def expect_all_well(self):
        for name, dialect in PROXIES.items():
            self.assertRegex(self.log_in(name, KNOWN), dialect.ACCEPTED)
            self.assertRegex(self.log_in(name, self.stranger()), dialect.REFUSED)
        self.assertRegex(self.rcpt(KNOWN), "^250 ")
        self.assertRegex(self.rcpt(self.stranger()), "^550 5.1.1 ")
        self.assertRegex(self.submit(KNOWN), "^235 ")
        self.assertRegex(self.submit(self.stranger()), "^535 5.7.8 ")

    def expect_outage(self, knows_locations):
        """Who is known goes on; nobody else hears anything that is for ever."""
        for name, dialect in PROXIES.items():
            self.assertRegex(self.log_in(name, KNOWN), dialect.ACCEPTED)
            for user, password in ((self.stranger(), PASSWORD), (LATER, PASSWORD), (KNOWN, "wrong")):
                self.assertEqual(self.log_in(name, user, password), dialect.UNAVAILABLE)
        self.assertRegex(self.rcpt(KNOWN), "^250 ")
        self.assertRegex(self.rcpt(LATER), "^250 " if knows_locations else "^451 4.3.0 ")
        self.assertRegex(self.rcpt(self.stranger()), "^451 4.3.0 ")
        self.assertRegex(self.rcpt("postmaster"), "^451 4.3.0 ")
        self.assertRegex(self.submit(KNOWN), "^235 ")
        for user, password in ((self.stranger(), PASSWORD), (LATER, PASSWORD), (KNOWN, "wrong")):
            self.assertRegex(self.submit(user, password), "^454 4.7.0 ")

    def through(self, connector, lose, restore):
        self.start(connector)
        self.expect_all_well()
        time.sleep(1.1)  # no password is right without asking any more
        for server in self.servers:
            lose(server)
        try:
            # That one hangs is felt when a question isn't answered. Until then the map speaks for it.
            self.await_map(connector, "live_map_lost")
            for _ in range(3):
                self.expect_outage(knows_locations="follow" in connector)
        finally:
            for server in self.servers:
                restore(server)
        # Without help.
        for name, dialect in PROXIES.items():
            self.await_true(lambda name=name, dialect=dialect: dialect.UNAVAILABLE != self.log_in(name, LATER))
            self.assertRegex(self.log_in(name, LATER), dialect.ACCEPTED)
        self.await_true(lambda: self.rcpt(self.stranger())[:3] == "550")
        self.await_true(lambda: self.submit(LATER)[:3] == "235")
        self.expect_all_well()

    def test_nobody_is_refused_for_ever_while_all_are_dead(self):
        for connector in CONNECTORS:
            with self.subTest(connector):
                self.through(connector, lambda server: server.kill(), lambda server: server.start())

    def test_nobody_is_refused_for_ever_while_all_hang(self):
        for connector in CONNECTORS:
            with self.subTest(connector):
                self.through(connector, lambda server: server.signal(signal.SIGSTOP),
                             lambda server: server.signal(signal.SIGCONT))


if __name__ == "__main__":
    unittest.main()
