"""smtprouter before mail stores that lie, stall, inject or speak out of turn."""
import socket
import unittest

from shells.fake_mail_store import USUAL, multi_line
from shells.proxy_test_case import ALICE
from shells.router_test_case import BOB, SENDER, RouterTestCase
from shells.shell_process import HOST

MEBIBYTE = 1 << 20
STEPS = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "message")
# Where the client hears of it: what comes before that was no promise.
HEARD = {"greeting": "RCPT", "EHLO": "RCPT", "MAIL": "RCPT", "RCPT": "RCPT", "DATA": "message", "message": "message"}
GARBAGE = (b"\r\n", b"2\r\n", b"25\r\n", b"2500 ok\r\n", b"250ok\r\n", b"250_ok\r\n", b"-250 ok\r\n", b"999 ok\r\n",
           b"000 ok\r\n", b"x" * MEBIBYTE, b"250-" + b"x" * MEBIBYTE, b"250-ok\r\n" * 100000, b"250-a\r\n251 b\r\n",
           b"250 ok\n", b"250 o\rk\r\n", b"250 o\0k\r\n", b"* OK hi\r\n", b"+OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
           b"SSH-2.0-x\r\n", b"\x15\x03\x01\0\x02\x02\x46", b"100 wait\r\n", b"334 \r\n")


