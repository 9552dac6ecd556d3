"""A proxy before clients that inject, flood, stall and vanish; which one, says the first argument."""
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import time
import unittest

from shells.dialects import DIALECTS, base64_of, plain
from shells.fake_store import ScriptedStore
from shells.proxy_test_case import ALICE, TLS_HOST, ProxyTestCase
from shells.shell_process import HOST, PASSWORD, SECONDS, map_entry, writable_memory

KIB = 1024
CONNECTIONS = 1000
# Of a connection before login, with its input as full as it can be.
MOST_KIB_EACH = 16
# From 192.0.2.77:4711 to 192.0.2.1:143.
HEADER_V1 = b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 143\r\n"
HEADER_V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.77") +
             socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 143))


class InputTest(ProxyTestCase):
    """Octets that no honest client sends."""

    def answers(self, proxy, *lines):
        """A new client's, to each of its lines."""
        client = self.greeted(proxy)
        try:
            return [self.ask(client, line) for line in lines]
        finally:
            client.close()

    def test_a_literal_of_a_gibibyte_is_not_asked_for(self):
        proxy = self.start()
        for command, answer, lives_on in self.dialect.TOO_LARGE:
            client = self.greeted(proxy)
            self.assertEqual(self.ask(client, command), answer)
            if lives_on:
                self.assertEqual(self.ask(client, self.dialect.NOOP), self.dialect.NOOP_DONE)
            else:
                self.assertEqual(client.rest(), "")
        self.joined(proxy)

    def test_a_line_without_end_is_cut(self):
        proxy = self.start()
        for octets in (b"x", b"(", b"\0", b"\xff", self.dialect.HALVES[-1]):
            client = self.greeted(proxy)
            client.socket.sendall(octets * 9000)
            self.assertIn(client.rest(), (self.dialect.TOO_LONG, ""))  # or already reset
        self.joined(proxy)

    def test_names_that_nobody_can_have_ask_nobody(self):
        proxy = self.start()
        for name in ("\0", "a\0b", "\r\nb LOGIN", "bob\r\nDELE 1", "\x1b[2J", "\x7f", "a" * 300, "\u0085",
                     "%n%s%x\r\n"):
            for lines in self.dialect.logins(name, "pw"):
                self.assertRegex(self.answers(proxy, *lines)[-1],
                                 f"^({self.dialect.MALFORMED}|{self.dialect.REFUSED})", lines)
        for octets in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"):
            answer, = self.answers(proxy, self.dialect.login(octets, "pw"))
            self.assertRegex(answer, "^" + self.dialect.REFUSED)
        self.assertEqual(self.store.connections, 0)
        self.joined(proxy)

    def test_passwords_that_could_break_a_line_ask_nobody(self):
        proxy = self.start(failureDelay="1ms")
        for password in ("", "x\r\nQUIT", "\n", "\r", "\x1b", "\0x"):
            for lines in self.dialect.logins(ALICE, password):
                self.assertRegex(self.answers(proxy, *lines)[-1],
                                 f"^({self.dialect.MALFORMED}|{self.dialect.REFUSED})", lines)
        self.assertEqual(self.store.connections, 0)

    def test_whoever_wants_to_be_somebody_else_asks_nobody(self):
        proxy = self.start()
        for authzid, user in (("admin", ALICE), ("", f"{ALICE}*admin"), (ALICE, "admin*admin")):
            message = base64_of(f"{authzid}\0{user}\0{PASSWORD}")
            command = self.dialect.login("", "").replace(plain("", ""), message)
            answer, = self.answers(proxy, command)
            self.assertNotRegex(answer, "^" + self.dialect.ACCEPTED)
        self.assertEqual(self.store.connections, 0)

    def test_another_protocol_is_told_nothing(self):
        proxy = self.start()
        for request in ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\n\r\na LOGIN b c\r\n"):
            client = self.greeted(proxy)
            client.send(request)
            self.assertEqual(client.rest(), "")

    def test_errors_and_commands_are_counted(self):
        proxy = self.start()
        for line, times, end in ((self.dialect.ERROR, 10, self.dialect.TOO_MANY_ERRORS),
                                 (self.dialect.NOOP, 101, self.dialect.TOO_MANY_COMMANDS)):
            client = self.greeted(proxy)
            client.socket.sendall((line + "\r\n").encode() * times)
            self.assertTrue(client.rest().endswith(end))

    def test_fields_that_a_store_would_trust_stay_here(self):
        store = ScriptedStore(*self.dialect.TRUSTING_STORE, hangs_up=True)
        self.addCleanup(store.close)
        self.users[ALICE] = map_entry(store)
        client = self.greeted(self.start(upstream={"forwardClient": "protocol"}))
        self.assertTrue(self.ask(client, self.dialect.FORGED).startswith(self.dialect.FORGED_ANSWER))
        self.assertRegex(self.ask(client, self.dialect.login(ALICE, PASSWORD)), "^" + self.dialect.ACCEPTED)
        client.rest()
        self.assertIn(self.dialect.TRUE_ADDRESS, store.received)
        for forged in (b"192.0.2.66", b"forward", b"FORWARD", b"forged"):
            self.assertNotIn(forged, store.received)

    def test_its_names_cannot_forge_a_line_of_the_log(self):
        names = ('x","event":"forged', "\u2028{\"event\":\"forged\"}", "%n%s%{user}", "\u202e", "a" * 255)
        known = "%n%s%{user}"  # the others aren't logged at all
        self.users[known] = map_entry(self.store)
        proxy = self.start_with_tls()
        for name in names:
            self.answers(proxy, self.dialect.login(name, "pw"))
        for server_name in ("x" * 200, "xn--\u00fc", "../../etc/passwd"):
            client = self.connect_implicit(proxy)
            try:
                client.begin_tls(server_name)
            except (OSError, ValueError):
                pass  # OpenSSL wouldn't send it, or we wouldn't have it
            client.close()
        users = {record.get("user") for record in proxy.await_records("session", len(names))}
        self.assertEqual(users, {known, None})
        for line in proxy.text().splitlines():
            self.assertIn("time", json.loads(line))
        self.assertEqual(proxy.records("forged"), [])

    def test_no_password_reaches_the_log_by_any_way_of_giving_it(self):
        proxy = self.start(failureDelay="1ms", limits={"failedLogins": 100, "badCommands": 100})
        secret, name = "t0p-53cret-w0rd", "bob@example.com"
        client = self.greeted(proxy)
        for number in range(3):  # the three alignments of base64
            wrong = "x" * number + secret
            for lines in self.dialect.logins(name, wrong):
                for line in lines:
                    answer = self.ask(client, line)
                self.assertRegex(answer, "^" + self.dialect.REFUSED)
            for lines in self.dialect.logins(wrong, name):  # in each other's place
                for line in lines:
                    self.ask(client, line)
            for line in self.dialect.slips(name, wrong):
                self.ask(client, line)
        client.close()
        self.joined(proxy).close()
        proxy.await_records("session", 2)
        for shift in range(3):
            whole = base64_of("x" * shift + secret)[4:-4]
            self.assertNotIn(whole, proxy.text())
        self.assertNotIn(secret, proxy.text())
        self.assertNotIn(PASSWORD, proxy.text())


