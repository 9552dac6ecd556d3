"""imapproxy before stores that lie, stall, inject or send it elsewhere."""
import socket
import unittest

from shells.fake_store import ScriptedStore
from shells.imap_test_case import ALICE, ImapTestCase
from shells.shell_process import HOST, PASSWORD, map_entry

GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"
START_TLS_GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] hi\r\n"
UNAVAILABLE = "in NO [UNAVAILABLE] Temporarily unavailable, try again later"
CONTACT_ADMIN = "in NO [CONTACTADMIN] Login isn't possible, ask your administrator"
# "\0alice@example.com\0s3cret-pa55", whichever the alignment, holds these.
SECRETS = (PASSWORD.encode(), b"AUTHENTICATE", b"LOGIN")
MEBIBYTE = 1 << 20


class HostileStoreTest(ImapTestCase):
    def before(self, *replies, hangs_up=False, **upstream):
        """A proxy whose only user lives on a store with these words."""
        store = ScriptedStore(*replies, hangs_up=hangs_up)
        self.addCleanup(store.close)
        self.users = {ALICE: map_entry(store)}
        return store, self.start(upstream={"loginTimeout": "1s", **upstream})

    def hear(self, proxy):
        """All that a client is told that logs in and goes."""
        client = self.connect(proxy)
        client.line()
        client.send(f'in LOGIN "{ALICE}" "{PASSWORD}"')
        heard = [client.line()]
        while heard[-1] and not heard[-1].startswith("in "):
            heard.append(client.line())
        client.send("z LOGOUT")
        return heard + client.rest().splitlines()

    def refused(self, proxy, answer=UNAVAILABLE):
        self.assertEqual(self.hear(proxy), [answer, "* BYE Logging out", "z OK LOGOUT completed"])

    def sent_no_credentials(self, store):
        for secret in SECRETS:
            self.assertNotIn(secret, store.received)

    # --- Words before and about the login ---

    def test_what_it_says_before_the_login_never_reaches_the_client(self):
        store, proxy = self.before(
            b"* OK hi\r\n* 99 EXISTS\r\n* OK [ALERT] evil\r\n* FLAGS (x)\r\n",
            b"* 98 EXISTS\r\n* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nG1 OK\r\n"
            b"* OK [ALERT] evil too\r\n",
            b"* CAPABILITY IMAP4rev1 SORT\r\nG2 OK in\r\n* 5 EXISTS\r\n", hangs_up=True)
        client = self.connect(proxy)
        client.line()
        client.send(f'in LOGIN "{ALICE}" "{PASSWORD}"')
        self.assertEqual(client.rest(), "in OK [CAPABILITY IMAP4rev1 SORT] Logged in\r\n* 5 EXISTS\r\n")

    def test_nothing_but_a_greeting_lets_it_near_a_password(self):
        for greeting in (b"* PREAUTH welcome\r\n", b"* BYE go away\r\n", b"G1 OK\r\n", b"+ go on\r\n",
                         b"220 mx ESMTP\r\n", b"+OK pop\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
                         b"SSH-2.0-OpenSSH\r\n", b"\x15\x03\x01\0\x02\x02\x46", b"\r\n", b"* OK", b"",
                         b"x" * MEBIBYTE, b"* OK hi\n", b"* O\0K\r\n"):
            with self.subTest(greeting=greeting[:20]):
                store, proxy = self.before(greeting)
                self.refused(proxy)
                self.sent_no_credentials(store)
                self.assertEqual(store.connections, 1)

    def test_an_early_ok_is_no_login(self):
        store, proxy = self.before(GREETING + b"G1 OK in\r\nG2 OK in\r\n")
        self.refused(proxy)

    def test_an_answer_that_is_none_is_no_login(self):
        for answer in (b"G1 OK", b"G9 OK\r\n", b"* OK\r\n", b"+ \r\n", b"G1 BAD " + PASSWORD.encode() + b"\r\n",
                       b"* BYE\r\n", b"* 1 EXISTS\r\n" * 100000, b"x" * MEBIBYTE):
            with self.subTest(answer=answer[:20]):
                store, proxy = self.before(GREETING, answer, hangs_up=True)
                self.refused(proxy)
                self.assertEqual(store.connections, 1)  # a password goes out once
                self.assertNotIn(PASSWORD, proxy.text())

    def test_its_own_words_stay_with_the_operator(self):
        store, proxy = self.before(
            GREETING, b"G1 NO [REFERRAL imap://inner.example.com/] ask inner.example.com\r\n")
        self.refused(proxy, CONTACT_ADMIN)
        failure, = proxy.records("upstream_failure")
        self.assertIn("inner.example.com", failure["detail"])

    def test_a_password_that_it_repeats_is_not_logged(self):
        for echo in ("[%s] no", "no %s"):
            store, proxy = self.before(GREETING, b"G1 NO " + (echo % PASSWORD).encode() + b"\r\n")
            self.refused(proxy, CONTACT_ADMIN)
            proxy.await_records("upstream_failure")
            self.assertNotIn(PASSWORD, proxy.text())

    # --- STARTTLS ---

    def test_without_tls_it_gets_no_password_where_tls_is_asked(self):
        for replies in ((GREETING,), (START_TLS_GREETING, b"G1 NO\r\n"), (START_TLS_GREETING, b"G1 BAD\r\n"),
                        (b"* PREAUTH hi\r\n",), (b"* OK hi\r\n", b"G1 NO\r\n"),
                        (START_TLS_GREETING, b"G1 OK go\r\n", b"G2 OK in\r\n")):  # and then no handshake
            with self.subTest(replies=replies):
                store, proxy = self.before(*replies, tls="startTls", verify=False)
                self.refused(proxy)
                self.sent_no_credentials(store)
                self.assertEqual(store.connections, 1)  # none in plain afterwards

    def test_answers_injected_behind_start_tls_are_refused(self):
        store, proxy = self.before(
            START_TLS_GREETING,
            b"G1 OK go\r\n* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nG2 OK\r\nG3 OK in\r\n",
            tls="startTls", verify=False)
        self.refused(proxy)
        self.sent_no_credentials(store)

    # --- Where it leads ---

    def test_a_host_outside_the_rules_is_never_connected(self):
        store, proxy = self.before(GREETING, allowedHosts=["10.0.0.0/8", ".example.com"])
        self.refused(proxy, CONTACT_ADMIN)
        self.assertEqual(store.connections, 0)
        failure, = proxy.records("upstream_failure")
        self.assertIn("allowedHosts", failure["detail"])

    def test_a_port_outside_the_rules_is_never_connected(self):
        store, proxy = self.before(GREETING, allowedPorts=[143])
        self.refused(proxy, CONTACT_ADMIN)
        self.assertEqual(store.connections, 0)

    def test_a_host_that_is_the_proxy_itself_is_no_loop(self):
        for address in (HOST, "0.0.0.0"):
            with socket.create_server((HOST, 0)) as reserved:
                port = reserved.getsockname()[1]
            self.users[ALICE]["host"] = f"{HOST}:{port}"
            proxy = self.start(listeners=[{"address": address, "port": port}])
            self.refused(proxy, CONTACT_ADMIN)
            self.assertLessEqual(len(proxy.await_records("session")), 2)

    # --- Streams ---

    def test_everything_around_the_login_crosses_in_order(self):
        said = b"".join(b"* %d EXISTS\r\n" % number for number in range(6000))
        store, proxy = self.before(GREETING, b"G1 OK [CAPABILITY IMAP4rev1] in\r\n" + said)
        client = self.connect(proxy)
        client.line()
        pipelined = b"".join(b"p%d NOOP\r\n" % number for number in range(90000))
        self.assertGreater(len(pipelined), MEBIBYTE)
        client.socket.sendall(f'in LOGIN "{ALICE}" "{PASSWORD}"\r\n'.encode() + pipelined)
        self.assertEqual(client.line(), "in OK [CAPABILITY IMAP4rev1] Logged in")
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(client.rest(), said.decode())
        login, _, rest = store.received.partition(b"\r\n")
        self.assertTrue(login.startswith(b"G1 AUTHENTICATE PLAIN "))
        self.assertEqual(rest, pipelined)

    def test_one_that_is_silent_holds_nobody_else_up(self):
        silent = ScriptedStore(b"")
        self.addCleanup(silent.close)
        self.users["bob@example.com"] = map_entry(silent)
        proxy = self.start(workers=1)
        waiting = [self.connect(proxy) for _ in range(50)]
        for client in waiting:
            client.line()
            client.send(f'in LOGIN "bob@example.com" "{PASSWORD}"')
        self.joined(proxy)

    def test_clients_that_leave_a_login_under_way_leave_nothing_behind(self):
        silent = ScriptedStore(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN]\r\n")
        self.addCleanup(silent.close)
        self.users[ALICE] = map_entry(silent)
        proxy = self.start(workers=1)
        before = self.descriptors(proxy)
        for number in range(200):
            client = self.connect(proxy)
            client.line()
            client.send(f'in LOGIN "{ALICE}" "{PASSWORD}"')
            if number % 2:
                client.reset()
            else:
                client.socket.shutdown(socket.SHUT_WR)
                client.close()
        proxy.await_records("session", 200)
        self.assertLessEqual({record["end"] for record in proxy.records("session")}, {"eof", "reset"})
        self.await_descriptors(proxy, before)


if __name__ == "__main__":
    unittest.main()
