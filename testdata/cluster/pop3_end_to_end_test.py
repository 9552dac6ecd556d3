"""pop3proxy between real clients and real Dovecot stores."""
import base64
import poplib
import smtplib
import socket
import ssl
import subprocess
import unittest

from testdata.cluster.cluster import HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Cluster

ALICE, BOB = "alice@example.com", "bob@example.com"


def plain(user):
    return base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()


class Pop3EndToEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        first, second = cls.cluster.start_stores(2, extra=("", "protocol pop3 {\n  pop3_lock_session = yes\n}\n"))
        cls.settings = cls.cluster.local_settings({
            ALICE: {"host": f"{HOST}:{first.pop3}"}, BOB: {"host": f"{HOST}:{second.pop3}"}})
        cls.proxy = cls.cluster.start_proxy("pop3proxy", cls.settings)
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)

    def log_in(self, client, user=ALICE, password=PASSWORD):
        client.user(user)
        client.pass_(password)
        return client

    def test_reaches_each_users_own_store(self):
        for user, store in ((ALICE, 0), (BOB, 1)):
            client = self.log_in(poplib.POP3(HOST, self.proxy.port), user)
            self.assertEqual(client.stat(), (0, 0))
            client.quit()
            self.cluster.stores[store].await_log(f"Login: user=<{user}>")
            self.assertNotIn(f"Login: user=<{user}>", self.cluster.stores[1 - store].dovecot_log())

    def test_serves_start_tls_and_implicit_tls(self):
        client = poplib.POP3(HOST, self.proxy.port)
        self.assertIn("STLS", client.capa())
        client.stls(self.trust)
        self.assertNotIn("STLS", client.capa())
        self.log_in(client).quit()
        self.log_in(poplib.POP3_SSL(HOST, self.proxy.listeners[1], context=self.trust)).quit()

    def test_refuses_wrong_passwords_and_unknown_users_alike(self):
        answers = set()
        for user, password in ((ALICE, "wrong"), ("nobody@example.com", PASSWORD)):
            with self.assertRaises(poplib.error_proto) as refused:
                self.log_in(poplib.POP3(HOST, self.proxy.port), user, password)
            answers.add(str(refused.exception))
        self.assertEqual(len(answers), 1, answers)
        self.assertIn("[AUTH]", answers.pop())

    def each_way(self):
        """How a client comes: its port, and whether it is to ask for STLS."""
        return (("plaintext", self.proxy.port, False), ("STLS", self.proxy.port, True),
                ("implicit TLS", self.proxy.listeners[1], False))

    def test_serves_poplib(self):
        for way, port, stls in self.each_way():
            with self.subTest(way):
                client = (poplib.POP3_SSL(HOST, port, context=self.trust) if way == "implicit TLS"
                          else poplib.POP3(HOST, port))
                if stls:
                    client.stls(self.trust)
                self.assertEqual(self.log_in(client).list()[1], [])
                client.quit()

    def test_serves_curl(self):
        for way, port, stls in self.each_way():
            with self.subTest(way):
                scheme = "pop3s" if way == "implicit TLS" else "pop3"
                curl = subprocess.run(
                    ["curl", "-sS", "--cacert", self.cluster.certificates.ca, *["--ssl-reqd"] * stls,
                     "--max-time", "20", "-u", f"{ALICE}:{PASSWORD}", f"{scheme}://{HOST}:{port}/"],
                    capture_output=True)
                self.assertEqual(curl.returncode, 0, curl.stderr)

    def test_serves_fetchmail(self):
        control = self.cluster.folder / "fetchmailrc"
        tls = f"sslcertck sslcertfile {self.cluster.certificates.ca}"
        options = {"plaintext": 'sslproto ""', "STLS": f"sslproto TLS1+ {tls}", "implicit TLS": f"ssl {tls}"}
        for way, port, _ in self.each_way():
            with self.subTest(way):
                control.write_text(
                    f'poll localhost proto POP3 port {port}\n user "{ALICE}" pass "{PASSWORD}" '
                    f'{options[way]} mda "/bin/cat"\n')
                control.chmod(0o600)
                fetchmail = subprocess.run(
                    ["fetchmail", "-f", control, "--check", "--pidfile", self.cluster.folder / "fetchmail.pid"],
                    capture_output=True, text=True, timeout=30,
                    env={"HOME": str(self.cluster.folder), "PATH": "/usr/bin:/bin"})
                self.assertEqual(fetchmail.returncode, 1, fetchmail.stdout + fetchmail.stderr)  # 1: no mail

    def test_serves_getmail(self):
        """Without TLS and with it from the start; it knows no STLS."""
        folder = self.cluster.folder / "getmail"
        folder.mkdir()
        control, fetched = folder / "getmailrc", folder / "message"
        for way, port, kind, tls in (
                ("plaintext", self.proxy.port, "SimplePOP3Retriever", ""),
                ("implicit TLS", self.proxy.listeners[1], "SimplePOP3SSLRetriever",
                 f"ca_certs = {self.cluster.certificates.ca}\n")):
            with self.subTest(way):
                with smtplib.LMTP(HOST, self.cluster.stores[0].lmtp) as lmtp:
                    lmtp.sendmail("sender@example.org", [ALICE], f"Subject: By {way}\r\n\r\nHello\r\n")
                control.write_text(
                    f"[retriever]\ntype = {kind}\nserver = localhost\nport = {port}\nusername = {ALICE}\n"
                    f"password = {PASSWORD}\n{tls}[destination]\ntype = MDA_external\npath = /bin/sh\n"
                    f'arguments = ("-c", "cat > {fetched}")\nallow_root_commands = true\n'
                    "[options]\ndelete = true\n")
                control.chmod(0o600)
                getmail = subprocess.run(["getmail", "--getmaildir", folder, "--rcfile", control],
                                         capture_output=True, text=True, timeout=60)
                self.assertEqual(getmail.returncode, 0, getmail.stdout + getmail.stderr)
                self.assertIn(f"Subject: By {way}\n", fetched.read_text())

    def test_says_in_use_while_the_store_holds_the_mailbox_for_somebody_else(self):
        holder = self.log_in(poplib.POP3(HOST, self.proxy.port), BOB)
        with self.assertRaises(poplib.error_proto) as refused:
            self.log_in(poplib.POP3(HOST, self.proxy.port), BOB)
        self.assertIn("-ERR [IN-USE]", str(refused.exception))
        holder.quit()
        self.log_in(poplib.POP3(HOST, self.proxy.port), BOB).quit()

    def test_commands_behind_the_password_reach_the_store_in_order(self):
        for user, store in ((ALICE, 0), (BOB, 1)):
            with smtplib.LMTP(HOST, self.cluster.stores[store].lmtp) as lmtp:
                lmtp.sendmail("sender@example.org", [user], f"Subject: For {user}\r\n\r\nHello\r\n")
            for login in (f"USER {user}\r\nPASS {PASSWORD}", f"AUTH PLAIN {plain(user)}"):
                with socket.create_connection((HOST, self.proxy.port), 20) as client:
                    client.sendall(f"{login}\r\nSTAT\r\nTOP 1 0\r\nNOOP\r\nQUIT\r\n".encode())
                    answers = client.makefile("rb").read().decode()
                self.assertRegex(
                    answers, r"(?s)\A\+OK[^\n]*ready\.\r\n(\+OK[^\n]*\n){1,2}\+OK 1 \d+\r\n\+OK\r\n.*"
                             rf"Subject: For {user}\r\n\r\n\.\r\n\+OK\r\n\+OK Logging out\.\r\n\Z")
            with socket.create_connection((HOST, self.proxy.port), 20) as client:
                client.sendall(f"USER {user}\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n".encode())
                client.makefile("rb").read()

    def test_says_temporary_when_a_store_is_down_and_recovers(self):
        store = self.cluster.stores[1]
        store.stop()
        try:
            with self.assertRaises(poplib.error_proto) as refused:
                self.log_in(poplib.POP3(HOST, self.proxy.port), BOB)
            self.assertIn("[SYS/TEMP]", str(refused.exception))
        finally:
            store.start()
        self.log_in(poplib.POP3(HOST, self.proxy.port), BOB).quit()

    def test_logs_in_as_master_user(self):
        secret = self.cluster.folder / "master.secret"
        secret.write_text(MASTER_PASSWORD)
        secret.chmod(0o600)
        proxy = self.cluster.start_proxy("pop3proxy", {
            **self.settings,
            "upstream": {"login": {"method": "masterUser", "user": MASTER_USER, "passwordFile": str(secret)}},
        }, label="pop3-master")
        self.log_in(poplib.POP3(HOST, proxy.port)).quit()

    def test_keeps_passwords_out_of_its_log(self):
        self.log_in(poplib.POP3(HOST, self.proxy.port)).quit()
        with self.assertRaises(poplib.error_proto):
            self.log_in(poplib.POP3(HOST, self.proxy.port), PASSWORD, ALICE)
        self.assertTrue(self.proxy.records())
        self.assertNotIn(PASSWORD, self.proxy.text())


if __name__ == "__main__":
    unittest.main()
