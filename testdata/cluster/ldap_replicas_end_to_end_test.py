"""imapproxy before two slapd in mirror mode: steady logins while the preferred one dies, hangs and returns."""
import asyncio
import signal
import time
import unittest

from shells.fake_store import FakeStore
from testdata.cluster.cluster import HOST, PASSWORD, Cluster
from testdata.cluster.mirror import Mirror

USERS = [f"user{number}@example.com" for number in range(20)]
LOGINS = 800
LOGINS_A_SECOND = 200
DEADLINE_SECONDS = 1
# On a machine of one's own 50 ms are enough.
SLACK_SECONDS = 2
RETURN_SECONDS = 30


class Logins:
    """Logins that begin at a steady pace, whatever became of those before."""

    def __init__(self, port):
        self.port = port
        self.refusals = []

    async def _one(self, user):
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            await reader.readline()
            writer.write(f"a LOGIN {user} {PASSWORD}\r\n".encode())
            answer = await reader.readline()
        finally:
            writer.close()
        if not answer.startswith(b"a OK"):
            self.refusals.append(answer)

    async def run(self, count, events=()):
        """`events`: (after how many logins, what to do then), in that order."""
        events = list(events)
        began = time.monotonic()
        tasks, doing = [], []
        for number in range(count):
            if events and number == events[0][0]:
                doing.append(asyncio.create_task(asyncio.to_thread(events.pop(0)[1])))
            await asyncio.sleep(began + number / LOGINS_A_SECOND - time.monotonic())
            tasks.append(asyncio.create_task(self._one(USERS[number % len(USERS)])))
        await asyncio.gather(*tasks, *doing)
        return count / (time.monotonic() - began)


class LdapReplicasEndToEndTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.__exit__)
        self.store = FakeStore()
        self.addCleanup(self.store.close)
        self.mirror = Mirror(self.cluster)
        for user in USERS:
            self.cluster.add_user(user, f"{HOST}:{self.store.port}")
        self.mirror.await_copy(USERS[-1].split("@")[0])
        settings = self.cluster.ldap_settings()
        settings["ldapConnectors"][0].update(
            urls=self.mirror.urls, timeout=f"{DEADLINE_SECONDS}s", retryBinds=True,
            # So that each login is a question to a replica.
            cache={"ttl": "0s", "negativeTtl": "0s", "staleTtl": "0s"})
        self.proxy = self.cluster.start_proxy("imapproxy", {
            "allowPlaintextLogin": "always", "workers": 1, **settings})
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", self.proxy.text()))

    def through(self, lose, restore):
        """Steady logins while the preferred replica is lost and comes back."""
        logins = Logins(self.proxy.port)
        rate = asyncio.run(logins.run(
            LOGINS, [(LOGINS // 4, lose), (LOGINS * 3 // 4, restore)]))
        self.assertEqual(logins.refusals, [], self.proxy.records("directory_failure"))
        waits = self.directory_waits(LOGINS)
        print(f"{self.id().rsplit('.', 1)[1]}: {LOGINS} logins, {rate:.0f}/s; waited for the directory: "
              f"median {waits[LOGINS // 2] * 1000:.0f} ms, p99 {waits[LOGINS * 99 // 100] * 1000:.0f} ms, "
              f"at most {waits[-1] * 1000:.0f} ms", flush=True)
        self.assertLess(waits[-1], DEADLINE_SECONDS + SLACK_SECONDS)
        self.assertGreater(self.mirror.lookups(self.mirror.second), 0)
        self.await_return()
        preferred = self.mirror.urls[0]
        for event in ("ldap_replica_lost", "ldap_replica_recovered"):
            self.assertEqual([record["url"] for record in self.proxy.records(event)], [preferred])

    def directory_waits(self, count):
        """Of so many sessions, in seconds, the shortest first; what the test's own
        clients and store took isn't in it."""
        deadline = time.monotonic() + RETURN_SECONDS
        while True:
            records = self.proxy.records()
            if len(records) >= count:
                return sorted(record["directory_seconds"] for record in records)
            self.assertLess(time.monotonic(), deadline, len(records))
            time.sleep(0.1)

    def await_return(self):
        """Until lookups go to the preferred one again, and no more to the other."""
        deadline = time.monotonic() + RETURN_SECONDS
        while True:
            first, second = (self.mirror.lookups(server) for server in (self.mirror.first, self.mirror.second))
            logins = Logins(self.proxy.port)
            asyncio.run(logins.run(len(USERS)))
            self.assertEqual(logins.refusals, [])
            asked_first = self.mirror.lookups(self.mirror.first) - first
            if asked_first >= len(USERS) and self.mirror.lookups(self.mirror.second) == second:
                return
            self.assertLess(time.monotonic(), deadline)

    def test_no_login_notices_a_killed_replica(self):
        self.through(self.mirror.first.kill, self.mirror.first.start)

    def test_no_login_notices_a_hanging_replica(self):
        self.through(lambda: self.mirror.first.signal(signal.SIGSTOP),
                     lambda: self.mirror.first.signal(signal.SIGCONT))


if __name__ == "__main__":
    unittest.main()
