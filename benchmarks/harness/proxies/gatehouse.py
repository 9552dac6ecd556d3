"""Gatehouse: every user in a local map, passwords checked by the store; or all
that by an LDAP directory."""

import json
import os

from benchmarks.harness import directory
from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

# service -> executable, the store's protocol
_SERVICES = {"imap": ("imapproxy", "imap"), "imapLdap": ("imapproxy", "imap"),
             "imapFleet": ("imapproxy", "imap"),
             "imaps": ("imapproxy", "imap"), "pop3": ("pop3proxy", "pop3"),
             "smtp": ("smtprouter", "smtp"),
             "submission": ("smtprouter", "smtp")}
# Of imapFleet, on one port: each holds fewer sessions than it may have
# descriptors for.
_FLEET_PROCESSES = 5


class Gatehouse(proxy.Proxy):
    name = "gatehouse"
    services = tuple(_SERVICES)
    spreads_evenly = True

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

    def _write_map(self, service):
        """Users are spread over the stores, of which only a fleet needs more
        than one."""
        ports = [store.ports[_SERVICES[service][1]]
                 for store in self.site.stores]
        users = {name: {"host": f"127.0.0.1:{ports[n % len(ports)]}"}
                 for n, name in enumerate(self.site.user_names())}
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
        upstream = {"port": self.site.store_ports[_SERVICES[service][1]]}
        config = {
            "hostName": "mail.example.com",
            "workers": self.site.workers,
            "listeners": [{"address": "127.0.0.1", "port": self.ports[service],
                           "tls": "implicit" if service == "imaps"
                                  else "none"}],
            "allowPlaintextLogin": "always",
            "mapping": {"userMap": "Map"},
            "upstream": upstream,
        }
        if service == "imapFleet":
            config["sharePorts"] = True
        if service in ("smtp", "submission"):
            config["localDomains"] = ["example.com"]
        if service == "submission":
            config["listeners"][0]["role"] = "submission"
            config["submission"] = {"mode": "home", "upstream": upstream}
        config |= (self._ldap_map() if service == "imapLdap"
                   else self._local_map())
        if service == "imaps":
            config["tls"] = {"certificates": [
                {"certificate": self.site.certificate,
                 "privateKey": self.site.key}]}
        return config

    def commands(self, service):
        self._write_map(service)
        path = self.write(service + ".json",
                          json.dumps(self.config(service), indent=2))
        os.chmod(path, 0o600)
        command = [self._binary(_SERVICES[service][0]), f"--config={path}"]
        return [command] * (_FLEET_PROCESSES if service == "imapFleet" else 1)

    def is_ready(self, service):
        processes = _FLEET_PROCESSES if service == "imapFleet" else 1
        return (site_lib.listening_sockets(self.ports[service])
                == processes * self.site.workers)
