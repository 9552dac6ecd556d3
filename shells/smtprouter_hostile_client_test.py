"""smtprouter before clients that smuggle, inject, lie, flood and vanish."""
import base64
import socket
import time
import unittest

from shells.proxy_test_case import ALICE, TLS_HOST
from shells.router_test_case import SENDER, START_TLS_HOST, RouterTestCase, plain
from shells.shell_process import HOST, PASSWORD, SECONDS

KIB = 1024
ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ALICE}>\r\n".encode()
EVIL = (f"MAIL FROM:<evil@example.org>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
        f".\r\n").encode()
BROKEN = "521 5.5.2 Lines end in CRLF and hold no CR, LF or NUL."
# What one reader or another takes for the end of a message, and none of which is CRLF.CRLF.
ENDINGS = (b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n",
           b"\r\n.\0\r\n", b"\r\r\n.\r\n", b"\r\n.\r\r\n", b"\n\n.\r\n", b"\0.\0")


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


class HostileClientTest(RouterTestCase):
    def codes(self, client):
        """Of every answer up to the end."""
        return [line[:3] for line in client.rest().splitlines() if line[3:4] == " "]

    def talk(self, router, *pieces):
        """The answers to what is said, EHLO being done, until the router hangs up."""
        client = self.inbound(router)
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.02)
            try:
                client.socket.sendall(piece)
            except OSError:
                break  # it has heard enough
        return self.codes(client)


class SmugglingTest(HostileClientTest):
    """Two messages in what is one, or one in what is none."""

    def test_nothing_but_crlf_dot_crlf_ends_a_message(self):
        router = self.start()
        head = ENVELOPE + b"DATA\r\nSubject: first\r\n\r\nx"
        for ending in ENDINGS:
            for pieces in ([head + ending + EVIL], [head, ending, EVIL],
                           [head, *(ending[i:i + 1] for i in range(len(ending))), EVIL]):
                with self.subTest(ending=ending, pieces=len(pieces)):
                    heard = self.talk(router, *pieces)
                    self.assertIn(heard, (["250", "250", "354", "521"], ["250", "250", "354"], []))
        self.assertEqual(self.store.messages, [])
        self.assertNotIn(b"evil", self.store.received)
        self.delivers(router)

    def test_nor_is_it_smuggled_in_a_chunk(self):
        router = self.start()
        for ending in ENDINGS:
            with self.subTest(ending=ending):
                chunk = b"Subject: first\r\n\r\nx" + ending + EVIL
                heard = self.talk(router, ENVELOPE + b"BDAT %d LAST\r\n" % len(chunk) + chunk)
                self.assertIn(heard, (["250", "250", "521"], ["250", "250"], []))
        self.assertEqual(self.store.messages, [])
        self.assertNotIn(b"evil", self.store.received)

    def test_an_end_inside_of_a_chunk_is_text(self):
        chunk = b"Subject: first\r\n\r\nx\r\n.\r\n" + EVIL
        heard = self.talk(self.start(), ENVELOPE + b"BDAT %d LAST\r\n" % len(chunk) + chunk + b"QUIT\r\n")
        self.assertEqual(heard, ["250", "250", "250", "221"])
        message, = self.store.messages
        self.assertTrue(message.endswith(chunk.replace(b"\r\n.", b"\r\n..")))

    def test_a_line_end_of_another_kind_ends_no_command(self):
        router = self.start()
        for end in (b"\n", b"\r", b"\0", b"\r\r\n", b"\n\r", b"\0\r\n"):
            for line in (f"MAIL FROM:<{SENDER}>".encode() + end + f"RCPT TO:<{ALICE}>\r\n".encode(),
                         b"NOOP" + end + b"QUIT\r\n", b"EHLO x" + end + ENVELOPE):
                with self.subTest(line=line):
                    self.assertEqual(self.talk(router, line), ["521"])
        self.assertEqual(self.store.connections, 0)

    def test_octets_beyond_ascii_pass_as_they_are(self):
        text = "Subject: \u00e4\r\n\r\n" + "\u00fc" * 400 + "\r\n..\r\n.x\r\n"
        client = self.inbound(self.start())
        self.assertRegex(self.send(client, SENDER, ALICE, text.replace("\r\n.", "\r\n..")), "^250 ")
        self.assertTrue(self.store.messages[0].endswith(text.replace("\r\n.", "\r\n..").encode()))


