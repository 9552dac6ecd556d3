"""Real servers and real clients on loopback, and what goes where between them.

usage: demo [--once] [--free_ports]
  --once        ends after the walk; status 0 only if every step worked
  --free_ports  any ports instead of the README's
"""
import argparse
import base64
import collections
import contextlib
import imaplib
import poplib
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

from testdata.cluster.cluster import HOST, MASTER_PASSWORD, MASTER_USER, PASSWORD, Cluster, free_port, store_listener
from testdata.cluster.oauth import Issuer, oauthbearer, xoauth2
from testdata.cluster.postfix import Postfix
from testdata.cluster.sasl_clients import CLIENTS, ImapClient, Pop3Client, SieveClient

ALICE, BOB = "alice@example.com", "bob@example.com"
CAROL = "carol@example.net"  # elsewhere: behind the relay
SENDER = "sender@example.org"
STORE_HOSTS = ("127.0.0.2", "127.0.0.3")
CLIENT_HOST = "127.0.0.9"  # of a client whom the stores are to know
HOMES = {ALICE: 0, BOB: 1}
SECONDS = 20
# As the README has them: with STARTTLS, with TLS from the first byte, and behind
# a balancer; of smtprouter: for other servers, and for users.
PORTS = {"imapproxy": (1143, 1993, 1144), "pop3proxy": (1110, 1995, 1111), "sieveproxy": (14190, 14191, 14192),
         "smtprouter": (1025, 1587)}
DOVECOT_NAMES = {ImapClient: "imap", Pop3Client: "pop3", SieveClient: "managesieve"}
BALANCED_HOST = "192.0.2.77"  # whom the balancer says it has accepted
BALANCED = f"PROXY TCP4 {BALANCED_HOST} 192.0.2.1 4711 143\r\n".encode()
STORE_PORT = {"imapproxy": "imap", "pop3proxy": "pop3", "sieveproxy": "sieve",
              "smtprouter": "lmtp"}
FOR_BOTH = "For alice and bob."
SCRIPT = 'require ["fileinto"];\nif header :contains "subject" "report" { fileinto "Reports"; }\n'


class StepFailed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise StepFailed(what)


def message(text, sender=SENDER):
    return f"From: {sender}\r\nSubject: Hello\r\n\r\n{text}\r\n"


