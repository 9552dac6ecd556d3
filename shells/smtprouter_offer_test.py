"""What smtprouter promises in its answer to EHLO: what everybody offers who may get the message."""
import time
import unittest

from shells.fake_mail_store import multi_line
from shells.proxy_test_case import ALICE
from shells.router_test_case import SENDER, RouterTestCase
from shells.shell_process import HOST, SECONDS


def offers(*keywords):
    return multi_line(250, [b"host", *(keyword.encode() for keyword in keywords)])


class OfferTestCase(RouterTestCase):
    def offer(self, client):
        """Of a client that was greeted and says EHLO once more."""
        client.send("EHLO client.example.org")
        lines = [client.line()]
        while lines[-1].startswith("250-"):
            lines.append(client.line())
        return {line[4:] for line in lines[1:]}

    def await_offer(self, client, wanted, unwanted):
        deadline = time.monotonic() + SECONDS
        while True:
            offer = self.offer(client())
            if wanted <= offer and not unwanted & offer:
                return
            self.assertLess(time.monotonic(), deadline, offer)
            time.sleep(0.1)


class OfferTest(OfferTestCase):
    def start_before(self, stores, relay, fallback, **settings):
        self.store = self.mail_store(EHLO=offers(*stores))
        self.relay = self.mail_store(EHLO=offers(*relay))
        fallback_relay = self.mail_store(EHLO=offers(*fallback))
        return self.start_with_tls(
            mapping={"userMap": "Map", "mappingHost": HOST, "mappingPort": self.store.port},
            fallbackRelay={"host": HOST, "port": fallback_relay.port}, spoolFolder="/tmp",
            capabilityInterval="1s", **settings)

    def test_promises_only_what_the_relays_keep_too(self):
        router = self.start_before(
            stores=("8BITMIME", "SMTPUTF8", "DSN", "SIZE 9000"),
            relay=("8BITMIME", "SMTPUTF8", "SIZE 7000"), fallback=("8BITMIME", "DSN", "SIZE 8000"))
        self.await_offer(lambda: self.inbound(router), {"8BITMIME", "DSN", "SIZE 8000"}, {"SMTPUTF8"})
        self.await_offer(lambda: self.submission(router), {"8BITMIME", "SIZE 7000"}, {"SMTPUTF8", "DSN"})

    def test_promises_what_is_configured_whoever_offers_it(self):
        router = self.start_before((), (), (), capabilities=["8BITMIME", "DSN"])
        for client in (self.inbound(router), self.submission(router)):
            self.assertLessEqual({"8BITMIME", "DSN"}, self.offer(client))


class OldStoreTest(OfferTestCase):
    """Stores that know HELO only."""

    def setUp(self):
        super().setUp()
        self.store.says.update({"EHLO": b"500 what?\r\n", "HELO": b"250 store\r\n", "MAIL": b"250 ok\r\n",
                                "RCPT": b"250 ok\r\n", "message": b"250 taken\r\n"})

    def start_met(self, **settings):
        router = self.start(capabilityInterval="1s", **settings)
        self.delivers(router)
        return router

    def test_get_mail_and_keep_no_promise(self):
        router = self.start_met()
        self.assertIn(b"\r\nHELO mx.example.com\r\nMAIL FROM:<sender@example.org>\r\n", self.store.received)
        self.await_offer(lambda: self.inbound(router), {"PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES"},
                         {"8BITMIME", "SMTPUTF8", "DSN"})
        client = self.inbound(router)
        for parameter in ("BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"):
            self.assertRegex(self.ask(client, f"MAIL FROM:<{SENDER}> {parameter}"), "^555 5.5.4 ")
        self.assertRegex(self.send(client, SENDER, ALICE, parameters=" SIZE=100"), "^250 2.0.0 taken")
        self.assertNotIn(b"SIZE=", self.store.received)

    def test_get_nothing_that_was_promised_too_early(self):
        """As where a new store comes in between a client's EHLO and its message."""
        router = self.start_met(capabilities=["8BITMIME", "SMTPUTF8", "DSN", "SIZE"])
        client, text = self.inbound(router), "Subject: x\r\n\r\nb\u00fccher\r\n"
        self.assertRegex(self.send(client, SENDER, ALICE, text, " BODY=8BITMIME"), "^451 4.6.3 ")
        self.assertRegex(self.send(client, SENDER, ALICE, parameters=" SMTPUTF8"), "^553 5.6.7 ")
        self.ask(client, "RSET")
        self.assertRegex(self.send(client, SENDER, ALICE, parameters=" BODY=8BITMIME RET=HDRS SIZE=9"), "^250 ")
        self.assertEqual(len(self.store.messages), 2)
        for word in (b"8BITMIME", b"SMTPUTF8", b"RET=", b"SIZE=", b"b\xc3"):
            self.assertNotIn(word, self.store.received)

    def test_get_no_mail_where_tls_is_wanted(self):
        router = self.start(upstream={"tls": "startTls", "verify": False})
        self.assertRegex(self.send(self.inbound(router), SENDER, ALICE), "^451 4.4.1 ")
        self.assertNotIn(b"HELO", self.store.received)


if __name__ == "__main__":
    unittest.main()
