"""Mail handed in as another server would, and counted where it arrived.

    mta = Mta(port)
    mta.hand_in(Message(1, ["alice@example.com", "bob@example.com"]))  # until it is taken
    copies(maildir)  # {"1": [digest of what was sent, …]}, one for each copy
"""
import collections
import hashlib
import random
import smtplib
import time

from testdata.cluster.cluster import HOST

# What servers on the way put before a message.
TRACE = (b"return-path:", b"delivered-to:", b"x-original-to:", b"received:")
HEAD_BYTES = 64 << 10  # more than any header here has


def without_trace(stored):
    """The message as it was sent, but for its line ends: Maildirs have LF."""
    lines = stored.splitlines(keepends=True)
    first, traced = 0, True
    while traced:
        traced = lines[first].lower().startswith(TRACE) or (first > 0 and lines[first][:1] in b" \t")
        first += traced
    return b"".join(lines[first:])


def copies(maildir, header=b"X-Id:"):
    """By the first word of a header field: the digest of each copy."""
    found = collections.defaultdict(list)
    for file in (maildir / "new").glob("*"):
        with open(file, "rb") as stored:
            text = without_trace(stored.read(HEAD_BYTES))
            fields = text.partition(b"\n\n")[0].splitlines()
            digests = hashlib.sha256(text)
            while text := stored.read(1 << 20):
                digests.update(text)
        name = next(field for field in fields if field.lower().startswith(header.lower()))
        found[name[len(header):].strip().decode()].append(digests.hexdigest())
    return dict(found)


class Message:
    """Its text has what a careless hop would change: dots, 8-bit octets, long and empty lines."""

    def __init__(self, number, recipients, octets=2000):
        self.id, self.recipients = str(number), list(recipients)
        self.sender = f"m{number}@example.org"
        chance = random.Random(number)
        lines = [b"From: <%s>" % self.sender.encode(), b"X-Id: %s" % self.id.encode(), b"Subject: test", b""]
        while octets > 0:
            line = chance.choice((b".", b"..", b". x", b"", b"From here", b"\xc3\xa4\xff " * 9, b"y" * 990,
                                  chance.randbytes(40).hex().encode()))
            lines.append(line)
            octets -= len(line) + 2
        self.text = b"\r\n".join(lines) + b"\r\n"
        self.digest = hashlib.sha256(self.text.replace(b"\r\n", b"\n")).hexdigest()


class Mta:
    """Tries again what is put off or lost, on a connection for each attempt."""

    def __init__(self, port, seconds=30, pause=0.1):
        self.port, self.seconds, self.pause = port, seconds, pause
        self.attempts = 0

    def hand_in(self, message, deadline=None):
        """Returns when each recipient has been taken; a refusal for ever is an error."""
        pending = list(message.recipients)
        while pending:
            self.attempts += 1
            taken = self.attempt(message, pending)
            pending = [recipient for recipient in pending if recipient not in taken]
            if pending:
                if deadline is not None and time.monotonic() > deadline:
                    raise AssertionError(f"message {message.id} was never taken for {pending}")
                time.sleep(self.pause)

    def attempt(self, message, recipients):
        """Those for whom the message was taken."""
        try:
            with smtplib.SMTP(HOST, self.port, timeout=self.seconds) as client:
                client.ehlo("mta.example.org")
                return self.transact(client, message, recipients)
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, OSError):
            return []  # nobody knows: all of it again

    def transact(self, client, message, recipients):
        """One transaction of a conversation that has begun."""
        code, text = client.mail(message.sender)
        accepted = []
        if code == 250:
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                self._check(code, text)
                accepted += [recipient] * (code == 250)
        if accepted:
            code, text = client.data(message.text)
        self._check(code, text)
        return accepted if code == 250 else []

    @staticmethod
    def _check(code, text):
        if code // 100 not in (2, 4):
            raise AssertionError(f"{code} {text!r}")
