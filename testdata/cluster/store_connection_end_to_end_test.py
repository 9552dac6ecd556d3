"""How pop3proxy and sieveproxy reach real Dovecot stores: TLS of both kinds, and the client's address with it."""
import base64
import ssl
import time
import unittest

from testdata.cluster.cluster import HOST, PASSWORD, Cluster, free_port
from testdata.cluster.sasl_clients import SECONDS, Pop3Client, SieveClient

ALICE = "alice@example.com"
CLIENTS = (Pop3Client, SieveClient)
DOVECOT_NAMES = {Pop3Client: "pop3", SieveClient: "managesieve"}
REFUSALS = {Pop3Client: "-ERR [SYS/TEMP]", SieveClient: "NO (TRYLATER)"}
WAYS = [(client, tls) for client in CLIENTS for tls in ("none", "startTls", "implicit")]
BALANCED = b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 110\r\n"


def store_listener(service, name, port, *flags):
    settings = "".join(f"    {flag} = yes\n" for flag in flags)
    return (f"service {service}-login {{\n  inet_listener {name} {{\n    address = {HOST}\n"
            f"    port = {port}\n{settings}  }}\n}}\n")


class StoreConnectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)
        # The log then tells local_name, which Dovecot 2.3 loses in a login process that has served before.
        settings = "auth_debug = yes\nservice pop3-login {\n  service_count = 1\n}\n"
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

    def log_in(self, client, proxy, secure=False):
        connected = client(proxy.listeners[secure], self.trust if secure else None, before=BALANCED)
        self.addCleanup(connected.close)
        token = base64.b64encode(f"\0{ALICE}\0{PASSWORD}".encode()).decode()
        return connected, connected.authenticate("PLAIN", token)

    def session_of(self, connected, proxy, client):
        """Ends it, and gives the proxy's own name of the session."""
        connected.ask("QUIT" if client is Pop3Client else "LOGOUT")
        connected.close()
        deadline = time.monotonic() + SECONDS
        while not (found := [record for record in proxy.records() if record.get("user") == ALICE]):
            self.assertLess(time.monotonic(), deadline, proxy.text())
            time.sleep(0.05)
        return found[-1]["session"]

    def await_login(self, client, pattern):
        self.store.await_log(f"{DOVECOT_NAMES[client]}-login: Info: Login: user=<{ALICE}>[^\n]*{pattern}")

    def test_logs_in_through_tls_and_tells_address_and_session_by_xclient(self):
        for client, tls in WAYS:
            with self.subTest(client.SERVICE, tls=tls):
                proxy = self.start_proxy(client, "xclient", tls, self.ports, forwardClient="protocol")
                connected, answer = self.log_in(client, proxy)
                self.assertTrue(answer.accepted, answer)
                session = self.session_of(connected, proxy, client)
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


if __name__ == "__main__":
    unittest.main()
