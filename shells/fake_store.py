"""Mail stores in threads, for tests that need one that answers and remembers.

They speak as much IMAP as a proxy's login and a short conversation need.
"""
import base64
import socket
import threading

CAPABILITIES = b"IMAP4rev1 SASL-IR AUTH=PLAIN IDLE"


class _Store:
    """Listens; a thread for each connection calls _converse(connection)."""

    def __init__(self):
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()


class FakeStore(_Store):
    """Takes any password but "refused"; after the login every line comes back
    with the store's name before it."""

    def __init__(self, name="store"):
        self.name = name.encode()
        self.logins = []  # (user, password)
        super().__init__()

    def _converse(self, connection):
        with connection, connection.makefile("rwb", buffering=0) as stream:
            try:
                stream.write(b"* OK [CAPABILITY " + CAPABILITIES + b"] " + self.name + b" ready\r\n")
                if self._log_in(stream):
                    self._echo(stream)
            except OSError:
                pass  # the proxy went first

    def _log_in(self, stream):
        """False where the proxy left or was refused."""
        for line in stream:
            tag, command, *rest = line.split()
            if command.upper() == b"AUTHENTICATE":
                _, user, password = base64.b64decode(rest[1]).decode().split("\0")
                self.logins.append((user, password))
                if password == "refused":
                    stream.write(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
                    return False
                stream.write(tag + b" OK [CAPABILITY " + CAPABILITIES + b"] in\r\n")
                return True
            if command.upper() == b"LOGOUT":
                stream.write(b"* BYE\r\n" + tag + b" OK\r\n")
                return False
            stream.write(tag + b" OK\r\n")
        return False

    def _echo(self, stream):
        for line in stream:
            tag, command = line.split()[:2]
            if command.upper() == b"LOGOUT":
                stream.write(b"* BYE\r\n" + tag + b" OK\r\n")
                return
            stream.write(self.name + b": " + line)


class ScriptedStore(_Store):
    """A store that says what it is told to, whatever it hears.

    `replies[0]` greets; each of the others answers one line. Behind the last it
    is silent, or with `hangs_up` gone. `received` is all that it was ever sent.
    """

    def __init__(self, *replies, hangs_up=False):
        self.replies, self.hangs_up = replies, hangs_up
        self.received = b""
        super().__init__()

    def _converse(self, connection):
        with connection, connection.makefile("rb", buffering=0) as lines:
            try:
                for number, reply in enumerate(self.replies):
                    if number > 0:
                        self.received += lines.readline()
                    connection.sendall(reply)
                while not self.hangs_up:
                    data = connection.recv(65536)
                    if not data:
                        return
                    self.received += data
            except OSError:
                pass  # the proxy went first
