"""Dovecot's proxy: users, passwords and hosts from a passwd-file."""

from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

_LISTENERS = {"imap": ("imap-login", "imap"), "imaps": ("imap-login", "imaps"),
              "pop3": ("pop3-login", "pop3"),
              "submission": ("submission-login", "submission")}


class Dovecot(proxy.Proxy):
    name = "dovecot"
    services = ("imap", "imaps", "pop3", "submission")
    resumes_tls = False

    @classmethod
    def is_installed(cls):
        return proxy.find_program("dovecot") is not None

    def _write_users(self, service, port):
        fields = f"proxy=y host=127.0.0.1 port={port}"
        self.write("users-" + service, "".join(
            f"{name}:{{PLAIN}}{site_lib.PASSWORD}::::::{fields}\n"
            for name in self.site.user_names()))

    def _login_service(self, program):
        listeners = "\n".join(
            f"  inet_listener {listener} {{\n    address = 127.0.0.1\n"
            f"    port = {self.ports[service]}\n"
            f"    ssl = {'yes' if service == 'imaps' else 'no'}\n  }}"
            for service, (owner, listener) in _LISTENERS.items()
            if owner == program)
        unused = {"imap-login": "", "pop3-login": "pop3s",
                  "submission-login": "submissions"}[program]
        if unused:
            listeners += f"\n  inet_listener {unused} {{\n    port = 0\n  }}"
        return f"""
service {program} {{
  chroot =
  service_count = 0
  client_limit = 9900
  process_min_avail = {self.site.workers}
  process_limit = {self.site.workers}
{listeners}
}}"""

    def commands(self):
        self._write_users("imap", self.site.store_ports["imap"])
        self._write_users("pop3", self.site.store_ports["pop3"])
        self._write_users("submission", self.site.store_ports["smtp"])
        logins = "".join(map(self._login_service,
                             ("imap-login", "pop3-login", "submission-login")))
        path = self.write("dovecot.conf", f"""
protocols = imap pop3 submission
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.site.certificate}
ssl_key = <{self.site.key}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_max_userip_connections = 0
default_vsz_limit = 4G
submission_relay_host = 127.0.0.1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {self.folder}/users-%s
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home=/nonexistent
}}
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
{logins}
""")
        return [[proxy.find_program("dovecot"), "-F", "-c", path]]
