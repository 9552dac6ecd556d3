"""What smtprouter promises in its answer to EHLO: what everybody offers who may get the message."""
import time
import unittest

from shells.fake_mail_store import multi_line
from shells.router_test_case import RouterTestCase
from shells.shell_process import HOST, SECONDS


def offers(*keywords):
    return multi_line(250, [b"host", *(keyword.encode() for keyword in keywords)])


class OfferTest(RouterTestCase):
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

    def start_before(self, stores, relay, fallback, **settings):
        self.store = self.mail_store(EHLO=offers(*stores))
        self.relay = self.mail_store(EHLO=offers(*relay))
        fallback_relay = self.mail_store(EHLO=offers(*fallback))
        return self.start_with_tls(
            mapping={"userMap": "Map", "mappingHost": HOST, "mappingPort": self.store.port},
            fallbackRelay={"host": HOST, "port": fallback_relay.port}, spoolFolder="/tmp", **settings)

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


if __name__ == "__main__":
    unittest.main()
