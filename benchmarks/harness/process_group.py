"""A proxy's processes, with what they cost: CPU time and memory."""

import os
import signal
import subprocess
import time

_CPUACCT = "/sys/fs/cgroup/cpuacct"
_UNIFIED = "/sys/fs/cgroup"
_STOP_SECONDS = 10


class NoCgroup(Exception):
    """This machine lets us make no cgroup that counts CPU time."""


class _Cgroup:
    """Counts children that have exited, too: what Perdition's forks need."""

    def __init__(self, name):
        if os.path.exists(_CPUACCT + "/cpuacct.usage"):
            self._folder = f"{_CPUACCT}/{name}"
        elif os.path.exists(_UNIFIED + "/cgroup.controllers"):
            self._folder = f"{_UNIFIED}/{name}"
        else:
            raise NoCgroup()
        try:
            os.mkdir(self._folder)
        except OSError as error:
            raise NoCgroup() from error

    def enter(self):
        with open(self._folder + "/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))

    def pids(self):
        with open(self._folder + "/cgroup.procs") as procs:
            return [int(line) for line in procs]

    def cpu_seconds(self):
        usage = self._folder + "/cpuacct.usage"
        if os.path.exists(usage):
            with open(usage) as nanoseconds:
                return int(nanoseconds.read()) / 1e9
        with open(self._folder + "/cpu.stat") as stat:
            return int(stat.readline().split()[1]) / 1e6

    def close(self):
        os.rmdir(self._folder)


def _stat_fields(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()


class _Descendants:
    """Without a cgroup: the processes below one, by /proc. Children that have
    exited count once their parent has waited for them."""

    def __init__(self):
        self.root = None

    def enter(self):
        pass

    def pids(self):
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                parents[int(name)] = int(_stat_fields(name)[1])
            except OSError:
                continue  # has just ended
        found = {self.root} & parents.keys()
        while True:
            more = {p for p, parent in parents.items() if parent in found}
            if more <= found:
                return sorted(found)
            found |= more

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            try:
                ticks += sum(int(field) for field in _stat_fields(pid)[11:15])
            except OSError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self):
        pass


def _pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            for line in rollup:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass  # has just ended
    return 0


def _epoll_sizes(pid):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") != "anon_inode:[eventpoll]":
                continue
            with open(f"/proc/{pid}/fdinfo/{fd}") as info:
                yield sum(line.startswith("tfd:") for line in info)
        except OSError:
            continue  # has just been closed


class ProcessGroup:
    """Processes that are started, measured and ended together."""

    def __init__(self, name, log_file):
        try:
            self._account = _Cgroup(f"gatehouse-bench-{os.getpid()}-{name}")
        except NoCgroup:
            self._account = _Descendants()
        self._log = open(log_file, "ab")
        self._children = []

    def start(self, argv, cwd):
        child = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, preexec_fn=self._account.enter)
        self._children.append(child)
        if isinstance(self._account, _Descendants):
            self._account.root = child.pid

    def has_ended(self):
        return any(child.poll() is not None for child in self._children)

    def cpu_seconds(self):
        return self._account.cpu_seconds()

    def pss_kib(self):
        return sum(_pss_kib(pid) for pid in self._account.pids())

    def watched_sockets(self):
        """How many each of the epoll sets has, of all processes."""
        return [size for pid in self._account.pids()
                for size in _epoll_sizes(pid)]

    def stop(self):
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            try:
                child.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._end_rest()
        self._account.close()
        self._log.close()

    def _end_rest(self):
        """Grandchildren whose parent didn't take them along."""
        while True:
            pids = self._account.pids()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)
