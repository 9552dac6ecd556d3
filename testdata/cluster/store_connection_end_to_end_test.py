"""How the proxies reach real Dovecot stores: TLS of both kinds, and the client's address with it."""
import base64
import socket
import ssl
import struct
import time
import unittest

from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port, store_listener
from testdata.cluster.sasl_clients import SECONDS, ImapClient, Pop3Client, SieveClient

ALICE, BOB = "alice@example.com", "bob@example.com"
CLIENTS = (ImapClient, Pop3Client, SieveClient)
DOVECOT_NAMES = {ImapClient: "imap", Pop3Client: "pop3", SieveClient: "managesieve"}
REFUSALS = {ImapClient: "a NO [UNAVAILABLE]", Pop3Client: "-ERR [SYS/TEMP]", SieveClient: "NO (TRYLATER)"}
GOOD_BYES = {ImapClient: "z LOGOUT", Pop3Client: "QUIT", SieveClient: "LOGOUT"}
WAYS = [(client, tls) for client in CLIENTS for tls in ("none", "startTls", "implicit")]
BALANCED = b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 110\r\n"
BALANCED_V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.77") +
               socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 110))


def plain(user):
    return base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()


class StoreConnectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        # The log then tells local_name, which Dovecot 2.3 loses in a login process that has served before.
        settings = "auth_debug = yes\n" + "".join(
            f"service {name}-login {{\n  service_count = 1\n}}\n" for name in ("imap", "pop3"))
        cls.ports, cls.haproxy_ports = {}, {}
        for client in CLIENTS:
            for tls in ("plain", "implicit"):
                for proxied, ports in ((False, cls.ports), (True, cls.haproxy_ports)):
                    port = ports[client, tls] = free_port()
                    flags = ["ssl"] * (tls == "implicit") + ["haproxy"] * proxied
                    settings += store_listener(
                        DOVECOT_NAMES[client], "_".join(["test", tls, *flags]), port, *flags)
        cls.store, = cls.cluster.start_stores(1, extra=[settings])
        cls.trust = ssl.create_default_context(cafile=cls.cluster.certificates.ca)

    def start_proxy(self, client, label, tls, ports, trust=True, **upstream):
        port = ports[client, "implicit" if tls == "implicit" else "plain"]
        upstream |= {"tls": tls}
        if trust:
            upstream["caFile"] = str(self.cluster.certificates.ca)
        balanced = {"address": HOST, "proxyProtocolFrom": ["127.0.0.0/8"]}
        label = f"{client.SERVICE}-{label}-{tls}"
        return self.cluster.start_proxy(f"{client.SERVICE}proxy", {
            **self.cluster.local_settings({ALICE: {"host": f"{HOST}:{port}"}}, f"{label}-users"),
            "allowPlaintextLogin": "always", "upstream": upstream,
        }, [{**balanced, "port": free_port(), "tls": "none"},
            {**balanced, "port": free_port(), "tls": "implicit"}], label)

    def log_in(self, client, proxy, secure=False, before=BALANCED):
        connected = client(proxy.listeners[secure], self.trust if secure else None, before=before)
        self.addCleanup(connected.close)
        return connected, connected.authenticate("PLAIN", plain(ALICE))

    def session_of(self, connected, proxy, client, count=1):
        """Ends it, the proxy's session number `count`, and gives the proxy's own name of it."""
        connected.ask(GOOD_BYES[client])
        connected.close()
        deadline = time.monotonic() + SECONDS
        while len(found := [record for record in proxy.records() if record.get("user") == ALICE]) < count:
            self.assertLess(time.monotonic(), deadline, proxy.text())
            time.sleep(0.05)
        return found[-1]["session"]

    def await_login(self, client, pattern):
        self.store.await_log(f"{DOVECOT_NAMES[client]}-login: Info: Login: user=<{ALICE}>[^\n]*{pattern}")

    def test_logs_in_through_tls_and_tells_address_and_session_by_id_or_xclient(self):
        for client, tls in WAYS:
            with self.subTest(client.SERVICE, tls=tls):
                proxy = self.start_proxy(client, "protocol", tls, self.ports, forwardClient="protocol")
                for count, (secure, before) in enumerate(((False, BALANCED), (True, BALANCED_V2)), 1):
                    connected, answer = self.log_in(client, proxy, secure, before)
                    self.assertTrue(answer.accepted, answer)
                    session = self.session_of(connected, proxy, client, count)
                    encrypted = "secured" if tls == "none" else "TLS"
                    self.await_login(client, rf", rip=192\.0\.2\.77, [^\n]*{encrypted}, session=<{session}>")

    def test_tells_address_tls_and_server_name_by_proxy_header(self):
        for client, tls in WAYS:
            with self.subTest(client.SERVICE, tls=tls):
                proxy = self.start_proxy(client, "proxy", tls, self.haproxy_ports, forwardClient="proxyV2")
                for secure in (False, True):
                    _, answer = self.log_in(client, proxy, secure)
                    self.assertTrue(answer.accepted, answer)
                    said = "TLS, " if tls != "none" else "secured, " if secure else ""
                    self.await_login(client, rf", rip=192\.0\.2\.77, lip=192\.0\.2\.1, mpid=\d+, {said}session=")
                # What the client asked for; TLS of the proxy's own hides it from Dovecot.
                if tls == "none":
                    self.store.await_log(rf"client in: AUTH\t\d+\tPLAIN\tservice={client.SERVICE}\tsecured=tls\t"
                                         rf"[^\n]*\trip=192\.0\.2\.77\t[^\n]*local_name=localhost\t")

    def test_sends_no_password_to_a_store_of_unknown_authority(self):
        for client, tls in WAYS:
            if tls == "none":
                continue
            with self.subTest(client.SERVICE, tls=tls):
                proxy = self.start_proxy(client, "stranger", tls, self.ports, trust=False)
                logins = self.store.dovecot_log().count("Login: user=")
                _, answer = self.log_in(client, proxy)
                self.assertFalse(answer.accepted)
                self.assertTrue(answer.text.startswith(REFUSALS[client]), answer)
                self.assertEqual(self.store.dovecot_log().count("Login: user="), logins)
                failure, = proxy.records("upstream_failure")
                self.assertEqual(failure["kind"], "tls", failure)


