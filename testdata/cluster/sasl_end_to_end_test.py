"""Tokens and client certificates through every proxy, before real Dovecot stores."""
import base64
import json
import ssl
import subprocess
import time
import unittest

from testdata.cluster.cluster import HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Certificates, Cluster
from testdata.cluster.oauth import Issuer, oauthbearer, xoauth2
from testdata.cluster.sasl_clients import CLIENTS, SECONDS, ImapClient, Pop3Client, SieveClient

ALICE, BOB = "alice@example.com", "bob@example.com"
TOKENS, PASSWORDS = {"OAUTHBEARER", "XOAUTH2"}, {"PLAIN", "LOGIN"}
# How a refused token's exchange ends, behind the store's own reason.
REFUSALS = {ImapClient: "a NO [AUTHENTICATIONFAILED]", Pop3Client: "-ERR [AUTH]", SieveClient: "NO "}
DOVECOT_NAMES = {ImapClient: "imap", Pop3Client: "pop3", SieveClient: "managesieve"}


def plain(user, password, authzid=""):
    return base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()


class SaslTestCase(unittest.TestCase):
    """Store 1, alice's and the default, takes tokens; store 2, bob's, passwords alone, and less of Sieve."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.issuer = Issuer(cls.cluster.folder)
        cls.stores = cls.cluster.start_stores(2, extra=(
            cls.issuer.dovecot_settings(), "plugin {\n  sieve_extensions = fileinto reject\n}\n"))
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)

    @classmethod
    def start_proxy(cls, client, label, settings, users=(ALICE, BOB)):
        """Its map names the stores of the users; it has asked them when this returns."""
        hosts = {user: f"{HOST}:{getattr(store, client.SERVICE)}" for user, store in zip((ALICE, BOB), cls.stores)}
        local = cls.cluster.local_settings(
            {user: {"host": hosts[user]} for user in users}, f"{client.SERVICE}-{label}-users")
        proxy = cls.cluster.start_proxy(f"{client.SERVICE}proxy", {
            **local, "capabilityInterval": "1s", **settings}, label=f"{client.SERVICE}-{label}")
        deadline = time.monotonic() + SECONDS
        while "capabilities" not in settings and not proxy.records("capabilities_learned"):
            if time.monotonic() > deadline:
                raise AssertionError(proxy.text())
            time.sleep(0.05)
        return proxy

    def connect(self, client, port, **how):
        connected = client(port, **how)
        self.addCleanup(connected.close)
        return connected

    def assert_logged_in(self, client, user, method):
        self.stores[user == BOB].await_log(
            f"{DOVECOT_NAMES[client]}-login: Info: Login: user=<{user}>, method={method},")


class TokenTest(SaslTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxies = {client: cls.start_proxy(client, "oauth", {"oauth": True}, [ALICE]) for client in CLIENTS}

    def each_way(self):
        for client, proxy in self.proxies.items():
            for mechanism, message in (("OAUTHBEARER", oauthbearer), ("XOAUTH2", xoauth2)):
                yield client, proxy, mechanism, message

    def test_hands_tokens_to_the_store_of_the_name_in_them(self):
        for client, proxy, mechanism, message in self.each_way():
            answer = self.connect(client, proxy.port).authenticate(
                mechanism, message(ALICE, self.issuer.token(ALICE)))
            self.assertTrue(answer.accepted, answer)
            self.assert_logged_in(client, ALICE, mechanism)

    def test_refusals_carry_the_stores_reason(self):
        for client, proxy, mechanism, message in self.each_way():
            for token in (self.issuer.token(ALICE, life_seconds=-60), self.issuer.token(BOB), "no.token.atall"):
                answer = self.connect(client, proxy.port).authenticate(mechanism, message(ALICE, token))
                self.assertFalse(answer.accepted, (client.SERVICE, mechanism, token))
                self.assertIn(json.loads(answer.challenge)["status"], ("invalid_token", "401"))
                self.assertTrue(answer.text.startswith(REFUSALS[client]), answer)

    def test_a_refused_client_may_try_again(self):
        for client, proxy, mechanism, message in self.each_way():
            connected = self.connect(client, proxy.port)
            self.assertFalse(connected.authenticate(mechanism, message(ALICE, "bad")).accepted)
            good = message(ALICE, self.issuer.token(ALICE))
            self.assertTrue(connected.authenticate(mechanism, good).accepted)

    def test_a_token_is_never_bound_with(self):
        """The map knows alice's password; a token in its place is no password."""
        for client, proxy in self.proxies.items():
            with self.subTest(client.SERVICE):
                answer = self.connect(client, proxy.port).authenticate("PLAIN", plain(ALICE, self.issuer.token(ALICE)))
                self.assertFalse(answer.accepted)
                self.assertEqual(answer.challenge, "")

    def test_serves_curl(self):
        for scheme, client in (("imap", ImapClient), ("pop3", Pop3Client)):
            for options in ([], ["--login-options", "AUTH=XOAUTH2"]):
                with self.subTest(scheme, options=options):
                    curl = subprocess.run(
                        ["curl", "-sS", "--cacert", self.cluster.certificates.ca, "--ssl-reqd", "--max-time", "20",
                         "--user", f"{ALICE}:", "--oauth2-bearer", self.issuer.token(ALICE), *options,
                         f"{scheme}://{HOST}:{self.proxies[client].port}/"], capture_output=True, text=True)
                    self.assertEqual(curl.returncode, 0, curl.stderr)

    def test_keeps_tokens_out_of_the_logs(self):
        token = self.issuer.token(ALICE)
        for client, proxy, mechanism, message in self.each_way():
            self.connect(client, proxy.port).authenticate(mechanism, message(ALICE, token))
            for secret in (token, message(ALICE, token)):
                self.assertNotIn(secret, proxy.text())


