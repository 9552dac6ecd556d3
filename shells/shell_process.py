"""One of the executables, started by a test with a configuration of its own."""
import json
import pathlib
import re
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import time

HOST = "127.0.0.1"
PASSWORD = "s3cret-pa55"
# crypt(3) of PASSWORD, as `openssl passwd -6 -salt example` prints it.
PASSWORD_HASH = (
    "$6$example$nTqWkjXt5TUi2ud8Haj8zfC9KLdXc0jezMZqop2E0Mu7dR7OH"
    "LCtWeLI0lCTVytg2FlfsiYTK233Omm3utodw0")
SECONDS = 30  # sanitizers are slow
MOST_OF_A_REGION = 1 << 30  # a sanitizer's shadow is larger


def kept_for_each_octet(pid):
    """1, or what a sanitizer in the process keeps at most for each of the program's octets."""
    return 8 if re.search("lib[at]san", pathlib.Path(f"/proc/{pid}/maps").read_text()) else 1


def writable_memory(pid):
    """All that a process has in its memory, in one piece."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            region, permissions = line.split()[:2]
            begin, end = (int(edge, 16) for edge in region.split("-"))
            if permissions.startswith("rw") and end - begin < MOST_OF_A_REGION:
                memory.seek(begin)
                try:
                    found.append(memory.read(end - begin))
                except OSError:
                    pass  # not to be read, such as [vvar]
    return b"".join(part for part in found if part)


def map_entry(store, password_hash=PASSWORD_HASH):
    return {"password": password_hash, "host": f"{HOST}:{store.port}"}


class Client:
    """A plain connection that reads lines."""

    def __init__(self, port, host=HOST):
        self.socket = socket.create_connection((host, port), SECONDS)
        self._stream = self.socket.makefile("rwb", buffering=0)

    def begin_tls(self, server_name=None):
        """Whoever the server may be."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._stream.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=server_name)
        self._stream = self.socket.makefile("rwb", buffering=0)

    def line(self):
        return self._stream.readline().decode().rstrip("\r\n")

    def send(self, text):
        self._stream.write(text.encode() + b"\r\n")

    def answer(self, tag):
        """The tagged line."""
        while True:
            line = self.line()
            if line.startswith(tag + " ") or not line:
                return line

    def ask(self, command, tag="a"):
        self.send(f"{tag} {command}")
        return self.answer(tag)

    def log_in(self, user, password=PASSWORD):
        return self.ask(f'LOGIN "{user}" "{password}"', "in")

    def rest(self):
        """Everything up to the end, which a reset is too."""
        try:
            return self._stream.read(-1).decode()
        except ConnectionResetError:
            return ""

    def close(self):
        self._stream.close()
        self.socket.close()

    def reset(self):
        """Ends with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class ShellProcess:
    """`port` is the first listener's; port 0 of a listener is the kernel's choice."""

    def __init__(self, binary, settings, users=None):
        self._folder = tempfile.TemporaryDirectory(prefix="gatehouse.")
        self.folder = pathlib.Path(self._folder.name)
        self.config = self.folder / "config.json"
        self.log = self.folder / "log"
        self.settings = {
            "workers": 2,
            "listeners": [{"address": HOST, "port": 0}],
            "userMaps": [{"name": "Map", "type": "localFile", "localFile": "users.json"}],
            "mapping": {"userMap": "Map"},
            "failureDelay": "10ms",
            "capabilityInterval": "0s",  # stores hear of the test's sessions only
            **settings}
        self.write(self.settings, users or {})
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, f"--config={self.config}"], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log)

    def write(self, settings, users):
        self._write(self.folder / "users.json", {"users": users})
        self._write(self.config, settings)

    @staticmethod
    def _write(file, value):
        file.write_text(json.dumps(value))
        file.chmod(0o600)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        text = self.text()
        self._folder.cleanup()
        if "Sanitizer" in text:
            raise AssertionError(text)

    def text(self):
        return self.log.read_text(errors="replace")

    def records(self, event):
        lines = self.text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]
        return [record for record in found if record["event"] == event]

    def await_records(self, event, count=1):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self.records(event)
            if len(found) >= count:
                return found
            if self.process.poll() is not None:
                break
            select.select([], [], [], 0.02)
        raise AssertionError(f"no {event} in the log:\n{self.text()}")

    def await_end(self):
        return self.process.wait(SECONDS)

    def ports(self, admin=False):
        return [int(record["listener"].rpartition(":")[2])
                for record in self.await_records("listening")
                if (record["service"] == "admin") == admin]

    @property
    def port(self):
        return self.ports()[0]

    def connect(self):
        return Client(self.port)
