"""The example that the README names: people go to the store of their initial."""
import subprocess
import unittest

from shells.fake_store import FakeStore
from shells.shell_process import HOST, PASSWORD, Client


class ExampleGatewayTest(unittest.TestCase):
    def setUp(self):
        self.stores = [FakeStore("first"), FakeStore("second")]
        for store in self.stores:
            self.addCleanup(store.close)
        process = subprocess.Popen(
            ["shells/example_gateway", "0", *(f"{HOST}:{store.port}" for store in self.stores)],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.port = int(process.stdout.readline().rpartition(":")[2])

    def log_in(self, user, password=PASSWORD):
        client = Client(self.port)
        self.addCleanup(client.close)
        client.line()
        return client, client.log_in(user, password)

    def test_joins_each_user_with_the_right_store(self):
        for user, store in (("alice", "first"), ("zoe", "second")):
            client, answer = self.log_in(user)
            self.assertRegex(answer, "^in OK")
            client.send("x NOOP")
            self.assertEqual(client.line(), f"{store}: x NOOP")
        self.assertEqual([store.logins for store in self.stores],
                         [[("alice", PASSWORD)], [("zoe", PASSWORD)]])

    def test_hands_the_stores_refusal_on(self):
        _, answer = self.log_in("alice", "refused")
        self.assertRegex(answer, r"^in NO \[AUTHENTICATIONFAILED\]")


if __name__ == "__main__":
    unittest.main()
