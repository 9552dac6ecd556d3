"""Gatehouse: every user in a local map, passwords checked by the store; or all
that by an LDAP directory."""

import json
import os

from benchmarks.harness import directory
from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

# service -> executable, listener's TLS mode
_SERVICES = {"imap": ("imapproxy", "none"), "imapLdap": ("imapproxy", "none"),
             "imaps": ("imapproxy", "implicit"),
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

    def _local_map(self):
        return {"userMaps": [{"name": "Map", "type": "localFile",
                              "localFile": "users.json"}],
                "authenticateOnProxy": False}

    def _ldap_map(self):
        return {"userMaps": [{"name": "Map", "type": "ldapBind",
                              "userdbConnectorName": "Ldap"}],
                "userdbConnectorType": "ldapBind",
                "userdbConnectorName": "Ldap",
                "ldapConnectors": [{
                    "name": "Ldap", "urls": [self.site.directory.url],
                    "adminDn": directory.ADMIN_DN,
                    "adminPassword": site_lib.PASSWORD,
                    "accountBaseDn": directory.BASE_DN}]}

    def config(self, service):
        upstream = {"imaps": "imap", "imapLdap": "imap"}.get(service, service)
        config = {
            "hostName": "mail.example.com",
            "workers": self.site.workers,
            "listeners": [{"address": "127.0.0.1", "port": self.ports[service],
                           "tls": _SERVICES[service][1]}],
            "allowPlaintextLogin": "always",
            "mapping": {"userMap": "Map"},
            "upstream": {"port": self.site.store_ports[upstream]},
        }
        config |= (self._ldap_map() if service == "imapLdap"
                   else self._local_map())
        if service == "imaps":
            config["tls"] = {"certificates": [
                {"certificate": self.site.certificate,
                 "privateKey": self.site.key}]}
        return config

    def commands(self, service):
        self._write_map()
        path = self.write(service + ".json",
                          json.dumps(self.config(service), indent=2))
        os.chmod(path, 0o600)
        return [[self._binary(_SERVICES[service][0]), f"--config={path}"]]