class OrderTest(HostileClientTest):
    """What is said where it doesn't belong."""

    def test_a_message_behind_refused_recipients_is_no_command(self):
        heard = self.talk(self.start(), f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n".encode() +
                          EVIL + b"QUIT\r\n")
        # EVIL's own dot ends it.
        self.assertEqual(heard, ["250", "550", "354", "554", "221"])
        self.assertEqual(self.store.messages, [])

    def test_a_chunk_behind_refused_recipients_is_no_command(self):
        heard = self.talk(self.start(), f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<nobody@example.com>\r\n".encode() +
                          b"BDAT 12 LAST\r\nRSET\r\nQUIT\r\nNOOP\r\nQUIT\r\n")
        self.assertEqual(heard, ["250", "550", "554", "250", "221"])

    def test_a_chunk_of_unknown_size_ends_the_conversation(self):
        router = self.start()
        for size in (b"-1", b"+5", b"0x10", b"99999999999999999999", b"18446744073709551616", b"5 FIRST", b"5  LAST",
                     b"5 LAST x", b"LAST", b"", b"5.0", b"\xef\xbc\x95"):
            with self.subTest(size=size):
                self.assertEqual(self.talk(router, ENVELOPE + b"BDAT " + size + b"\r\n" + EVIL),
                                 ["250", "250", "501", "421"])
        self.assertEqual(self.store.messages, [])

    def test_chunks_and_data_do_not_mix(self):
        heard = self.talk(self.start(), ENVELOPE + b"BDAT 6\r\nx: y\r\nDATA\r\nRCPT TO:<x@example.com>\r\n"
                          b"RSET\r\nDATA\r\nQUIT\r\n")
        self.assertEqual(heard, ["250", "250", "250", "503", "503", "250", "503", "221"])
        self.assertEqual(self.store.messages, [])

    def test_a_message_that_is_not_ended_is_not_delivered(self):
        router = self.start()
        for begin in (b"DATA\r\nSubject: x\r\n\r\nx\r\n", b"DATA\r\nx\r\n.", b"DATA\r\nx\r\n.\r",
                      b"BDAT 1000 LAST\r\nSubject: x\r\n\r\n", b"BDAT 6\r\nx: y\r\n"):
            for resets in (False, True):
                with self.subTest(begin=begin, resets=resets):
                    client = self.inbound(router)
                    client.socket.sendall(ENVELOPE + begin)
                    self.answer(client)
                    if resets:
                        client.reset()
                    else:
                        client.socket.shutdown(socket.SHUT_WR)
        router.await_records("session", 10)
        self.assertEqual(self.store.messages, [])
        self.delivers(router)

    def test_commands_want_their_turn(self):
        client = self.greeted(self.start())
        for command, code in (("MAIL FROM:<>", "503 5.5.1"), ("RCPT TO:<x@y>", "503 5.5.1"), ("DATA", "554 5.5.1"),
                              ("EHLO", "501 5.5.4"), ("EHLO a b", "501 5.5.4"), ("HELO x", "250"),
                              ("MAIL FROM:<> SIZE=1", "555 5.5.4"), ("EHLO x", "250"),
                              ("DATA x", "501 5.5.4"), (f"MAIL FROM:<{SENDER}>", "250 2.1.0"),
                              (f"MAIL FROM:<{SENDER}>", "503 5.5.1"), ("DATA", "503 5.5.1"), ("VRFY root", "252 2.5.0")):
            with self.subTest(command=command):
                answer = self.ask(client, command)
                if answer.startswith("354"):
                    answer = self.ask(client, ".")
                self.assertRegex(answer, "^" + code)

    def test_another_protocol_is_told_nothing(self):
        router = self.start()
        for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n" + ENVELOPE):
            client = self.greeted(router)
            client.socket.sendall(request)
            self.assertEqual(client.rest(), "502 5.5.1 This is SMTP.\r\n")
        client = self.greeted(router)
        client.socket.sendall(b"PROXY TCP4 192.0.2.66 127.0.0.1 1 25\r\n" + ENVELOPE)
        self.assertEqual(client.rest(), "")
        self.assertEqual(self.store.connections, 0)


