"""Perdition: a process for each session."""

from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

_PROTOCOLS = {"imap": "IMAP4", "imaps": "IMAP4S", "pop3": "POP3"}


class Perdition(proxy.Proxy):
    name = "perdition"
    services = ("imap", "imaps", "pop3")
    session_limit = 1000

    @classmethod
    def is_installed(cls):
        return site_lib.find_program("perdition") is not None

    def _command(self, service):
        upstream = {"imaps": "imap"}.get(service, service)
        argv = [site_lib.find_program("perdition"), "--no_daemon",
                "--protocol", _PROTOCOLS[service],
                "--config_file", "/dev/null",
                "--map_library", "", "--no_lookup", "--quiet",
                "--bind_address", "127.0.0.1",
                "--listen_port", str(self.ports[service]),
                "--outgoing_server", "127.0.0.1",
                "--outgoing_port", str(self.site.store_ports[upstream]),
                "--pid_file", f"{self.folder}/{service}.pid",
                "--log_facility", f"{self.folder}/{service}.log",
                "--username", "root", "--group", "root"]
        if service == "imaps":
            argv += ["--ssl_mode", "ssl_listen",
                     "--ssl_cert_file", self.site.certificate,
                     "--ssl_key_file", self.site.key]
        return argv

    def commands(self, service):
        return [self._command(service)]
