"""Mail stores in threads, for tests that need one that answers and remembers.

They speak as much of a protocol as a proxy's login and a short conversation need.
"""
import socket
import threading

from shells.dialects import Imap


class ThreadedStore:
    """Listens; a thread for each connection calls _converse(connection)."""

    def __init__(self, host="127.0.0.1", port=0):
        self.connections = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
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


class FakeStore(ThreadedStore):
    """Takes any password but "refused"; after the login every line comes back
    with the store's name before it."""

    def __init__(self, name="store", dialect=Imap, **where):
        self.name, self.dialect = name.encode(), dialect
        self.logins = []  # (user, password)
        super().__init__(**where)

    def _converse(self, connection):
        with connection, connection.makefile("rwb", buffering=0) as stream:
            try:
                stream.write(self.dialect.STORE[0])
                if self._log_in(stream):
                    self._echo(stream)
            except OSError:
                pass  # the proxy went first

    def _log_in(self, stream):
        """False where the proxy left or was refused."""
        for line in stream:
            login = self.dialect.store_hears(line)
            if login is not None:
                self.logins.append(login)
                accepted = login[1] != "refused"
                stream.write(self.dialect.store_says(line, accepted))
                return accepted
            stream.write(self.dialect.store_says(line))
            if self._is_logout(line):
                return False
        return False

    def _echo(self, stream):
        for line in stream:
            if self._is_logout(line):
                stream.write(self.dialect.store_says(line))
                return
            stream.write(self.name + b": " + line)

    def _is_logout(self, line):
        return line.upper().split()[-1:] == self.dialect.LOGOUT.encode().split()[-1:]


class ScriptedStore(ThreadedStore):
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
