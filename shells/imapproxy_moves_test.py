"""Accounts that move to another store while their owners are logged in."""
import datetime
import signal
import threading
import time
import unittest

from shells.fake_store import FakeStore
from shells.proxy_test_case import ALICE, ProxyTestCase
from shells.shell_process import HOST, PASSWORD, SECONDS, map_entry

ACCOUNTS = [f"user{number}@example.com" for number in range(100)]
BYE = r"^\* BYE "


class HeldStore(FakeStore):
    """Lets nobody in before `open` is set."""

    def __init__(self, name):
        self.open = threading.Event()
        super().__init__(name)

    def _log_in(self, stream):
        self.open.wait(SECONDS)
        return super()._log_in(stream)


def time_of(record):
    return datetime.datetime.fromisoformat(record["time"])


class MovesTest(ProxyTestCase):
    def setUp(self):
        super().setUp()
        self.new_store = FakeStore("new")
        self.addCleanup(self.new_store.close)

    def move(self, proxy, *accounts):
        self.users.update({account: map_entry(self.new_store) for account in accounts})
        proxy.write(proxy.settings, self.users)

    def joined_at_new(self, proxy, account):
        client = self.connect(proxy)
        client.line()
        self.assertRegex(client.log_in(account), "^in OK ")
        self.hears(client, "new")

    def test_each_next_session_is_at_the_new_host_and_none_at_the_old_a_second_later(self):
        self.users.update({account: map_entry(self.store) for account in ACCOUNTS})
        proxy = self.start()
        stays = self.joined(proxy, ALICE)
        clients = [self.joined(proxy, account) for account in ACCOUNTS]
        self.move(proxy, *ACCOUNTS)
        reloaded, = proxy.await_records("local_map_reloaded")
        for account in ACCOUNTS:
            self.joined_at_new(proxy, account)
        for client in clients:
            self.assertRegex(client.rest(), BYE)
        ended = proxy.await_records("session", len(ACCOUNTS))
        self.assertEqual({record["user"] for record in ended}, set(ACCOUNTS))
        self.assertEqual({record["upstream"] for record in ended}, {f"{HOST}:{self.store.port}"})
        took = max(map(time_of, ended)) - time_of(reloaded)
        self.assertLess(took.total_seconds(), 1)
        self.hears(stays)

    def test_a_client_that_never_pauses_hears_the_end_between_two_commands(self):
        proxy = self.start()
        client = self.joined(proxy)
        lines = []

        def chat():
            while not lines or lines[-1] == "store: x NOOP":
                client.send("x NOOP")
                lines.append(client.line())

        chatting = threading.Thread(target=chat)
        chatting.start()
        self.move(proxy, ALICE)
        reloaded, = proxy.await_records("local_map_reloaded")
        ended, = proxy.await_records("session")
        chatting.join(SECONDS)
        self.assertRegex(lines[-1], BYE)
        self.assertLess((time_of(ended) - time_of(reloaded)).total_seconds(), 1)

    def test_a_login_on_its_way_to_the_old_host_ends_as_soon_as_joined(self):
        held = HeldStore("held")
        self.addCleanup(held.close)
        self.users[ALICE] = map_entry(held)
        proxy = self.start()
        client = self.connect(proxy)
        client.line()
        client.send(f'in LOGIN "{ALICE}" "{PASSWORD}"')
        deadline = time.monotonic() + SECONDS
        while held.connections == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.move(proxy, ALICE)
        proxy.await_records("local_map_reloaded")
        self.joined_at_new(proxy, ALICE)
        held.open.set()
        self.assertRegex(client.answer("in"), "^in OK ")
        self.assertRegex(client.rest(), BYE)

    def test_an_account_without_a_host_any_more_is_at_the_default_one(self):
        proxy = self.start(mapping={"userMap": "Map", "mappingHost": HOST,
                                    "mappingPort": self.new_store.port})
        client = self.joined(proxy)
        del self.users[ALICE]["host"]
        proxy.write(proxy.settings, self.users)
        self.assertRegex(client.rest(), BYE)
        self.joined_at_new(proxy, ALICE)

    def test_a_reload_of_the_configuration_tells_of_moves_too(self):
        proxy = self.start()
        client = self.joined(proxy)
        self.move(proxy, ALICE)
        proxy.process.send_signal(signal.SIGHUP)
        self.assertRegex(client.rest(), BYE)
        self.joined_at_new(proxy, ALICE)


if __name__ == "__main__":
    unittest.main()
