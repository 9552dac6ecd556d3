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
    # What a figure is: "cpuPer1000", "cpuPerGib", "p50", "p99", "pss".
    metric: str = "cpuPer1000"
    # Where the target is a ratio: (a peer, Gatehouse's share of its figure).
    target: tuple = ()

    @property
    def holds_sessions(self):
        return self.metric == "pss"

    def scaled(self, share):
        """The same with less load: for a test that the harness works."""
        return dataclasses.replace(
            self,
            sessions=max(1, int(self.sessions * share)),
            bulk_bytes=int(self.bulk_bytes * share),
            pings=int(self.pings * share))


_MIB = 1 << 20

ROWS = [
    Row("imapLogin", "CPU per 1,000 IMAP logins, plaintext", "s", "imap",
        "login", 5000, 50, target=("nginx", 1 / 1.5)),
    Row("imapLoginTls", "CPU per 1,000 IMAP logins, full TLS 1.3 handshake",
        "s", "imaps", "login", 3000, 30, tls="full",
        target=("nginx", 0.45 / 0.52)),
    Row("imapLoginResumed", "CPU per 1,000 IMAP logins, TLS resumed", "s",
        "imaps", "login", 3000, 30, tls="resumed",
        target=("nginx", 0.20 / 0.52)),
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
    Row("idle", "memory (PSS) per idle session, plaintext", "KiB", "imap",
        "idle", 5000, 50, metric="pss", target=("haproxy", 1 / 3.3)),
    Row("idleTls", "memory (PSS) per idle session, TLS downstream", "KiB",
        "imaps", "idle", 5000, 50, tls="full", metric="pss",
        target=("haproxy", 8 / 17.7)),
]
