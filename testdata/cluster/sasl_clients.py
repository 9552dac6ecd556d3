"""Clients that show the wire: IMAP, POP3 and ManageSieve up to the login, each with one surface.

    client = ImapClient(port)               # greeted
    client.start_tls(context)
    client.mechanisms()                     # {"PLAIN", "XOAUTH2"}
    answer = client.authenticate("XOAUTH2", message)
    answer.accepted, answer.challenge, answer.text
"""
import base64
import re
import socket
import typing

from testdata.cluster.cluster import HOST

SECONDS = 30
SERVER_NAME = "localhost"


class Answer(typing.NamedTuple):
    accepted: bool
    challenge: str  # what a refused token's exchange told, decoded
    text: str


class Client:
    def __init__(self, port, context=None, before=b""):
        """`context`: TLS from the first byte; `before`: sent ahead of it."""
        self.socket = socket.create_connection((HOST, port), SECONDS)
        try:
            self.socket.sendall(before)
            self._use(self.socket if context is None else self._wrap(context))
            self.greeting = self.read_greeting()
        except OSError:
            self.socket.close()
            raise

    def _wrap(self, context):
        return context.wrap_socket(self.socket, server_hostname=SERVER_NAME)

    def _use(self, connection):
        self.socket = connection
        self.stream = connection.makefile("rb", buffering=0)

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def line(self):
        return self.stream.readline().decode().rstrip("\r\n")

    def lines_until(self, pattern):
        lines = []
        while not lines or (lines[-1] and not re.match(pattern, lines[-1])):
            lines.append(self.line())
        return lines

    def ask(self, command):
        self.send(command)
        return self.line()

    def start_tls(self, context):
        answer = self.ask(self.START_TLS)
        assert self.is_ok(answer), answer
        self._use(self._wrap(context))
        self.after_start_tls()

    def authenticate(self, mechanism, message):
        answer = self.ask(self.authenticate_command(mechanism, message))
        challenge = ""
        if found := re.fullmatch(self.CHALLENGE, answer):
            challenge = base64.b64decode(found.group(1)).decode()
            answer = self.ask(self.CHALLENGE_ANSWER)
        while answer.startswith("* "):  # untagged, before IMAP's own answer
            answer = self.line()
        return Answer(self.is_ok(answer), challenge, answer)

    def read_greeting(self):
        return self.line()

    def after_start_tls(self):
        pass


class ImapClient(Client):
    SERVICE, START_TLS = "imap", "t STARTTLS"
    CHALLENGE, CHALLENGE_ANSWER = r"\+ (\S*)", "AQ=="

    def is_ok(self, line):
        return bool(re.match(r"\w+ OK\b", line))

    def mechanisms(self):
        self.send("c CAPABILITY")
        return set(re.findall(r" AUTH=(\S+)", self.lines_until("c ")[0]))

    def authenticate_command(self, mechanism, message):
        return f"a AUTHENTICATE {mechanism} {message or '='}"


class Pop3Client(Client):
    SERVICE, START_TLS = "pop3", "STLS"
    CHALLENGE, CHALLENGE_ANSWER = r"\+ (\S*)", "AQ=="

    def is_ok(self, line):
        return line.startswith("+OK")

    def capabilities(self):
        self.send("CAPA")
        return self.lines_until(r"\.$|-ERR")[1:-1]

    def mechanisms(self):
        return {word for line in self.capabilities() if line.startswith("SASL ") for word in line.split()[1:]}

    def authenticate_command(self, mechanism, message):
        return f"AUTH {mechanism} {message or '='}"


class SieveClient(Client):
    SERVICE, START_TLS = "sieve", "STARTTLS"
    CHALLENGE, CHALLENGE_ANSWER = r'"([^"]*)"', '"AQ=="'

    def is_ok(self, line):
        return line.startswith("OK")

    def read_greeting(self):
        return "\n".join(self.lines_until("OK|NO|BYE"))

    def after_start_tls(self):
        self.read_greeting()

    def capabilities(self):
        self.send("CAPABILITY")
        return dict(re.findall(r'^"(\w+)" "(.*)"$', self.read_greeting(), re.MULTILINE))

    def mechanisms(self):
        return set(self.capabilities()["SASL"].split())

    def authenticate_command(self, mechanism, message):
        return f'AUTHENTICATE "{mechanism}" "{message}"'


CLIENTS = (ImapClient, Pop3Client, SieveClient)
