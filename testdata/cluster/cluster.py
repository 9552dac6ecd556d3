"""Real servers on loopback for the demo and the end-to-end tests.

    with Cluster() as cluster:
        cluster.start_directory()
        cluster.start_stores(2)
        proxy = cluster.start_proxy("imapproxy", {...})
        proxy.port  # of the first listener

Everything lives in one temporary folder and ends with the `with` block, each
process by its own pid. Runs as root: Dovecot and slapd change user themselves.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"
PASSWORD = "s3cret-pa55"
MASTER_USER = "gatehouse"
MASTER_PASSWORD = "m4ster-pa55"
ADMIN_DN = "cn=admin,dc=example,dc=com"
ADMIN_PASSWORD = "adm1n-pa55"
START_SECONDS = 20
RECORD_SECONDS = 30

# Bazel's own PATH leaves out where Debian keeps its servers.
os.environ["PATH"] += ":/usr/sbin:/sbin"


_ports_given = set()


def free_port():
    """One that nobody has, nor was given before: the kernel may name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def await_port(port, process=None, seconds=START_SECONDS, host=HOST):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"ended with status {process.returncode} before it listened")
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


class Certificates:
    """A CA, and certificates for 127.0.0.1 and some names."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.ca_key = folder / "ca.key"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.ca_key, "-out", self.ca, "-days", "30", "-subj", "/CN=Test CA",
            "-addext", "basicConstraints=critical,CA:TRUE")

    @staticmethod
    def _openssl(*arguments):
        run("openssl", *map(str, arguments), stderr=subprocess.DEVNULL)

    def make(self, name, alternative="IP:127.0.0.1,DNS:localhost", subject=None):
        """(certificate file, key file); `subject` as openssl writes it: /CN=…/UID=…"""
        key, request, certificate = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extension = self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={alternative}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", subject or f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                      "-CAcreateserial", "-days", "30", "-extfile", extension, "-out", certificate)
        key.chmod(0o600)
        return certificate, key


class Server:
    """One process in the foreground."""

    def __init__(self, name, command, log, ports, host=HOST):
        self.name, self.command, self.log = name, command, log
        self.ports, self.host = ports, host
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)  # so that Ctrl-C reaches only who stops the servers
        try:
            for port in self.ports:
                await_port(port, self.process, host=self.host)
        except RuntimeError as error:
            raise RuntimeError(f"{self.name}: {error}\n{self.text()[-2000:]}") from None
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=10):
        """Its exit status; killed where it doesn't end in time."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
pidfile {folder}/slapd.pid
# So that an empty password would get in, were it ever asked (RFC 4513, 5.1.2).
allow bind_anon_cred bind_anon_dn
database mdb
suffix dc=example,dc=com
rootdn {admin_dn}
rootpw {admin_password}
directory {folder}/data
index objectClass,mailLocalAddress,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by * none
"""

SUFFIX = """dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: example
dc: example
"""

# Who wants to follow it may (RFC 4533).
SYNCPROV = """
index entryCSN,entryUUID eq
overlay syncprov
"""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
info_log_path = {folder}/dovecot.log
auth_verbose = yes
protocols = imap pop3 lmtp sieve
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_master_user_separator = *
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
mail_max_userip_connections = 10000
login_trusted_networks = 127.0.0.0/8
haproxy_trusted_networks = 127.0.0.0/8
default_process_limit = 4000
default_client_limit = 8000
passdb {{
  driver = passwd-file
  args = {folder}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u allow_all_users=yes
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
service anvil {{
  # No growing delay of an address with refused logins, which all tests' clients share.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
  client_limit = 12000
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 8000
  inet_listener imap {{
    address = {host}
    port = {imap}
  }}
  inet_listener imaps {{
    address = {host}
    port = {imaps}
  }}
  inet_listener imap_haproxy {{
    address = {host}
    port = {imap_haproxy}
    haproxy = yes
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    address = {host}
    port = {pop3}
  }}
  inet_listener pop3s {{
    address = {host}
    port = {pop3s}
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    address = {host}
    port = {sieve}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
service imap {{
  process_limit = 4000
  client_limit = 100
}}
"""


