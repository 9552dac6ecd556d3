"""Dovecot's proxy: users, passwords and hosts from a passwd-file, or from LDAP
by search and bind."""

from benchmarks.harness import directory
from benchmarks.harness import site as site_lib
from benchmarks.harness.proxies import proxy

# service -> protocol, its listener, the listener that is left out
_LISTENERS = {"imap": ("imap", "imap", "imaps"),
              "imapLdap": ("imap", "imap", "imaps"),
              "imaps": ("imap", "imaps", "imap"),
              "pop3": ("pop3", "pop3", "pop3s"),
              "submission": ("submission", "submission", "submissions")}


class Dovecot(proxy.Proxy):
    name = "dovecot"
    services = tuple(_LISTENERS)
    resumes_tls = False

    @classmethod
    def is_installed(cls):
        return site_lib.find_program("dovecot") is not None

    def _store_port(self, protocol):
        return self.site.store_ports[
            "smtp" if protocol == "submission" else protocol]

    def _passwd_file(self, protocol):
        fields = f"proxy=y host=127.0.0.1 port={self._store_port(protocol)}"
        path = self.write("users", "".join(
            f"{name}:{{PLAIN}}{site_lib.PASSWORD}::::::{fields}\n"
            for name in self.site.user_names()))
        return f"driver = passwd-file\n  args = scheme=PLAIN {path}"

    def _ldap(self, protocol):
        path = self.write("ldap.conf", f"""
uris = {self.site.directory.url}
dn = {directory.ADMIN_DN}
dnpass = {site_lib.PASSWORD}
base = {directory.BASE_DN}
auth_bind = yes
pass_filter = (&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%u))
pass_attrs = =proxy=y, =host=127.0.0.1, =port={self._store_port(protocol)}
""")
        return f"driver = ldap\n  args = {path}"

    def commands(self, service):
        protocol, listener, left_out = _LISTENERS[service]
        passdb = (self._ldap if service == "imapLdap"
                  else self._passwd_file)(protocol)
        path = self.write("dovecot.conf", f"""
protocols = {protocol}
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
  {passdb}
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
service {protocol}-login {{
  chroot =
  service_count = 0
  client_limit = 9900
  process_min_avail = {self.site.workers}
  process_limit = {self.site.workers}
  inet_listener {listener} {{
    address = 127.0.0.1
    port = {self.ports[service]}
    ssl = {"yes" if service == "imaps" else "no"}
  }}
  inet_listener {left_out} {{
    port = 0
  }}
}}
""")
        return [[site_lib.find_program("dovecot"), "-F", "-c", path]]
