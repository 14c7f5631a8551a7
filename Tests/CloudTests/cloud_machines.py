"""A cloud of network namespaces, one for each node, with the metadata service where clouds have it.

```
c1 10.0.0.11 ─┐
c2 10.0.0.12 ─┼─ lan 10.0.0.1, 169.254.169.254 (metadata service and DNS; the test itself)
…            ─┘
```
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cloud_cluster import ZONES, FakeCloud, instance
from cluster import Cluster
from dns_server import DNSServer

METADATA = "169.254.169.254"
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
            "which takes root and an iproute2 and a kernel that have them)"
        )


class Network:
    """The cloud's namespace, those of its machines, and the wires between them.

    Names carry this process's id, so that two runs don't meet.
    """

    def __init__(self):
        self.namespaces = []
        self.cloud = self._name("cloud")
        self.directory = Path(tempfile.mkdtemp(prefix="dst-network-"))
        self.resolver = self.directory / "resolv.conf"
        self.resolver.write_text(f"nameserver {METADATA}\n")
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
        for address in ("10.0.0.1/24", f"{METADATA}/32"):
            ip("-n", self.cloud, "address", "add", address, "dev", "lan")
        ip("-n", self.cloud, "link", "set", "lan", "up")

    def plug_in(self, machine, address):
        """A machine with an address, a route to the metadata service, and one to everybody else."""
        namespace, wire = self._name(machine), f"to-{machine}"
        self._add(namespace)
        ip(
            "-n", self.cloud, "link", "add", wire, "type", "veth",
            "peer", "name", "eth0", "netns", namespace,
        )
        ip("-n", self.cloud, "link", "set", wire, "master", "lan", "up")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "route", "add", METADATA, "dev", "eth0")
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
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.cloud}", os.O_RDONLY)
        self._move(there)
        os.close(there)

    def _move(self, namespace):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        """Back home; the namespaces end with the last process in them."""
        if self._home is not None:
            self._move(self._home)
            os.close(self._home)
            self._home = None
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, timeout=60)
        self.namespaces = []
        shutil.rmtree(self.directory, ignore_errors=True)


class MachineCluster(Cluster):
    """Ten machines of a cloud in three zones. What a machine has of its cloud, nodes find out
    themselves: their address, their zone, the metadata service."""

    def __init__(self, cloud, method=None, page_size=5, **settings):
        super().__init__(f"machines-{cloud}", **settings)
        self.cloud, self.page_size = cloud, page_size
        self.network = Network()
        self.dns = self.fake = None
        self.zones, self.instances = {}, {}
        for number, node in enumerate(self.nodes):
            host = f"10.0.0.{number + 11}"
            zone = ZONES[cloud][number % 3]
            node.address = f"{host}:{PORT}"
            node.command = [*self.network.around(node.name), *node.command]
            for name in ("SEED_NODES", "LISTEN_ADDRESS"):
                del node.environment[name]
            node.environment.update(
                DISCOVERY_METHOD=method or cloud, CLUSTER_NAME="cloud-test", ZONE="auto"
            )
            self.instances[node.name] = instance(
                cloud, f"i-{node.name}", host, node.role, zone=zone
            )
            self.zones[node.name] = f"westeurope-{zone}" if cloud == "azure" else zone

    def open(self):
        """The cloud, without nodes."""
        self.network.build()
        for node in self.nodes:
            self.network.plug_in(node.name, node.address.split(":")[0])
        self.network.enter()
        self.dns = DNSServer(METADATA, 53, domain="internal", around=self.network.around())
        if self.cloud == "gcp":
            self.dns.addresses = [("metadata.google.internal", METADATA)]
        self.dns.start()
        self.fake = FakeCloud(self.cloud, METADATA, 80, around=self.network.around())
        for node in self.nodes:
            node.environment.update(self.fake.services())
        self.tell()

    def tell(self, **state):
        """The cloud knows its machines as they are in `instances`."""
        self.fake.state(
            instances=list(self.instances.values()), page_size=self.page_size, **state
        )

    def host(self, name):
        return self.node(name).address.split(":")[0]

    def close(self, keep=False):
        try:
            super().close(keep)
        finally:
            for service in (self.fake, self.dns, self.network):
                if service is not None:
                    service.close()
