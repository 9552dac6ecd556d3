"""One message of one client through smtprouter to several fake hosts: who is told what, and when."""
import unittest

from shells.fake_mail_store import USUAL, multi_line
from shells.proxy_test_case import ALICE
from shells.router_test_case import BOB, SENDER, RouterTestCase
from shells.shell_process import HOST

CAROL = "carol@example.org"


class FanOutTest(RouterTestCase):
    def start_before_fallback(self, **settings):
        self.fallback = self.mail_store()
        return self.start(fallbackRelay={"host": HOST, "port": self.fallback.port}, spoolFolder="/tmp", **settings)

    def answers(self, client, *commands):
        return [self.ask(client, command) for command in commands]

    def envelope(self, client, parameters="", recipients=(ALICE, BOB)):
        """The answers to RCPT."""
        self.assertRegex(self.ask(client, f"MAIL FROM:<{SENDER}>{parameters}"), "^250 ")
        return self.answers(client, *(f"RCPT TO:<{recipient}>" for recipient in recipients))

    def send_body(self, client, text="Subject: x\r\n\r\nx\r\n"):
        self.assertRegex(self.ask(client, "DATA"), "^354 ")
        return self.ask(client, text + ".")

    # --- PRDR ---

    def test_prdr_tells_each_recipients_own_answer(self):
        for start in (self.start, self.start_before_fallback):
            router = start()
            self.other_store.says["message"] = b"552 5.2.2 full\r\n"
            client = self.inbound(router)
            recipients = (ALICE, BOB) if start == self.start_before_fallback else (ALICE,)
            heard = self.envelope(client, " PRDR", recipients)
            self.assertEqual({answer[:9] for answer in heard}, {"250 2.1.5"})
            self.assertRegex(self.send_body(client), "^353 ")
            for recipient in recipients:
                self.assertRegex(self.answer(client), "^250 2.0.0 " if recipient == ALICE else "^552 5.2.2 full")
            self.assertRegex(self.answer(client), "^250 2.0.0 ")
            self.assertRegex(self.ask(client, "NOOP"), "^250 ")
        self.assertEqual((len(self.store.messages), self.fallback.messages), (2, []))

    def test_prdr_by_chunks_and_of_an_lmtp_host(self):
        self.store.says = {**USUAL, "LHLO": USUAL["EHLO"], "message": b"250 2.0.0 a\r\n452 4.2.2 b\r\n550 5.2.0 c\r\n"}
        for name in ("a", "b", "c"):
            self.users[f"{name}@example.com"] = self.users[ALICE]
        client = self.inbound(self.start(upstream={"protocol": "lmtp"}))
        self.envelope(client, " PRDR", [f"{name}@example.com" for name in "abc"])
        client.socket.sendall(b"BDAT 7\r\nx: yz\r\nBDAT 5 LAST\r\n\r\nx\r\n")
        self.assertEqual([self.answer(client)[:9] for _ in range(6)],
                         ["250 2.0.0", "353 Each ", "250 2.0.0", "452 4.2.2", "550 5.2.0", "250 2.0.0"])
        self.assertRegex(self.store.messages[0].decode(), "(?s)^Received: .*\r\nx: yz\r\n\r\nx\r\n$")

    def test_without_prdr_all_share_one_answer(self):
        router = self.start_before_fallback()
        self.other_store.says["message"] = b"552 5.2.2 full\r\n"
        client = self.inbound(router)
        self.envelope(client)
        self.assertRegex(self.send_body(client), "^250 2.0.0 ")
        self.assertEqual((len(self.store.messages), len(self.fallback.messages)), (1, 1))
        self.assertEqual(self.fallback.recipients[-1], BOB)  # alone: alice's store has it

    # --- What MAIL and RCPT say besides addresses ---

    def test_dsn_parameters_reach_every_host_as_they_were_said(self):
        router = self.start_with_tls(capabilities=["DSN", "8BITMIME", "SIZE 100000"])
        mail = " SIZE=99 BODY=8BITMIME RET=HDRS ENVID=QQ+2B314+3D"
        rcpt = " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+2Blast@example.net"
        client = self.submission(router, ALICE)
        self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}>{mail}"), "^250 ")
        self.assertRegex(self.ask(client, f"RCPT TO:<{ALICE}>{rcpt}"), "^250 ")
        self.ask(client, "RSET")
        self.assertRegex(self.ask(client, f"MAIL FROM:<{ALICE}>{mail}"), "^250 ")
        self.assertRegex(self.ask(client, f"RCPT TO:<{CAROL}>{rcpt}"), "^250 ")
        for store, recipient in ((self.store, ALICE), (self.relay, CAROL)):
            self.assertIn(f"\nMAIL FROM:<{ALICE}>{mail}\r\n".encode(), store.received)
            self.assertIn(f"\nRCPT TO:<{recipient}>{rcpt}\r\n".encode(), store.received)

    def test_what_is_too_big_for_one_host_is_refused_for_that_one(self):
        router = self.start_before_fallback(capabilities=["SIZE"])
        self.other_store.says.update({"EHLO": multi_line(250, [b"store", b"PIPELINING", b"SIZE 1000"]),
                                      "MAIL": b"552 5.3.4 too big\r\n", "RCPT": b"503 5.5.1 MAIL first\r\n"})
        client = self.inbound(router)
        heard = self.envelope(client, " SIZE=5000")
        self.assertRegex(heard[0], "^250 ")
        self.assertRegex(heard[1], "^552 5.3.4 too big")
        self.assertRegex(self.send_body(client), "^250 ")
        self.assertEqual((len(self.store.messages), self.other_store.messages), (1, []))
        # One that doesn't say how big it is hears of it behind the message.
        self.other_store.says.update({**USUAL, "message": b"552 5.3.4 too big\r\n"})
        self.envelope(client, recipients=[BOB])
        self.assertRegex(self.send_body(client), "^552 5.3.4 too big")

    # --- Connections that are kept ---

    def test_a_kept_connection_that_has_died_is_replaced_unheard(self):
        router = self.start()
        client = self.inbound(router)
        for number, (step, words) in enumerate((("QUIT", b""), ("RSET", b"421 4.4.2 too long idle\r\n"),
                                                ("RSET", b"500 5.5.1 what?\r\n"), ("MAIL", b"421 4.3.2 bye\r\n")), 1):
            with self.subTest(step=step, words=words):
                self.store.says = USUAL
                self.assertRegex(self.send(client, SENDER, ALICE), "^250 ")
                self.store.says = {**USUAL, step: words}
                if step == "MAIL":
                    self.assertRegex(self.send(client, SENDER, ALICE), "^451 4.3.2 ")  # so does the new one
                    self.ask(client, "RSET")
                else:
                    self.assertRegex(self.send(client, SENDER, ALICE), "^250 ")
                self.assertEqual(len(self.store.messages), 2 * number - (step == "MAIL"))
        self.store.says = USUAL
        self.delivers(router)


if __name__ == "__main__":
    unittest.main()
