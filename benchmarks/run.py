#!/usr/bin/env python3
"""Measures Gatehouse beside the proxies that are installed; see README.md."""

import argparse
import collections
import datetime
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

# pylint: disable=wrong-import-position
from benchmarks.harness import directory
from benchmarks.harness import ldap_limit
from benchmarks.harness import load
from benchmarks.harness import report
from benchmarks.harness import scenarios
from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import dovecot
from benchmarks.harness.proxies import gatehouse
from benchmarks.harness.proxies import haproxy
from benchmarks.harness.proxies import nginx
from benchmarks.harness.proxies import perdition

_PROXIES = [gatehouse.Gatehouse, haproxy.Haproxy, haproxy.HaproxySplice,
            nginx.Nginx, nginx.Nginx64k, dovecot.Dovecot, perdition.Perdition]
_LDAP_BENCHMARK = "ldap_login_benchmark"
_TARGETS = ["//shells:imapproxy", "//shells:pop3proxy", "//shells:smtprouter",
            "//benchmarks/load:all", f"//benchmarks/directory:{_LDAP_BENCHMARK}"]
# Beside the rows: logins by LDAP, and what slapd itself can do.
_LDAP_LIMIT = "ldapLimit"
_QUICK_SHARE = 0.02
_USERS = 1000
# Each has descriptors for about 19,000 sessions.
_FLEET_STORES = 3


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="about so long: rows that "
                        "take more than their share get fewer rounds, at "
                        "least one")
    parser.add_argument("--quick", action="store_true",
                        help="one small round: does everything still work?")
    parser.add_argument("--proxies", help="names, comma-separated")
    parser.add_argument("--rows", help="keys, comma-separated; ldapLimit is "
                        "the table of slapd's own limit")
    parser.add_argument("--binaries", help="a folder of release executables "
                        "(default: they are built)")
    parser.add_argument("--results", help="folder for the results")
    parser.add_argument("--keep", action="store_true",
                        help="keep configurations and logs")
    return parser.parse_args()


def workspace():
    return os.environ.get("BUILD_WORKSPACE_DIRECTORY") or os.path.dirname(
        os.path.dirname(os.path.realpath(__file__)))


def build():
    """Release executables, copied: a later build must not change them."""
    subprocess.run(["bazel", "build", "--config=release"] + _TARGETS,
                   cwd=workspace(), check=True)
    folder = tempfile.mkdtemp(prefix="gatehouse-bench-bin-")
    for package in ("shells", "benchmarks/load", "benchmarks/directory"):
        source = f"{workspace()}/bazel-bin/{package}"
        for name in os.listdir(source):
            path = f"{source}/{name}"
            if os.path.isfile(path) and os.access(path, os.X_OK):
                shutil.copy(path, folder)
    return folder


def chosen(all_of, name_of, wanted):
    if wanted is None:
        return all_of
    known = {name_of(item): item for item in all_of}
    unknown = set(wanted) - known.keys()
    if unknown:
        sys.exit(f"no such: {', '.join(sorted(unknown))}; "
                 f"there are: {', '.join(known)}")
    return [known[name] for name in wanted]


def wants_ldap_limit(arguments):
    return (directory.Slapd.is_installed()
            and (not arguments.rows
                 or _LDAP_LIMIT in arguments.rows.split(",")))


def without_ldap_limit(names):
    """The rows that a proxy plays; None: all."""
    if not names:
        return None
    return [name for name in names.split(",") if name != _LDAP_LIMIT]


