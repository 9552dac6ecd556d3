"""Gatehouse: every user in a local map, passwords checked by the store."""

import json
import os

from benchmarks.harness.proxies import proxy

# service -> executable, listener's TLS mode
_SERVICES = {"imap": ("imapproxy", "none"), "imaps": ("imapproxy", "implicit"),
             "pop3": ("pop3proxy", "none"), "smtp": ("smtprouter", "none")}


class Gatehouse(proxy.Proxy):
    name = "gatehouse"
    services = tuple(_SERVICES)

    # Folder of the executables; set by the harness.
    binaries = ""

    def __init__(self, site):
        self.services = tuple(
            service for service in _SERVICES
            if os.path.exists(self._binary(_SERVICES[service][0])))
        super().__init__(site)

    @classmethod
    def is_installed(cls):
        return any(os.path.exists(cls._binary(program))
                   for program, _ in _SERVICES.values())

    @classmethod
    def _binary(cls, program):
        return f"{cls.binaries}/{program}"

    def _write_map(self):
        users = {name: {"host": "127.0.0.1"}
                 for name in self.site.user_names()}
        self.write("users.json", json.dumps({"users": users}))

    def config(self, program):
        services = [service for service in self.services
                    if _SERVICES[service][0] == program]
        listeners = [{"address": "127.0.0.1", "port": self.ports[service],
                      "tls": _SERVICES[service][1]} for service in services]
        config = {
            "hostName": "mail.example.com",
            "workers": self.site.workers,
            "listeners": listeners,
            "allowPlaintextLogin": "always",
            "userMaps": [{"name": "Local", "type": "localFile",
                          "localFile": "users.json"}],
            "authenticateOnProxy": False,
            "mapping": {"userMap": "Local"},
            "upstream": {"port": self.site.store_ports[services[0]]},
        }
        if "imaps" in services:
            config["tls"] = {"certificates": [
                {"certificate": self.site.certificate,
                 "privateKey": self.site.key}]}
        return config

    def commands(self):
        self._write_map()
        commands = []
        for program in dict.fromkeys(
                _SERVICES[service][0] for service in self.services):
            path = self.write(program + ".json",
                              json.dumps(self.config(program), indent=2))
            commands.append([self._binary(program), f"--config={path}"])
        return commands
