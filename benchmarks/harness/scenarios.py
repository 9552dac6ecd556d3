"""The rows of the table: what is played, and what is measured."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    unit: str
    service: str
    scenario: str  # of the load generator
    sessions: int
    concurrency: int
    tls: str = "none"
    bulk_bytes: int = 0  # of each session
    pings: int = 0
    beside: int = 0  # other sessions that are idle meanwhile
    # What a figure is: "cpuPer1000", "cpuPerGib", "p50", "p99", "pss" (of each
    # held session), "pssKept" (after all have ended).
    metric: str = "cpuPer1000"
    # Where the target is a ratio: (a peer, Gatehouse's share of its figure).
    target: tuple = ()

    @property
    def measures_memory(self):
        return self.metric in ("pss", "pssKept")

    def scaled(self, share):
        """The same with less load: for a test that the harness works."""
        return dataclasses.replace(
            self,
            sessions=max(1, int(self.sessions * share)),
            beside=int(self.beside * share),
            bulk_bytes=int(self.bulk_bytes * share),
            pings=int(self.pings * share))


_MIB = 1 << 20


def _idle(sessions):
    return Row(f"idle{sessions}",
               f"memory (PSS) per idle session of {sessions:,}, plaintext",
               "KiB", "imap", "idle", sessions, 50, metric="pss",
               target=("haproxy", 1 / 3.3))


def _idle_tls(sessions):
    return Row(f"idleTls{sessions}",
               f"memory (PSS) per idle session of {sessions:,}, TLS downstream",
               "KiB", "imaps", "idle", sessions, 50, tls="full", metric="pss",
               target=("haproxy", 8 / 17.7))


def _login_beside(idle):
    return Row(f"imapLoginBeside{idle}",
               f"CPU per 1,000 IMAP logins beside {idle:,} idle sessions", "s",
               "imap", "login", 3000, 50, beside=idle)


def _bulk_beside(idle):
    return Row(f"imapBulkBeside{idle}",
               f"CPU per GiB from the store beside {idle:,} idle sessions", "s",
               "imap", "bulk", 4, 4, bulk_bytes=256 * _MIB, beside=idle,
               metric="cpuPerGib")


ROWS = [
    Row("imapLogin", "CPU per 1,000 IMAP logins, plaintext", "s", "imap",
        "login", 5000, 50, target=("nginx", 1 / 1.5)),
    Row("imapLoginTls", "CPU per 1,000 IMAP logins, full TLS 1.3 handshake",
        "s", "imaps", "login", 3000, 30, tls="full",
        target=("nginx", 0.45 / 0.52)),
    Row("imapLoginResumed", "CPU per 1,000 IMAP logins, TLS resumed", "s",
        "imaps", "login", 3000, 30, tls="resumed",
        target=("nginx", 0.20 / 0.52)),
    Row("imapLoginLdap", "CPU per 1,000 IMAP logins, LDAP search and bind",
        "s", "imapLdap", "login", 3000, 50, target=("dovecot", 0.18 / 0.348)),
    Row("pop3Login", "CPU per 1,000 POP3 logins, plaintext", "s", "pop3",
        "pop3Login", 5000, 50, target=("nginx", 1 / 1.5)),
    Row("imapBulk", "CPU per GiB from the store, plaintext", "s", "imap",
        "bulk", 4, 4, bulk_bytes=512 * _MIB, metric="cpuPerGib",
        target=("haproxySplice", 1)),
    Row("imapBulkTls", "CPU per GiB from the store, TLS downstream", "s",
        "imaps", "bulk", 4, 4, tls="full", bulk_bytes=256 * _MIB,
        metric="cpuPerGib", target=("haproxy", 1.1 / 1.6)),
    Row("imapUpload", "CPU per GiB to the store, plaintext", "s", "imap",
        "upload", 4, 4, bulk_bytes=512 * _MIB, metric="cpuPerGib",
        target=("haproxySplice", 1)),
    Row("pingP50", "one command in a joined session, p50", "µs", "imap",
        "ping", 1, 1, pings=10000, metric="p50", target=("haproxy", 1)),
    Row("pingP99", "one command in a joined session, p99", "µs", "imap",
        "ping", 1, 1, pings=10000, metric="p99", target=("haproxy", 1)),
    Row("smtp", "CPU per 1,000 messages of 10 KiB", "s", "smtp", "smtp", 2000,
        20, target=("nginx", 1)),
    Row("submission", "CPU per 1,000 submissions of 10 KiB", "s",
        "submission", "submission", 2000, 20),
    *map(_idle, (1000, 5000, 9500)),
    *map(_idle_tls, (1000, 5000, 9500)),
    Row("idle40000",
        "memory (PSS) per idle session of 40,000 over 5 processes on one port",
        "KiB", "imapFleet", "idle", 40_000, 50, metric="pss"),
    Row("kept", "memory (PSS) kept after 100,000 logins and logouts", "MiB",
        "imap", "login", 100_000, 50, metric="pssKept"),
    *map(_login_beside, (100, 9400)),
    *map(_bulk_beside, (100, 9400)),
]
