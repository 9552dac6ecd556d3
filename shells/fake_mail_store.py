"""A mail server in threads that remembers what it was given, and says what it is told to."""
import re

from shells.fake_store import ThreadedStore

EXTENSIONS = b"PIPELINING\n8BITMIME\nSIZE\nSMTPUTF8\nDSN\nXCLIENT NAME ADDR".split(b"\n")


def multi_line(code, lines):
    return b"".join(b"%d%s%s\r\n" % (code, b" " if line is lines[-1] else b"-", line) for line in lines)


USUAL = {
    "greeting": b"220 store ESMTP\r\n", "EHLO": multi_line(250, [b"store", *EXTENSIONS]),
    "MAIL": b"250 2.1.0 ok\r\n", "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go\r\n",
    "message": b"250 2.0.0 taken\r\n", "RSET": b"250 2.0.0 ok\r\n", "QUIT": b"221 2.0.0 bye\r\n"}


class FakeMailStore(ThreadedStore):
    """`says`: other answers than the usual ones; in place of b"" it is silent.

    `received` is all that it was ever sent, `recipients` the addresses of each RCPT,
    `messages` the octets of each message as they stood between 354 and the final dot, and
    `deliveries` the same with the recipients of each.
    """

    def __init__(self, where=None, **says):
        self.says = {**USUAL, **says}
        self.received = bytearray()
        self.recipients = []
        self.deliveries = []
        super().__init__(**(where or {}))

    @property
    def messages(self):
        return [message for _, message in self.deliveries]

    def _converse(self, connection):
        envelope = []
        with connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(self.says["greeting"])
                for line in lines:
                    self.received += line
                    verb = line[:4].decode(errors="replace").upper()
                    if verb in ("MAIL", "RSET"):
                        envelope = []
                    if verb == "RCPT":
                        envelope.append(re.search(rb"<(.*)>", line)[1].decode())
                        self.recipients.append(envelope[-1])
                    connection.sendall(self.says.get(verb, b"500 5.5.1 what?\r\n"))
                    if verb == "DATA" and self.says["DATA"].startswith(b"354"):
                        self._take_message(lines, envelope)
                        connection.sendall(self.says["message"])
            except OSError:
                pass  # the router went first

    def _take_message(self, lines, envelope):
        message = b""
        for line in lines:
            self.received += line
            if line == b".\r\n" and message.endswith(b"\r\n"):
                self.deliveries.append((envelope, message))
                return
            message += line