class PromiseTest(SaslTestCase):
    """Nobody is promised what one of the stores can't do."""

    def test_announces_tokens_only_where_every_store_takes_them(self):
        for client in CLIENTS:
            with self.subTest(client.SERVICE):
                proxy = self.start_proxy(client, "one-store", {"oauth": True}, [ALICE])
                self.assertEqual(self.connect(client, proxy.port).mechanisms(), PASSWORDS | TOKENS)
                proxy = self.start_proxy(client, "two-stores", {"oauth": True})
                self.assertEqual(self.connect(client, proxy.port).mechanisms(), PASSWORDS)
                alice = self.connect(client, proxy.port).authenticate(
                    "XOAUTH2", xoauth2(ALICE, self.issuer.token(ALICE)))
                self.assertFalse(alice.accepted)

    def test_announces_the_sieve_extensions_of_both_stores(self):
        proxy = self.start_proxy(SieveClient, "extensions", {})
        self.assertEqual(self.connect(SieveClient, proxy.port).capabilities()["SIEVE"], "fileinto reject")
        bob = self.connect(SieveClient, proxy.port)
        self.assertTrue(bob.authenticate("PLAIN", plain(BOB, PASSWORD)).accepted)
        self.assertEqual(bob.capabilities()["SIEVE"], "fileinto reject")

    def test_a_fixed_list_is_announced_as_it_stands(self):
        for client, fixed in ((ImapClient, ["IDLE", "AUTH=XOAUTH2"]), (Pop3Client, ["UIDL", "SASL XOAUTH2"]),
                              (SieveClient, ["SIEVE envelope", "SASL XOAUTH2"])):
            with self.subTest(client.SERVICE):
                proxy = self.start_proxy(client, "fixed", {"oauth": True, "capabilities": fixed})
                self.assertEqual(self.connect(client, proxy.port).mechanisms(), PASSWORDS | {"XOAUTH2"})
                self.assertFalse(proxy.records("capabilities_learned"))

    def test_announces_no_token_mechanism_unasked(self):
        for client in CLIENTS:
            with self.subTest(client.SERVICE):
                proxy = self.start_proxy(client, "no-oauth", {})
                self.assertEqual(self.connect(client, proxy.port).mechanisms(), PASSWORDS)
                answer = self.connect(client, proxy.port).authenticate(
                    "XOAUTH2", xoauth2(ALICE, self.issuer.token(ALICE)))
                self.assertFalse(answer.accepted)


