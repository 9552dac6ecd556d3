"""Real mail programs before smtprouter, each by every way in; and a real relay that wants TLS and AUTH."""
import itertools
import re
import smtplib
import ssl
import subprocess
import time
import unittest

from testdata.cluster.cluster import HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Cluster, free_port
from testdata.cluster.postfix import Postfix

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.net"
SECONDS = 60
# Passwords for Postfix are Dovecot's to judge.
SASL = """
service auth {
  unix_listener {folder}/sasl {
    mode = 0666
  }
}
"""
SMARTHOST = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""
WAYS = ("none", "startTls", "implicit")
MECHANISMS = ("PLAIN", "LOGIN")


class SmtpClientsEndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        ca = str(cls.cluster.certificates.ca)
        cls.trust = ssl.create_default_context(cafile=ca)
        cls.store, = cls.cluster.start_stores(1, extra=[SASL])
        cls.relay = cls.cluster.start_server(Postfix(
            cls.cluster, "smarthost", mailboxes=[CAROL], extra=SMARTHOST.format(
                sasl=cls.store.folder / "sasl", certificate=cls.cluster.certificate, key=cls.cluster.key)))
        start_tls, implicit, cls.inbound = (free_port() for _ in range(3))
        cls.doors = {"none": start_tls, "startTls": start_tls, "implicit": implicit}
        cls.router = cls.cluster.start_proxy("smtprouter", {
            **cls.cluster.local_settings({user: {"host": f"{HOST}:{cls.store.lmtp}"} for user in (ALICE, BOB)}),
            "localDomains": ["example.com"],
            "upstream": {"protocol": "lmtp", "tls": "startTls", "caFile": ca},
            "relayHost": {"host": HOST, "port": cls.relay.port, "tls": "startTls", "caFile": ca,
                          "auth": {"user": BOB, "passwordFile": cls.secret(PASSWORD)}},
        }, [{"address": HOST, "port": start_tls, "tls": "startTls", "role": "submission"},
            {"address": HOST, "port": implicit, "tls": "implicit", "role": "submission"},
            {"address": HOST, "port": cls.inbound, "tls": "startTls", "role": "inbound"}])
        cls.numbers = itertools.count(1)

    @classmethod
    def secret(cls, password):
        file = cls.cluster.folder / f"{password}.secret"
        file.write_text(password)
        file.chmod(0o600)
        return str(file)

    def start_home(self, login):
        """The relay is alice's own host, and each client is joined to it."""
        start_tls, implicit = free_port(), free_port()
        router = self.cluster.start_proxy("smtprouter", {
            **self.cluster.local_settings({ALICE: {"host": f"{HOST}:{self.relay.port}"}}, "at-home"),
            "submission": {"mode": "home", "upstream": {
                "tls": "startTls", "caFile": str(self.cluster.certificates.ca), "login": login}},
        }, [{"address": HOST, "port": start_tls, "tls": "startTls", "role": "submission"},
            {"address": HOST, "port": implicit, "tls": "implicit", "role": "submission"}],
            f"home-{login['method']}")
        self.doors = {"none": start_tls, "startTls": start_tls, "implicit": implicit}
        return router

    # --- Clients: each sends a text from alice, and raises where it isn't taken ---

    def run_client(self, command, text=""):
        done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True,
                              timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def swaks(self, way, mechanism, recipient, text):
        tls = {"none": [], "startTls": ["--tls"], "implicit": ["--tls-on-connect"]}[way]
        self.run_client(["swaks", "--server", HOST, "--port", self.doors[way], *tls, "--auth", mechanism,
                         "--auth-user", ALICE, "--auth-password", PASSWORD, "--from", ALICE, "--to", recipient,
                         "--body", text])

    def msmtp(self, way, mechanism, recipient, text):
        tls = ["--tls=off"] if way == "none" else [
            "--tls=on", f"--tls-starttls={'on' if way == 'startTls' else 'off'}",
            f"--tls-trust-file={self.cluster.certificates.ca}"]
        self.run_client(["msmtp", "--file=/dev/null", f"--host={HOST}", f"--port={self.doors[way]}", *tls,
                         f"--auth={mechanism.lower()}", f"--user={ALICE}", f"--passwordeval=echo {PASSWORD}",
                         f"--from={ALICE}", recipient], f"Subject: x\n\n{text}\n")

    def curl(self, way, mechanism, recipient, text):
        scheme = "smtps" if way == "implicit" else "smtp"
        self.run_client(["curl", "-sS", "--max-time", SECONDS, *(["--ssl-reqd"] if way == "startTls" else []),
                         "--cacert", self.cluster.certificates.ca, "-u", f"{ALICE}:{PASSWORD}",
                         "--login-options", f"AUTH={mechanism}", "--mail-from", ALICE, "--mail-rcpt", recipient,
                         "-T", "-", f"{scheme}://{HOST}:{self.doors[way]}"], f"Subject: x\r\n\r\n{text}\r\n")

    def smtplib(self, way, mechanism, recipient, text):
        if way == "implicit":
            client = smtplib.SMTP_SSL(HOST, self.doors[way], timeout=SECONDS, context=self.trust)
        else:
            client = smtplib.SMTP(HOST, self.doors[way], timeout=SECONDS)
        with client:
            if way == "startTls":
                client.starttls(context=self.trust)
            client.ehlo()
            client.user, client.password = ALICE, PASSWORD
            client.auth(mechanism, client.auth_plain if mechanism == "PLAIN" else client.auth_login)
            client.sendmail(ALICE, [recipient], f"Subject: x\r\n\r\n{text}\r\n")

    # --- What lies where ---

    def await_once(self, home, recipient, text):
        """Exactly one message of the recipient's has the text."""
        folder = home.folder / "mail" / recipient / "new"
        deadline = time.monotonic() + SECONDS
        while not (found := [stored for file in folder.glob("*")
                             if text.encode() in (stored := file.read_bytes())]):
            self.assertLess(time.monotonic(), deadline, self.router.text()[-2000:])
            time.sleep(0.05)
        self.assertEqual(len(found), 1)
        return found[0]

    def test_submission_by_every_way_in(self):
        for client, way, mechanism in itertools.product(
                (self.swaks, self.msmtp, self.curl, self.smtplib), WAYS, MECHANISMS):
            with self.subTest(client=client.__name__, way=way, mechanism=mechanism):
                text = f"text {next(self.numbers)} by {client.__name__}, {way}, {mechanism}"
                client(way, mechanism, BOB, text)
                stored = self.await_once(self.store, BOB, text)
                self.assertIn(b"with ESMTP%sA" % (b"" if way == "none" else b"S"), stored)

    def test_the_relay_takes_it_by_tls_and_auth(self):
        for client in (self.swaks, self.msmtp, self.curl, self.smtplib):
            with self.subTest(client=client.__name__):
                text = f"text {next(self.numbers)} for the relay by {client.__name__}"
                client("startTls", "PLAIN", CAROL, text)
                self.await_once(self.relay, CAROL, text)
        self.assertIn(f"sasl_username={BOB}", self.relay.maillog())
        with smtplib.SMTP(HOST, self.relay.port, timeout=SECONDS) as client:  # which takes nothing else
            client.ehlo("x")
            self.assertEqual(client.mail("x@example.org")[0], 530)

    def test_home_by_every_way_in_and_every_login_there(self):
        for login in ({"method": "replay"}, {"method": "xclient"},
                      {"method": "masterUser", "user": MASTER_USER, "passwordFile": self.secret(MASTER_PASSWORD)}):
            router = self.start_home(login)
            for client, way, mechanism in itertools.product(
                    (self.swaks, self.msmtp, self.curl, self.smtplib), WAYS, MECHANISMS):
                with self.subTest(client=client.__name__, way=way, mechanism=mechanism, login=login["method"]):
                    text = f"text {next(self.numbers)} at home by {client.__name__}, {way}, {mechanism}"
                    client(way, mechanism, CAROL, text)
                    queue_id = re.search(rb"with \w+ id (\w+)", self.await_once(self.relay, CAROL, text))[1].decode()
                    self.assertRegex(self.relay.maillog(), f" {queue_id}: .*sasl_username={ALICE}\\b")
            self.assert_no_password_but_the_own_gets_home(router)

    def assert_no_password_but_the_own_gets_home(self, router):
        before = self.relay.maillog().count("sasl_username=")
        for user, password in ((ALICE, "wrong"), (BOB, PASSWORD), (MASTER_USER, MASTER_PASSWORD),
                               (f"{ALICE}*{MASTER_USER}", MASTER_PASSWORD)):
            with smtplib.SMTP(HOST, router.port, timeout=SECONDS) as client:
                client.starttls(context=self.trust)
                with self.assertRaises(smtplib.SMTPAuthenticationError) as refused:
                    client.login(user, password)
                self.assertEqual(refused.exception.smtp_code, 535)
                self.assertEqual(client.mail(ALICE)[0], 530)
        self.assertEqual(self.relay.maillog().count("sasl_username="), before)
        for password in ("wrong", PASSWORD, MASTER_PASSWORD):
            self.assertNotIn(password, router.text())

    def test_inbound_with_and_without_tls(self):
        for tls in ([], ["--tls"]):
            text = f"text {next(self.numbers)} from outside"
            self.run_client(["swaks", "--server", HOST, "--port", self.inbound, *tls, "--from", "x@example.org",
                             "--to", BOB, "--body", text])
            self.await_once(self.store, BOB, text)


if __name__ == "__main__":
    unittest.main()
