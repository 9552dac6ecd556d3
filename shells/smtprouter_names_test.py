"""smtprouter and names of every make: whom they are taken for."""
import base64
import subprocess
import unicodedata
import unittest

from shells.proxy_test_case import ALICE
from shells.router_test_case import BOB, SENDER, RouterTestCase, plain
from shells.shell_process import PASSWORD, map_entry

BROKEN_UTF8 = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3", b"\xf4\x90\x80\x80", b"a\x80b")
JOERG = "j\u00f6rg@b\u00fccher.example"


def base64_of(*parts):
    return base64.b64encode(b"\0".join(parts)).decode()


def hash_of(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password + b"\n", check=True,
                          capture_output=True).stdout.decode().strip()


class NamesTest(RouterTestCase):
    def start_patient(self, **settings):
        return self.start_with_tls(
            localDomains=["example.com", "xn--bcher-kva.example"], capabilities=["SMTPUTF8", "8BITMIME"],
            limits={"failedLogins": 1000, "badCommands": 1000, "commands": 1000}, **settings)

    def log_in(self, client, user, password):
        return self.ask(client, "AUTH PLAIN " + base64_of(b"", user, password))

    def test_broken_utf8_is_nobodys_name(self):
        router = self.start_patient()
        client = self.submission(router)
        for octets in BROKEN_UTF8:
            for user in (octets, ALICE.encode() + octets, octets + b"@example.com"):
                with self.subTest(user=user):
                    self.assertRegex(self.log_in(client, user, PASSWORD.encode()), "^535 5.7.8 ")
                    self.assertRegex(self.ask(client, "AUTH LOGIN " + base64_of(user)), "^(334|535 5.7.8) ")
                    self.assertRegex(self.ask(client, base64_of(PASSWORD.encode())), "^(535 5.7.8|500 5.5.1) ")
        inbound = self.inbound(router)
        for octets in BROKEN_UTF8:
            for command, answer in ((b"MAIL FROM:<%b@example.org> SMTPUTF8", "501 5.1.7"),
                                    (b'MAIL FROM:<"%b"@example.org> SMTPUTF8', "501 5.1.7"),
                                    (b"MAIL FROM:<x@%b.example.org> SMTPUTF8", "501 5.1.7"),
                                    (b"MAIL FROM:<> SMTPUTF8", "250 2.1.0"),
                                    (b"RCPT TO:<alice%b@example.com>", "501 5.1.3"),
                                    (b"RCPT TO:<alice@example%b.com>", "501 5.1.3"), (b"RSET", "250 2.0.0"),
                                    (b"EHLO x%b", "501 5.5.4"), (b"%b", "500 5.5.1")):
                with self.subTest(command=command, octets=octets):
                    inbound.socket.sendall(command.replace(b"%b", octets) + b"\r\n")
                    self.assertRegex(self.answer(inbound), "^" + answer)
        self.assertEqual(self.store.connections, 0)
        self.delivers(router)

    def test_an_old_password_of_whatever_octets_is_taken_as_it_is(self):
        for octets in (b"\xff\xfe", b"caf\xe9", b"\xc0\x80", "\u00c4".encode()):
            with self.subTest(password=octets):
                self.users[ALICE] = map_entry(self.store, hash_of(octets))
                client = self.submission(self.start_patient())
                for wrong in (octets[:-1], octets + b"x", octets.upper() + b" ", "\u00e4".encode()):
                    self.assertRegex(self.log_in(client, ALICE.encode(), wrong), "^535 5.7.8 ")
                self.assertRegex(self.log_in(client, ALICE.encode(), octets), "^235 ")

    def test_passwords_keep_their_case(self):
        client = self.submission(self.start_patient())
        for password in (PASSWORD.upper(), PASSWORD.capitalize(), PASSWORD + " ", " " + PASSWORD):
            self.assertRegex(self.log_in(client, ALICE.encode(), password.encode()), "^535 5.7.8 ")
        self.assertRegex(self.log_in(client, b"Alice@EXAMPLE.com", PASSWORD.encode()), "^235 ")

    def test_a_message_of_plain_has_two_nuls_and_a_name(self):
        client = self.submission(self.start_patient())
        alice, password = ALICE.encode(), PASSWORD.encode()
        for parts, answer in (((alice,), "501 5.5.2"), ((alice, password), "501 5.5.2"),
                              ((b"", alice, password, b""), "501 5.5.2"), ((b"", alice, password, b"x"), "501 5.5.2"),
                              ((b"", b"", alice, password), "501 5.5.2"), ((b"", b"", password), "535 5.7.8"),
                              ((b"", alice, b""), "535 5.7.8"), ((b"", alice + b"\n", password), "535 5.7.8"),
                              ((b"", b"a" * 256, password), "535 5.7.8"),
                              ((b"a" * 256, alice, password), "535 5.7.8"),
                              ((BOB.encode(), alice, password), "535 5.7.8"), ((b"", alice, password), "235 2.7.0")):
            with self.subTest(parts=parts):
                self.assertRegex(self.ask(client, "AUTH PLAIN " + base64_of(*parts)), "^" + answer)

    def test_nor_is_a_nul_in_a_name_its_end(self):
        client = self.submission(self.start_patient())
        for user, password in ((ALICE + "\0", PASSWORD), (ALICE + "\0x", PASSWORD), (ALICE, PASSWORD + "\0"),
                               ("\0" + ALICE, PASSWORD)):
            self.assertRegex(self.ask(client, "AUTH LOGIN"), "^334 ")
            answer = self.ask(client, base64_of(user.encode()))
            if answer.startswith("334"):
                answer = self.ask(client, base64_of(password.encode()))
            self.assertRegex(answer, "^(535 5.7.8|501 5.5.2) ")

    def test_a_name_is_one_in_each_of_its_spellings(self):
        self.users["j\u00f6rg@xn--bcher-kva.example"] = map_entry(self.other_store)
        router = self.start_patient()
        decomposed = unicodedata.normalize("NFD", JOERG)
        self.assertNotEqual(decomposed, JOERG)
        spellings = (JOERG, decomposed, "j\u00f6rg@xn--bcher-kva.example", "j\u00f6rg@B\u00dcCHER.example",
                     "j\u00f6rg@XN--BCHER-KVA.Example")
        for name in spellings:
            with self.subTest(name=name):
                client = self.submission(router)
                self.assertRegex(self.ask(client, f"AUTH PLAIN {plain(name)}"), "^235 ")
                for sender in spellings:
                    self.assertRegex(self.ask(client, f"MAIL FROM:<{sender}> SMTPUTF8"), "^250 ", sender)
                    self.ask(client, "RSET")
                self.assertRegex(self.send(self.inbound(router), SENDER, name, parameters=" SMTPUTF8"), "^250 ")
        self.assertEqual((len(self.other_store.messages), self.store.messages), (len(spellings), []))


if __name__ == "__main__":
    unittest.main()