class EachStoreInItsOwnWayTest(unittest.TestCase):
    """Of two stores the second takes nobody without a PROXY header."""

    def test_tells_each_store_the_clients_address_in_its_own_way(self):
        cluster = Cluster()
        self.addCleanup(cluster.__exit__)
        hosts = "127.0.0.2", "127.0.0.3"
        headed = {client: free_port() for client in DOVECOT_NAMES}
        by_protocol, by_header = cluster.start_stores(2, hosts=hosts, extra=("", "".join(
            store_listener(DOVECOT_NAMES[client], "headed", port, "haproxy", host=hosts[1])
            for client, port in headed.items())))
        for client, name in DOVECOT_NAMES.items():
            with self.subTest(client.SERVICE):
                settings = cluster.local_settings(
                    {ALICE: {"host": f"{hosts[0]}:{getattr(by_protocol, client.SERVICE)}"},
                     BOB: {"host": f"{hosts[1]}:{headed[client]}"}}, f"{client.SERVICE}-users")
                settings["mapping"] |= {"mappingHost": hosts[1], "mappingPort": headed[client]}
                proxy = cluster.start_proxy(f"{client.SERVICE}proxy", {
                    **settings, "allowPlaintextLogin": "always",
                    "upstream": {"forwardClient": "protocol",
                                 "hosts": [{"host": hosts[1], "forwardClient": "proxyV2"}]},
                }, [{"address": HOST, "port": free_port(), "tls": "none", "proxyProtocolFrom": ["127.0.0.0/8"]}])
                for user, store in ((ALICE, by_protocol), (BOB, by_header)):
                    connected = client(proxy.port, before=BALANCED)
                    self.addCleanup(connected.close)
                    answer = connected.authenticate("PLAIN", plain(user))
                    self.assertTrue(answer.accepted, answer)
                    store.await_log(rf"{name}-login: Info: Login: user=<{user}>[^\n]*, rip=192\.0\.2\.77,")
                # So was the store asked what it can do.
                proxy.await_records("capabilities_learned")
                self.assertFalse(proxy.records("capability_probe_failed"))


if __name__ == "__main__":
    unittest.main()
