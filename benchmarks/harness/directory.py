"""A real slapd with every user of the site, for the rows that ask it."""

import subprocess
import time

from benchmarks.harness import site as site_lib

BASE_DN = "dc=example,dc=com"
ADMIN_DN = f"cn=admin,{BASE_DN}"
_START_SECONDS = 20


def _configuration(folder):
    schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n"
                      for name in ("core", "cosine", "inetorgperson", "misc"))
    return f"""{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
loglevel none
database mdb
suffix {BASE_DN}
rootdn {ADMIN_DN}
rootpw {site_lib.PASSWORD}
directory {folder}/data
maxsize 268435456
index objectClass,mailLocalAddress,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by * none
"""


def _entries(users, host):
    yield (f"dn: {BASE_DN}\nobjectClass: dcObject\nobjectClass: organization\n"
           "o: example\ndc: example\n")
    for address in users:
        uid = address.partition("@")[0]
        # {CLEARTEXT}: what is compared is the proxies, not a hash.
        yield (f"dn: uid={uid},{BASE_DN}\nobjectClass: inetOrgPerson\n"
               f"objectClass: inetLocalMailRecipient\nuid: {uid}\ncn: {uid}\n"
               f"sn: {uid}\nmailLocalAddress: {address}\nmailHost: {host}\n"
               f"userPassword: {site_lib.PASSWORD}\n")


class Slapd:
    def __init__(self, folder, users, host):
        program = site_lib.find_program("slapd")
        config = folder + "/slapd.conf"
        with open(config, "w") as file:
            file.write(_configuration(folder))
        subprocess.run(["mkdir", "-p", folder + "/data"], check=True)
        subprocess.run(
            [site_lib.find_program("slapadd"), "-q", "-f", config],
            input="\n".join(_entries(users, host)), text=True, check=True,
            capture_output=True)
        self.url = f"ldap://127.0.0.1:{site_lib.free_port()}"
        self._log = open(folder + "/slapd.log", "wb")
        self._process = subprocess.Popen(
            [program, "-d", "none", "-f", config, "-h", self.url],
            stdout=self._log, stderr=self._log)
        self._await()

    @staticmethod
    def is_installed():
        return site_lib.find_program("slapd") is not None

    def _await(self):
        port = int(self.url.rpartition(":")[2])
        deadline = time.monotonic() + _START_SECONDS
        while not site_lib.listens(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("slapd doesn't start")
            time.sleep(0.05)

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._log.close()
