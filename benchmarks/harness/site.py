"""What all proxies of a run share: folder, certificate, store, users."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess

PASSWORD = "secret"


# Below the ports that the kernel gives to the load's own connections.
_ports = iter(range(20000 + os.getpid() % 1000 * 10, 32768))


def free_port():
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def find_program(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def listening_sockets(port):
    """How many there are at this IPv4 port, of all processes."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[3] == "0A" and int(row[1].partition(":")[2], 16) == port
               for row in rows)


def make_certificate(folder):
    """An ECDSA P-256 certificate for 127.0.0.1 that is its own CA."""
    certificate, key = folder + "/tls.pem", folder + "/tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", certificate, "-keyout", key],
        check=True, capture_output=True)
    with open(folder + "/tls-both.pem", "w") as both:
        for part in (certificate, key):
            with open(part) as source:
                both.write(source.read())
    return certificate, key


@dataclasses.dataclass
class Site:
    folder: str
    stores: list  # the first is everybody's, the others a fleet's
    users: int
    workers: int
    # directory.Slapd, where a row needs one.
    directory: object = None
    certificate: str = ""
    key: str = ""

    def __post_init__(self):
        self.certificate, self.key = make_certificate(self.folder)

    @property
    def store_ports(self):
        return self.stores[0].ports

    def user_names(self):
        return [f"user{n}@example.com" for n in range(1, self.users + 1)]

    def subfolder(self, name):
        path = f"{self.folder}/{name}"
        os.makedirs(path, exist_ok=True)
        return path


class Store:
    """The fake store's process."""

    def __init__(self, binary, threads):
        self._process = subprocess.Popen(
            [binary, f"--threads={threads}"], stdout=subprocess.PIPE)
        self.ports = json.loads(self._process.stdout.readline())

    def counts(self):
        with socket.create_connection(
                ("127.0.0.1", self.ports["counts"])) as connection:
            connection.sendall(b"\n")
            return json.loads(connection.makefile().readline())

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