class HostileStoreTest(RouterTestCase):
    """alice's store is hostile; bob's isn't."""

    def start_any(self, **settings):
        return super().start_any(**{
            "timeouts": {"command": "1s", "body": "1s", "commit": "1s", "fallback": "1s"},
            "upstreamPool": {"connections": 0}, "upstream": {"loginTimeout": "1s"}, **settings})

    def hear(self, router, **says):
        """The answers to RCPT and to the message, None where it wasn't asked for."""
        self.store.says = {**USUAL, **says}
        client = self.inbound(router)
        self.assertRegex(self.ask(client, f"MAIL FROM:<{SENDER}>"), "^250 ")
        heard = {"RCPT": self.ask(client, f"RCPT TO:<{ALICE}>"), "message": None}
        if heard["RCPT"].startswith("250"):
            self.assertRegex(self.ask(client, "DATA"), "^354 ")
            heard["message"] = self.ask(client, "Subject: x\r\n\r\nx\r\n.")
        else:
            self.assertRegex(self.ask(client, "RSET"), "^250 ")
        # The conversation goes on, and other stores' mail does.
        self.assertRegex(self.send(client, SENDER, BOB), "^250 ")
        client.close()
        return heard

    def assert_put_off(self, router, step, words, heard_at=None):
        heard = self.hear(router, **{step: words})
        self.assertRegex(heard[heard_at or HEARD[step]], r"^451 4\.\d\.\d [ -~]{1,200}$")

    def test_what_is_no_answer_is_no_promise(self):
        router = self.start()
        for step in STEPS:
            for garbage in GARBAGE:
                with self.subTest(step=step, garbage=garbage[:20]):
                    self.assert_put_off(router, step, garbage)

    def test_silence_is_no_promise(self):
        router = self.start()
        for step in STEPS:
            for silence in (b"", b"250-a\r\n"):
                with self.subTest(step=step, silence=silence):
                    self.assert_put_off(router, step, silence)

    def test_its_good_bye_is_not_the_clients(self):
        router = self.start()
        for step in STEPS:
            for good_bye in (b"421 4.3.2 closing\r\n", b"421-a\r\n421 b\r\n", b"421 4.3.2 bye\r\n250 ok\r\n"):
                with self.subTest(step=step, good_bye=good_bye):
                    self.assert_put_off(router, step, good_bye)

    def test_what_it_holds_against_the_router_bounces_no_mail(self):
        router = self.start()
        for step in STEPS:
            for code in (500, 502, 503, 530, 535, 538):
                with self.subTest(step=step, code=code):
                    self.assert_put_off(router, step, b"%d 5.5.1 you!\r\n" % code)

    def test_answers_before_their_question_are_no_promise(self):
        """As if it had split one reply into two: every later one would belong to the wrong command."""
        router = self.start()
        # MAIL and RCPT go out together, so that one answer too many is known only behind both.
        for step, heard_at in (("greeting", "RCPT"), ("EHLO", "RCPT"), ("MAIL", "message"), ("RCPT", "message")):
            with self.subTest(step=step):
                self.assert_put_off(router, step, USUAL[step] + b"250 2.1.5 ok\r\n" * 3, heard_at)
        for early in (b"354 go\r\n250 2.0.0 taken\r\n", b"250 2.0.0 taken\r\n", b"354 go\r\n354 go\r\n"):
            with self.subTest(early=early):
                self.assert_put_off(router, "DATA", early)

    def test_one_that_speaks_on_is_not_used_again(self):
        router = self.start(upstreamPool={"connections": 32})
        for connections in range(1, 4):
            heard = self.hear(router, message=b"250 2.0.0 taken\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n")
            self.assertRegex(heard["message"], "^250 ")
            self.assertEqual(self.store.connections, connections)

    def test_its_words_are_made_fit_for_the_client(self):
        router = self.start()
        for words, heard in ((b"550 5.1.1 no \x1b[2J\x7f such\r\n", r"^550 5\.1\.1 [ -~]+$"),
                             (b"550 " + b"x" * 5000 + b"\r\n", r"^550 5\.\d\.\d [ -~]{1,500}$"),
                             (b"550 2.0.0 lies\r\n", r"^550 5\.\d\.\d "), (b"550\r\n", r"^550 5\.\d\.\d"),
                             (b"450 5.1.1 lies\r\n", r"^450 4\.\d\.\d "), (b"550 5.1 x\r\n", r"^550 5\.\d\.\d "),
                             (b"550 5.1.1 b\xc3\xbccher \x9b2J\xff\r\n", r"^550 5\.1\.1 b\?\?cher \?2J\?$"),
                            (b"550 5.1.1\x9b no\r\n", r"^550 5\.0\.0 5\.1\.1\? no$"),
                            (b"550 5.1.99999 no\r\n", r"^550 5\.0\.0 5\.1\.99999 no$"),
                            (b"221 2.0.0 bye\r\n", r"^250 2\.0\.0 bye$"), (b"251 2.1.5 ok\r\n", r"^251 2\.1\.5 ok$"),
                            (multi_line(550, [b"5.1.1 a", b"5.1.1 b"]), r"^550 5\.1\.1 b$")):
            with self.subTest(words=words[:30]):
                self.assertRegex(self.hear(router, RCPT=words)["RCPT"], heard)
                self.assertRegex(self.hear(router, message=words)["message"], heard.replace("251", "25[01]"))

    def test_an_lmtp_store_answers_for_each_recipient_and_no_other(self):
        router = self.start(upstream={"protocol": "lmtp"}, upstreamPool={"connections": 32})
        for answers, heard in ((b"250 2.0.0 a\r\n", "^250 "), (b"250 2.0.0 a\r\n" * 2, "^250 "), (b"", "^451 4"),
                               (b"552 5.2.2 full\r\n", "^552 5.2.2 ")):
            with self.subTest(answers=answers):
                self.store.says = {**USUAL, "LHLO": USUAL["EHLO"], "message": answers}
                client = self.inbound(router)
                self.assertRegex(self.send(client, SENDER, ALICE), heard)
                before = self.store.connections
                self.send(client, SENDER, ALICE)
                reused = self.store.connections == before
                self.assertEqual(reused, answers.count(b"\r\n") == 1)

    def test_answers_injected_behind_start_tls_are_refused(self):
        ehlo = multi_line(250, [b"store", b"STARTTLS"])
        router = self.start(upstream={"tls": "startTls", "verify": False, "loginTimeout": "1s"})
        for start_tls in (b"220 go\r\n" + USUAL["EHLO"] + USUAL["MAIL"] + USUAL["RCPT"], b"454 4.7.0 no\r\n",
                          b"502 5.5.1 no\r\n", b"220 go\r\n"):  # and then no handshake
            with self.subTest(start_tls=start_tls):
                self.assert_no_mail(router, EHLO=ehlo, STAR=start_tls)
        self.assert_no_mail(router)  # doesn't offer it

    def assert_no_mail(self, router, **says):
        self.store.says = {**USUAL, **says}
        client = self.inbound(router)
        self.assertRegex(self.send(client, SENDER, ALICE), "^451 4")
        for word in (b"MAIL", b"RCPT", SENDER.encode()):
            self.assertNotIn(word, self.store.received)

    def test_it_may_be_the_router_itself(self):
        """A directory that sends it to its own door makes no loop."""
        with socket.create_server((HOST, 0)) as reserved:
            port = reserved.getsockname()[1]
        self.users[ALICE] = {"host": f"{HOST}:{port}"}
        router = self.start(listeners=[{"address": HOST, "port": port}])
        self.assertRegex(self.send(self.inbound(router), SENDER, ALICE), "^451 4")
        self.assertLessEqual(len(router.await_records("upstream_failure")), 2)


if __name__ == "__main__":
    unittest.main()
