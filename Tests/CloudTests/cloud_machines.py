"""A cloud of network namespaces, one for each node; metadata are where clouds have it."""

from cloud_cluster import ZONES, FakeCloud, instance
from cluster import Cluster
from dns_server import DNSServer
from network import PORT, Network

METADATA = "169.254.169.254"


class MachineCluster(Cluster):
    """Ten machines of a cloud in three zones. What a machine has of its cloud, nodes find out
    themselves: their address, their zone, the metadata service."""

    def __init__(self, cloud, method=None, page_size=5, **settings):
        super().__init__(f"machines-{cloud}", **settings)
        self.cloud, self.page_size = cloud, page_size
        self.network = Network(service=METADATA)
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