class CertificateTest(SaslTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        master = cls.cluster.folder / "master.secret"
        master.write_text(MASTER_PASSWORD)
        master.chmod(0o600)
        cls.external = {
            "external": True,
            "upstream": {"login": {"method": "masterUser", "user": MASTER_USER, "passwordFile": str(master)}},
            "tls": {"certificates": [{"certificate": str(cls.cluster.certificate), "privateKey": str(cls.cluster.key)}],
                    "clientCaFile": str(cls.cluster.certificates.ca)}}
        cls.proxies = {client: cls.start_proxy(client, "external", cls.external) for client in CLIENTS}
        cls.alice = cls.cluster.certificates.make("alice", f"email:{ALICE}")

    def context(self, files=None):
        context = ssl.create_default_context(cafile=self.cluster.certificates.ca)
        if files:
            context.load_cert_chain(*files)
        return context

    def test_logs_in_whom_the_certificate_names(self):
        for client, proxy in self.proxies.items():
            with self.subTest(client.SERVICE):
                implicit = self.connect(client, proxy.listeners[1], context=self.context(self.alice))
                self.assertIn("EXTERNAL", implicit.mechanisms())
                answer = implicit.authenticate("EXTERNAL", "")
                self.assertTrue(answer.accepted, answer)
                self.assert_logged_in(client, ALICE, "PLAIN")
                upgraded = self.connect(client, proxy.port)
                self.assertNotIn("EXTERNAL", upgraded.mechanisms())
                upgraded.start_tls(self.context(self.alice))
                self.assertIn("EXTERNAL", upgraded.mechanisms())
                own_name = base64.b64encode(ALICE.encode()).decode()
                self.assertTrue(upgraded.authenticate("EXTERNAL", own_name).accepted)

    def test_logs_in_whom_the_chosen_attribute_names(self):
        """Whatever else stands in the certificate."""
        files = self.cluster.certificates.make(
            "attributes", f"email:{BOB}", f"/CN=Alice/emailAddress={ALICE}/UID={ALICE}")
        for identity in ("emailAddress", "0.9.2342.19200300.100.1.1"):
            settings = {**self.external, "tls": {**self.external["tls"], "clientIdentity": identity}}
            for client in CLIENTS:
                with self.subTest(client.SERVICE, identity=identity):
                    proxy = self.start_proxy(client, identity, settings)
                    connected = self.connect(client, proxy.listeners[1], context=self.context(files))
                    self.assertTrue(connected.authenticate("EXTERNAL", "").accepted)
                    connected.close()
                    connected = self.connect(client, proxy.listeners[1], context=self.context(self.alice))
                    self.assertNotIn("EXTERNAL", connected.mechanisms())
        for record in proxy.records():
            self.assertNotEqual(record.get("user"), BOB)

    def test_lets_nobody_in_as_somebody_else(self):
        somebody_else = base64.b64encode(BOB.encode()).decode()
        for client, proxy in self.proxies.items():
            with self.subTest(client.SERVICE):
                connected = self.connect(client, proxy.listeners[1], context=self.context(self.alice))
                self.assertFalse(connected.authenticate("EXTERNAL", somebody_else).accepted)
                self.assertNotIn(f"user=<{BOB}>", self.stores[1].dovecot_log())

    def test_offers_nothing_to_a_client_without_a_certificate_of_use(self):
        nameless = self.cluster.certificates.make("nameless", "DNS:client.example.com")
        for client, proxy in self.proxies.items():
            for files in (None, nameless):
                with self.subTest(client.SERVICE, files=files):
                    connected = self.connect(client, proxy.listeners[1], context=self.context(files))
                    self.assertEqual(connected.mechanisms(), PASSWORDS)
                    self.assertFalse(connected.authenticate("EXTERNAL", "").accepted)
                    self.assertTrue(connected.authenticate("PLAIN", plain(ALICE, PASSWORD)).accepted)

    def test_refuses_the_handshake_of_a_certificate_of_another_authority(self):
        folder = self.cluster.folder / "strangers"
        folder.mkdir(exist_ok=True)
        stranger = Certificates(folder).make("alice", f"email:{ALICE}")
        for client, proxy in self.proxies.items():
            with self.subTest(client.SERVICE):
                self.assertEqual(self.greeting_for(client, proxy, stranger), "")

    def greeting_for(self, client, proxy, files):
        """Under TLS 1.3 the client hears of the refusal behind its own handshake only."""
        try:
            return self.connect(client, proxy.listeners[1], context=self.context(files)).greeting
        except OSError:
            return ""

    def test_serves_curl_and_openssl(self):
        certificate, key = self.alice
        for scheme, client, list_command in (("imap", ImapClient, b"a AUTHENTICATE EXTERNAL =\r\nb NOOP\r\nc LOGOUT\r\n"),
                                             ("pop3", Pop3Client, b"AUTH EXTERNAL =\r\nQUIT\r\n")):
            proxy = self.proxies[client]
            with self.subTest(scheme):
                curl = subprocess.run(
                    ["curl", "-sS", "--cacert", self.cluster.certificates.ca, "--cert", certificate, "--key", key,
                     "--ssl-reqd", "--max-time", "20", "--user", f"{ALICE}:", "--login-options", "AUTH=EXTERNAL",
                     f"{scheme}://{HOST}:{proxy.port}/"], capture_output=True, text=True)
                self.assertEqual(curl.returncode, 0, curl.stderr)
                openssl = subprocess.run(
                    ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", self.cluster.certificates.ca,
                     "-cert", certificate, "-key", key, "-connect", f"{HOST}:{proxy.listeners[1]}"],
                    input=list_command, capture_output=True, timeout=20)
                self.assertIn(b"Logged in", openssl.stdout)


if __name__ == "__main__":
    unittest.main()
