"""Who may send what to whom: the whole table, on the wire."""
import unittest

from shells.proxy_test_case import ALICE
from shells.router_test_case import BOB, SENDER, RouterTestCase, plain
from shells.shell_process import HOST, map_entry

BUECHER = "alice@b\u00fccher.example"
IN_ASCII = "alice@xn--bcher-kva.example"
CAROL = "carol@example.org"

# Recipient → as her store hears of it.
OURS = {
    ALICE: ALICE,
    "ALICE@EXAMPLE.COM": "ALICE@example.com",
    "alice+lists@example.com": "alice+lists@example.com",
    '"alice"@example.com': ALICE,
    r'"\alic\e"@example.com': ALICE,
    "postmaster": "postmaster@example.com",
    "PostMaster": "PostMaster@example.com",
    "postmaster@example.com": "postmaster@example.com",
    IN_ASCII: IN_ASCII,
    BUECHER: BUECHER,
    # Source routes lead nowhere: what counts, and is handed on, is the mailbox (RFC 5321 appendix C).
    f"@example.org:{ALICE}": ALICE,
    f"@example.org,@mx.example.net:{ALICE}": ALICE,
    f"@mx.example.com:{ALICE}": ALICE,
    "@example.org:alice+lists@Example.COM": "alice+lists@example.com",
}
# Recipient → as the relay hears of it, from those who may ask for that.
ELSEWHERE = {
    CAROL: CAROL,
    "Carol@Example.ORG": "Carol@example.org",
    '"car ol"@example.org': '"car ol"@example.org',
    "alice@sub.example.com": "alice@sub.example.com",
    "alice@example.com.example.org": "alice@example.com.example.org",
    "alice@xexample.com": "alice@xexample.com",
    "alice@example": "alice@example",
    "alice@localhost": "alice@localhost",
    "alice@127.0.0.1": "alice@127.0.0.1",
    "alice@[127.0.0.1]": "alice@[127.0.0.1]",
    "alice@[IPv6:::1]": "alice@[ipv6:::1]",
    f"@example.com:{CAROL}": CAROL,
    f"@mx.example.com,@example.com:{CAROL}": CAROL,
    "@example.com:alice@[127.0.0.1]": "alice@[127.0.0.1]",
}
# Recipient → the answer, whoever asks.
NOWHERE = {
    "nobody@example.com": "550 5.1.1",
    '"a lice"@example.com': "550 5.1.1",
    "alice|x@example.com": "550 5.1.1",
    "+alice@example.com": "550 5.1.1",
    # Ways on, for whoever reads the local part once more.
    "carol%example.org@example.com": "553 5.1.3",
    "carol%example.org@example.org": "553 5.1.3",
    "alice+carol%example.org@example.com": "553 5.1.3",
    "example.org!carol@example.com": "553 5.1.3",
    "example.org!example.com!carol@example.org": "553 5.1.3",
    f'"{CAROL}"@example.com': "553 5.1.3",
    r'"alice\"@example.org"@example.com': "553 5.1.3",
    "@example.org:nobody@example.com": "550 5.1.1",
    "@example.com:carol%example.org@example.com": "553 5.1.3",
    f'@example.com:"{CAROL}"@example.com': "553 5.1.3",
    "@example.com:postmaster": "501 5.1.3",
    "@example.com:@example.org:alice@example.com": "501 5.1.3",
    "@example.com,:alice@example.com": "501 5.1.3",
    "@[127.0.0.1]:alice@example.com": "501 5.1.3",
    f"@example.com:{ALICE},{CAROL}": "501 5.1.3",
    f"@example.com:{ALICE},@example.org:{CAROL}": "501 5.1.3",
    "carol@example.org@example.com": "501 5.1.3",
    "alice@example.com@example.org": "501 5.1.3",
    r"alice\@example.org@example.com": "501 5.1.3",
    f"{ALICE}>,<{CAROL}": "501 5.5.4",
    # What isn't an address, or would be another one to the next reader.
    "": "501 5.1.3",
    "alice": "501 5.1.3",
    "alice@": "501 5.1.3",
    "@example.com": "501 5.1.3",
    '""@example.com': "501 5.1.3",
    "alice@example.com.": "501 5.1.3",
    "alice@.example.com": "501 5.1.3",
    "alice@example..com": "501 5.1.3",
    "alice@[example.com]": "501 5.1.3",
    "alice@[127.0.0.1": "501 5.1.3",
    "alice@[127.0.0.256]": "501 5.1.3",
    "alice @example.com": "501 5.1.3",
    " alice@example.com": "501 5.1.3",
    "alice@example.com ": "501 5.1.3",
    "alice@example.com\t": "501 5.1.3",
    "alice@\x1b[2Jexample.com": "501 5.1.3",
    "a" * 65 + "@example.com": "501 5.1.3",
    "alice@" + "x." * 130 + "com": "501 5.1.3",
}


