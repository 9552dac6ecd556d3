"""imapproxy before a real slapd: who is let in, where to, and what an outage looks like."""
import imaplib
import random
import signal
import string
import time
import unittest

from shells.fake_store import FakeStore
from shells.shell_process import writable_memory
from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port

ALICE, BOB, HOMELESS = "alice@example.com", "bob@example.com", "homeless@example.com"
NOBODY = "nobody@example.com"
RECOVERY_SECONDS = 30


class LdapEndToEndTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.__exit__)
        self.first, self.second = FakeStore("first"), FakeStore("second")
        self.addCleanup(self.first.close)
        self.addCleanup(self.second.close)

    def start_directory(self):
        slapd = self.cluster.start_directory()
        self.cluster.add_user(ALICE, f"{HOST}:{self.first.port}")
        self.cluster.add_user(BOB, f"{HOST}:{self.second.port}")
        self.cluster.add_user(HOMELESS)
        return slapd

    def start_proxy(self, **settings):
        proxy = self.cluster.start_proxy("imapproxy", {
            "allowPlaintextLogin": "always", "workers": 1, **self.cluster.ldap_settings(), **settings})
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        return proxy

    def log_in(self, proxy, user, password=PASSWORD):
        """"OK", or the text of the refusal."""
        client = imaplib.IMAP4(HOST, proxy.port, 30)
        try:
            return client.login(f'"{user}"', password)[0]  # imaplib quotes the password only
        except imaplib.IMAP4.error as error:
            return str(error)
        finally:
            client.shutdown()

    def test_sends_each_user_to_the_host_of_the_entry(self):
        self.start_directory()
        proxy = self.start_proxy()
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        self.assertEqual(self.log_in(proxy, "BOB@Example.COM"), "OK")
        self.assertEqual(self.first.logins, [(ALICE, PASSWORD)])
        self.assertEqual(self.second.logins, [(BOB, PASSWORD)])

    def test_refuses_wrong_users_passwords_and_filters_alike(self):
        self.start_directory()
        proxy = self.start_proxy(mapping={"userMap": "Map"})
        refusals = {self.log_in(proxy, user, password) for user, password in (
            (ALICE, "wrong"), (ALICE, ""), (NOBODY, PASSWORD), ("*)(uid=*", PASSWORD),
            ("alice*", PASSWORD), ("*", PASSWORD), (HOMELESS, PASSWORD))}
        self.assertEqual(len(refusals), 1, refusals)
        self.assertIn("[AUTHENTICATIONFAILED]", refusals.pop())
        self.assertEqual(self.first.logins + self.second.logins, [])

    def test_uses_the_default_upstream_for_an_entry_without_a_host(self):
        self.start_directory()
        proxy = self.start_proxy(mapping={
            "userMap": "Map", "mappingHost": HOST, "mappingPort": self.second.port})
        self.assertEqual(self.log_in(proxy, HOMELESS), "OK")
        self.assertEqual(self.second.logins, [(HOMELESS, PASSWORD)])

    def test_sends_no_masters_name_to_the_default_upstream(self):
        self.start_directory()
        proxy = self.start_proxy(authenticateOnProxy=False, mapping={
            "userMap": "Map", "mappingHost": HOST, "mappingPort": self.second.port})
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, f"{ALICE}*{BOB}"))
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, "victim*master"))
        self.assertEqual(self.log_in(proxy, NOBODY), "OK")
        self.assertEqual(self.first.logins + self.second.logins, [(NOBODY, PASSWORD)])

    def test_lets_the_store_judge_where_told_so(self):
        self.start_directory()
        proxy = self.start_proxy(authenticateOnProxy=False)
        self.assertEqual(self.log_in(proxy, ALICE, "the store's own"), "OK")
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, ALICE, "refused"))
        self.assertEqual(self.first.logins, [(ALICE, "the store's own"), (ALICE, "refused")])

    def test_a_password_is_gone_from_memory_once_joined(self):
        self.start_directory()
        proxy = self.start_proxy()
        known = []
        for length in (10, 100, 700):
            secret = "".join(random.choices(string.ascii_letters, k=length))
            user = f"user{length}@example.com"
            self.cluster.add_user(user, f"{HOST}:{self.first.port}", secret)
            client = imaplib.IMAP4(HOST, proxy.port, 30)
            self.addCleanup(client.shutdown)
            self.assertEqual(client.login(f'"{user}"', secret)[0], "OK")
            known.append((user, secret))
        memory = writable_memory(proxy.process.pid)
        for user, secret in known:
            self.assertTrue(user.encode() in memory, "the search finds what there is")
            for part in range(0, len(secret), 10):
                self.assertFalse(secret[part:part + 10].encode() in memory, (user, part))

    def test_starts_without_its_directory_and_recovers_when_it_comes(self):
        proxy = self.start_proxy(workers=2)
        url, = self.cluster.ldap_settings()["ldapConnectors"][0]["urls"]
        lost, = proxy.await_records("ldap_replica_lost")  # before anybody asks
        self.assertEqual((lost["connector"], lost["url"], lost["kind"]), ("LDAP_Master", url, "unreachable"))
        self.assertIn("Connection refused", lost["detail"])
        self.assertIn("[UNAVAILABLE]", self.log_in(proxy, ALICE))
        slapd = self.start_directory()
        self.await_login(proxy)
        recovered, = proxy.await_records("ldap_replica_recovered")
        self.assertEqual((recovered["connector"], recovered["url"]), ("LDAP_Master", url))
        slapd.kill()
        proxy.await_records("ldap_replica_lost", 2)
        self.assertIn("[UNAVAILABLE]", self.log_in(proxy, ALICE))
        slapd.start()
        self.await_login(proxy)
        proxy.await_records("ldap_replica_recovered", 2)
        self.assertEqual(len(proxy.records("ldap_replica_lost")), 2)

    def test_known_users_go_on_without_the_directory(self):
        slapd = self.start_directory()
        proxy = self.start_proxy(**self.with_cache(passwordTtl="1s"))
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        slapd.kill()
        time.sleep(1.1)  # the password is no longer right without asking
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        for user, password in ((ALICE, "wrong"), (BOB, PASSWORD), (NOBODY, PASSWORD)):
            self.assertIn("[UNAVAILABLE]", self.log_in(proxy, user, password))
        self.assertEqual([record["user"] for record in proxy.records("directory_stale")], [ALICE])
        proxy.signal(signal.SIGHUP)
        proxy.await_records("reloaded")
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        slapd.start()
        self.await_login(proxy, BOB)
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, NOBODY))

    def test_known_locations_serve_without_the_directory(self):
        slapd = self.start_directory()
        proxy = self.start_proxy(authenticateOnProxy=False, **self.with_cache(ttl="0s"))
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        slapd.kill()
        self.assertEqual(self.log_in(proxy, ALICE), "OK")
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, ALICE, "refused"))
        self.assertIn("[UNAVAILABLE]", self.log_in(proxy, BOB))
        slapd.start()
        self.await_login(proxy, BOB)

    def test_forgets_a_password_that_the_store_refuses(self):
        self.start_directory()
        carol = "carol@example.com"
        self.cluster.add_user(carol, f"{HOST}:{self.first.port}", "refused")
        proxy = self.start_proxy(**self.with_cache(passwordTtl="1h"))
        self.assertIn("[CONTACTADMIN]", self.log_in(proxy, carol, "refused"))
        self.cluster.ldif(f"dn: uid=carol,dc=example,dc=com\nchangetype: modify\n"
                          f"replace: userPassword\nuserPassword: {PASSWORD}\n", modify=True)
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, carol, "refused"))

    def with_cache(self, **cache):
        settings = self.cluster.ldap_settings()
        settings["ldapConnectors"][0]["cache"] = cache
        return settings

    def await_login(self, proxy, user=ALICE):
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            answer = self.log_in(proxy, user)
            if answer == "OK":
                return
            self.assertIn("[UNAVAILABLE]", answer)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def test_a_reload_takes_another_directory(self):
        self.start_directory()
        settings = self.cluster.ldap_settings()
        right, = settings["ldapConnectors"][0]["urls"]
        wrong = f"ldap://{HOST}:{free_port()}"
        settings["ldapConnectors"][0]["urls"] = [wrong]
        proxy = self.start_proxy(**settings)
        self.assertIn("[UNAVAILABLE]", self.log_in(proxy, ALICE))
        config = self.cluster.folder / "imapproxy.json"
        config.write_text(config.read_text().replace(wrong, right))
        proxy.signal(signal.SIGHUP)
        self.await_login(proxy)


if __name__ == "__main__":
    unittest.main()
