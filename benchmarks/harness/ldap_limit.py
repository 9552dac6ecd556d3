"""Logins by LDAP, beside what slapd itself can do on as many connections."""

import json
import re
import subprocess

_STORED = ("the password itself", "SHA-512 crypt")
_NAME = re.compile(r"BM_(\w+)/hash:(\d)/connections:(\d+)/real_time_median")
# Of the directory benchmark's kinds of logins a second.
_BINDS, _LOGINS, _FOLLOWED = "PlainBinds", "DirectoryLogins", "FollowedLogins"


class Fault(Exception):
    """The benchmark's own check of its results has failed."""


def measure(binary, rounds, quick):
    """{(how slapd keeps passwords, connections): {kind: logins a second}}"""
    argv = [binary, "--benchmark_format=json",
            f"--benchmark_repetitions={max(2, rounds)}",
            "--benchmark_report_aggregates_only=true"]
    if quick:
        argv.append("--benchmark_filter=hash:0/connections:4")
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise Fault(done.stderr.strip())
    rates = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run.get("error_occurred"):
            raise Fault(f"{run['name']}: {run['error_message']}")
        match = _NAME.fullmatch(run["name"])
        if match:
            kind, stored, connections = match.groups()
            key = _STORED[int(stored)], int(connections)
            rates.setdefault(key, {})[kind] = run["items_per_second"]
    return rates


def table(rates):
    """Markdown; the target is 90 %. A login is a search and a bind or, where the
    directory is followed (a live map), a bind alone."""
    lines = ["| slapd keeps | connections | plain binds/s | logins/s | | "
             "followed logins/s | |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for (stored, connections), by_kind in rates.items():
        binds = by_kind[_BINDS]
        cells = [stored, str(connections), f"{binds:,.0f}"]
        for kind in (_LOGINS, _FOLLOWED):
            cells += [f"{by_kind[kind]:,.0f}", f"{by_kind[kind] / binds:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