class Demo:
    def __init__(self, cluster, ports):
        self.cluster, self.ports = cluster, ports
        self.proxies = {}
        self.seen = collections.Counter()  # logins, by protocol and user
        self.trust = ssl.create_default_context(cafile=cluster.certificates.ca)

    def start(self):
        self.cluster.start_directory()
        self.issuer = Issuer(self.cluster.folder)
        headed_port = free_port()  # where a store takes nobody without a PROXY header
        stores = self.cluster.start_stores(2, hosts=STORE_HOSTS, extra=[
            self.issuer.dovecot_settings() +
            store_listener("managesieve", "headed", headed_port, "haproxy", host=host) for host in STORE_HOSTS])
        for user, home in HOMES.items():
            self.cluster.add_user(user, STORE_HOSTS[home])
        self.relay = self.cluster.start_server(Postfix(self.cluster, "relay", mailboxes=[CAROL], routes={
            user: (STORE_HOSTS[home], stores[home].lmtp) for user, home in HOMES.items()}))
        for name, ports in self.ports.items():
            router = name == "smtprouter"
            kinds = (({"tls": "startTls", "role": "inbound"}, {"tls": "startTls", "role": "submission"})
                     if router else ({"tls": "startTls"}, {"tls": "implicit"},
                                     {"tls": "startTls", "proxyProtocolFrom": [f"{HOST}/32"]}))
            upstream = {"port": getattr(stores[0], STORE_PORT[name]), "tls": "startTls",
                        "caFile": str(self.cluster.certificates.ca)}
            self.proxies[name] = self.cluster.start_proxy(name, {
                **self.cluster.ldap_settings(),
                "capabilityInterval": "1s",  # so that the walk needn't wait
                **(self.router_settings(upstream) if router else
                   self.certificate_settings({**upstream, "port": headed_port}) if name == "sieveproxy" else
                   {"oauth": True, "upstream": {**upstream, "forwardClient": "protocol"}}),
            }, [{"address": HOST, "port": port, **kind} for port, kind in zip(ports, kinds)])

    def certificate_settings(self, upstream):
        """Clients' certificates are taken; a master user then opens the mailbox."""
        secret = self.cluster.folder / "master.secret"
        secret.write_text(MASTER_PASSWORD + "\n")
        secret.chmod(0o600)
        return {
            "external": True,
            "tls": {"certificates": [{"certificate": str(self.cluster.certificate),
                                      "privateKey": str(self.cluster.key)}],
                    "clientCaFile": str(self.cluster.certificates.ca)},
            "upstream": {**upstream, "forwardClient": "proxyV2", "login": {
                "method": "masterUser", "user": MASTER_USER, "passwordFile": str(secret)}}}

    def router_settings(self, upstream):
        relay = {"host": HOST, "port": self.relay.port}
        return {"upstream": {"protocol": "lmtp", **upstream}, "localDomains": ["example.com"],
                "fallbackRelay": relay, "relayHost": relay, "spoolFolder": str(self.cluster.folder)}

    # --- Clients ---

    def imap(self, user, password=PASSWORD, start_tls=False, implicit=False):
        plain, secure, _ = self.ports["imapproxy"]
        if implicit:
            client = imaplib.IMAP4_SSL(HOST, secure, ssl_context=self.trust, timeout=SECONDS)
        else:
            client = imaplib.IMAP4(HOST, plain, SECONDS)
        if start_tls:
            client.starttls(self.trust)
        try:
            client.login(user, password)
        except imaplib.IMAP4.error as refused:
            client.shutdown()
            return str(refused)
        return client

    def pop3(self, user, password=PASSWORD, implicit=False):
        plain, secure, _ = self.ports["pop3proxy"]
        if implicit:
            client = poplib.POP3_SSL(HOST, secure, timeout=SECONDS, context=self.trust)
        else:
            client = poplib.POP3(HOST, plain, SECONDS)
            client.stls(self.trust)
        client.user(user)
        client.pass_(password)
        return client

    def sieve(self, command, user=ALICE, password=PASSWORD):
        with tempfile.TemporaryFile() as file:
            file.write(password.encode())
            file.seek(0)
            return subprocess.run(
                ["sieve-connect", "--server", "localhost", "--port", str(self.ports["sieveproxy"][0]),
                 "--4", "--user", user, "--passwordfd", str(file.fileno()),
                 "--tlscafile", str(self.cluster.certificates.ca), *command],
                pass_fds=[file.fileno()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=SECONDS)

    def smtp(self):
        """As another server comes."""
        return smtplib.SMTP(HOST, self.ports["smtprouter"][0], timeout=SECONDS)

    def submission(self, user=None):
        client = smtplib.SMTP(HOST, self.ports["smtprouter"][1], timeout=SECONDS)
        client.starttls(context=self.trust)
        if user:
            client.login(user, PASSWORD)
        return client

    # --- What the stores saw ---

    def logins(self, store, protocol, user):
        return self.cluster.stores[store].dovecot_log().count(
            f"{protocol}-login: Info: Login: user=<{user}>")

    def came(self, protocol, user):
        """The user's own store has logged one login more, and the other one none at all."""
        home = HOMES[user]
        deadline = time.monotonic() + SECONDS  # Dovecot's log comes a moment later
        while self.logins(home, protocol, user) <= self.seen[protocol, user]:
            check(time.monotonic() < deadline, f"store {home + 1} has not seen {user}")
            time.sleep(0.02)
        self.seen[protocol, user] = self.logins(home, protocol, user)
        check(self.logins(1 - home, protocol, user) == 0, f"{user} came to the wrong store")
        return f"{user.split('@')[0]} -> store {home + 1} ({STORE_HOSTS[home]})"

    def read_by_imap(self, user, number=1, text=None, **how):
        client = self.imap(user, **how)
        check(not isinstance(client, str), client)
        with client:
            client.select("INBOX")
            _, parts = client.fetch(str(number), "(BODY.PEEK[])")
        check(parts[0] and (text or f"For {user} only.").encode() in parts[0][1],
              f"not {user}'s message: {parts!r}")
        return self.came("imap", user)

    def read_by_pop3(self, user, number=1, text=None, **how):
        client = self.pop3(user, **how)
        _, lines, _ = client.retr(number)
        client.quit()
        check((text or f"For {user} only.").encode() in lines, f"not {user}'s message: {lines!r}")
        return self.came("pop3", user)

    # --- Steps: each tells what went where, or raises ---

    def smtp_routes(self):
        with self.smtp() as client:
            for user in HOMES:
                client.sendmail(SENDER, [user], message(f"For {user} only."))
        return "one message for each user, by one connection"

    def smtp_fans_out(self):
        with self.smtp() as client:
            refused = client.sendmail(SENDER, list(HOMES), message(FOR_BOTH))
        check(not refused, str(refused))
        for user in HOMES:
            self.read_by_imap(user, 2, FOR_BOTH)
        return "in one transaction, and read back: " + "; ".join(
            self.read_by_pop3(user, 2, FOR_BOTH) for user in HOMES)

    def smtp_submission(self):
        text = f"From {ALICE}."
        with self.submission(ALICE) as client:
            client.sendmail(ALICE, [BOB, CAROL], message(text, ALICE))
        told = self.read_by_imap(BOB, 3, text)
        deadline = time.monotonic() + SECONDS
        while not (arrived := self.relay.messages(CAROL)):
            check(time.monotonic() < deadline, "the relay has nothing")
            time.sleep(0.05)
        check(text.encode() in arrived[0], str(arrived))
        return f"alice logs in and writes: {told}; carol -> relay"

    def smtp_refusal(self):
        with self.smtp() as stranger, self.submission() as nobody, self.submission(ALICE) as alice:
            heard = [self.refusal(stranger, SENDER, CAROL, 554), self.refusal(stranger, SENDER, "x@example.com", 550),
                     self.refusal(nobody, ALICE, BOB, 530), self.refusal(alice, BOB, CAROL, 553)]
        return "; ".join(heard)

    def refusal(self, client, sender, recipient, code):
        """What is heard to MAIL or RCPT."""
        client.ehlo_or_helo_if_needed()
        answer = client.mail(sender)
        if answer[0] == 250:
            answer = client.rcpt(recipient)
        client.rset()
        check(answer[0] == code, f"{sender} to {recipient}: {answer}")
        return f"{code} {answer[1].decode()}"

    def smtp_store_down(self):
        with self.smtp() as client:
            refused = client.sendmail(SENDER, list(HOMES), message("While store 2 is stopped."))
        check(list(refused) == [BOB] and 400 <= refused[BOB][0] < 500, str(refused))
        code, text = refused[BOB]
        return f"bob's sender hears {code} {text.decode()}; " + self.read_by_imap(
            ALICE, 3, "While store 2 is stopped.")

    def imap_routes(self):
        return "; ".join(self.read_by_imap(user) for user in HOMES)

    def imap_start_tls(self):
        return "; ".join(self.read_by_imap(user, start_tls=True) for user in HOMES)

    def imap_implicit_tls(self):
        return "; ".join(self.read_by_imap(user, implicit=True) for user in HOMES)

    def curl(self, protocol, page, *options):
        """What bob reads there with TLS from the first byte."""
        curl = subprocess.run(
            ["curl", "-sS", "--cacert", str(self.cluster.certificates.ca), "--max-time", str(SECONDS), *options,
             "-u", f"{BOB}:{PASSWORD}", f"{protocol}s://{HOST}:{self.ports[protocol + 'proxy'][1]}/{page}"],
            capture_output=True, text=True)
        check(f"For {BOB} only" in curl.stdout, curl.stderr)
        return self.came(protocol, BOB)

    def imap_curl(self):
        return self.curl("imap", "INBOX;MAILINDEX=1")

    def client_address(self):
        for protocol, page in (("imap", "INBOX;MAILINDEX=1"), ("pop3", "1")):
            self.curl(protocol, page, "--interface", CLIENT_HOST)
            self.cluster.stores[HOMES[BOB]].await_log(
                rf"{protocol}-login: Info: Login: user=<{BOB}>[^\n]*, rip={CLIENT_HOST},")
        return f"store {HOMES[BOB] + 1} saw bob come from {CLIENT_HOST} by IMAP and POP3"

    def behind_a_balancer(self):
        for client in CLIENTS:
            connected = client(self.ports[f"{client.SERVICE}proxy"][2], before=BALANCED)
            connected.start_tls(self.trust)
            self.authenticate(connected, "PLAIN", base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode())
            self.cluster.stores[HOMES[BOB]].await_log(
                rf"{DOVECOT_NAMES[client]}-login: Info: Login: user=<{BOB}>[^\n]*, rip={BALANCED_HOST},")
        return (f"store {HOMES[BOB] + 1} saw bob come from {BALANCED_HOST}: by IMAP ID, by POP3 XCLIENT, "
                "and by a PROXY header before ManageSieve")

    def authenticate(self, connected, mechanism, message):
        answer = connected.authenticate(mechanism, message)
        connected.close()
        check(answer.accepted, f"{connected.SERVICE}: {answer}")

    def tokens(self):
        token, came = self.issuer.token(ALICE), []
        for client, mechanism, written in ((ImapClient, "OAUTHBEARER", oauthbearer), (Pop3Client, "XOAUTH2", xoauth2)):
            connected = client(self.ports[f"{client.SERVICE}proxy"][0])
            connected.start_tls(self.trust)
            self.authenticate(connected, mechanism, written(ALICE, token))
            self.cluster.stores[HOMES[ALICE]].await_log(
                f"{DOVECOT_NAMES[client]}-login: Info: Login: user=<{ALICE}>, method={mechanism},")
            came.append(f"{mechanism}: " + self.came(DOVECOT_NAMES[client], ALICE))
        refused = ImapClient(self.ports["imapproxy"][0])
        answer = refused.authenticate("OAUTHBEARER", oauthbearer(ALICE, self.issuer.token(BOB)))
        refused.close()
        check(not answer.accepted and "invalid_token" in answer.challenge, str(answer))
        return "; ".join([*came, "with bob's token alice hears " + answer.challenge])

    def old_clients(self):
        client = imaplib.IMAP4_SSL(HOST, self.ports["imapproxy"][1], ssl_context=self.trust, timeout=SECONDS)
        asked = []

        def respond(challenge):
            asked.append(challenge.decode())
            return (ALICE, PASSWORD)[len(asked) - 1]

        client.authenticate("LOGIN", respond)
        client.logout()
        return f"AUTH=LOGIN asked {asked[0]!r} and {asked[1]!r}; " + self.came("imap", ALICE)

    def client_certificate(self):
        trust = ssl.create_default_context(cafile=self.cluster.certificates.ca)
        trust.load_cert_chain(*self.cluster.certificates.make("alice", f"email:{ALICE}"))
        client = SieveClient(self.ports["sieveproxy"][1], trust)
        self.authenticate(client, "EXTERNAL", "")
        return "EXTERNAL, without a password: " + self.came("managesieve", ALICE)

    def imap_refusal(self):
        wrong, unknown = self.imap(ALICE, "wrong"), self.imap("nobody@example.com")
        check(wrong == unknown and "[AUTHENTICATIONFAILED]" in wrong, f"{wrong!r} and {unknown!r}")
        return "a wrong password and an unknown user hear the same: " + wrong.strip("b'")

    def imap_store_down(self):
        self.cluster.stores[1].stop()
        refused = self.imap(BOB)
        check(isinstance(refused, str) and "[UNAVAILABLE]" in refused, f"bob heard {refused!r}")
        return f"bob hears {refused.strip(chr(39) + 'b')}; " + self.read_by_imap(ALICE)

    def imap_store_back(self):
        self.cluster.stores[1].start()
        return self.read_by_imap(BOB)

    def pop3_start_tls(self):
        return "; ".join(self.read_by_pop3(user) for user in HOMES)

    def pop3_implicit_tls(self):
        return "; ".join(self.read_by_pop3(user, implicit=True) for user in HOMES)

    def pop3_refusal(self):
        try:
            self.pop3(ALICE, "wrong")
        except poplib.error_proto as refused:
            check("[AUTH]" in str(refused), str(refused))
            return str(refused).strip("b'")
        raise StepFailed("a wrong password was accepted")

    def learned(self, name, word):
        """What the proxy found that every store it met offers: nobody has configured it."""
        deadline = time.monotonic() + SECONDS
        while not (records := self.proxies[name].records("capabilities_learned")):
            check(time.monotonic() < deadline, f"{name} has asked no store")
            time.sleep(0.1)
        check(word in records[-1]["capabilities"].split(), str(records[-1]))

    def pop3_learned(self):
        self.learned("pop3proxy", "UIDL")
        client = poplib.POP3(HOST, self.ports["pop3proxy"][0], SECONDS)
        announced = client.capa()
        client.quit()
        check({"UIDL", "STLS"} <= announced.keys(), str(announced))
        return "CAPA: " + ", ".join(" ".join([name, *words]) for name, words in announced.items())

    def sieve_learned(self):
        self.learned("sieveproxy", "SIEVE")
        client = SieveClient(self.ports["sieveproxy"][0])
        extensions = client.capabilities()["SIEVE"]
        client.close()
        check("fileinto" in extensions.split(), extensions)
        return f"SIEVE: {extensions}"

    def sieve_upload(self):
        script = self.cluster.folder / "reports.sieve"
        script.write_text(SCRIPT)
        put = self.sieve(["--upload", "--localsieve", str(script), "--remotesieve", "reports"])
        check(put.returncode == 0, put.stdout + put.stderr)
        listed = self.sieve(["--list"])
        check("reports" in listed.stdout, listed.stdout + listed.stderr)
        return "script \"reports\": " + self.came("managesieve", ALICE)

    def sieve_refusal(self):
        refused = self.sieve(["--list"], password="wrong")
        check(refused.returncode != 0, "a wrong password was accepted")
        check("uthentication failed" in refused.stdout + refused.stderr, refused.stdout + refused.stderr)
        return "Authentication failed"

    STEPS = (
        ("SMTP  two users, one port", smtp_routes),
        ("SMTP  one message, two stores", smtp_fans_out),
        ("SMTP  submission", smtp_submission),
        ("SMTP  refused", smtp_refusal),
        ("IMAP  two users, one port", imap_routes),
        ("IMAP  STARTTLS", imap_start_tls),
        ("IMAP  TLS from the first byte", imap_implicit_tls),
        ("IMAP  curl", imap_curl),
        ("IMAP  refused", imap_refusal),
        ("IMAP  store 2 is stopped", imap_store_down),
        ("SMTP  store 2 is stopped", smtp_store_down),
        ("IMAP  store 2 is back", imap_store_back),
        ("POP3  STLS", pop3_start_tls),
        ("POP3  TLS from the first byte", pop3_implicit_tls),
        ("POP3  learned from the stores", pop3_learned),
        ("POP3  refused", pop3_refusal),
        ("IMAP, POP3  tokens", tokens),
        ("IMAP  old clients", old_clients),
        ("IMAP, POP3  whence they came", client_address),
        ("SIEVE sieve-connect uploads", sieve_upload),
        ("SIEVE learned from the store", sieve_learned),
        ("SIEVE a client's certificate", client_certificate),
        ("SIEVE refused", sieve_refusal),
        ("IMAP, POP3, SIEVE  behind a balancer", behind_a_balancer),
    )

    def walk(self):
        """True if every step worked."""
        good = True
        for title, step in self.STEPS:
            try:
                mark, told = "ok    ", step(self)
            except (StepFailed, OSError, imaplib.IMAP4.error, poplib.error_proto,
                    smtplib.SMTPException, subprocess.SubprocessError) as failure:
                mark, told, good = "FAILED", failure or type(failure).__name__, False
            print(f"{mark} {title:36} {told}", flush=True)
        return good

    def tell_how_to_try(self):
        print(f"""
The servers run on; Ctrl-C ends them. Users {ALICE} and {BOB}, password {PASSWORD}:
  curl --cacert {self.cluster.certificates.ca} -u {ALICE}:{PASSWORD} imaps://{HOST}:{self.ports['imapproxy'][1]}/INBOX
  swaks --server {HOST}:{self.ports['smtprouter'][0]} --from {SENDER} --to {ALICE},{BOB}
  swaks --server {HOST}:{self.ports['smtprouter'][1]} --tls --auth PLAIN --auth-user {ALICE} --auth-password {PASSWORD} --from {ALICE} --to {BOB}
Logs and configurations: {self.cluster.folder}""", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="demo", description="Walks through Gatehouse on loopback.")
    parser.add_argument("--once", action="store_true", help="end after the walk")
    parser.add_argument("--free_ports", action="store_true", help="any ports, not the README's")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))  # so that the servers end too
    ports = PORTS
    if arguments.free_ports:
        ports = {name: tuple(free_port() for _ in usual) for name, usual in PORTS.items()}
    with Cluster() as cluster:
        demo = Demo(cluster, ports)
        demo.start()
        good = demo.walk()
        if not arguments.once:
            demo.tell_how_to_try()
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
