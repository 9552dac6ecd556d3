"""A proxy before stores that lie, stall, inject or send it elsewhere; which proxy, says the first argument."""
import socket
import sys
import unittest

from shells.dialects import DIALECTS
from shells.fake_store import ScriptedStore
from shells.proxy_test_case import ALICE, ProxyTestCase
from shells.shell_process import HOST, PASSWORD, map_entry

BOB = "bob@example.com"
MEBIBYTE = 1 << 20
# What no protocol's store says, in the place of anything.
NONSENSE = (b"220 mx ESMTP\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"\x15\x03\x01\0\x02\x02\x46",
            b"\r\n", b"", b"x" * MEBIBYTE)


class HostileStoreTest(ProxyTestCase):
    def before(self, *replies, hangs_up=False, **upstream):
        """A proxy whose only user lives on a store with these words."""
        store = ScriptedStore(*replies, hangs_up=hangs_up)
        self.addCleanup(store.close)
        self.users = {ALICE: map_entry(store)}
        return store, self.start(upstream={"loginTimeout": "1s", **upstream})

    def logging_in(self, proxy, user=ALICE):
        client = self.greeted(proxy)
        client.send(self.dialect.login(user, PASSWORD))
        return client

    def refused(self, proxy, answer=None):
        """All that a client is told that logs in and goes."""
        client = self.logging_in(proxy)
        self.assertEqual(client.line(), answer or self.dialect.UNAVAILABLE)
        client.send(self.dialect.LOGOUT)
        self.assertEqual(client.rest(), self.dialect.LOGGED_OUT)

    def sent_no_credentials(self, store):
        for secret in (PASSWORD.encode(), *self.dialect.CREDENTIAL_COMMANDS):
            self.assertNotIn(secret, store.received)

    # --- Words before and about the login ---

    def test_what_it_says_before_the_login_never_reaches_the_client(self):
        *replies, accepted = self.dialect.CHATTY_STORE
        store, proxy = self.before(*replies, accepted + b"* 5 EXISTS\r\n", hangs_up=True)
        self.assertEqual(self.logging_in(proxy).rest(), self.dialect.CHATTY_JOINED + "* 5 EXISTS\r\n")

    def test_nothing_but_a_greeting_lets_it_near_a_password(self):
        for greeting in self.dialect.NO_GREETINGS + NONSENSE:
            with self.subTest(greeting=greeting[:20]):
                store, proxy = self.before(greeting)
                self.refused(proxy)
                self.sent_no_credentials(store)
                self.assertEqual(store.connections, 1)

    def test_an_early_ok_is_no_login(self):
        greeting, *rest = self.dialect.STORE
        for early in (self.dialect.STORE_ACCEPTS, self.dialect.STORE_ACCEPTS * 2, self.dialect.STORE[0]):
            store, proxy = self.before(greeting + early, *rest)
            self.refused(proxy)

    def test_an_answer_that_is_none_is_no_login(self):
        repeats = self.dialect.STORE_ACCEPTS.replace(b"OK", b"0K " + PASSWORD.encode())
        for answer in (*self.dialect.NO_ANSWERS, repeats, *NONSENSE):
            with self.subTest(answer=answer[:20]):
                store, proxy = self.before(*self.dialect.STORE, answer, hangs_up=True)
                self.refused(proxy)
                self.assertEqual(store.connections, 1)  # a password goes out once
                self.assertNotIn(PASSWORD, proxy.text())

    def test_cut_or_stalled_at_any_step_it_is_unavailable(self):
        for replies in (self.dialect.STORE, self.dialect.TRUSTING_STORE[:-1]):
            for steps in range(len(replies) + 1):
                for hangs_up in (True, False):
                    with self.subTest(replies=replies[:steps], hangs_up=hangs_up):
                        said = replies[:steps] or (b"",)
                        store, proxy = self.before(*said, hangs_up=hangs_up, forwardClient="protocol")
                        self.refused(proxy)
                        self.assertEqual(store.connections, 1)

    def test_one_that_refuses_the_clients_address_gets_no_password(self):
        """Going on would give it our own address for the client's."""
        if self.dialect.MAY_REFUSE_THE_ADDRESS:
            self.skipTest("as the protocol has it")
        greeting, *replies, _, _ = self.dialect.TRUSTING_STORE
        store, proxy = self.before(greeting, *replies, self.dialect.STORE_REFUSES % b"no", forwardClient="protocol")
        self.refused(proxy)
        self.sent_no_credentials(store)

    def test_what_it_means_by_a_refusal_reaches_the_client(self):
        for refusal, heard in self.dialect.REFUSALS:
            with self.subTest(refusal=refusal):
                store, proxy = self.before(*self.dialect.STORE, refusal)
                answer = self.answer(self.logging_in(proxy))
                self.assertTrue(answer.startswith(heard), answer)

    def test_its_own_words_stay_with_the_operator(self):
        store, proxy = self.before(*self.dialect.STORE, self.dialect.STORE_REFUSES % self.dialect.INNER_WORDS)
        self.refused(proxy, self.dialect.INNER_REFUSAL)
        failure, = proxy.records("upstream_failure")
        self.assertIn("inner.example.com", failure["detail"])

    def test_a_password_that_it_repeats_is_not_logged(self):
        for words in (b"no %s", b"[%s] no"):
            echo = self.dialect.STORE_REFUSES % (words % PASSWORD.encode())
            store, proxy = self.before(*self.dialect.STORE, echo)
            self.refused(proxy, self.dialect.CONTACT_ADMIN)
            proxy.await_records("upstream_failure")
            self.assertNotIn(PASSWORD, proxy.text())

    # --- TLS ---

    def test_without_tls_it_gets_no_password_where_tls_is_asked(self):
        offers = self.dialect.TLS_STORE
        for replies in (self.dialect.STORE, (self.dialect.STORE[0].replace(b"PLAIN", b"X"),),
                        *((offers, refusal) for refusal in self.dialect.TLS_STORE_REFUSES),
                        (offers, self.dialect.TLS_STORE_AGREES, self.dialect.STORE_ACCEPTS)):  # and no handshake
            with self.subTest(replies=replies):
                store, proxy = self.before(*replies, tls="startTls", verify=False)
                self.refused(proxy)
                self.sent_no_credentials(store)
                self.assertEqual(store.connections, 1)  # none in plain afterwards

    def test_answers_injected_behind_start_tls_are_refused(self):
        store, proxy = self.before(self.dialect.TLS_STORE, self.dialect.TLS_STORE_AGREES + self.dialect.INJECTED,
                                   tls="startTls", verify=False)
        self.refused(proxy)
        self.sent_no_credentials(store)

    def test_one_that_speaks_in_the_clear_gets_no_password_where_tls_comes_first(self):
        for greeting in (self.dialect.STORE[0], *NONSENSE):
            with self.subTest(greeting=greeting[:20]):
                store, proxy = self.before(greeting, tls="implicit", verify=False)
                self.refused(proxy)
                self.sent_no_credentials(store)

    # --- Where it leads ---

    def test_a_host_outside_the_rules_is_never_connected(self):
        store, proxy = self.before(*self.dialect.STORE, allowedHosts=["10.0.0.0/8", ".example.com"])
        self.refused(proxy, self.dialect.CONTACT_ADMIN)
        self.assertEqual(store.connections, 0)
        failure, = proxy.records("upstream_failure")
        self.assertIn("allowedHosts", failure["detail"])

    def test_a_port_outside_the_rules_is_never_connected(self):
        store, proxy = self.before(*self.dialect.STORE, allowedPorts=[143])
        self.refused(proxy, self.dialect.CONTACT_ADMIN)
        self.assertEqual(store.connections, 0)

    def test_a_host_that_is_the_proxy_itself_is_no_loop(self):
        for address in (HOST, "0.0.0.0"):
            with socket.create_server((HOST, 0)) as reserved:
                port = reserved.getsockname()[1]
            self.users[ALICE]["host"] = f"{HOST}:{port}"
            proxy = self.start(listeners=[{"address": address, "port": port}])
            self.refused(proxy, self.dialect.CONTACT_ADMIN)
            self.assertLessEqual(len(proxy.await_records("session")), 2)

    def test_front_ends_that_are_each_others_upstream_end_their_loop(self):
        if self.dialect.SERVICE != "imap":
            self.skipTest("only IMAP's front ends can tell each other")
        first, second = (self.start(upstream={"forwardClient": "protocol"}) for _ in range(2))
        for proxy, other in ((first, second), (second, first)):
            self.users[ALICE]["host"] = f"{HOST}:{other.port}"
            proxy.write(proxy.settings, self.users)
            proxy.await_records("local_map_reloaded")
        before = self.descriptors(first), self.descriptors(second)
        self.refused(first, self.dialect.CONTACT_ADMIN)
        for proxy, most, hops in ((first, before[0], 3), (second, before[1], 2)):
            self.await_descriptors(proxy, most)
            self.assertEqual(len(proxy.records("upstream_failure")), hops)
        loops = [record for record in first.records("upstream_failure") if "loop" in record["detail"]]
        self.assertEqual(len(loops), 1)

    # --- Streams ---

    def test_everything_around_the_login_crosses_in_order(self):
        said = b"".join(b"* %d EXISTS\r\n" % number for number in range(6000))
        store, proxy = self.before(*self.dialect.STORE, self.dialect.STORE_ACCEPTS + said)
        client = self.greeted(proxy)
        pipelined = b"".join(b"p%d NOOP\r\n" % number for number in range(90000))
        self.assertGreater(len(pipelined), MEBIBYTE)
        login = self.dialect.login(ALICE, PASSWORD).encode() + b"\r\n"
        client.socket.sendall(login + pipelined)
        self.assertRegex(self.answer(client), "^" + self.dialect.ACCEPTED)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(client.rest(), said.decode())
        commands = store.received.split(b"\r\n", len(self.dialect.STORE))
        self.assertIn(self.dialect.CREDENTIAL_COMMANDS[0], commands[-2])
        self.assertEqual(commands[-1], pipelined)

    def test_a_client_that_vanishes_says_no_good_bye(self):
        """QUIT would delete what a POP3 client has only marked."""
        for vanish in ("close", "reset"):
            store, proxy = self.before(*self.dialect.STORE, self.dialect.STORE_ACCEPTS)
            client = self.logging_in(proxy)
            self.answer(client)
            client.send("DELE 1")
            client.close() if vanish == "close" else client.reset()
            proxy.await_records("session")
            self.assertFalse(store.received.endswith(self.dialect.LOGOUT.encode() + b"\r\n"), store.received)

    def test_one_that_is_silent_holds_nobody_else_up(self):
        silent = ScriptedStore(b"")
        self.addCleanup(silent.close)
        self.users[BOB] = map_entry(silent)
        proxy = self.start(workers=1)
        for _ in range(50):
            self.logging_in(proxy, BOB)
        self.joined(proxy)

    def test_clients_that_leave_a_login_under_way_leave_nothing_behind(self):
        silent = ScriptedStore(self.dialect.STORE[0])
        self.addCleanup(silent.close)
        self.users[ALICE] = map_entry(silent)
        proxy = self.start(workers=1)
        before = self.descriptors(proxy)
        for number in range(200):
            client = self.logging_in(proxy)
            if number % 2:
                client.reset()
            else:
                client.socket.shutdown(socket.SHUT_WR)
                client.close()
        proxy.await_records("session", 200)
        self.assertLessEqual({record["end"] for record in proxy.records("session")}, {"eof", "reset"})
        self.await_descriptors(proxy, before)


if __name__ == "__main__":
    ProxyTestCase.dialect = DIALECTS[sys.argv.pop(1)]
    unittest.main()
