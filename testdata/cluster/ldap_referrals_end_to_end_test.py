"""imapproxy before a real slapd, a part of whose tree another one has."""
import signal
import time
import unittest

from shells.fake_store import FakeStore
from shells.shell_process import Client
from testdata.cluster.cluster import HOST, PASSWORD, SUFFIX, Cluster, free_port

ALICE, DAVE, NOBODY = "alice@example.com", "dave@example.com", "nobody@example.com"
BRANCH = "ou=branch,dc=example,dc=com"
TIMEOUT_SECONDS = 1
RECOVERY_SECONDS = 30


class LdapReferralsEndToEndTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.__exit__)
        self.store = FakeStore()
        self.addCleanup(self.store.close)
        self.cluster.start_directory()
        self.cluster.add_user(ALICE, f"{HOST}:{self.store.port}")
        self.branch_port = free_port()
        self.branch = self.cluster.start_slapd("branch", self.branch_port)
        self.branch_url = f"ldap://{HOST}:{self.branch_port}"
        self.cluster.ldif(f"{SUFFIX}\ndn: {BRANCH}\nobjectClass: organizationalUnit\nou: branch\n\n"
                          f"dn: uid=dave,{BRANCH}\nobjectClass: inetOrgPerson\n"
                          "objectClass: inetLocalMailRecipient\nuid: dave\ncn: dave\nsn: dave\n"
                          f"mailLocalAddress: {DAVE}\nmailHost: {HOST}:{self.store.port}\n"
                          f"userPassword: {PASSWORD}\n", port=self.branch_port)
        self.cluster.ldif(f"dn: {BRANCH}\nobjectClass: referral\nobjectClass: extensibleObject\n"
                          f"ou: branch\nref: {self.branch_url}/{BRANCH}\n")

    def start(self, **connector):
        settings = self.cluster.ldap_settings()
        settings["ldapConnectors"][0].update(
            timeout=f"{TIMEOUT_SECONDS}s",
            # So that each login is a question.
            cache={"ttl": "0s", "negativeTtl": "0s", "staleTtl": "0s"}, **connector)
        proxy = self.cluster.start_proxy("imapproxy", {
            "allowPlaintextLogin": "always", "workers": 2, **settings})
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        return proxy

    def log_in(self, proxy, user, password=PASSWORD):
        client = Client(proxy.port)
        client.line()
        answer = client.log_in(user, password)
        client.close()
        return answer

    def test_an_account_elsewhere_logs_in_where_its_server_is_listed(self):
        proxy = self.start(referrals=[self.branch_url])
        self.assertRegex(self.log_in(proxy, DAVE), "^in OK ")
        self.assertRegex(self.log_in(proxy, ALICE), "^in OK ")
        self.assertEqual(self.store.logins, [(DAVE, PASSWORD), (ALICE, PASSWORD)])
        refusals = {self.log_in(proxy, DAVE, "wrong"), self.log_in(proxy, NOBODY),
                    self.log_in(proxy, ALICE, "wrong")}
        self.assertEqual(len(refusals), 1, refusals)
        self.assertIn("[AUTHENTICATIONFAILED]", refusals.pop())

        self.branch.signal(signal.SIGSTOP)
        for user in (DAVE, NOBODY):
            began = time.monotonic()
            self.assertIn("[UNAVAILABLE]", self.log_in(proxy, user))
            self.assertLess(time.monotonic() - began, 2 * TIMEOUT_SECONDS + 1)
        self.assertRegex(self.log_in(proxy, ALICE), "^in OK ")
        self.branch.signal(signal.SIGCONT)
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not (answer := self.log_in(proxy, DAVE)).startswith("in OK "):
            self.assertIn("[UNAVAILABLE]", answer)
            self.assertLess(time.monotonic(), deadline)

    def test_a_server_that_is_not_listed_hears_nothing(self):
        asked = self.branch.text().count("ACCEPT")
        proxy = self.start()
        for _ in range(10):
            self.assertIn("[UNAVAILABLE]", self.log_in(proxy, DAVE))
            self.assertIn("[UNAVAILABLE]", self.log_in(proxy, NOBODY))
        self.assertRegex(self.log_in(proxy, ALICE), "^in OK ")
        self.assertEqual(self.branch.text().count("ACCEPT"), asked)
        self.assertEqual(self.store.logins, [(ALICE, PASSWORD)])
        record, = proxy.records("ldap_referral_refused")
        self.assertEqual(record["host"], f"{HOST}:{self.branch_port}")

    def test_what_is_elsewhere_is_asked_for_beside_the_live_map(self):
        proxy = self.start(referrals=[self.branch_url], follow=True)
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not proxy.records("live_map_complete"):
            self.assertLess(time.monotonic(), deadline, proxy.text())
            time.sleep(0.01)
        for user in (ALICE, DAVE):
            self.assertRegex(self.log_in(proxy, user), "^in OK ")
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, NOBODY))
        # Nothing was remembered of it.
        self.cluster.ldif(f"dn: uid=dave,{BRANCH}\nchangetype: delete\n", modify=True, port=self.branch_port)
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, DAVE))


if __name__ == "__main__":
    unittest.main()