class RelayingTest(RouterTestCase):
    def setUp(self):
        super().setUp()
        for address in ("postmaster@example.com", IN_ASCII):
            self.users[address] = map_entry(self.store)
        self.router = self.start_patient()
        self.delivers(self.router)  # so that it has met a store, and learns of SMTPUTF8
        self.router.await_records("capabilities_learned", 2)  # the relay's, too
        self.store.recipients.clear()

    def start_patient(self, **settings):
        return self.start_with_tls(
            localDomains=["example.com", "xn--bcher-kva.example"], recipientDelimiter="+",
            capabilityInterval="1s", transactionLimit=10**6, recipientLimit=10**6,
            limits={"badCommands": 10**6, "commands": 10**6, "failedLogins": 10**6},
            **settings)

    def judge(self, client, sender, recipient):
        """The code that ends the envelope, and the recipients that (store, relay) heard."""
        for store in (self.store, self.relay):
            store.recipients.clear()
        answer = self.ask(client, f"MAIL FROM:<{sender}> SMTPUTF8")
        if answer.startswith("250"):
            answer = self.ask(client, f"RCPT TO:<{recipient}>")
        self.ask(client, "RSET")
        return " ".join(answer.split()[:2]), list(self.store.recipients), list(self.relay.recipients)

    def assert_verdict(self, client, sender, recipient, wanted):
        with self.subTest(sender=sender, recipient=recipient):
            self.assertEqual(self.judge(client, sender, recipient), wanted)

    def assert_none(self, client, sender, answer):
        """Whatever the recipient."""
        for recipient in (*OURS, *ELSEWHERE, *NOWHERE):
            self.assert_verdict(client, sender, recipient, (answer, [], []))

    def test_a_stranger_reaches_our_users_and_nobody_else(self):
        client = self.inbound(self.router)
        for sender in (SENDER, "", ALICE, "root@localhost", "postmaster@mx.example.com"):
            for recipient, heard in OURS.items():
                self.assert_verdict(client, sender, recipient, ("250 2.1.5", [heard], []))
            for recipient in ELSEWHERE:
                self.assert_verdict(client, sender, recipient, ("554 5.7.1", [], []))
            for recipient, answer in NOWHERE.items():
                self.assert_verdict(client, sender, recipient, (answer, [], []))

    def test_a_user_reaches_everybody_under_an_own_name(self):
        for implicit in (False, True):
            client = self.submission(self.router, ALICE, implicit)
            for sender in (ALICE, "Alice@Example.Com", "alice+lists@example.com", "", f"@example.org:{ALICE}"):
                for recipient, heard in OURS.items():
                    self.assert_verdict(client, sender, recipient, ("250 2.1.5", [heard], []))
                for recipient, heard in ELSEWHERE.items():
                    self.assert_verdict(client, sender, recipient, ("250 2.1.5", [], [heard]))
                for recipient, answer in NOWHERE.items():
                    self.assert_verdict(client, sender, recipient, (answer, [], []))

    def test_a_user_has_no_other_name(self):
        client = self.submission(self.router, ALICE)
        for sender in (BOB, SENDER, "alice@example.org", "alice@sub.example.com", "postmaster@example.com",
                       IN_ASCII, "+alice@example.com", "alicex@example.com", f"@example.com:{BOB}",
                       "@example.com:alice@example.org"):
            self.assert_none(client, sender, "553 5.7.1")

    def test_whoever_has_not_logged_in_submits_nothing(self):
        for implicit in (False, True):
            client = self.submission(self.router, implicit=implicit)
            for sender in (ALICE, SENDER, ""):
                self.assert_none(client, sender, "530 5.7.0")
            self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(ALICE, 'wrong')}"), "^535 5.7.8 ")
            self.assert_none(client, ALICE, "530 5.7.0")
        self.assertNotIn(b"MAIL", self.relay.received)

    def test_no_login_makes_a_stranger_a_user(self):
        client = self.inbound(self.router)
        for command in (f"AUTH PLAIN {plain(ALICE)}", "XCLIENT LOGIN=alice@example.com", "XFORWARD NAME=x",
                        "ETRN example.org", "EXPN alice", "TURN"):
            self.assertRegex(self.ask(client, command), "^502 5.5.1 ", command)
        self.assert_verdict(client, ALICE, CAROL, ("554 5.7.1", [], []))
        for parameter in ("AUTH=<>", "AUTH=alice@example.com"):
            answer = self.ask(client, f"MAIL FROM:<{ALICE}> {parameter}")
            if answer.startswith("250"):
                answer = self.ask(client, f"RCPT TO:<{CAROL}>")
            self.assertRegex(answer, "^5")
            self.ask(client, "RSET")
        self.assertNotIn(b"MAIL", self.relay.received)

    def test_the_default_host_is_for_our_domains_only(self):
        """What nobody knows goes to mappingHost, which isn't a way out."""
        self.router = self.start_patient(capabilities=["SMTPUTF8", "8BITMIME"], mapping={
            "userMap": "Map", "mappingHost": HOST, "mappingPort": self.relay.port})
        client = self.inbound(self.router)
        for recipient in ELSEWHERE:
            self.assert_verdict(client, SENDER, recipient, ("554 5.7.1", [], []))
        for recipient, answer in NOWHERE.items():
            if answer != "550 5.1.1":
                self.assert_verdict(client, SENDER, recipient, (answer, [], []))
        for recipient in ("nobody@example.com", '"a lice"@example.com', "+alice@example.com"):
            self.assert_verdict(client, SENDER, recipient, ("250 2.1.5", [], [recipient]))

    def test_the_store_hears_no_identity_of_the_clients_making(self):
        client = self.submission(self.router, ALICE)
        self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}> AUTH=admin@example.com"), "^250 ")
        self.assertRegex(self.ask(client, f"RCPT TO:<{ALICE}>"), "^250 ")
        self.assertNotIn(b"admin", self.store.received)


if __name__ == "__main__":
    unittest.main()
