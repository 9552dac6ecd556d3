"""What the harness asks of a proxy."""

import time

from benchmarks.harness import process_group
from benchmarks.harness import site as site_lib

_START_SECONDS = 20


class Proxy:
    """One program under one configuration.

    `services` names what it can do: "imap", "imapLdap" (users and hosts from
    the site's directory instead of a file), "imapFleet" (several processes on
    one port, several stores), "imaps", "pop3", "smtp", "submission"; each gets
    a port of its own.
    """

    name = ""
    services = ()
    # The most sessions that are asked of it, where it is so slow or large that
    # more would only cost time, or where it takes no more.
    session_limit = 10**9
    # Whether a ticket of one worker is good at the others.
    resumes_tls = True
    # Whether each worker must have its share of the sessions.
    spreads_evenly = False

    def __init__(self, site):
        self.site = site
        self.folder = site.subfolder(self.name)
        self.ports = {name: site_lib.free_port() for name in self.services}
        self.group = None

    def can_play(self, row):
        held = row.sessions if row.measures_memory else row.beside
        return (row.service in self.services
                and held <= self.session_limit
                and (self.resumes_tls or row.tls != "resumed"))

    @classmethod
    def is_installed(cls):
        raise NotImplementedError

    def commands(self, service):
        """Writes the configuration; the argument vectors to be started for
        this service, each of which must stay in the foreground. They may serve
        others too."""
        raise NotImplementedError

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, service):
        self.group = process_group.ProcessGroup(
            self.name, f"{self.folder}/output.log")
        for argv in self.commands(service):
            self.group.start(argv, self.folder)
        self._await(service)

    def is_ready(self, service):
        return site_lib.listens(self.ports[service])

    def _await(self, service):
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_ready(service):
            if self.group.has_ended() or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.name} doesn't start: see {self.folder}")
            time.sleep(0.05)

    def stop(self):
        self.group.stop()
        self.group = None
