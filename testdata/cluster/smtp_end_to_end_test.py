"""smtprouter between real clients, real Dovecot stores by LMTP, and a real Postfix as relay."""
import smtplib
import ssl
import subprocess
import time
import unittest

from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port
from testdata.cluster.postfix import Postfix

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.net"
SENDER = "sender@example.org"
SECONDS = 60


def message(body, to=ALICE):
    return (f"From: <{SENDER}>\r\nTo: <{to}>\r\nSubject: test\r\n\r\n".encode() + body)


class SmtpEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.stores = first, second = cls.cluster.start_stores(2)
        cls.relay = cls.cluster.start_server(Postfix(cls.cluster, "relay", mailboxes=[CAROL], routes={
            ALICE: (HOST, first.lmtp), BOB: (HOST, second.lmtp)}))
        cls.homes = {ALICE: first, BOB: second}
        cls.map = cls.cluster.local_settings({
            ALICE: {"host": f"{HOST}:{first.lmtp}"}, BOB: {"host": f"{HOST}:{second.lmtp}"}})
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)
        relay = {"host": HOST, "port": cls.relay.port}
        cls.listeners = [
            {"address": HOST, "port": free_port(), "tls": "startTls", "role": "inbound"},
            {"address": HOST, "port": free_port(), "tls": "startTls", "role": "submission"},
            {"address": HOST, "port": free_port(), "tls": "implicit", "role": "submission"}]
        cls.settings = {
            **cls.map, "hostName": "mx.example.com", "localDomains": ["example.com"],
            "recipientDelimiter": "+", "capabilityInterval": "1s",
            "upstream": {"protocol": "lmtp", "port": first.lmtp, "connectTimeout": "2s"},
            "messageBytes": 1 << 30, "relayHost": relay, "fallbackRelay": relay,
            "spoolFolder": str(cls.cluster.folder)}
        cls.router = cls.cluster.start_proxy("smtprouter", cls.settings, cls.listeners)
        cls.inbound, cls.submission, cls.submissions = (listener["port"] for listener in cls.listeners)

    def setUp(self):
        self.before = {address: self.inbox(address) for address in (ALICE, BOB, CAROL)}

    # --- What lies where ---

    def inbox(self, address):
        """The files of its Maildir. Their names don't sort by arrival."""
        home = self.relay if address == CAROL else self.homes[address]
        return set((home.folder / "mail" / address / "new").glob("*"))

    def new(self, address):
        return self.inbox(address) - self.before[address]

    def arrived(self, address, count=1):
        """The messages that have come since the test began."""
        deadline = time.monotonic() + SECONDS
        while len(self.new(address)) < count:
            self.assertLess(time.monotonic(), deadline, f"{address}: {self.router.text()[-3000:]}")
            time.sleep(0.05)
        new = self.new(address)
        self.assertEqual(len(new), count, address)
        return [file.read_bytes() for file in new]

    def assert_nothing_new(self, *addresses):
        for address in addresses:
            self.assertEqual(self.new(address), set(), address)

    def body_of(self, stored, sent):
        """What was sent stands at the end of what arrived, octet for octet; Maildirs have LF."""
        sent = sent.replace(b"\r\n", b"\n")
        self.assertTrue(stored.replace(b"\r\n", b"\n").endswith(sent), stored[:2000])
        return stored[:len(stored) - len(sent)]

    def client(self, port=None, log_in_as=None):
        client = smtplib.SMTP(HOST, port or self.inbound, timeout=SECONDS)
        self.addCleanup(client.close)
        if log_in_as:
            client.starttls(context=self.trust)
            client.login(log_in_as, PASSWORD)
        return client

    # --- Inbound ---

    def test_delivers_to_the_recipients_own_store(self):
        text = message(b"..a dot\r\n.\r\nits end\r\n")
        self.client().sendmail(SENDER, [ALICE], text)
        trace = self.body_of(*self.arrived(ALICE), text)
        self.assertIn(b"by mx.example.com", trace)
        self.assert_nothing_new(BOB)

    def test_delivers_one_message_to_two_stores(self):
        text = message(b"for both\r\n")
        self.assertEqual(self.client().sendmail(SENDER, [ALICE, BOB], text), {})
        for address in (ALICE, BOB):
            self.body_of(*self.arrived(address), text)

    def test_finds_the_account_behind_a_detail(self):
        self.client().sendmail(SENDER, ["alice+lists@example.com"], message(b"detail\r\n"))
        self.arrived(ALICE)

    def test_takes_mail_by_start_tls(self):
        client = self.client()
        client.starttls(context=self.trust)
        client.sendmail(SENDER, [BOB], message(b"by TLS\r\n", BOB))
        self.arrived(BOB)

    def test_relays_for_nobody_else(self):
        """Nor do real stores; smtprouter_relaying_test has the whole table."""
        submission = self.submission
        for port, user, sender, recipient, code, enhanced in (
                (self.inbound, None, SENDER, ALICE, 250, "2.1.5"),
                (self.inbound, None, ALICE, ALICE, 250, "2.1.5"),
                (self.inbound, None, "", BOB, 250, "2.1.5"),
                (self.inbound, None, SENDER, CAROL, 554, "5.7.1"),
                (self.inbound, None, ALICE, CAROL, 554, "5.7.1"),
                (self.inbound, None, "", CAROL, 554, "5.7.1"),
                (self.inbound, None, SENDER, "nobody@example.com", 550, "5.1.1"),
                (self.inbound, None, SENDER, "alice%example.org@example.com", 553, "5.1.3"),
                (submission, None, ALICE, BOB, 530, "5.7.0"),
                (submission, None, SENDER, CAROL, 530, "5.7.0"),
                (submission, ALICE, ALICE, BOB, 250, "2.1.5"),
                (submission, ALICE, ALICE, CAROL, 250, "2.1.5"),
                (submission, ALICE, BOB, CAROL, 553, "5.7.1"),
                (submission, ALICE, SENDER, BOB, 553, "5.7.1"),
                (submission, ALICE, ALICE, "nobody@example.com", 550, "5.1.1")):
            with self.subTest(port=port, user=user, sender=sender, recipient=recipient):
                client = self.client(port, user)
                client.ehlo_or_helo_if_needed()
                answer = client.mail(sender)
                if answer[0] == 250:
                    answer = client.rcpt(recipient)
                client.quit()
                self.assertEqual(answer[0], code, answer)
                self.assertEqual(answer[1].split()[0].decode(), enhanced, answer)
        self.assert_nothing_new(ALICE, BOB, CAROL)

    # --- Submission ---

    def test_submits_to_a_store_and_to_the_relay(self):
        text = message(b"submitted\r\n", CAROL)
        client = self.client(self.submission, ALICE)
        self.assertEqual(client.sendmail(ALICE, [BOB, CAROL], text), {})
        self.body_of(*self.arrived(BOB), text)
        # Postfix drops nothing of ours, and writes Maildir files with LF.
        self.body_of(*self.arrived(CAROL), text)

    def test_refuses_a_wrong_password(self):
        client = self.client(self.submission)
        client.starttls(context=self.trust)
        with self.assertRaises(smtplib.SMTPAuthenticationError) as refused:
            client.login(ALICE, "wrong")
        self.assertEqual(refused.exception.smtp_code, 535)
        client = self.client(self.submission)
        client.starttls(context=self.trust)
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            client.login(PASSWORD, ALICE)  # in each other's place
        self.assertNotIn(PASSWORD, self.router.text())

    def test_joins_a_user_to_the_own_host(self):
        """Mode "home": each host is a Postfix that hears of the login by XCLIENT."""
        home = self.cluster.start_server(Postfix(self.cluster, "home", mailboxes=["dora@example.net"]))
        listener = {"address": HOST, "port": free_port(), "tls": "startTls", "role": "submission"}
        router = self.cluster.start_proxy("smtprouter", {
            **self.cluster.local_settings({ALICE: {"host": f"{HOST}:{home.port}"}}, "homes"),
            "submission": {"mode": "home", "upstream": {"login": {"method": "xclient"}}},
        }, [listener], "home")
        client = self.client(router.port, ALICE)
        client.sendmail(ALICE, ["dora@example.net"], message(b"at home\r\n"))
        client.quit()
        deadline = time.monotonic() + SECONDS
        while not home.messages("dora@example.net"):
            self.assertLess(time.monotonic(), deadline, home.maillog())
            time.sleep(0.05)
        self.assertIn(f"sasl_username={ALICE}", home.maillog())

    # --- Other clients ---

    def test_swaks(self):
        swaks = subprocess.run(
            ["swaks", "--server", HOST, "--port", str(self.submissions), "--tls-on-connect",
             "--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", PASSWORD,
             "--from", ALICE, "--to", BOB, "--body", "by swaks"],
            capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(swaks.returncode, 0, swaks.stdout + swaks.stderr)
        self.assertIn(b"by swaks", self.arrived(BOB)[0])

    def test_curl(self):
        text = message(b"by curl\r\n")
        curl = subprocess.run(
            ["curl", "-sS", "--max-time", str(SECONDS), "--ssl-reqd", "--cacert", str(self.cluster.certificates.ca),
             "-u", f"{ALICE}:{PASSWORD}", "--mail-from", ALICE, "--mail-rcpt", ALICE, "-T", "-",
             f"smtp://{HOST}:{self.submission}"], input=text, capture_output=True)
        self.assertEqual(curl.returncode, 0, curl.stderr)
        self.body_of(*self.arrived(ALICE), text)

    def test_msmtp(self):
        text = message(b"by msmtp\r\n", BOB).replace(b"\r\n", b"\n")
        msmtp = subprocess.run(
            ["msmtp", "--file=/dev/null", f"--host={HOST}", f"--port={self.submission}", "--tls=on",
             f"--tls-trust-file={self.cluster.certificates.ca}", "--auth=on", f"--user={ALICE}",
             f"--passwordeval=echo {PASSWORD}", f"--from={ALICE}", BOB],
            input=text, capture_output=True, timeout=SECONDS)
        self.assertEqual(msmtp.returncode, 0, msmtp.stderr)
        self.body_of(*self.arrived(BOB), text)

    def smtp_source(self, count, recipient, port):
        source = subprocess.run(
            ["smtp-source", "-s", "10", "-m", str(count), "-l", "2000", "-f", SENDER, "-t", recipient,
             f"inet:{HOST}:{port}"], capture_output=True, text=True, timeout=3 * SECONDS)
        self.assertEqual(source.returncode, 0, source.stderr)

    def test_smtp_source_in_parallel(self):
        """Every message that was accepted arrives once."""
        self.smtp_source(2000, ALICE, self.inbound)
        self.arrived(ALICE, 2000)

    def test_smtp_source_in_parallel_before_postfix(self):
        """The same where the store speaks SMTP."""
        listener = {"address": HOST, "port": free_port(), "tls": "none"}
        router = self.cluster.start_proxy("smtprouter", {
            **self.cluster.local_settings({CAROL: {"host": f"{HOST}:{self.relay.port}"}}, "at-postfix"),
            "localDomains": ["example.net"]}, [listener], "before-postfix")
        self.smtp_source(2000, CAROL, router.port)
        self.arrived(CAROL, 2000)


if __name__ == "__main__":
    unittest.main()
