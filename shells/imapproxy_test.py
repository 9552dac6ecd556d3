"""imapproxy as an operator meets it: command line, faults, signals, limits, metrics."""
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from shells.fake_store import FakeStore
from shells.proxy_test_case import ALICE, ProxyTestCase, certify
from shells.shell_process import HOST, PASSWORD, PASSWORD_HASH, Client, map_entry

BINARY = "shells/imapproxy"
BOB = "bob@example.com"
HALF_OPEN = 1000


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60)


class CommandLineTest(unittest.TestCase):
    def test_tells_version_and_help(self):
        self.assertRegex(run("--version").stdout, r"^imapproxy \(Gatehouse\) \d+\.\d+\.\d+\n$")
        self.assertIn("--check_config", run("--help").stdout)
        self.assertEqual(run("--version").returncode, 0)
        self.assertEqual(run("--help").returncode, 0)

    def test_refuses_a_wrong_command_line_with_status_2(self):
        for arguments in ((), ("--conf=x",), ("--config", "x"), ("--check_config",)):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_check_config_accepts_the_examples(self):
        for name in ("imapproxy", "imapproxy-local"):
            file = f"testdata/config/{name}.json"
            result = run(f"--config={file}", "--check_config")
            self.assertEqual((result.stdout, result.returncode), (f"{file}: ok\n", 0))

    def test_check_config_prints_a_line_for_each_fault(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write("""{
  // Comments are allowed.
  "listeners": [{"address": "127.0.0.1", "port": 1143, "tls": "startTls"}],
  "mapping": {"userMap": "Map", "mappingHost": "store.example.com", "mappingPort": 70000},
  "drainTimeout": "soon",
  "lisstners": []
}""")
            file.flush()
            expected = (
                f"{file.name}: /listeners/0/tls: needs a certificate in /tls/certificates\n"
                f"{file.name}: /mapping/mappingPort: 70000 is not a port (1 to 65535)\n"
                f"{file.name}: /mapping/userMap: \"Map\" is not in /userMaps\n"
                f"{file.name}: /userdbConnectorName: missing: which localFile map or LDAP "
                "connector checks the passwords?\n"
                f"{file.name}: /drainTimeout: \"soon\" is not a duration "
                "(\"250ms\", \"30s\", \"10m\", \"24h\")\n"
                f"{file.name}: /lisstners: unknown key\n")
            checked = run(f"--config={file.name}", "--check_config")
            self.assertEqual((checked.stdout, checked.returncode), (expected, 1))
            started = run(f"--config={file.name}")
            self.assertEqual((started.stderr, started.returncode), (expected, 1))

    def test_names_a_file_that_is_not_what_it_should_be(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        certify(folder)
        own_key = (folder / "key").rename(folder / "other-key")
        certify(folder)
        (folder / "nonsense").write_text("nonsense")
        (folder / "directory").mkdir()
        config = folder / "c.json"
        for certificate, key, place in (
                ("absent", "key", "/tls/certificates/0/certificate"),
                ("pem", "absent", "/tls/certificates/0/privateKey"),
                ("directory", "key", "/tls/certificates/0/certificate"),
                ("nonsense", "key", "/tls/certificates/0/certificate"),
                ("pem", "nonsense", "/tls/certificates/0/privateKey"),
                ("pem", own_key.name, "/tls/certificates/0/privateKey"),
                ("key", "key", "/tls/certificates/0/certificate")):
            config.write_text(json.dumps({
                "listeners": [{"address": HOST, "tls": "implicit"}],
                "tls": {"certificates": [{"certificate": certificate, "privateKey": key}]},
                "mapping": {"mappingHost": HOST}, "authenticateOnProxy": False}))
            for option in ((), ("--check_config",)):
                with self.subTest(certificate=certificate, key=key, option=option):
                    result = run(f"--config={config}", *option)
                    self.assertEqual(result.returncode, 1)
                    self.assertIn(f"{config}: {place}: ", result.stdout + result.stderr)
                    self.assertIn(str(folder), result.stdout + result.stderr)

    def test_names_an_authority_that_is_none(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        certify(folder)
        (folder / "nonsense").write_text("nonsense")
        config = folder / "c.json"
        with_certificate = {"certificates": [{"certificate": "pem", "privateKey": "key"}]}
        for place, settings in (
                ("/upstream/caFile", {"upstream": {"caFile": "nonsense"}}),
                ("/tls/clientCaFile", {"tls": {**with_certificate, "clientCaFile": "nonsense"}}),
                ("/tls/clientIdentity", {"tls": {**with_certificate, "clientIdentity": "nonsense"}}),
                ("/ldapConnectors/1/caFile", {"ldapConnectors": [
                    {"name": "a", "urls": ["ldap://127.0.0.1"]},
                    {"name": "b", "urls": ["ldaps://127.0.0.1"], "caFile": "nonsense"}]})):
            config.write_text(json.dumps({
                "listeners": [{"address": HOST}], "mapping": {"mappingHost": HOST},
                "authenticateOnProxy": False, **settings}))
            result = run(f"--config={config}", "--check_config")
            self.assertTrue(result.stdout.startswith(f"{config}: {place}: "), result.stdout)
            self.assertEqual((result.stdout.count("\n"), result.returncode), (1, 1))

    def test_warns_of_a_master_password_in_the_clear(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, content in (("secret", "x"), ("users", '{"users": {}}')):
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        config = folder / "c.json"
        config.write_text(json.dumps({
            "listeners": [{"address": HOST}], "mapping": {"userMap": "m"},
            "userMaps": [{"name": "m", "type": "localFile", "localFile": "users"}],
            "upstream": {"login": {"method": "masterUser", "user": "m", "passwordFile": "secret"}}}))
        result = run(f"--config={config}", "--check_config")
        self.assertEqual((result.stdout, result.returncode), (f"{config}: ok\n", 0))
        self.assertEqual(
            result.stderr,
            f"{config}: /upstream/login: the master user's password is sent in the clear "
            "(tls is none), and not to loopback alone (allowedHosts) (warning)\n")

    def test_names_a_password_file_that_it_cannot_read(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "c.json"
            config.write_text(json.dumps({
                "listeners": [{"address": HOST}], "mapping": {"userMap": "m"},
                "userdbConnectorType": "ldapBind", "userdbConnectorName": "l",
                "ldapConnectors": [{"name": "l", "urls": ["ldap://127.0.0.1"], "adminDn": "cn=a",
                                    "adminPasswordFile": "absent"}],
                "userMaps": [{"name": "m", "type": "ldapBind", "userdbConnectorName": "l"}]}))
            result = run(f"--config={config}")
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"{config}: /ldapConnectors/0/adminPasswordFile: {folder}/absent: ", result.stderr)

    def test_names_a_faulty_user_map(self):
        with tempfile.TemporaryDirectory() as folder:
            config, users = f"{folder}/c.json", f"{folder}/u.json"
            with open(config, "w") as file:
                file.write('{"listeners": [{"address": "::1"}], "mapping": {"userMap": "m"}, '
                           '"userMaps": [{"name": "m", "type": "localFile", "localFile": "u.json"}]}')
            with open(users, "w") as file:
                file.write('{"users": {"a@b": {"hots": "x"}}}')
            result = run(f"--config={config}", "--check_config")
            self.assertEqual(result.stdout, f"{users}: /users/a@b/hots: unknown key\n")
            self.assertIn(f"{config}: /userMaps/0/localFile: {users}: others can read this secret",
                          result.stderr)


class ServerTest(ProxyTestCase):
    # --- Logins ---

    def test_joins_a_client_with_the_store_of_the_map(self):
        proxy = self.start()
        client = self.joined(proxy)
        self.assertIn("x OK", client.ask("LOGOUT", "x"))
        client.close()
        self.assertEqual(self.store.logins, [(ALICE, PASSWORD)])
        record, = proxy.await_records("session")
        self.assertEqual((record["user"], record["upstream"]), (ALICE, f"{HOST}:{self.store.port}"))

    def test_refuses_a_wrong_password_and_an_unknown_user_alike(self):
        proxy = self.start()
        client = self.connect(proxy)
        client.line()
        wrong = client.log_in(ALICE, "wrong")
        self.assertRegex(wrong, r"^in NO \[AUTHENTICATIONFAILED\]")
        self.assertEqual(client.log_in("nobody@example.com"), wrong)
        self.assertEqual(self.store.logins, [])

    def test_calls_an_absent_store_unavailable(self):
        self.store.close()
        client = self.connect(self.start())
        client.line()
        self.assertRegex(client.log_in(ALICE), r"^in NO \[UNAVAILABLE\]")

    def test_writes_no_password_and_no_second_line_into_its_log(self):
        proxy = self.start()
        client = self.connect(proxy)
        client.line()
        client.log_in(ALICE, "wr0ng-pa55")
        client.log_in("wr0ng-pa55", ALICE)  # in each other's place
        client.send('b LOGIN {24+}\r\nx\x1b[0m","event":"forged" "wr0ng-pa55"')
        client.answer("b")
        client.close()
        self.joined(proxy).close()
        proxy.await_records("session", 2)
        self.assertNotIn("pa55", proxy.text())
        self.assertNotIn("\x1b", proxy.text())
        self.assertEqual(proxy.records("forged"), [])

    # --- Starting ---

    def test_shares_its_port_with_another_process_where_both_are_to(self):
        first = self.start(sharePorts=True)
        second = self.start(sharePorts=True,
                            listeners=[{"address": HOST, "port": first.port}])
        for _ in range(200):
            self.joined(first).close()
            if first.records("session") and second.records("session"):
                return
        self.fail("one of them has all connections")

    def test_refuses_a_port_that_another_server_has(self):
        first = self.start()
        second = self.start_any(listeners=[{"address": HOST, "port": 0},
                                           {"address": HOST, "port": first.port}])
        self.assertEqual(second.await_end(), 1)
        fault, = second.records("listen_failed")
        self.assertEqual(
            fault["detail"],
            f"{second.config}: /listeners/1: {HOST}:{first.port}: Address already in use")
        self.joined(first)

    # --- Draining ---

    def test_drain_lets_joined_clients_finish_and_dismisses_the_others(self):
        proxy = self.start(workers=1)
        joined, waiting = self.joined(proxy), self.connect(proxy)
        waiting.line()
        port = proxy.port
        proxy.process.send_signal(signal.SIGTERM)
        self.assertEqual(waiting.rest(), "* BYE [UNAVAILABLE] Shutting down\r\n")
        with self.assertRaises(OSError):
            socket.create_connection((HOST, port), 5)
        self.hears(joined)
        joined.ask("LOGOUT", "x")
        joined.close()
        self.assertEqual(proxy.await_end(), 0)
        self.assertEqual(len(proxy.records("session")), 2)

    def test_drain_ends_joined_clients_after_drain_timeout(self):
        proxy = self.start(drainTimeout="200ms")
        client = self.joined(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        self.assertRegex(client.rest(), r"^\* BYE [^\r]*\r\n$")
        self.assertEqual(proxy.await_end(), 0)

    def test_a_second_sigterm_ends_at_once(self):
        proxy = self.start(drainTimeout="1h")
        self.joined(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        proxy.await_records("draining")
        proxy.process.send_signal(signal.SIGTERM)
        self.assertEqual(proxy.await_end(), 0)

    # --- Reloading ---

    def reload(self, proxy, **changes):
        count = len(proxy.records("reloaded"))
        proxy.write({**proxy.settings, **changes}, self.users)
        proxy.process.send_signal(signal.SIGHUP)
        proxy.await_records("reloaded", count + 1)

    def log_in_soon(self, proxy, user):
        """Workers take a reload up one by one, a moment after its record."""
        for attempt in range(100):
            client = self.connect(proxy)
            client.line()
            answer = client.log_in(user)
            if answer.startswith("in OK"):
                return client
            client.close()
        raise AssertionError(answer)

    def test_reload_takes_new_users_and_keeps_sessions(self):
        proxy = self.start()
        client = self.joined(proxy)
        other = FakeStore("other")
        self.addCleanup(other.close)
        self.users = {ALICE: map_entry(other), BOB: map_entry(other)}
        self.reload(proxy)
        self.hears(self.log_in_soon(proxy, BOB), "other")
        self.hears(client)

    def test_reload_refuses_a_faulty_file_and_serves_on(self):
        proxy = self.start()
        proxy.write({**proxy.settings, "workers": "many"}, self.users)
        proxy.process.send_signal(signal.SIGHUP)
        refused, = proxy.await_records("reload_refused")
        self.assertIn("/workers: a string", refused["detail"])
        self.joined(proxy)

    def test_reload_opens_and_closes_listeners(self):
        proxy = self.start()
        with socket.create_server((HOST, 0)) as reserved:
            port = reserved.getsockname()[1]
        old = proxy.settings["listeners"]
        client = self.joined(proxy)
        self.reload(proxy, listeners=old + [{"address": HOST, "port": port}])
        self.hears(self.await_connection(port))
        self.joined(proxy)  # its first listener has kept its port
        self.reload(proxy, listeners=[{"address": HOST, "port": port}])
        self.await_refusal(proxy.port)
        self.hears(client)

    def await_connection(self, port):
        for attempt in range(200):
            try:
                client = Client(port)
            except OSError:
                signal.sigtimedwait([], 0.02)
                continue
            self.addCleanup(client.close)
            client.line()
            self.assertRegex(client.log_in(ALICE), "^in OK")
            return client
        raise AssertionError(f"nothing listens on {port}")

    def await_refusal(self, port):
        for attempt in range(200):
            try:
                socket.create_connection((HOST, port), 5).close()
            except OSError:
                return
            signal.sigtimedwait([], 0.02)
        raise AssertionError(f"still listening on {port}")

    def test_reload_refuses_a_listener_whose_port_is_taken(self):
        proxy = self.start()
        with socket.create_server((HOST, 0)) as taken:
            proxy.write({**proxy.settings, "listeners": proxy.settings["listeners"] + [
                {"address": HOST, "port": taken.getsockname()[1]}]}, self.users)
            proxy.process.send_signal(signal.SIGHUP)
            refused, = proxy.await_records("reload_refused")
            self.assertIn(str(taken.getsockname()[1]), refused["detail"])
        self.joined(proxy)

    def test_reload_says_what_only_a_restart_changes(self):
        proxy = self.start()
        self.reload(proxy, workers=3, admin={"address": HOST, "port": 0})
        self.assertEqual({record["key"] for record in proxy.records("restart_needed")},
                         {"/workers", "/admin"})

    def test_reload_takes_a_new_certificate(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        first = certify(folder)
        proxy = self.start(
            listeners=[{"address": HOST, "port": 0, "tls": "implicit"}],
            tls={"certificates": [{"certificate": str(folder / "pem"),
                                   "privateKey": str(folder / "key")}]})
        self.assertEqual(ssl.get_server_certificate((HOST, proxy.port)), first)
        second = certify(folder)
        self.assertNotEqual(second, first)
        self.reload(proxy)
        for attempt in range(100):
            seen = ssl.get_server_certificate((HOST, proxy.port))
            if seen == second:
                return
        self.assertEqual(seen, second)

    # --- Limits ---

    def test_serves_beside_a_thousand_half_open_connections(self):
        proxy = self.start(workers=1)
        silent = [self.connect(proxy) for _ in range(HALF_OPEN)]
        for number, client in enumerate(silent):
            client.line()
            client.socket.sendall(b"a LOGIN {5}\r\n" if number % 2 else b"a LOG")
        self.joined(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        for client in silent:
            self.assertIn("* BYE [UNAVAILABLE] Shutting down\r\n", client.rest())

    def test_ends_a_client_that_does_not_log_in_in_time(self):
        proxy = self.start(limits={"loginTimeout": "200ms"})
        client = self.connect(proxy)
        client.line()
        self.assertEqual(client.rest(), "* BYE No login in time\r\n")

    def test_turns_away_the_connection_too_many_of_an_address(self):
        proxy = self.start(limits={"connectionsPerAddress": 2})
        first, second = self.connect(proxy), self.connect(proxy)
        first.line()
        second.line()
        self.assertIn("* BYE [LIMIT] Too many connections\r\n", self.connect(proxy).rest())
        first.ask("LOGOUT")
        first.rest()
        proxy.await_records("session", 2)
        self.joined(proxy)

    def test_speaks_ipv6_on_both_sides(self):
        store = FakeStore("six", host="::1")
        self.addCleanup(store.close)
        self.users = {ALICE: {"password": PASSWORD_HASH, "host": f"[::1]:{store.port}"}}
        proxy = self.start(listeners=[{"address": "::1", "port": 0}, {"address": "::", "port": 0}])
        for count, port in enumerate(proxy.ports(), 1):
            client = self.connect(proxy, port, "::1")
            client.line()
            self.assertRegex(client.log_in(ALICE), "^in OK")
            self.hears(client, "six")
            client.close()
            record = proxy.await_records("session", count)[-1]
            self.assertEqual(record["upstream"], f"[::1]:{store.port}")
            self.assertTrue(record["peer"].startswith("[::1]:"), record)
        any_address = next(int(record["listener"].rpartition(":")[2]) for record in proxy.records("listening")
                           if record["listener"].startswith("[::]:"))
        with self.assertRaises(ConnectionRefusedError):
            Client(any_address)  # IPv4 has a listener of its own, or none

    def test_turns_away_the_connection_too_many_of_a_worker(self):
        proxy = self.start(workers=1, limits={"connections": 1})
        client = self.joined(proxy)
        self.assertIn("* BYE [LIMIT] Too many connections\r\n", self.connect(proxy).rest())
        self.hears(client)

    def fail(self, proxy):
        """A failed login with a connection of its own: how long its answer took."""
        client = self.connect(proxy)
        client.line()
        began = time.monotonic()
        self.assertRegex(client.log_in(ALICE, "wrong"), r"^in NO \[AUTHENTICATIONFAILED\]")
        return time.monotonic() - began

    def test_a_new_connection_does_not_make_guessing_quick_again(self):
        proxy = self.start(workers=4, failureDelay="100ms")
        for count in range(1, 6):
            self.assertGreaterEqual(self.fail(proxy), 0.1 * count)
        self.joined(proxy)

    def test_asks_nobody_for_an_address_that_has_failed_too_often(self):
        proxy = self.start(workers=4, limits={"failedLoginsPerAddress": 3})
        for _ in range(3):
            self.fail(proxy)
        client = self.connect(proxy)
        client.line()
        self.assertRegex(client.log_in(ALICE), r"^in NO \[LIMIT\]")
        self.assertEqual(self.store.logins, [])
        proxy.process.send_signal(signal.SIGHUP)  # which forgets nothing
        proxy.await_records("reloaded")
        self.assertRegex(client.log_in(ALICE), r"^in NO \[LIMIT\]")

    # --- The operator's door ---

    def get(self, proxy, page):
        port, = proxy.ports(admin=True)
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}{page}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def await_metric(self, proxy, line):
        for attempt in range(200):
            _, text = self.get(proxy, "/metrics")
            if line in text.splitlines():
                return
        raise AssertionError(f"no {line} in\n{text}")

    def test_counts_what_it_does(self):
        proxy = self.start(admin={"address": HOST, "port": 0})
        client = self.joined(proxy)
        other = self.connect(proxy)
        other.line()
        other.log_in(ALICE, "wrong")
        label = 'service="imap"'
        for line in ("gatehouse_sessions{%s} 2", "gatehouse_joined_sessions{%s} 1",
                     "gatehouse_logins_total{%s} 1",
                     'gatehouse_login_refusals_total{%s,reason="credentials"} 1'):
            self.await_metric(proxy, line % label)
        client.ask("LOGOUT", "x")
        client.close()
        self.await_metric(proxy, "gatehouse_sessions{%s} 1" % label)
        self.await_metric(proxy, "gatehouse_joined_sessions{%s} 0" % label)

    def test_tells_a_balancer_that_it_drains(self):
        proxy = self.start(admin={"address": HOST, "port": 0})
        client = self.joined(proxy)
        self.assertEqual(self.get(proxy, "/healthz"), (200, "ok\n"))
        proxy.process.send_signal(signal.SIGTERM)
        proxy.await_records("draining")
        self.assertEqual(self.get(proxy, "/healthz"), (503, "draining\n"))
        client.close()
        self.assertEqual(proxy.await_end(), 0)

    def test_bears_nonsense_at_the_operators_door(self):
        proxy = self.start(admin={"address": HOST, "port": 0})
        port, = proxy.ports(admin=True)
        nonsense = self.connect(proxy, port)
        nonsense.send("x" * 20000)
        self.assertRegex(nonsense.rest(), r"^(HTTP/1\.0 404 |$)")  # or already reset
        self.assertEqual(self.get(proxy, "/etc/passwd")[0], 404)
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)


if __name__ == "__main__":
    unittest.main()