class StartTlsTest(HostileClientTest):
    """Plaintext that tries to be taken for something said inside TLS."""

    def upgrade(self, router, *pieces):
        client = self.connect(router, router.ports()[1], START_TLS_HOST)
        self.answer(client)
        self.ask(client, "EHLO plain.example.org")
        for piece in pieces:
            client.socket.sendall(piece)
            time.sleep(0.02)
        self.assertEqual(self.answer(client), "220 2.0.0 Begin TLS.")
        return client

    def test_what_came_before_it_is_never_answered(self):
        router = self.start_with_tls(allowPlaintextLogin="never")
        auth = f"AUTH PLAIN {plain(ALICE)}\r\n".encode()
        for pieces in ((b"STARTTLS\r\nNOOP\r\n",), (b"STARTTLS\r\n" + auth + ENVELOPE + b"DATA\r\n",),
                       (b"STARTTLS\r\nAUTH PLAIN\r\n",), (b"STARTTLS\r\nEHLO x",)):
            with self.subTest(pieces=pieces):
                client = self.upgrade(router, *pieces)
                client.begin_tls()
                self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}>"), "^530 5.7.0 ")
                self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(ALICE)}"), "^503 5.5.1 Say EHLO")
                self.assertRegex(self.ask(client, "EHLO x"), "^250 ")
                self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(ALICE)}"), "^235 ")
        for pieces in ((b"STARTTLS\r\n", b"NOOP\r\n"), (b"STARTTLS\r\nNO", b"OP\r\n")):
            client = self.upgrade(router, *pieces)
            try:
                client.begin_tls()
                self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}>"), "^530 ")
            except OSError:  # it was no handshake
                pass
        self.assertEqual(self.store.connections, 0)

    def test_it_comes_once_and_without_arguments(self):
        router = self.start_with_tls()
        client = self.submission(router)
        self.assertRegex(self.ask(client, "STARTTLS"), "^503 5.5.1 ")
        client = self.inbound(router)
        self.assertRegex(self.ask(client, "STARTTLS now"), "^501 5.5.4 ")
        self.assertRegex(self.ask(client, f"MAIL FROM:<{SENDER}>"), "^250 ")
        self.assertRegex(self.ask(client, "STARTTLS"), "^220 ")
        client.begin_tls()
        self.assertRegex(self.ask(client, f"RCPT TO:<{ALICE}>"), "^503 5.5.1 ")

    def test_garbage_in_place_of_a_handshake_leaves_nothing(self):
        router = self.start_with_tls(workers=1)
        before = self.descriptors(router)
        for _ in range(100):
            for garbage in (ENVELOPE, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x16\x03\x01"):
                client = self.connect(router, router.ports()[2], TLS_HOST)
                client.socket.sendall(garbage)
                client.close()
        router.await_records("session", 300)
        self.await_descriptors(router, before)


class EarlyTalkerTest(HostileClientTest):
    """Who doesn't wait for the greeting, as RFC 5321 section 3.1 wants it."""
    EARLY = (b"E", b"\r\n", b"EHLO x\r\n" + ENVELOPE + b"DATA\r\nx\r\n.\r\n", b"\xff\0", b"x" * 100000)

    def test_is_answered_in_turn_where_the_greeting_does_not_wait(self):
        client = self.connect(self.start())
        client.socket.sendall(b"EHLO x\r\n" + ENVELOPE + b"QUIT\r\n")
        self.assertEqual(self.codes(client), ["220", "250", "250", "250", "221"])

    def test_is_sent_away_where_it_does(self):
        router = self.start_with_tls(greetingDelay="500ms")
        for early in self.EARLY:
            with self.subTest(early=early[:20]):
                client = self.connect(router)
                client.socket.sendall(early)
                self.assertIn(client.rest(), ("554 mx.example.com You spoke before you were greeted\r\n", ""))
        self.assertEqual({(record["end"], record["detail"]) for record in router.await_records("session", 5)},
                         {("violation", "spoke before the greeting")})
        self.assertEqual(self.store.connections, 0)
        began = time.monotonic()
        self.delivers(router)
        self.assertGreater(time.monotonic() - began, 0.4)
        client = self.submission(router, ALICE)  # users' programs aren't kept waiting
        self.assertRegex(self.ask(client, "NOOP"), "^250 ")

    def test_in_tls_and_behind_a_balancer_as_well(self):
        router = self.start(
            listeners=[{"address": HOST, "port": 0, "tls": "implicit", "proxyProtocolFrom": ["127.0.0.0/8"]}],
            tls=self.tls(), greetingDelay="500ms")
        for early in (b"", b"EHLO x\r\n"):
            client = self.connect(router)
            client.socket.sendall(b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 25\r\n")
            client.begin_tls()
            client.socket.sendall(early)
            self.assertRegex(client.line(), "^554 " if early else "^220 ")


class AuthTest(HostileClientTest):
    def test_no_password_goes_in_the_clear(self):
        router = self.start_with_tls(allowPlaintextLogin="never")
        client = self.connect(router, router.ports()[1], START_TLS_HOST)
        self.answer(client)
        client.send("EHLO x")
        heard = []
        while not heard or heard[-1][3] == "-":
            heard.append(client.line())
        self.assertFalse([line for line in heard if "AUTH" in line])
        for command in (f"AUTH PLAIN {plain(ALICE)}", "AUTH LOGIN"):
            self.assertRegex(self.ask(client, command), "^538 5.7.11 ")

    def test_malformed_ones_are_refused(self):
        client = self.submission(self.start_with_tls(limits={"badCommands": 100, "failedLogins": 100}))
        for command, answer in (("AUTH", "501 5.5.4"), ("AUTH CRAM-MD5", "504 5.5.4"), ("AUTH PLAIN *", "501 5"),
                                ("AUTH PLAIN AGFsa WNl", "501 5"), ("AUTH PLAIN =AAA", "501 5"),
                                ("AUTH PLAIN =", "501 5|535 5.7.8"), ("AUTH PLAIN " + base64_of("\0\0"), "5"),
                                ("AUTH PLAIN " + base64_of("x"), "501 5|535 5"),
                                ("AUTH PLAIN " + base64_of("\0a\0b\0c"), "501 5|535 5"),
                                ("AUTH PLAIN " + "A" * 13000, "500 5.5.6")):
            with self.subTest(command=command[:30]):
                self.assertRegex(self.ask(client, command), "^" + answer)
        self.assertRegex(self.ask(client, "AUTH LOGIN"), "^334 VXNlcm5hbWU6$")
        self.assertRegex(self.ask(client, "*"), "^501 5")
        self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(ALICE)}"), "^235 ")
        self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(ALICE)}"), "^503 5.5.1 ")

    def test_credentials_that_could_break_a_line_ask_nobody(self):
        client = self.submission(self.start_with_tls(limits={"failedLogins": 100}))
        for user, password in ((f"{ALICE}\r\nRSET", PASSWORD), (ALICE, "x\r\nQUIT"), (ALICE, "\n"), (ALICE, ""),
                               (ALICE, "\x1b"), ("*", PASSWORD), ("a" * 300, PASSWORD)):
            self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(user, password)}"), "^(535 5.7.8|501 5)")
        self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}>"), "^530 ")

    def test_guesses_are_counted(self):
        client = self.submission(self.start_with_tls())
        wrong = f"AUTH PLAIN {plain(ALICE, 'wrong')}\r\n".encode()
        client.socket.sendall(wrong * 20)
        heard = self.codes(client)
        self.assertEqual(heard[-1], "421")
        self.assertLess(len(heard), 10)
        self.assertEqual(set(heard[:-1]), {"535"})