def store_listener(service, name, port, *flags, host=HOST):
    """Settings for one more; `flags`: "ssl", "haproxy"."""
    settings = "".join(f"    {flag} = yes\n" for flag in flags)
    return (f"service {service}-login {{\n  inet_listener {name} {{\n    address = {host}\n"
            f"    port = {port}\n{settings}  }}\n}}\n")


STORE_PORTS = ("imap", "imaps", "imap_haproxy", "pop3", "pop3s", "sieve", "lmtp")


class Store(Server):
    """A Dovecot with its own users, mail and ports (store.imap, store.pop3 …)."""

    def __init__(self, folder, users, certificate, key, host, ports, extra=""):
        self.folder = folder
        folder.mkdir()
        (folder / "mail").mkdir()
        nobody = pwd.getpwnam("nobody")
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        for name, port in ports.items():
            setattr(self, name, port)
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users))
        (folder / "masters").write_text(f"{MASTER_USER}:{{PLAIN}}{MASTER_PASSWORD}\n")
        (folder / "dovecot.conf").write_text(
            DOVECOT.format(folder=folder, certificate=certificate, key=key, host=host, **ports) +
            extra.replace("{folder}", str(folder)))
        super().__init__(folder.name, ["dovecot", "-F", "-c", folder / "dovecot.conf"],
                         folder / "dovecot.out", list(ports.values()), host)

    def signal_all(self, number):
        """To all its processes at once."""
        os.killpg(self.process.pid, number)

    def kill(self):
        """Returns when none of its processes listens any more."""
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        for port in self.ports:
            while True:
                try:
                    socket.create_connection((self.host, port), 1).close()
                except OSError:
                    break
                time.sleep(0.02)

    def await_log(self, pattern, seconds=START_SECONDS):
        """Dovecot's log is written by a process of its own: after the client has heard."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.dovecot_log()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern} in\n{self.dovecot_log()}")
            time.sleep(0.05)

    def dovecot_log(self):
        return (self.folder / "dovecot.log").read_text(errors="replace")


class Proxy(Server):
    """One of our executables; `port` is its first listener's."""

    def __init__(self, name, binary, config_file, listeners):
        self.listeners = [listener["port"] for listener in listeners]
        self.port = self.listeners[0]
        super().__init__(name, [binary, f"--config={config_file}"], config_file.with_suffix(".log"),
                         self.listeners)

    def records(self, event="session"):
        found = []
        for line in self.text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("event") == event:
                found.append(record)
        return found

    def await_records(self, event, count=1, seconds=RECORD_SECONDS):
        deadline = time.monotonic() + seconds
        while len(self.records(event)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {count} {event} in\n{self.text()}")
            time.sleep(0.05)
        return self.records(event)

    def memory_kib(self):
        """Proportional set size."""
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


class Cluster:
    def __init__(self, shells=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse."))
        self.folder.chmod(0o755)
        self.shells = pathlib.Path(shells or "shells")
        self.servers = []
        self.stores = []
        self.certificates = Certificates(self.folder)
        self.certificate, self.key = self.certificates.make("front")
        self.slapd = None
        self.ldap_port = free_port()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self, server):
        self.servers.append(server)
        return server.start()

    def start_stores(self, count=2, users=("alice@example.com", "bob@example.com"), hosts=None,
                     extra=()):
        """`hosts`: an address of its own for each store, and the same ports for all.

        `extra`: more of Dovecot's settings for each store; "{folder}" stands for its own.
        """
        shared = {name: free_port() for name in STORE_PORTS} if hosts else None
        for number in range(1, count + 1):
            host = hosts[number - 1] if hosts else HOST
            certificate, key = self.certificates.make(f"store{number}", f"IP:{host},DNS:localhost")
            ports = shared or {name: free_port() for name in STORE_PORTS}
            self.stores.append(self.start_server(
                Store(self.folder / f"store{number}", users, certificate, key, host, ports,
                      extra[number - 1] if extra else "")))
        return self.stores

    # --- The directory ---

    def start_directory(self):
        self.slapd = self.start_slapd("slapd", self.ldap_port, log="none")
        self.ldif(SUFFIX)
        return self.slapd

    def start_slapd(self, name, port, settings="", database_settings="", log="stats"):
        """Without an entry. `settings`: more of slapd.conf, before its database and in it."""
        folder = self.folder / name
        (folder / "data").mkdir(parents=True)
        database = SLAPD.index("database mdb")
        config = folder / "slapd.conf"
        config.write_text((SLAPD[:database] + "{settings}" + SLAPD[database:]).format(
            folder=folder, admin_dn=ADMIN_DN, admin_password=ADMIN_PASSWORD,
            settings=settings) + database_settings + SYNCPROV)
        return self.start_server(Server(
            name, ["slapd", "-d", log, "-f", config, "-h", f"ldap://{HOST}:{port}"],
            folder / "slapd.log", [port]))

    def ldif(self, text, modify=False, port=None):
        run("ldapmodify" if modify else "ldapadd", "-x", "-H", f"ldap://{HOST}:{port or self.ldap_port}",
            "-D", ADMIN_DN, "-w", ADMIN_PASSWORD, input=text.encode(), stderr=subprocess.PIPE)

    def add_user(self, address, mail_host=None, password=PASSWORD, uid=None):
        """`mail_host`: "127.0.0.1:port", or None for an entry without a host."""
        uid = uid or address.split("@")[0]
        host = f"mailHost: {mail_host}\n" if mail_host else ""
        self.ldif(f"dn: uid={uid},dc=example,dc=com\nobjectClass: inetOrgPerson\n"
                  f"objectClass: inetLocalMailRecipient\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
                  f"mailLocalAddress: {address}\n{host}userPassword: {password}\n")

    def ldap_settings(self):
        secret = self.folder / "ldap.secret"
        secret.write_text(ADMIN_PASSWORD + "\n")
        secret.chmod(0o600)
        return {
            "ldapConnectors": [{
                "name": "LDAP_Master", "urls": [f"ldap://{HOST}:{self.ldap_port}"],
                "adminDn": ADMIN_DN, "adminPasswordFile": str(secret),
                "accountBaseDn": "dc=example,dc=com", "timeout": "2s"}],
            "userMaps": [{"name": "Map", "type": "ldapBind", "userdbConnectorName": "LDAP_Master"}],
            "userdbConnectorType": "ldapBind", "userdbConnectorName": "LDAP_Master",
            "mapping": {"userMap": "Map"},
        }

    def local_settings(self, users, name="users"):
        """`users`: name → {"host": …}; each with the hash of PASSWORD. `name`: the file's."""
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(
            {"users": {name: {"password": hashed, **entry} for name, entry in users.items()}}))
        file.chmod(0o600)
        return {"userMaps": [{"name": "Map", "type": "localFile", "localFile": str(file)}],
                "mapping": {"userMap": "Map"}}

    # --- Our own ---

    def start_proxy(self, name, settings, listeners=None, label=None):
        """Listens with STARTTLS and with implicit TLS, unless told otherwise."""
        listeners = listeners or [
            {"address": HOST, "port": free_port(), "tls": "startTls"},
            {"address": HOST, "port": free_port(), "tls": "implicit"}]
        config = {
            "listeners": listeners,
            "tls": {"certificates": [{"certificate": str(self.certificate), "privateKey": str(self.key)}]},
            "failureDelay": "100ms", **settings}
        file = self.folder / f"{label or name}.json"
        file.write_text(json.dumps(config, indent=2))
        file.chmod(0o600)
        return self.start_server(Proxy(name, self.shells / name, file, listeners))
