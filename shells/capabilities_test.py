"""What a proxy promises of its stores before login: what it has learned of them, and nothing before."""
import sys
import unittest

from shells.dialects import DIALECTS
from shells.fake_store import FakeStore, ScriptedStore
from shells.proxy_test_case import ALICE, ProxyTestCase
from shells.shell_process import map_entry

# How a client asks; what two stores say; what of that both have, and what one
# has; and what no client may be told while nothing is known.
ASKED = {
    "imap": ("a CAPABILITY",
             [(b"* OK [CAPABILITY IMAP4rev1 SASL-IR IDLE MOVE AUTH=PLAIN AUTH=XOAUTH2] hi\r\n",),
              (b"* OK [CAPABILITY IMAP4rev1 SASL-IR IDLE AUTH=PLAIN AUTH=OAUTHBEARER] hi\r\n",)],
             ["IDLE"], ["MOVE", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"]),
    "pop3": ("CAPA",
             [(b"+OK hi\r\n", b"+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nSASL PLAIN XOAUTH2\r\n.\r\n"),
              (b"+OK hi\r\n", b"+OK\r\nUIDL\r\nRESP-CODES\r\nSASL PLAIN OAUTHBEARER\r\n.\r\n")],
             ["UIDL", "RESP-CODES"], ["TOP", "PIPELINING", "XOAUTH2", "OAUTHBEARER"]),
    "sieve": ("CAPABILITY",
              [(b'"IMPLEMENTATION" "x"\r\n"SIEVE" "fileinto"\r\n"VERSION" "1.0"\r\n"SASL" "PLAIN XOAUTH2"\r\nOK\r\n',),
               (b'"IMPLEMENTATION" "x"\r\n"SIEVE" "fileinto body"\r\n"SASL" "PLAIN OAUTHBEARER"\r\nOK\r\n',)],
              ["fileinto"], ["body", "VERSION", "XOAUTH2", "OAUTHBEARER"]),
}


class CapabilitiesTest(ProxyTestCase):
    def setUp(self):
        super().setUp()
        self.command, self.answers, self.common, self.others = ASKED[self.dialect.SERVICE]

    def store_saying(self, answers):
        store = FakeStore(dialect=type("Dialect", (self.dialect,), {"STORE": answers}))
        self.addCleanup(store.close)
        return store

    def learning(self, **settings):
        return self.start(allowPlaintextLogin="always", oauth=True, capabilityInterval="5m", **settings)

    def told(self, proxy):
        client = self.greeted(proxy)
        client.send(self.command)
        client.send(self.dialect.LOGOUT)
        return client.rest()

    def assert_told(self, proxy, those, not_those):
        told = self.told(proxy)
        for word in those:
            self.assertIn(word, told)
        for word in not_those:
            self.assertNotIn(word, told)

    def test_the_stores_that_a_map_names_are_asked_before_anybody_logs_in(self):
        first, second = (self.store_saying(answers) for answers in self.answers)
        self.users = {ALICE: map_entry(first), "bob@example.com": map_entry(second)}
        proxy = self.learning()
        proxy.await_records("capabilities_learned")
        self.assert_told(proxy, self.common, self.others)
        self.assertEqual(len(proxy.records("capabilities_learned")), 1, "nothing was taken back")
        self.assertEqual((first.connections, second.connections), (1, 1))

    def test_nothing_is_promised_before_all_were_heard(self):
        willing, silent = self.store_saying(self.answers[0]), ScriptedStore()
        self.addCleanup(silent.close)
        self.users = {ALICE: map_entry(willing), "bob@example.com": map_entry(silent)}
        proxy = self.learning()
        while not willing.connections:
            self.told(proxy)
        self.assert_told(proxy, [], self.common + self.others)

    def test_a_token_is_taken_once_a_store_is_known_to_take_it(self):
        store = self.store_saying(self.answers[0])
        self.users = {ALICE: map_entry(store)}
        proxy = self.learning()
        proxy.await_records("capabilities_learned")
        self.assert_told(proxy, ["XOAUTH2"], ["OAUTHBEARER"])

    def test_nobody_is_asked_where_that_is_turned_off(self):
        store = self.store_saying(self.answers[0])
        self.users = {ALICE: map_entry(store)}
        proxy = self.start(allowPlaintextLogin="always", oauth=True, capabilityInterval="0s")
        self.joined(proxy)
        self.assert_told(proxy, [], self.common + self.others)
        self.assertEqual(store.connections, 1)


if __name__ == "__main__":
    ProxyTestCase.dialect = DIALECTS[sys.argv.pop(1)]
    unittest.main()
