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
# By another proxy that knows the second replica alone: what logins wait for on
# this machine, at this moment, where nothing is lost. Some at the same time, and
# before and after as many at once as a replica that hangs leaves over.
CONTROL_LOGINS = 200
CONTROL_LOGINS_A_SECOND = 50
BACKLOG = LOGINS_A_SECOND * DEADLINE_SECONDS
SLACK_SECONDS = 0.05
LONGEST_SECONDS = 3
RETURN_SECONDS = 30


class Logins:
    """Logins that begin at a steady pace, whatever became of those before."""

    def __init__(self, port, a_second=LOGINS_A_SECOND):
        self.port = port
        self.a_second = a_second
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
            await asyncio.sleep(began + number / self.a_second - time.monotonic())
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
        self.proxy = self.start("imapproxy", self.mirror.urls)
        self.control = self.start("control", self.mirror.urls[1:])

    def start(self, label, urls):
        settings = self.cluster.ldap_settings()
        settings["ldapConnectors"][0].update(
            urls=urls, timeout=f"{DEADLINE_SECONDS}s", retryBinds=True,
            # So that each login is a question to a replica.
            cache={"ttl": "0s", "negativeTtl": "0s", "staleTtl": "0s"})
        proxy = self.cluster.start_proxy("imapproxy", {
            "allowPlaintextLogin": "always", "workers": 1, **settings}, label=label)
        self.addCleanup(lambda: self.assertNotIn("Sanitizer", proxy.text()))
        return proxy

    def through(self, lose, restore):
        """Steady logins while the preferred replica is lost and comes back."""
        logins = Logins(self.proxy.port)
        control = Logins(self.control.port, CONTROL_LOGINS_A_SECOND)

        async def both():
            rate, _ = await asyncio.gather(
                logins.run(LOGINS, [(LOGINS // 4, lose), (LOGINS * 3 // 4, restore)]),
                control.run(CONTROL_LOGINS))
            return rate

        backlog = Logins(self.control.port, float("inf"))
        asyncio.run(backlog.run(BACKLOG))
        before = self.mirror.lookups(self.mirror.second)
        rate = asyncio.run(both())
        asked_second = self.mirror.lookups(self.mirror.second) - before
        asyncio.run(backlog.run(BACKLOG))
        self.assertEqual(logins.refusals + control.refusals + backlog.refusals, [], self.proxy.records("directory_failure"))
        waits = self.directory_waits(self.proxy, LOGINS)
        undisturbed = self.directory_waits(self.control, CONTROL_LOGINS + 2 * BACKLOG)[-1]
        print(f"{self.id().rsplit('.', 1)[1]}: {LOGINS} logins, {rate:.0f}/s; waited for the directory: "
              f"median {waits[LOGINS // 2] * 1000:.0f} ms, p99 {waits[LOGINS * 99 // 100] * 1000:.0f} ms, "
              f"at most {waits[-1] * 1000:.0f} ms; "
              f"undisturbed at most {undisturbed * 1000:.0f} ms", flush=True)
        self.assertLess(waits[LOGINS * 99 // 100], DEADLINE_SECONDS + SLACK_SECONDS + undisturbed)
        self.assertLess(waits[-1], LONGEST_SECONDS)
        self.assertGreater(asked_second, CONTROL_LOGINS)
        self.await_return()
        preferred = self.mirror.urls[0]
        for event in ("ldap_replica_lost", "ldap_replica_recovered"):
            self.assertEqual([record["url"] for record in self.proxy.records(event)], [preferred])

    def directory_waits(self, proxy, count):
        """Of so many sessions, in seconds, the shortest first; what the test's own
        clients and store took isn't in it."""
        deadline = time.monotonic() + RETURN_SECONDS
        while True:
            records = proxy.records()
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
