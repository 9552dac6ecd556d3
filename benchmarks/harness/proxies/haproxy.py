"""HAProxy in TCP mode: no login is understood, hence the limit of the others."""

from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy


class Haproxy(proxy.Proxy):
    name = "haproxy"
    services = ("imap", "imaps", "pop3", "smtp")
    splices = False
    connections = 9900

    @classmethod
    def is_installed(cls):
        return site_lib.find_program("haproxy") is not None

    def _frontend(self, service):
        upstream = service.removesuffix("s") if service == "imaps" else service
        tls = ""
        if service == "imaps":
            tls = f" ssl crt {self.site.folder}/tls-both.pem"
        return f"""
listen {service}
    bind 127.0.0.1:{self.ports[service]}{tls}
    server store 127.0.0.1:{self.site.store_ports[upstream]}
"""

    def commands(self, service):
        splice = ""
        if self.splices:
            splice = "option splice-request\n    option splice-response"
        config = f"""
global
    maxconn {self.connections}
    nbthread {self.site.workers}
defaults
    mode tcp
    maxconn {self.connections}
    timeout connect 5s
    timeout client 30m
    timeout server 30m
    {splice}
""" + "".join(self._frontend(service) for service in self.services)
        path = self.write("haproxy.cfg", config)
        return [[site_lib.find_program("haproxy"), "-db", "-f", path]]


class HaproxySplice(Haproxy):
    """With the kernel's splicing forced in both directions."""

    name = "haproxySplice"
    services = ("imap",)
    splices = True
    connections = 2000  # it sets descriptors aside for pipes
    session_limit = 1900
