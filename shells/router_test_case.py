"""smtprouter in front of fake mail stores, as its tests want it."""
import base64

from shells.fake_mail_store import FakeMailStore
from shells.proxy_test_case import ALICE, TLS_HOST, ProxyTestCase
from shells.shell_process import HOST, PASSWORD, ShellProcess, map_entry

BOB = "bob@example.com"
SENDER = "sender@example.org"
START_TLS_HOST = "127.0.0.3"  # where users submit with STARTTLS


class Smtp:
    SERVICE = "smtp"
    LAST = r"\d{3} "


def plain(user, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


class RouterTestCase(ProxyTestCase):
    """alice and bob live in a store each; what goes elsewhere goes to a relay."""
    dialect = Smtp

    def setUp(self):
        self.store, self.other_store, self.relay = (self.mail_store() for _ in range(3))
        self.users = {ALICE: map_entry(self.store), BOB: map_entry(self.other_store)}

    def mail_store(self, **says):
        store = FakeMailStore(**says)
        self.addCleanup(store.close)
        return store

    def start_any(self, **settings):
        process = ShellProcess("shells/smtprouter", {
            "hostName": "mx.example.com", "localDomains": ["example.com"],
            "relayHost": {"host": HOST, "port": self.relay.port}, **settings}, self.users)
        self.addCleanup(process.close)
        return process

    def start_with_tls(self, **settings):
        """Inbound on HOST, submission on START_TLS_HOST and TLS_HOST."""
        return self.start(
            listeners=[{"address": HOST, "port": 0, "tls": "startTls", "role": "inbound"},
                       {"address": START_TLS_HOST, "port": 0, "tls": "startTls", "role": "submission"},
                       {"address": TLS_HOST, "port": 0, "tls": "implicit", "role": "submission"}],
            tls=self.tls(), **settings)

    def inbound(self, router):
        """Greeted, EHLO said."""
        client = self.greeted(router)
        self.assertRegex(self.ask(client, "EHLO client.example.org"), "^250 ")
        return client

    def submission(self, router, user=None, implicit=False):
        client = self.connect(router, router.ports()[1], START_TLS_HOST)
        if implicit:
            client = self.connect(router, router.ports()[2], TLS_HOST)
            client.begin_tls()
        self.answer(client)
        self.ask(client, "EHLO client.example.org")
        if not implicit:
            self.assertRegex(self.ask(client, "STARTTLS"), "^220 ")
            client.begin_tls()
            self.ask(client, "EHLO client.example.org")
        if user:
            self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(user)}"), "^235 ")
        return client

    def send(self, client, sender, recipient, text="Subject: x\r\n\r\nx\r\n", parameters=""):
        """The first answer that isn't 2xx or 354, or the one behind the message."""
        for command in (f"MAIL FROM:<{sender}>{parameters}", f"RCPT TO:<{recipient}>", "DATA", text + "."):
            answer = self.ask(client, command)
            if not answer.startswith(("2", "354")):
                break
        return answer

    def delivers(self, router):
        """It is alive and well."""
        before = len(self.store.messages)
        client = self.inbound(router)
        self.assertRegex(self.send(client, SENDER, ALICE), "^250 ")
        self.assertEqual(len(self.store.messages), before + 1)
        client.close()