class Measurement:
    def __init__(self, rows, proxies, generator, rounds, minutes):
        self.rows = rows
        self.proxies = proxies
        self.figures = collections.defaultdict(
            lambda: collections.defaultdict(list))
        self.faults = []
        self._generator = generator
        self._rounds = rounds
        self._row_seconds = (minutes * 60 / max(1, len(rows)) if minutes
                             else math.inf)

    def run(self):
        for row in self.rows:
            able = [p for p in self.proxies if p.can_play(row)]
            self._run_row(row, able)

    def _run_row(self, row, proxies):
        # A fresh process for each memory figure: what it kept of the last
        # round would make the next one look small.
        if not row.measures_memory:
            proxies = [proxy for proxy in proxies if self._start(row, proxy)]
        begin = time.monotonic()
        for number in range(self._rounds):
            spent = time.monotonic() - begin
            if number and spent + spent / number > self._row_seconds:
                break
            for proxy in proxies:
                self._measure(row, proxy, number)
        if not row.measures_memory:
            for proxy in proxies:
                proxy.stop()

    def _start(self, row, proxy):
        try:
            proxy.start(row.service)
            return True
        except RuntimeError as fault:
            self.faults.append(f"{row.key} {proxy.name}: {fault}")
            proxy.stop()
            return False

    def _measure(self, row, proxy, number):
        try:
            if row.measures_memory:
                proxy.start(row.service)
            figure = self._generator.figure(row, proxy)
            self.figures[row.key][proxy.name].append(figure)
            outcome = f"{figure:.3f} {row.unit}"
        except (load.Mismatch, RuntimeError) as fault:
            self.faults.append(f"{row.key} {proxy.name}: {fault}")
            outcome = f"FAULT: {fault}"
        finally:
            if row.measures_memory:
                proxy.stop()
        print(f"round {number + 1} {row.key} {proxy.name}: {outcome}",
              flush=True)


def measure(arguments, folder, binaries):
    workers = os.cpu_count()
    stores = [site_lib.Store(f"{binaries}/fake_store", workers)]
    gatehouse.Gatehouse.binaries = binaries
    site = site_lib.Site(folder, stores, _USERS, workers)
    classes = chosen(_PROXIES, lambda cls: cls.name,
                     arguments.proxies and arguments.proxies.split(","))
    proxies = [cls(site) for cls in classes if cls.is_installed()]
    rows = chosen(scenarios.ROWS, lambda row: row.key,
                  without_ldap_limit(arguments.rows))
    if arguments.quick:
        rows = [row.scaled(_QUICK_SHARE) for row in rows]
    if any(row.service == "imapFleet" for row in rows):
        stores += [site_lib.Store(f"{binaries}/fake_store", workers)
                   for _ in range(_FLEET_STORES - 1)]
    if any(row.service == "imapLdap" for row in rows):
        if directory.Slapd.is_installed():
            site.directory = directory.Slapd(
                site.subfolder("slapd"), site.user_names(),
                f"127.0.0.1:{site.store_ports['imap']}")
        else:
            rows = [row for row in rows if row.service != "imapLdap"]
    generator = load.Generator(f"{binaries}/load_generator", site.certificate,
                               _USERS)
    measurement = Measurement(rows, proxies, generator,
                              1 if arguments.quick else arguments.rounds,
                              arguments.minutes)
    try:
        measurement.run()
        if any(store.counts()["damaged"] for store in stores):
            measurement.faults.append("bytes or messages came to the store "
                                      "changed")
    finally:
        for proxy in proxies:
            if proxy.group:
                proxy.stop()
        if site.directory:
            site.directory.stop()
        for store in stores:
            store.stop()
    return measurement


def main():
    arguments = parse_arguments()
    binaries = arguments.binaries or build()
    folder = tempfile.mkdtemp(prefix="gatehouse-bench-")
    os.chmod(folder, 0o755)  # the peers' own users read their files here
    measurement = measure(arguments, folder, binaries)
    rounds = 1 if arguments.quick else arguments.rounds
    limit = ""
    if wants_ldap_limit(arguments):
        try:
            limit = ldap_limit.table(ldap_limit.measure(
                f"{binaries}/{_LDAP_BENCHMARK}", rounds, arguments.quick))
        except ldap_limit.Fault as fault:
            measurement.faults.append(f"{_LDAP_LIMIT}: {fault}")
    names = [proxy.name for proxy in measurement.proxies]
    results = arguments.results or (
        f"{workspace()}/benchmarks/results/"
        f"{datetime.datetime.now():%Y-%m-%d_%H%M}")
    report.write(results, measurement.rows, names, measurement.figures, limit)
    print(report.table(measurement.rows, names, measurement.figures))
    print(limit)
    print(f"results: {results}")
    for fault in measurement.faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    if arguments.keep:
        print(f"configurations and logs: {folder}")
    else:
        shutil.rmtree(folder)
    if not arguments.binaries:
        shutil.rmtree(binaries)
    return 1 if measurement.faults else 0


if __name__ == "__main__":
    sys.exit(main())
