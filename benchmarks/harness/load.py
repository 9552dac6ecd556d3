"""Runs the load generator against one proxy and reads off one figure."""

import dataclasses
import json
import subprocess
import time

_SETTLE_SECONDS = 0.3
# Before memory is measured, so that what a proxy makes once isn't counted.
_WARM_UP_SESSIONS = 100


class Mismatch(Exception):
    """Something wasn't answered as it should be, or bytes were changed."""


@dataclasses.dataclass
class Generator:
    binary: str
    ca: str
    users: int

    def _argv(self, row, port, sessions):
        return [self.binary, f"--scenario={row.scenario}", f"--port={port}",
                f"--tls={row.tls}", f"--ca={self.ca}",
                f"--users={self.users}", f"--sessions={sessions}",
                f"--concurrency={row.concurrency}",
                f"--bulk_bytes={row.bulk_bytes}", f"--pings={row.pings}"]

    def figure(self, row, proxy):
        sessions = min(row.sessions, proxy.session_limit)
        if row.holds_sessions:
            return self._memory(row, proxy, sessions)
        before = proxy.group.cpu_seconds() if proxy.group else 0
        summary = self._play(row, proxy.ports[row.service], sessions)
        # The proxy's own ends may come after the client's.
        time.sleep(_SETTLE_SECONDS)
        after = proxy.group.cpu_seconds() if proxy.group else 0
        self._check(row, proxy, summary, sessions)
        if row.metric == "p50":
            return summary["p50_us"]
        if row.metric == "p99":
            return summary["p99_us"]
        if row.metric == "cpuPerGib":
            return (after - before) / (summary["bulk_bytes"] / 2**30)
        return (after - before) / (sessions / 1000)

    def _play(self, row, port, sessions):
        done = subprocess.run(self._argv(row, port, sessions),
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Mismatch(done.stderr + done.stdout)
        return json.loads(done.stdout.splitlines()[-1])

    def _check(self, row, proxy, summary, sessions):
        rounds = sessions * (row.pings or 1)
        expected = {"sessions": sessions, "failures": 0,
                    "bulk_bytes": sessions * row.bulk_bytes}
        if row.scenario not in ("login", "pop3Login"):
            expected["rounds"] = rounds
        for name, value in expected.items():
            if summary[name] != value:
                raise Mismatch(f"{proxy.name}: {name} is {summary[name]}, "
                               f"not {value}")

    def _memory(self, row, proxy, sessions):
        """KiB for each held session, the proxy being warm but fresh."""
        port = proxy.ports[row.service]
        warm_up = min(_WARM_UP_SESSIONS, sessions)
        self._play(dataclasses.replace(row, scenario="login"), port, warm_up)
        time.sleep(_SETTLE_SECONDS)
        before = proxy.group.pss_kib()
        generator = subprocess.Popen(
            self._argv(row, port, sessions), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        held = json.loads(generator.stdout.readline() or '{"held": 0}')["held"]
        time.sleep(_SETTLE_SECONDS)
        held_kib = proxy.group.pss_kib()
        rest, errors = generator.communicate("\n")
        if generator.returncode != 0 or held != sessions:
            raise Mismatch(errors + rest)
        self._check(row, proxy, json.loads(rest.splitlines()[-1]), sessions)
        return (held_kib - before) / sessions
