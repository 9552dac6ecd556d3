"""nginx's mail proxy; its auth_http helper is part of the fake store."""

import os

from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"


class Nginx(proxy.Proxy):
    name = "nginx"
    services = ("imap", "imaps", "pop3", "smtp")
    proxy_buffer = ""

    @classmethod
    def is_installed(cls):
        return (site_lib.find_program("nginx") is not None
                and os.path.exists(_MODULE))

    def _server(self, service):
        protocol = {"imaps": "imap"}.get(service, service)
        tls = ""
        if service == "imaps":
            tls = (f"ssl_certificate {self.site.certificate}; "
                   f"ssl_certificate_key {self.site.key}; "
                   "ssl_protocols TLSv1.2 TLSv1.3; "
                   "ssl_session_cache shared:tls:10m;")
        listen = f"127.0.0.1:{self.ports[service]} backlog=4096"
        listen += " ssl" if tls else ""
        auth = "smtp_auth none; xclient off;" if protocol == "smtp" else ""
        return f"server {{ listen {listen}; protocol {protocol}; {auth} {tls} }}"

    def commands(self, service):
        servers = "\n    ".join(map(self._server, self.services))
        path = self.write("nginx.conf", f"""
load_module {_MODULE};
daemon off;
user root;
worker_processes {self.site.workers};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections 19900; }}
mail {{
    server_name mail.example.com;
    auth_http 127.0.0.1:{self.site.store_ports["nginx_auth"]}/;
    timeout 30m;
    {self.proxy_buffer}
    {servers}
}}
""")
        return [[site_lib.find_program("nginx"), "-p", self.folder, "-c", path,
                 "-e", f"{self.folder}/error.log"]]


class Nginx64k(Nginx):
    """With the buffers that bulk wants."""

    name = "nginx64k"
    services = ("imap", "imaps")
    proxy_buffer = "proxy_buffer 64k;"