class ResourceTest(HostileClientTest):
    """Much of everything."""

    def test_lines_without_end_are_cut(self):
        router = self.start(workers=1)
        before = self.memory_kib(router)
        client = self.inbound(router)
        client.socket.sendall(b"NOOP " + b"x" * (KIB << 10) + b"\r\nNOOP\r\n")
        self.assertRegex(self.answer(client), "^500 5.5.2 ")
        self.assertRegex(self.answer(client), "^250 ")  # its end was no command
        client.socket.sendall(ENVELOPE + b"DATA\r\n" + b"y" * (32 << 20) + b"\r\n.\r\nQUIT\r\n")
        self.assertEqual(self.codes(client), ["250", "250", "354", "250", "221"])
        self.assertLess(self.memory_kib(router) - before, 4 * KIB)

    def test_a_message_that_is_too_big_is_refused_and_dropped(self):
        router = self.start(messageBytes=100000)
        self.assertEqual(self.talk(router, ENVELOPE.replace(b">\r\n", b"> SIZE=100001\r\n", 1) + b"QUIT\r\n"),
                         ["552", "503", "221"])
        self.assertEqual(self.talk(router, ENVELOPE + b"DATA\r\n" + b"x\r\n" * 50000 + b".\r\nQUIT\r\n"),
                         ["250", "250", "354", "552", "221"])
        self.assertEqual(self.talk(router, ENVELOPE + b"BDAT 150000 LAST\r\n" + b"x\r\n" * 50000 + b"QUIT\r\n"),
                         ["250", "250", "552", "221"])
        self.assertEqual(self.store.messages, [])

    def test_thousands_of_recipients_are_not_taken(self):
        router = self.start(recipientLimit=100)
        heard = self.talk(router, ENVELOPE + f"RCPT TO:<{ALICE}>\r\n".encode() * 5000)
        self.assertEqual(heard[:101], ["250"] * 101)
        self.assertEqual(set(heard[101:-1]), {"452"})
        self.assertEqual(heard[-1], "421")
        self.assertEqual(len(self.store.recipients), 100)

    def test_names_are_not_tried_out(self):
        heard = self.talk(self.start(recipientLimit=100),
                          f"MAIL FROM:<{SENDER}>\r\n".encode() +
                          b"".join(b"RCPT TO:<n%d@example.com>\r\n" % number for number in range(1000)))
        self.assertEqual((heard[0], set(heard[1:-1]), heard[-1]), ("250", {"550"}, "421"))
        self.assertLess(len(heard), 110)

    def test_errors_and_idle_commands_are_counted(self):
        router = self.start()
        for command in (b"x\r\n", b"NOOP\r\n", b"RSET\r\n", b"EHLO x\r\n", b"VRFY x\r\n", b"BDAT 0\r\n", b"\r\n",
                        b"DATA\r\n", b"MAIL FROM:\r\n", b"BDAT 3\r\nabc"):
            with self.subTest(command=command):
                heard = self.talk(router, command * 5000)
                self.assertIn(heard[-1:], (["421"], []))
                self.assertLess(len(heard), 300)

    def test_replies_that_nobody_reads_stop_the_reading(self):
        router = self.start(workers=1, limits={"commands": 10**9})
        client = self.inbound(router)
        client.socket.settimeout(2)
        before = self.memory_kib(router)
        with self.assertRaises(TimeoutError):
            for _ in range(2000):
                client.socket.sendall(b"NOOP\r\n" * 10000)
        self.assertLess(self.memory_kib(router) - before, 2 * KIB)
        self.delivers(router)

    def test_every_way_to_vanish_in_every_state_leaves_nothing(self):
        router = self.start(workers=1, upstreamPool={"connections": 0})
        before = self.descriptors(router)
        states = (b"", b"NO", b"EHLO x\r\n", b"EHLO x\r\n" + ENVELOPE, b"EHLO x\r\n" + ENVELOPE + b"DATA\r\n",
                  b"EHLO x\r\n" + ENVELOPE + b"DATA\r\nx\r\n.\r\n", b"EHLO x\r\n" + ENVELOPE + b"BDAT 9\r\nx")
        for number in range(20):
            for words in states:
                client = self.greeted(router)
                client.socket.sendall(words)
                if number % 2:
                    client.reset()
                else:
                    client.socket.shutdown(socket.SHUT_WR)
                    client.close()
        router.await_records("session", 20 * len(states))
        self.await_descriptors(router, before)
        self.delivers(router)

    def test_dripping_does_not_put_off_the_login(self):
        router = self.start_with_tls(limits={"loginTimeout": "1s", "commands": 10**6})
        for word in (b"x", b"NOOP\r\n", b"RSET\r\n"):
            with self.subTest(word=word):
                client = self.connect(router, router.ports()[1], START_TLS_HOST)
                began = time.monotonic()
                try:
                    while time.monotonic() < began + 1.5:
                        client.socket.sendall(word)
                        time.sleep(0.05)
                except OSError:
                    pass  # sent away
                self.assertIn(self.codes(client)[-1:], (["421"], []))
                self.assertLess(time.monotonic() - began, SECONDS / 2)


if __name__ == "__main__":
    unittest.main()
