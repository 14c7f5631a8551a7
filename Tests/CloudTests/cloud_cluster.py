"""Clusters whose nodes find each other through a fake cloud."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from cluster import Cluster, free_ports

FAKES = Path(__file__).resolve().parent / "fakes"
# Where each cloud's clients look for it, in the environment of a node.
ENDPOINTS = {
    "aws": (
        "DST_AWS_IMDS_ENDPOINT",
        "DST_AWS_EC2_ENDPOINT",
        "DST_AWS_AUTOSCALING_ENDPOINT",
        "DST_AWS_SECRETS_ENDPOINT",
    ),
    "gcp": ("DST_GCP_COMPUTE_ENDPOINT", "DST_GCP_SECRETS_ENDPOINT"),
    "azure": ("DST_AZURE_IMDS_ENDPOINT", "DST_AZURE_ARM_ENDPOINT", "DST_AZURE_VAULT_ENDPOINT"),
}


class FakeCloud:
    """A process that answers as a cloud does; `state` changes what it says."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.process = subprocess.Popen(
            [sys.executable, str(FAKES / "fake_cloud.py"), "--cloud", cloud],
            stdout=subprocess.PIPE,
            text=True,
        )
        word, port = self.process.stdout.readline().split()
        assert word == "port"
        self.authority = f"127.0.0.1:{port}"

    def environment(self):
        endpoints = {name: f"http://{self.authority}" for name in ENDPOINTS[self.cloud]}
        if self.cloud == "gcp":
            endpoints["GCE_METADATA_HOST"] = self.authority
        return endpoints

    def state(self, parts=None, **more):
        self._ask("PUT", "/-/state", {**(parts or {}), **more})

    def requests(self):
        return self._ask("GET", "/-/requests")

    def forget(self):
        self._ask("DELETE", "/-/requests")

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://{self.authority}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def instance(cloud, name, address, role, cluster="cloud-test", running=True):
    """An instance in the words of each fake."""
    tags = {"dst-cluster": cluster, "dst-role": role}
    if cloud == "aws":
        state = "running" if running else "stopped"
        tags["aws:autoscaling:groupName"] = f"{cluster}-{role}"
        return {"id": name, "ip": address, "state": state, "zone": "eu-west-1a", "tags": tags}
    if cloud == "gcp":
        status = "RUNNING" if running else "TERMINATED"
        return {
            "name": name,
            "ip": address,
            "status": status,
            "zone": "europe-west1-b",
            "labels": tags,
        }
    state = "Succeeded" if running else "Deleting"
    return {"name": name, "ip": address, "state": state, "zone": "1", "tags": tags}


class AddressCluster(Cluster):
    """Each node has an address of 127.0.0.0/8 of its own, and all have one port."""

    def __init__(self, name, **settings):
        super().__init__(name, **settings)
        self.port = free_ports(1)[0]
        for number, node in enumerate(self.nodes):
            node.address = f"127.0.7.{number + 11}:{self.port}"
            node.environment["LISTEN_ADDRESS"] = node.address
            del node.environment["SEED_NODES"]

    def set(self, **settings):
        """Further settings of all nodes, from their next start on."""
        for node in self.nodes:
            node.environment.update(settings)


class CloudCluster(AddressCluster):
    """Nodes that ask a fake cloud for each other."""

    def __init__(self, name, fake, method=None, **settings):
        super().__init__(name, **settings)
        self.fake = fake
        self.set(
            DISCOVERY_METHOD=method or fake.cloud,
            DISCOVERY_PORT=str(self.port),
            CLUSTER_NAME="cloud-test",
            **fake.environment(),
        )

    def instances(self):
        return [
            instance(self.fake.cloud, f"i-{node.name}", node.address.split(":")[0], node.role)
            for node in self.nodes
        ]
