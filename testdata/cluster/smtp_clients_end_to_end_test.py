"""Real mail programs before smtprouter, each by every way in; and a real relay that wants TLS and AUTH."""
import itertools
import smtplib
import ssl
import subprocess
import time
import unittest

from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port
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
        secret = cls.cluster.folder / "relay.secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        cls.start_tls, cls.implicit, cls.inbound = (free_port() for _ in range(3))
        cls.router = cls.cluster.start_proxy("smtprouter", {
            **cls.cluster.local_settings({user: {"host": f"{HOST}:{cls.store.lmtp}"} for user in (ALICE, BOB)}),
            "localDomains": ["example.com"],
            "upstream": {"protocol": "lmtp", "tls": "startTls", "caFile": ca},
            "relayHost": {"host": HOST, "port": cls.relay.port, "tls": "startTls", "caFile": ca,
                          "auth": {"user": BOB, "passwordFile": str(secret)}},
        }, [{"address": HOST, "port": cls.start_tls, "tls": "startTls", "role": "submission"},
            {"address": HOST, "port": cls.implicit, "tls": "implicit", "role": "submission"},
            {"address": HOST, "port": cls.inbound, "tls": "startTls", "role": "inbound"}])
        cls.numbers = itertools.count(1)

    # --- Clients: each sends a text from alice, and raises where it isn't taken ---

    def run_client(self, command, text=""):
        done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True,
                              timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def port(self, way):
        return self.implicit if way == "implicit" else self.start_tls

    def swaks(self, way, mechanism, recipient, text):
        tls = {"none": [], "startTls": ["--tls"], "implicit": ["--tls-on-connect"]}[way]
        self.run_client(["swaks", "--server", HOST, "--port", self.port(way), *tls, "--auth", mechanism,
                         "--auth-user", ALICE, "--auth-password", PASSWORD, "--from", ALICE, "--to", recipient,
                         "--body", text])

    def msmtp(self, way, mechanism, recipient, text):
        tls = ["--tls=off"] if way == "none" else [
            "--tls=on", f"--tls-starttls={'on' if way == 'startTls' else 'off'}",
            f"--tls-trust-file={self.cluster.certificates.ca}"]
        self.run_client(["msmtp", "--file=/dev/null", f"--host={HOST}", f"--port={self.port(way)}", *tls,
                         f"--auth={mechanism.lower()}", f"--user={ALICE}", f"--passwordeval=echo {PASSWORD}",
                         f"--from={ALICE}", recipient], f"Subject: x\n\n{text}\n")

    def curl(self, way, mechanism, recipient, text):
        scheme = "smtps" if way == "implicit" else "smtp"
        self.run_client(["curl", "-sS", "--max-time", SECONDS, *(["--ssl-reqd"] if way == "startTls" else []),
                         "--cacert", self.cluster.certificates.ca, "-u", f"{ALICE}:{PASSWORD}",
                         "--login-options", f"AUTH={mechanism}", "--mail-from", ALICE, "--mail-rcpt", recipient,
                         "-T", "-", f"{scheme}://{HOST}:{self.port(way)}"], f"Subject: x\r\n\r\n{text}\r\n")

    def smtplib(self, way, mechanism, recipient, text):
        if way == "implicit":
            client = smtplib.SMTP_SSL(HOST, self.implicit, timeout=SECONDS, context=self.trust)
        else:
            client = smtplib.SMTP(HOST, self.start_tls, timeout=SECONDS)
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

    def test_inbound_with_and_without_tls(self):
        for tls in ([], ["--tls"]):
            text = f"text {next(self.numbers)} from outside"
            self.run_client(["swaks", "--server", HOST, "--port", self.inbound, *tls, "--from", "x@example.org",
                             "--to", BOB, "--body", text])
            self.await_once(self.store, BOB, text)


if __name__ == "__main__":
    unittest.main()
