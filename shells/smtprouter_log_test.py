"""smtprouter's log, which neither clients nor stores can write lines of."""
import base64
import json
import unittest

from shells.fake_mail_store import USUAL
from shells.proxy_test_case import ALICE
from shells.router_test_case import BOB, SENDER, RouterTestCase
from shells.shell_process import PASSWORD

# Ends a text, and a record, and begins another; in the ways of JSON, of terminals and of viewers of text.
FORGERIES = (b'","event":"forged","x":"', b'"}\n{"event":"forged","x":"', b"\r\n{\"event\":\"forged\"}\r\n",
             b"\x1b[2J\x1b[1;1H{}", b"\x9b2J", b"\x7f\x08\x08", b"a\0b", b"\xff\xfe\xfd", b"\xc3", b"\\", b"\\u000a",
             "\u2028{\"event\":\"forged\"}\u2029".encode(), "\u202eegrof\u202c".encode(), "\u0085\u009b2J".encode(),
             b"%n%s%{user}", b"x" * 900)


class LogTest(RouterTestCase):
    def start_patient(self, **settings):
        return self.start_with_tls(limits={"failedLogins": 1000, "badCommands": 1000, "commands": 1000},
                                   upstreamPool={"connections": 0}, capabilities=["SMTPUTF8", "8BITMIME"], **settings)

    def assert_sound(self, router, *events):
        """One record a line, none forged, and no octet that moves a cursor."""
        for event in events:
            router.await_records(event)
        octets = router.log.read_bytes()
        self.assertEqual([octet for octet in octets if octet < 0x20 and octet != 0x0a or octet == 0x7f], [])
        lines = octets.decode().split("\n")
        self.assertEqual(lines, octets.decode().splitlines() + [""])  # no other line end
        for line in lines[:-1]:
            keys = [key for key, _ in json.loads(line, object_pairs_hook=list)]
            self.assertEqual(len(keys), len(set(keys)), line)
            self.assertEqual(keys[:3], ["time", "level", "event"])
            self.assertLess(len(line), 4096)
        self.assertEqual(router.records("forged"), [])
        self.assertNotIn("\u202e", octets.decode())

    def say(self, client, line):
        """Raw; a line that breaks the conversation is answered as well."""
        client.socket.sendall(line + b"\r\n")
        return self.answer(client)

    def test_no_command_forges_a_line(self):
        router = self.start_patient()
        for forgery in FORGERIES:
            for command in (b"EHLO %b", b"HELO %b", b"MAIL FROM:<%b@example.org> SMTPUTF8",
                            b'MAIL FROM:<"%b"@example.org> SMTPUTF8', b"MAIL FROM:<x@%b.example.org> SMTPUTF8",
                            b"MAIL FROM:<> ENVID=%b", b"VRFY %b", b"NOOP %b", b"%b", b"AUTH %b", b"BDAT %b",
                            b"GET /%b HTTP/1.1", b"XCLIENT NAME=%b"):
                with self.subTest(command=command, forgery=forgery[:20]):
                    client = self.inbound(router)
                    self.say(client, command.replace(b"%b", forgery))
                    client.close()
        self.assert_sound(router, "session")

    def test_no_address_forges_a_line(self):
        """Of those that may be one: they reach the log in the records of a message and of a refusal."""
        router = self.start_patient()
        quoted = [forgery.decode().replace("\\", "\\\\").replace('"', '\\"')[:60] for forgery in FORGERIES
                  if forgery.decode("utf-8", "ignore").encode() == forgery]
        taken = 0
        for text in quoted:
            client = self.inbound(router)
            answer = self.ask(client, f'MAIL FROM:<"{text}"@example.org> SMTPUTF8')
            if answer.startswith("250"):
                taken += 1
                for recipient in (f'"{text}"@example.org', f'"{text}"@example.com', ALICE):
                    answer = self.ask(client, f"RCPT TO:<{recipient}>")
                self.assertRegex(answer, "^250 ")
                self.assertRegex(self.ask(client, "DATA"), "^354 ")
                self.assertRegex(self.ask(client, "Subject: x\r\n\r\nx\r\n."), "^250 ")
            client.close()
        self.assertGreater(taken, 4)
        self.assert_sound(router, "session", "message", "recipient", "recipient_refused")
        senders = [record["sender"] for record in router.await_records("message", taken)]
        self.assertEqual(len(senders), taken)
        self.assertTrue(all(sender.endswith("@example.org") for sender in senders), senders)

    def test_no_login_forges_a_line(self):
        router = self.start_patient()
        client = self.submission(router)
        for forgery in FORGERIES:
            for name in (forgery, ALICE.encode() + forgery, forgery + b"@example.com"):
                with self.subTest(name=name[:40]):
                    word = base64.b64encode(b"\0" + name + b"\0" + PASSWORD.encode()).decode()
                    self.assertRegex(self.ask(client, f"AUTH PLAIN {word}"), "^(535 5.7.8|501 5.5.2) ")
                    word = base64.b64encode(b"\0" + ALICE.encode() + b"\0" + forgery).decode()
                    self.assertRegex(self.ask(client, f"AUTH PLAIN {word}"), "^(535 5.7.8|501 5.5.2) ")
        client.close()
        self.assert_sound(router, "session")

    def test_no_word_of_a_store_forges_a_line(self):
        router = self.start_patient(timeouts={"command": "1s", "commit": "1s"}, upstream={"loginTimeout": "1s"})
        for forgery in FORGERIES:
            for step, code in (("greeting", 554), ("EHLO", 550), ("MAIL", 451), ("RCPT", 550), ("DATA", 451),
                               ("message", 554), ("message", 250), ("MAIL", 421), ("RCPT", 421)):
                with self.subTest(step=step, code=code, forgery=forgery[:20]):
                    self.store.says = {**USUAL, step: b"%d 5.1.1 " % code + forgery + b"\r\n"}
                    client = self.inbound(router)
                    self.assertRegex(self.send(client, SENDER, ALICE), "^[245][0-9]{2} [245][.][0-9]+[.][0-9]+ [ -~]*$")
                    client.close()
        self.assert_sound(router, "session", "message", "upstream_failure", "recipient_refused")

    def test_a_message_for_many_has_a_line_for_each(self):
        for number in range(100):
            self.users[f"user{number}@example.com"] = self.users[BOB]
        router = self.start_patient()
        client = self.inbound(router)
        self.ask(client, f"MAIL FROM:<{SENDER}>")
        for number in range(100):
            self.assertRegex(self.ask(client, f"RCPT TO:<user{number}@example.com>"), "^250 ")
        self.ask(client, "DATA")
        self.assertRegex(self.ask(client, "Subject: x\r\n\r\nx\r\n."), "^250 ")
        records = router.await_records("recipient", 100)
        self.assertEqual({record["recipient"] for record in records},
                         {f"user{number}@example.com" for number in range(100)})
        self.assertEqual({(record["upstream"], record["relayed"], record["reply"]) for record in records},
                         {(f"127.0.0.1:{self.other_store.port}", False, "250 2.0.0 taken")})
        self.assertEqual(router.await_records("message")[0]["recipients"], 100)
        self.assert_sound(router)


if __name__ == "__main__":
    unittest.main()
