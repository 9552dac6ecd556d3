"""A real Postfix on loopback: a relay that owns retry, or a store with mailboxes.

    relay = Postfix(cluster, routes={"alice@example.com": ("127.0.0.1", lmtp_port)})
    store = Postfix(cluster, mailboxes=["carol@example.com"])
    store.messages("carol@example.com")  # list of octets

It needs root, and the user "postfix" of its package.
"""
import os
import pathlib
import pwd

from testdata.cluster.cluster import HOST, Server, free_port, run

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {host}
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_recipient_restrictions = permit_mynetworks, reject
message_size_limit = 0
mailbox_size_limit = 0
virtual_mailbox_limit = 0
maillog_file = {folder}/maillog
maillog_file_prefixes = /
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_forbid_bare_newline = yes
# Messages arrive as they were sent, but for trace headers.
local_header_rewrite_clients =
# Whoever is held back is tried again within the time of a test.
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
smtpd_client_connection_count_limit = 0
default_process_limit = 40
transport_maps = texthash:{folder}/transport
default_transport = error:5.1.2 nobody else here
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

MASTER = """
{host}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Server):
    """`routes`: address → (host, LMTP port); `mailboxes`: addresses that live here; `extra`: more
    of main.cf, which outweighs what stands here."""

    def __init__(self, cluster, name="postfix", routes=None, mailboxes=(), host=HOST, extra=""):
        self.folder = folder = cluster.folder / name
        self.port = free_port()
        folder.mkdir()
        nobody = pwd.getpwnam("nobody")
        for part, owner in (("queue", 0), ("data", pwd.getpwnam("postfix").pw_uid), ("mail", nobody.pw_uid)):
            (folder / part).mkdir()
            os.chown(folder / part, owner, -1)
        (folder / "transport").write_text("".join(
            f"{address} lmtp:inet:{there}:{port}\n" for address, (there, port) in (routes or {}).items()))
        (folder / "mailboxes").write_text("".join(f"{address} {address}/\n" for address in mailboxes))
        (folder / "main.cf").write_text(MAIN.format(
            folder=folder, name=name, host=host, uid=nobody.pw_uid, gid=nobody.pw_gid,
            domains=" ".join(sorted({address.partition("@")[2] for address in mailboxes}))) + extra)
        (folder / "master.cf").write_text(MASTER.format(host=host, port=self.port))
        super().__init__(name, ["postfix", "-c", folder, "start-fg"], folder / "postfix.out",
                         [self.port], host)

    def stop(self, seconds=10):
        """By Postfix itself: its master holds many processes."""
        if self.process is not None and self.process.poll() is None:
            run("postfix", "-c", str(self.folder), "stop")
        return super().stop(seconds)

    def kill(self):
        run("postfix", "-c", str(self.folder), "abort")
        super().kill()

    def messages(self, address):
        """What lies in the mailbox, oldest first; trace headers included."""
        arrived = pathlib.Path(self.folder / "mail" / address / "new")
        return [file.read_bytes() for file in sorted(arrived.glob("*"))]

    def queue_is_empty(self):
        parts = ("maildrop", "incoming", "active", "deferred", "hold")
        return not any(file.is_file() for part in parts for file in (self.folder / "queue" / part).rglob("*"))

    def maillog(self):
        file = self.folder / "maillog"
        return file.read_text(errors="replace") if file.exists() else ""


