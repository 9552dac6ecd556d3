"""What the harness asks of a proxy."""

import shutil
import socket
import time

from benchmarks.harness import process_group
from benchmarks.harness import site as site_lib

_START_SECONDS = 20


class Proxy:
    """One program under one configuration.

    `services` names what it can do: "imap", "imaps", "pop3", "smtp",
    "submission"; each gets a port of its own.
    """

    name = ""
    services = ()
    # The largest number of sessions that is asked of it in one go, where it is
    # so slow or large that more would only cost time.
    session_limit = 10**9
    # Whether a ticket of one worker is good at the others.
    resumes_tls = True

    def __init__(self, site):
        self.site = site
        self.folder = site.subfolder(self.name)
        self.ports = {name: site_lib.free_port() for name in self.services}
        self.group = None

    def can_play(self, row):
        return row.service in self.services and (
            self.resumes_tls or row.tls != "resumed")

    @classmethod
    def is_installed(cls):
        raise NotImplementedError

    def commands(self):
        """Writes the configuration; the argument vectors to be started, each
        of which must stay in the foreground."""
        raise NotImplementedError

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self):
        self.group = process_group.ProcessGroup(
            self.name, f"{self.folder}/output.log")
        for argv in self.commands():
            self.group.start(argv, self.folder)
        for port in self.ports.values():
            self._await(port)

    def _await(self, port):
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if self.group.has_ended() or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{self.name} doesn't start: see {self.folder}")
                time.sleep(0.05)

    def stop(self):
        self.group.stop()
        self.group = None


def find_program(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
