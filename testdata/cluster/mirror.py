"""Two real slapd in mirror mode (multi-provider replication), one of them preferred."""
import subprocess
import time

from testdata.cluster.cluster import ADMIN_DN, ADMIN_PASSWORD, HOST, START_SECONDS, SUFFIX, free_port

DATABASE = """
syncrepl rid=00{number} provider=ldap://{host}:{other_port} type=refreshAndPersist retry="1 +"
  searchbase=dc=example,dc=com bindmethod=simple binddn={admin_dn} credentials={admin_password}
multiprovider on
"""


class Mirror:
    """`first` and `second` are running servers; `cluster.ldif()` writes to the first."""

    def __init__(self, cluster):
        self.ports = [cluster.ldap_port, free_port()]
        self.first, self.second = (self._start(cluster, number) for number in (1, 2))
        cluster.ldif(SUFFIX)

    def _start(self, cluster, number):
        return cluster.start_slapd(
            f"slapd{number}", self.ports[number - 1], f"serverID {number}\n",
            DATABASE.format(host=HOST, number=number, other_port=self.ports[2 - number],
                            admin_dn=ADMIN_DN, admin_password=ADMIN_PASSWORD))

    @property
    def urls(self):
        return [f"ldap://{HOST}:{port}" for port in self.ports]

    def await_copy(self, uid):
        """Until the second has the entry."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            found = subprocess.run(
                ["ldapsearch", "-x", "-LLL", "-H", self.urls[1], "-D", ADMIN_DN, "-w", ADMIN_PASSWORD,
                 "-b", "dc=example,dc=com", f"(uid={uid})", "dn"], capture_output=True, text=True)
            if f"uid={uid}," in found.stdout:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"not copied: {uid}\n{found.stderr}\n{self.second.text()[-2000:]}")
            time.sleep(0.1)

    @staticmethod
    def lookups(server):
        """How many searches for an address it has been asked."""
        return server.text().count("(mailLocalAddress=")
