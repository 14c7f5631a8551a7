"""Clusters whose nodes find each other through a fake cloud."""

import json
import subprocess
import sys
import unittest
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
# Those of the metadata services, which have one address everywhere.
METADATA_ENDPOINTS = ("DST_AWS_IMDS_ENDPOINT", "GCE_METADATA_HOST", "DST_AZURE_IMDS_ENDPOINT")


class FakeCloud:
    """A process that answers as a cloud does; `state` changes what it says."""

    def __init__(self, cloud, host="127.0.0.1", port=0, around=()):
        """`around`: the command that runs a command where the address is."""
        self.cloud = cloud
        command = [sys.executable, str(FAKES / "fake_cloud.py"), "--cloud", cloud]
        self.process = subprocess.Popen(
            [*around, *command, "--host", host, "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        words = self.process.stdout.readline().split()
        if words[:1] != ["port"]:
            self.close()
            raise AssertionError(f"the fake of {cloud} does not serve {host}:{port}: {words}")
        self.authority = f"{host}:{words[1]}"

    def services(self):
        """The endpoints of all but the metadata service."""
        names = [name for name in ENDPOINTS[self.cloud] if name not in METADATA_ENDPOINTS]
        return {name: f"http://{self.authority}" for name in names}

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


# The first one is where an instance is unless it is said otherwise.
ZONES = {
    "aws": ("eu-west-1a", "eu-west-1b", "eu-west-1c"),
    "gcp": ("europe-west1-b", "europe-west1-c", "europe-west1-d"),
    "azure": ("1", "2", "3"),
}


def instance(cloud, name, address, role, cluster="cloud-test", running=True, zone=None):
    """An instance in the words of each fake."""
    zone = zone or ZONES[cloud][0]
    tags = {"dst-cluster": cluster, "dst-role": role}
    if cloud == "aws":
        state = "running" if running else "stopped"
        tags["aws:autoscaling:groupName"] = f"{cluster}-{role}"
        return {"id": name, "ip": address, "state": state, "zone": zone, "tags": tags}
    if cloud == "gcp":
        status = "RUNNING" if running else "TERMINATED"
        return {
            "name": name,
            "ip": address,
            "status": status,
            "zone": zone,
            "labels": tags,
        }
    state = "Succeeded" if running else "Deleting"
    return {"name": name, "ip": address, "state": state, "zone": zone, "tags": tags}


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


class DiscoveryCase(unittest.TestCase):
    """A cluster, and the fake cloud or DNS server that it finds itself by: both end with the test,
    which says at its end that it has not failed, or the logs are kept."""

    def setUp(self):
        self.failed = True
        self.finder = self.cluster = None

    def tearDown(self):
        if self.cluster:
            self.cluster.close(keep=self.failed)
        if self.finder:
            self.finder.close()