class StartTlsTest(ProxyTestCase):
    """Plaintext that tries to be taken for something said inside TLS."""

    def upgrade(self, proxy, *pieces):
        """TLS upon a connection that was sent these pieces, the answer awaited."""
        client = self.greeted(proxy)
        for piece in pieces:
            client.socket.sendall(piece)
            time.sleep(0.02)
        while (line := client.line()) != self.dialect.START_TLS_DONE:
            self.assertTrue(line, "closed before TLS")
        client.begin_tls()
        if self.dialect.TLS_CAPABILITIES:
            self.answer(client)
        return client

    def hears_only_what_it_asks(self, secure):
        secure.send(self.dialect.NOOP)
        self.assertEqual(secure.line(), self.dialect.NOOP_DONE)
        secure.send(self.dialect.LOGOUT)
        self.assertEqual(secure.rest(), self.dialect.LOGGED_OUT)
        secure.close()

    def test_a_command_behind_it_is_never_answered(self):
        proxy = self.start_with_tls()
        start_tls = self.dialect.START_TLS.encode() + b"\r\n"
        login = self.dialect.login(ALICE, PASSWORD).encode()
        for behind in (self.dialect.NOOP.encode() + b"\r\n", login + b"\r\n", login[:-3], b"i",
                       self.dialect.FORGED.encode() + b"\r\n", *self.dialect.HALVES):
            with self.subTest(behind=behind):
                self.hears_only_what_it_asks(self.upgrade(proxy, start_tls + behind))
        self.assertEqual(self.store.connections, 0)

    def test_a_command_in_later_segments_ends_the_connection_or_is_dropped(self):
        proxy = self.start_with_tls()
        start_tls, noop = (line.encode() + b"\r\n" for line in (self.dialect.START_TLS, self.dialect.NOOP))
        for pieces in ((start_tls, noop), (start_tls + noop[:2], noop[2:]), (start_tls[:3], start_tls[3:] + noop)):
            with self.subTest(pieces=pieces):
                try:
                    self.hears_only_what_it_asks(self.upgrade(proxy, *pieces))
                except OSError:  # it was no handshake
                    pass
        self.assertEqual(self.store.connections, 0)

    def test_nothing_from_before_it_lives_on(self):
        client = self.upgrade(self.start_with_tls(), self.dialect.BEGUN + self.dialect.START_TLS.encode() + b"\r\n")
        self.assertEqual(self.ask(client, self.dialect.GOES_ON), self.dialect.GOES_ON_ANSWER)
        self.hears_only_what_it_asks(client)

    def test_passwords_in_the_clear_are_refused_unasked(self):
        proxy = self.start_with_tls(allowPlaintextLogin="never")
        for lines in self.dialect.logins(ALICE, PASSWORD):
            client = self.greeted(proxy)
            # The first line is refused; the others aren't what they would have been.
            self.assertEqual(self.ask(client, lines[0]), self.dialect.NEEDS_TLS)
            for line in lines[1:]:
                self.assertNotRegex(self.ask(client, line), "^" + self.dialect.ACCEPTED)
            client.close()
        self.assertEqual(self.store.connections, 0)

    def test_garbage_in_place_of_a_handshake_leaves_nothing(self):
        proxy = self.start_with_tls()
        before = self.descriptors(proxy)
        hello = b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb\x03\x03" + b"x" * 60000  # longer than any may be
        for number in range(200):
            for garbage in (b"a LOGIN b c\r\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", hello,
                            b"\x16\x03\x01"):
                client = self.connect_implicit(proxy)
                try:
                    client.socket.sendall(garbage)
                except OSError:
                    pass  # refused before the end
                client.close()
        records = proxy.await_records("session", 800)
        self.assertLessEqual({record["end"] for record in records}, {"tls_failed", "eof", "reset"})
        self.assertLessEqual({record["level"] for record in records}, {"info"})
        self.await_descriptors(proxy, before)

    def test_renegotiation_and_old_versions_are_refused(self):
        address = f"{TLS_HOST}:{self.start_with_tls().ports()[1]}"
        goodbye = self.dialect.LOGGED_OUT.encode()
        for options, words, wanted in ((["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], b"", False),
                                       (["-tls1_2"], b"R\n", False), (["-tls1_2"], b"", True)):
            # Unbuffered: it may be gone before all is said, and closing must not fail then.
            # A command that begins with Q would be openssl's own.
            with subprocess.Popen(["openssl", "s_client", "-connect", address, "-crlf", *options],
                                  bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as openssl:
                try:
                    openssl.stdin.write(words)
                    openssl.stdin.flush()
                    time.sleep(0.2)
                    openssl.stdin.write(self.dialect.LOGOUT.lower().encode() + b"\n")
                    openssl.stdin.flush()
                    heard = openssl.stdout.read()
                except OSError:
                    heard = b""
            self.assertEqual(goodbye in heard, wanted, options)


class ProxyHeaderTest(ProxyTestCase):
    """A balancer's header, and those who aren't one."""

    def start_behind(self, block, **settings):
        return self.start(listeners=[{"address": HOST, "port": 0, "proxyProtocolFrom": [block]}], **settings)

    def test_both_versions_tell_the_clients_address(self):
        proxy = self.start_behind("127.0.0.0/8", allowPlaintextLogin="always")
        for count, header in enumerate((HEADER_V1, HEADER_V2), 1):
            client = self.connect(proxy)
            client.socket.sendall(header)
            self.answer(client)
            self.assertRegex(self.ask(client, self.dialect.login(ALICE, PASSWORD)), "^" + self.dialect.ACCEPTED)
            client.close()
            record = proxy.await_records("session", count)[-1]
            self.assertEqual(record["peer"], "192.0.2.77:4711")

    def test_one_from_elsewhere_and_none_from_a_balancer_are_refused(self):
        login = self.dialect.login(ALICE, PASSWORD).encode() + b"\r\n"
        for block, pieces in (("10.0.0.0/8", [HEADER_V1, login]), ("10.0.0.0/8", [HEADER_V2, login]),
                              ("127.0.0.0/8", [login]), ("127.0.0.0/8", [HEADER_V1[:-9] + b"\r\n", login]),
                              ("127.0.0.0/8", [HEADER_V2[:12] + b"\x31" + HEADER_V2[13:], login])):
            with self.subTest(block=block, pieces=pieces):
                proxy = self.start_behind(block)
                client = self.connect(proxy)
                for piece in pieces:
                    try:
                        client.socket.sendall(piece)
                    except OSError:
                        break  # gone already
                client.rest()
                record, = proxy.await_records("session")
                self.assertEqual(record["end"], "violation")
                self.assertTrue(record["peer"].startswith(HOST), record)
        self.assertEqual(self.store.connections, 0)

    def arrives(self, proxy, header=HEADER_V1):
        client = self.connect(proxy)
        client.socket.sendall(header)
        return client

    def test_each_client_behind_a_balancer_is_counted(self):
        proxy = self.start_behind("127.0.0.0/8", limits={"connectionsPerAddress": 2})
        clients = [self.arrives(proxy) for _ in range(2)]
        for client in clients:
            self.answer(client)
        self.assertIn("oo many connections", self.arrives(proxy).rest())
        self.answer(self.arrives(proxy, HEADER_V1.replace(b".77", b".78")))
        for _ in range(3):  # the balancer itself
            self.assertNotIn("oo many", self.answer(self.arrives(proxy, HEADER_V2[:12] + b"\x20\0\0\0")))
        clients[0].close()
        while not any(record["end"] == "eof" for record in proxy.records("session")):
            time.sleep(0.02)
        self.assertNotIn("oo many", self.answer(self.arrives(proxy)))

    def test_who_comes_round_the_balancer_is_counted_at_once(self):
        proxy = self.start_behind("10.0.0.0/8", limits={"connectionsPerAddress": 2})
        clients = [self.greeted(proxy) for _ in range(2)]
        self.assertIn("oo many connections", self.connect(proxy).rest())
        del clients

    def test_half_a_header_does_not_hold_a_connection_open(self):
        proxy = self.start_behind("127.0.0.0/8", limits={"loginTimeout": "1s"})
        for header in (b"", HEADER_V1[:12], HEADER_V2[:13] + b"\x11\xff\xff"):
            client = self.connect(proxy)
            client.socket.sendall(header)
            self.assertEqual(client.rest(), "")
        proxy.await_records("session", 3)


class ResourceTest(ProxyTestCase):
    """Much of everything."""

    def test_full_input_buffers_cost_their_octets(self):
        proxy = self.start(workers=1)
        before = self.memory_kib(proxy)
        clients = [self.connect(proxy) for _ in range(CONNECTIONS)]
        for client in clients:
            self.answer(client)
            client.socket.sendall(self.dialect.UNENDED)
        self.joined(proxy)
        self.assertLess(self.memory_kib(proxy) - before, CONNECTIONS * MOST_KIB_EACH)

    def test_replies_that_nobody_reads_stop_the_reading(self):
        proxy = self.start(workers=1, limits={"commands": 10**9, "loginTimeout": "1h"})
        client = self.greeted(proxy)
        client.socket.settimeout(2)
        before = self.memory_kib(proxy)
        noops = (self.dialect.NOOP + "\r\n").encode() * 10000
        with self.assertRaises(TimeoutError):
            for _ in range(2000):
                client.socket.sendall(noops)
        self.assertLess(self.memory_kib(proxy) - before, 2 * KIB)
        self.joined(proxy)

    def test_talking_on_does_not_hold_a_connection_open(self):
        proxy = self.start_with_tls(limits={"loginTimeout": "1s", "commands": 10**6}, workers=1)
        ways = {
            "silence": [b""], "octets": [b"x"] * 1000, "noops": [(self.dialect.NOOP + "\r\n").encode()] * 1000,
            **{half: [half] for half in self.dialect.HALVES}, "hello": [b"\x16", b"\x03", b"\x01"]}
        for way, pieces in ways.items():
            with self.subTest(way=way):
                client = self.connect_implicit(proxy) if way == "hello" else self.connect(proxy)
                began = time.monotonic()
                for piece in pieces:
                    try:
                        client.socket.sendall(piece)
                    except OSError:
                        break
                    if time.monotonic() > began + 1.5:
                        break
                    time.sleep(0.05)
                heard = client.rest()
                if way != "hello":
                    self.assertTrue(heard.endswith(self.dialect.TIMED_OUT) or not heard, heard)
                self.assertLess(time.monotonic() - began, SECONDS / 2)
        for record in proxy.await_records("session", len(ways)):
            self.assertRegex(record["detail"], r"^no login in time \(Await|in the TLS handshake$")

    def test_every_way_to_vanish_in_every_state_leaves_nothing(self):
        proxy = self.start_with_tls(workers=1)
        before = self.descriptors(proxy)
        login = self.dialect.login(ALICE, PASSWORD).encode() + b"\r\n"
        clear, implicit = self.connect, self.connect_implicit
        states = (*((clear, words) for words in (
            b"", *self.dialect.HALVES, self.dialect.START_TLS.encode() + b"\r\n", login, login + b"b NOOP\r\n")),
                  (implicit, b""), (implicit, b"\x16\x03\x01\x02"))
        count = 0
        for number in range(60):
            for connect, words in states:
                client = connect(proxy)
                if connect == clear and number % 2:
                    self.answer(client)
                client.socket.sendall(words)
                if number % 3 == 0:
                    client.reset()
                elif number % 3 == 1:
                    client.socket.shutdown(socket.SHUT_WR)
                client.close()
                count += 1
        records = proxy.await_records("session", count)
        self.assertEqual({record["level"] for record in records}, {"info"})
        self.await_descriptors(proxy, before)
        self.joined(proxy)

    def test_the_count_of_an_address_goes_down_however_a_connection_ends(self):
        proxy = self.start_with_tls(limits={"connectionsPerAddress": 2, "loginTimeout": "1s"})
        clear, implicit = self.connect, self.connect_implicit
        for number, (connect, words, end) in enumerate(
                [(clear, b"", "close"), (clear, b"", "reset"), (clear, b"", "timeout"),
                 (clear, b"x" * 10000, "timeout"), (implicit, b"no TLS\r\n", "timeout"),
                 (implicit, b"\x16", "reset"), (implicit, b"", "timeout")] * 2):
            client = connect(proxy)
            try:
                client.socket.sendall(words)
            except OSError:
                pass
            if end == "reset":
                client.reset()
            elif end == "timeout":
                client.rest()
            client.close()
            proxy.await_records("session", number + 1)
        for _ in range(2):
            self.joined(proxy)

    def test_without_descriptors_it_waits_and_recovers(self):
        proxy = self.start(workers=2)
        client = self.joined(proxy)
        most = self.descriptors(proxy) + 20
        resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (most, most))
        crowd = [self.connect(proxy) for _ in range(200)]
        self.answer(crowd[0])
        before = self.cpu_seconds(proxy)
        time.sleep(1)
        self.assertLess(self.cpu_seconds(proxy) - before, 0.2)
        self.hears(client)
        paused, = proxy.records("accept_paused")
        self.assertIn("open files", paused["detail"])
        self.assertEqual(proxy.records("accept_resumed"), [])
        for connection in crowd:
            connection.close()
        self.joined(proxy)
        proxy.await_records("accept_resumed")
        self.assertEqual(len(proxy.records("accept_paused")), 1)

    @staticmethod
    def cpu_seconds(proxy):
        with open(f"/proc/{proxy.process.pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_password_is_gone_from_memory_once_joined(self):
        proxy = self.start_with_tls(workers=1)
        client = self.joined(proxy)
        secure = self.connect_implicit(proxy)
        secure.begin_tls()
        self.answer(secure)
        for line in list(self.dialect.logins(ALICE, PASSWORD))[1]:
            answer = self.ask(secure, line)
        self.assertRegex(answer, "^" + self.dialect.ACCEPTED)
        memory = writable_memory(proxy.process.pid)
        self.assertTrue(ALICE.encode() in memory, "the search finds what there is")
        for secret in (PASSWORD, *(base64_of("x" * shift + PASSWORD)[4:-4] for shift in range(3))):
            self.assertFalse(secret.encode() in memory, secret)
        self.hears(client)


if __name__ == "__main__":
    ProxyTestCase.dialect = DIALECTS[sys.argv.pop(1)]
    unittest.main()
