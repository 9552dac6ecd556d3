"""imapproxy that follows a real slapd: each change of LDAP is felt at once."""
import datetime
import json
import shutil
import signal
import subprocess
import threading
import time
import unittest

from shells.fake_store import FakeStore
from shells.shell_process import Client
from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port

ALICE, BOB, NOBODY = "alice@example.com", "bob@example.com", "nobody@example.com"
SECONDS = 30
MOVED = 100
BYE = r"^\* BYE "


def time_of(record):
    return datetime.datetime.fromisoformat(record["time"])


class LiveMapEndToEndTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.__exit__)
        self.old, self.new = FakeStore("old"), FakeStore("new")
        self.addCleanup(self.old.close)
        self.addCleanup(self.new.close)
        self.slapd = self.cluster.start_directory()
        self.cluster.add_user(ALICE, f"{HOST}:{self.old.port}")
        self.cluster.add_user(BOB, f"{HOST}:{self.old.port}")

    def start(self, authenticate=False, cache=None, **settings):
        connectors = self.cluster.ldap_settings()
        # So that nothing but the map can know of a change.
        connectors["ldapConnectors"][0].update(
            follow=True, movingAttribute="carLicense", cache=cache or {"ttl": "1h", "negativeTtl": "1h"})
        self.admin = free_port()
        proxy = self.cluster.start_proxy("imapproxy", {
            "allowPlaintextLogin": "always", "workers": 2, "authenticateOnProxy": authenticate,
            "admin": {"address": HOST, "port": self.admin}, **connectors, **settings})
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        proxy.await_records("live_map_complete")
        return proxy

    def log_in(self, proxy, user, password=PASSWORD):
        """The client, and what it was answered."""
        client = Client(proxy.port)
        self.addCleanup(client.close)
        client.line()
        return client, client.log_in(user, password)

    def store_of(self, proxy, user):
        """The name of the store that a new session is at, or the refusal."""
        client, answer = self.log_in(proxy, user)
        if not answer.startswith("in OK "):
            client.close()
            return answer
        client.send("x NOOP")
        name = client.line().partition(":")[0]
        client.close()
        return name

    def await_store(self, proxy, user, wanted):
        deadline = time.monotonic() + SECONDS
        while wanted not in (answer := self.store_of(proxy, user)):
            self.assertLess(time.monotonic(), deadline, answer)
            time.sleep(0.01)

    def modify(self, user, *changes):
        self.cluster.ldif(f"dn: uid={user.partition('@')[0]},dc=example,dc=com\n"
                          "changetype: modify\n" + "\n-\n".join(changes) + "\n", modify=True)

    def move(self, *users):
        self.cluster.ldif("".join(
            f"dn: uid={user.partition('@')[0]},dc=example,dc=com\nchangetype: modify\n"
            f"replace: mailHost\nmailHost: {HOST}:{self.new.port}\n\n" for user in users), modify=True)

    def metric(self, name):
        client = Client(self.admin)
        client.send("GET /metrics HTTP/1.0\r\n")
        text = client.rest()
        client.close()
        line, = (line for line in text.splitlines() if line.startswith(name + "{"))
        self.assertIn('connector="LDAP_Master"', line)
        return int(line.split()[-1])

    def test_a_change_of_host_is_felt_at_once(self):
        proxy = self.start()
        client, answer = self.log_in(proxy, ALICE)
        self.assertRegex(answer, "^in OK ")
        self.assertEqual(self.store_of(proxy, NOBODY)[:6], "in NO ")
        self.move(ALICE)
        self.await_store(proxy, ALICE, "new")
        self.assertRegex(client.rest(), BYE)
        self.assertEqual(self.store_of(proxy, BOB), "old")

    def test_who_comes_is_let_in_and_who_goes_is_refused(self):
        proxy = self.start(authenticate=True)
        carol = "carol@example.com"
        self.assertIn("[AUTHENTICATIONFAILED]", self.store_of(proxy, carol))
        self.cluster.add_user(carol, f"{HOST}:{self.new.port}")
        self.await_store(proxy, carol, "new")
        self.assertIn("[AUTHENTICATIONFAILED]", self.log_in(proxy, carol, "wrong")[1])
        self.cluster.ldif("dn: uid=carol,dc=example,dc=com\nchangetype: delete\n", modify=True)
        self.await_store(proxy, carol, "[AUTHENTICATIONFAILED]")
        self.assertEqual(self.metric("gatehouse_live_map_entries"), 2)
        self.assertGreater(self.metric("gatehouse_live_map_bytes"), 0)
        self.assertEqual(self.metric("gatehouse_live_map_live"), 1)

    def test_logins_wait_for_a_mailbox_on_its_way_and_no_longer(self):
        proxy = self.start(moveHold="25s")
        self.modify(BOB, "add: carLicense\ncarLicense: TRUE")
        time.sleep(0.5)
        clients = [Client(proxy.port) for _ in range(5)]
        for client in clients:
            self.addCleanup(client.close)
            client.line()
            client.send(f'in LOGIN "{BOB}" "{PASSWORD}"')
        time.sleep(0.5)
        self.assertEqual(self.old.logins, [])
        self.modify(BOB, "delete: carLicense", f"replace: mailHost\nmailHost: {HOST}:{self.new.port}")
        for client in clients:
            self.assertRegex(client.answer("in"), "^in OK ")
        self.assertEqual((len(self.old.logins), len(self.new.logins)), (0, 5))

    def test_logins_go_on_without_the_directory_and_changes_come_later(self):
        proxy = self.start()
        self.slapd.kill()
        proxy.await_records("live_map_lost")
        for user in (ALICE, BOB):
            self.assertEqual(self.store_of(proxy, user), "old")
        self.assertIn("[UNAVAILABLE]", self.store_of(proxy, NOBODY))
        self.assertEqual(self.metric("gatehouse_live_map_live"), 0)
        self.slapd.start()
        self.move(ALICE)
        proxy.await_records("live_map_recovered")
        self.await_store(proxy, ALICE, "new")
        self.await_store(proxy, NOBODY, "[AUTHENTICATIONFAILED]")

    def test_a_directory_restored_from_a_backup_is_believed(self):
        self.slapd.stop()
        backup = self.tool("slapcat")
        self.slapd.start()
        proxy = self.start()
        self.move(ALICE)
        self.await_store(proxy, ALICE, "new")
        self.slapd.stop()
        proxy.await_records("live_map_lost")
        data = self.cluster.folder / "slapd" / "data"
        shutil.rmtree(data)
        data.mkdir()
        self.tool("slapadd", backup)
        self.slapd.start()
        answers = []
        while "old" not in answers:
            answers.append(self.store_of(proxy, ALICE))
            self.assertIn(answers[-1], ("old", "new"))
            self.assertLess(len(answers), 10000)
        record, = proxy.await_records("live_map_cookie_refused")
        self.assertIn("newer", record["detail"])
        proxy.await_records("live_map_recovered")
        self.assertEqual(self.metric("gatehouse_live_map_live"), 1)
        self.move(BOB)
        self.await_store(proxy, BOB, "new")

    def tool(self, name, ldif=None):
        """What slapcat or slapadd prints, while slapd is stopped."""
        return subprocess.run([name, "-f", self.cluster.folder / "slapd" / "slapd.conf"], check=True,
                              input=ldif, capture_output=True).stdout

    def test_is_asked_first_where_it_was_not_heard_of_for_long(self):
        proxy = self.start(cache={"ttl": "0s", "staleTtl": "24h"})
        self.slapd.kill()
        proxy.await_records("live_map_lost")
        self.assertEqual(self.store_of(proxy, ALICE), "old")  # it can't answer

    def test_passwords_known_lately_are_good_at_the_hosts_of_now(self):
        proxy = self.start(authenticate=True, cache={"passwordTtl": "1s"})
        self.assertEqual(self.store_of(proxy, ALICE), "old")
        self.move(ALICE)
        time.sleep(1.1)  # the password is no longer right without asking
        self.slapd.kill()
        proxy.await_records("live_map_lost")
        self.assertEqual(self.store_of(proxy, ALICE), "new")
        self.assertIn("[UNAVAILABLE]", self.store_of(proxy, BOB))

    def test_a_reload_takes_the_map_over_without_a_gap(self):
        proxy = self.start()
        reload = self.reloading(proxy, {"moveHold": "25s"})
        stop, answers = threading.Event(), []

        def log_in():
            while not stop.is_set():
                answers.append(self.store_of(proxy, ALICE))
                time.sleep(0.02)

        logging_in = threading.Thread(target=log_in)
        logging_in.start()
        self.addCleanup(stop.set)
        for count in range(1, 4):
            reload(count)
        # Whoever asked LDAP now would hear that it is away.
        self.slapd.kill()
        reload(4)
        proxy.await_records("live_map_lost")
        self.assertEqual(self.store_of(proxy, BOB), "old")
        self.slapd.start()
        self.move(ALICE)
        self.await_store(proxy, ALICE, "new")
        stop.set()
        logging_in.join(SECONDS)
        self.assertLessEqual(set(answers), {"old", "new"})
        self.assertEqual(len(proxy.records("live_map_complete")), 1)

    def test_a_reload_that_follows_otherwise_asks_until_it_knows(self):
        proxy = self.start()
        reload = self.reloading(proxy, {}, hostnameAttribute="labeledURI")
        self.modify(ALICE, "add: objectClass\nobjectClass: labeledURIObject",
                    f"add: labeledURI\nlabeledURI: imap://{HOST}:{self.new.port}")
        reload(1)
        self.assertEqual(self.store_of(proxy, ALICE), "new")
        proxy.await_records("live_map_complete", 2)
        self.assertEqual(self.store_of(proxy, ALICE), "new")
        self.assertEqual(self.metric("gatehouse_live_map_live"), 1)

    def reloading(self, proxy, settings, **connector):
        """Writes the changed configuration; what it gives has it read, for the n-th time."""
        file = self.cluster.folder / "imapproxy.json"
        config = json.loads(file.read_text())
        config.update(settings)
        config["ldapConnectors"][0].update(connector)
        file.write_text(json.dumps(config))

        def reload(count):
            proxy.process.send_signal(signal.SIGHUP)
            proxy.await_records("reloaded", count)

        return reload

    def test_says_which_filter_cannot_be_followed(self):
        connectors = self.cluster.ldap_settings()
        connectors["ldapConnectors"][0].update(follow=True, accountFilter="(|(uid=%u)(cn=x))")
        with self.assertRaisesRegex(RuntimeError, r"/ldapConnectors/0/follow: .*\(cn=x\)"):
            self.cluster.start_proxy("imapproxy", connectors)

    def test_a_hundred_accounts_move_while_their_owners_are_busy(self):
        users = [f"user{number}@example.com" for number in range(MOVED)]
        for user in users:
            self.cluster.add_user(user, f"{HOST}:{self.old.port}")
        proxy = self.start()
        stays, _ = self.log_in(proxy, ALICE)
        clients = [self.log_in(proxy, user)[0] for user in users]
        ended = []

        def work(client):
            """Talks until it is told good-bye, which is said in a pause."""
            try:
                while True:
                    client.send("x NOOP")
                    line = client.line()
                    if line != "old: x NOOP":
                        ended.append(line)
                        return
                    time.sleep(0.3)
            except OSError:
                ended.append("* BYE unread")

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        self.move(*users)
        seen = datetime.datetime.now(datetime.timezone.utc)
        time.sleep(0.2)
        for user in users:
            self.assertEqual(self.store_of(proxy, user), "new")
        for thread in threads:
            thread.join(SECONDS)
        self.assertEqual({line[:6] for line in ended}, {"* BYE "})
        self.assertEqual(len(ended), MOVED)
        # Who came to see whether the proxy listens has a record too, of no store.
        old = [record for record in proxy.await_records("session", 2 * MOVED + 2)
               if record.get("upstream") == f"{HOST}:{self.old.port}"]
        self.assertEqual(len(old), MOVED)
        self.assertLess((max(map(time_of, old)) - seen).total_seconds(), 1)
        stays.send("x NOOP")
        self.assertEqual(stays.line(), "old: x NOOP")


if __name__ == "__main__":
    unittest.main()
