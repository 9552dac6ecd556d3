"""Runs the load generator against one proxy and reads off one figure."""

import contextlib
import dataclasses
import json
import subprocess
import time

_SETTLE_SECONDS = 0.3
# Before memory is measured, so that what a proxy makes once isn't counted.
_WARM_UP_SESSIONS = 100
# One generator, and one source address, is good for so many at once.
_SESSIONS_PER_GENERATOR = 14_000
# Of so few, chance makes shares that differ.
_LEAST_SPREAD = 5000
_MOST_UNEVEN = 1.25


class Mismatch(Exception):
    """Something wasn't answered as it should be, or bytes were changed, or
    sessions weren't spread."""


def _parts(row):
    """The same sessions, so many for each generator."""
    count = -(-row.sessions // _SESSIONS_PER_GENERATOR)
    for number in range(count):
        sessions = (row.sessions + number) // count
        yield dataclasses.replace(row, sessions=sessions)


@dataclasses.dataclass
class Generator:
    binary: str
    ca: str
    users: int

    def figure(self, row, proxy):
        row = dataclasses.replace(
            row, sessions=min(row.sessions, proxy.session_limit))
        port = proxy.ports[row.service]
        if row.metric == "pss":
            return self._memory(row, proxy, port)
        if row.metric == "pssKept":
            return self._memory_kept(row, proxy, port)
        with self._idle_beside(row, port):
            return self._cost(row, proxy, port)

    def _cost(self, row, proxy, port):
        before = proxy.group.cpu_seconds()
        summary = self._play(row, port)
        # The proxy's own ends may come after the client's.
        time.sleep(_SETTLE_SECONDS)
        seconds = proxy.group.cpu_seconds() - before
        if row.metric == "p50":
            return summary["p50_us"]
        if row.metric == "p99":
            return summary["p99_us"]
        if row.metric == "cpuPerGib":
            return seconds / (summary["bulk_bytes"] / 2**30)
        return seconds / (row.sessions / 1000)

    def _memory(self, row, proxy, port):
        """KiB for each held session, the proxy being warm but fresh."""
        self._warm_up(row, port)
        before = proxy.group.pss_kib()
        with self._held(row, port):
            time.sleep(_SETTLE_SECONDS)
            held_kib = proxy.group.pss_kib()
            self._check_spread(row, proxy)
        return (held_kib - before) / row.sessions

    def _memory_kept(self, row, proxy, port):
        """MiB more than before, after sessions that have all ended."""
        self._warm_up(row, port)
        before = proxy.group.pss_kib()
        self._play(row, port)
        time.sleep(_SETTLE_SECONDS)
        return (proxy.group.pss_kib() - before) / 1024

    def _warm_up(self, row, port):
        self._play(dataclasses.replace(
            row, scenario="login",
            sessions=min(_WARM_UP_SESSIONS, row.sessions)), port)
        time.sleep(_SETTLE_SECONDS)

    def _idle_beside(self, row, port):
        if row.beside == 0:
            return contextlib.nullcontext()
        return self._held(
            dataclasses.replace(row, scenario="idle", sessions=row.beside,
                                bulk_bytes=0), port)

    @contextlib.contextmanager
    def _held(self, row, port):
        """Sessions that are logged in, idle meanwhile, pinged at the end."""
        with contextlib.ExitStack() as stack:
            for number, part in enumerate(_parts(row)):
                stack.enter_context(self._held_part(part, port, number))
            yield

    @contextlib.contextmanager
    def _held_part(self, row, port, number):
        argv = self._argv(row, port) + [f"--source=127.0.0.{number + 1}"]
        with subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True) as generator:
            generator.stdout.readline()  # all are logged in
            yield
            rest, errors = generator.communicate("\n")
        self._check(row, generator.returncode, rest, errors)

    def _check_spread(self, row, proxy):
        if not proxy.spreads_evenly or row.sessions < _LEAST_SPREAD:
            return
        sizes = proxy.group.watched_sockets()
        busy = [size for size in sizes if size > max(sizes) / 10]
        if max(busy) > _MOST_UNEVEN * min(busy):
            raise Mismatch(f"workers have unequal shares: {busy}")

    def _play(self, row, port):
        done = subprocess.run(self._argv(row, port), capture_output=True,
                              text=True)
        return self._check(row, done.returncode, done.stdout, done.stderr)

    def _argv(self, row, port):
        return [self.binary, f"--scenario={row.scenario}", f"--port={port}",
                f"--tls={row.tls}", f"--ca={self.ca}",
                f"--users={self.users}", f"--sessions={row.sessions}",
                f"--concurrency={row.concurrency}",
                f"--bulk_bytes={row.bulk_bytes}", f"--pings={row.pings}"]

    def _check(self, row, status, output, errors):
        if status != 0:
            raise Mismatch((errors + output).strip())
        summary = json.loads(output.splitlines()[-1])
        expected = {"sessions": row.sessions, "failures": 0,
                    "bulk_bytes": row.sessions * row.bulk_bytes}
        if row.scenario not in ("login", "pop3Login"):
            expected["rounds"] = row.sessions * (row.pings or 1)
        for name, value in expected.items():
            if summary[name] != value:
                raise Mismatch(f"{name} is {summary[name]}, not {value}")
        return summary
