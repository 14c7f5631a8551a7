"""Machines as network namespaces, on one wire.

```
c1 10.0.0.11 ─┐
c2 10.0.0.12 ─┼─ lan 10.0.0.1, and a service's address beside it (the test itself)
…            ─┘
```
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CLONE_NEWNET = 0x40000000
PORT = 9000


def ip(*words):
    """Runs `ip`, which must succeed."""
    try:
        done = subprocess.run(
            ["ip", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
    except FileNotFoundError:
        raise AssertionError("`ip` is not installed: apt-get install iproute2") from None
    if done.returncode != 0:
        raise AssertionError(
            f"`ip {' '.join(words)}`: {done.stderr.strip()} (machines are network namespaces, "
            "which takes root, and iproute2, iptables and a kernel that have them)"
        )


def enter(namespace):
    """Moves this thread, and what it starts, into a namespace. Returns what `leave` wants."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    leave(os.open(f"/run/netns/{namespace}", os.O_RDONLY))
    return home


def leave(descriptor):
    """To the namespace of the descriptor, which is closed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(descriptor)


class Network:
    """The cloud's namespace, those of its machines, and the wires between them.

    Names carry this process's id, so that two runs don't meet. `service`: an address at which the
    test serves machines; they look for their DNS server there.
    """

    def __init__(self, service=None):
        self.namespaces = []
        self.cloud = self._name("cloud")
        self.service = service
        self.directory = Path(tempfile.mkdtemp(prefix="dst-network-"))
        self.resolver = self.directory / "resolv.conf"
        self.resolver.write_text(f"nameserver {service or '10.0.0.1'}\n")
        self._home = None

    def _name(self, machine):
        return f"dst-{os.getpid()}-{machine}"

    def _add(self, namespace):
        ip("netns", "add", namespace)
        self.namespaces.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")

    def build(self):
        self._add(self.cloud)
        ip("-n", self.cloud, "link", "add", "lan", "type", "bridge")
        services = [f"{self.service}/32"] if self.service else []
        for address in ("10.0.0.1/24", *services):
            ip("-n", self.cloud, "address", "add", address, "dev", "lan")
        ip("-n", self.cloud, "link", "set", "lan", "up")

    def plug_in(self, machine, address):
        """A machine with an address, a route to the service, and one to everybody else."""
        namespace, wire = self._name(machine), f"to-{machine}"
        self._add(namespace)
        ip(
            "-n", self.cloud, "link", "add", wire, "type", "veth",
            "peer", "name", "eth0", "netns", namespace,
        )
        ip("-n", self.cloud, "link", "set", wire, "master", "lan", "up")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        if self.service:
            ip("-n", namespace, "route", "add", self.service, "dev", "eth0")
        ip("-n", namespace, "route", "add", "default", "via", "10.0.0.1")

    def around(self, machine="cloud"):
        """What runs a command on a machine. Its view of the file system is its own, and with it the
        address of its DNS server."""
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        namespace = self._name(machine)
        return ["ip", "netns", "exec", namespace, "sh", "-c", script, str(self.resolver)]

    def enter(self):
        """From here on the test itself, and what it starts, is in the cloud's namespace: it reaches
        nodes as their neighbours do."""
        self._home = enter(self.cloud)

    def block(self, machine, addresses, ways=("INPUT", "OUTPUT")):
        """Packets between the machine and the addresses vanish; with one way only those that come,
        or those that go."""
        for way in ways:
            for address in addresses:
                which = "-s" if way == "INPUT" else "-d"
                ip(
                    "netns", "exec", self._name(machine),
                    "iptables", "-w", "-A", way, which, address, "-j", "DROP",
                )

    def unblock(self, machine):
        ip("netns", "exec", self._name(machine), "iptables", "-w", "-F")

    def close(self):
        """Back home; the namespaces end with the last process in them."""
        if self._home is not None:
            leave(self._home)
            self._home = None
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, timeout=60)
        self.namespaces = []
        shutil.rmtree(self.directory, ignore_errors=True)
