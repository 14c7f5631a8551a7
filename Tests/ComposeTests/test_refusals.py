"""A container that can't do its work says so in its last line and ends, or waits, unready."""

import json
import secrets
import unittest
import uuid

from cluster import http_get
from compose_case import ComposeCase
from engine import docker, inspect, run
from image import image
from project import Project


class Refusals(ComposeCase):
    """One more storage node beside a small cluster, with something wrong about it."""

    @classmethod
    def make_cluster(cls):
        return Project("refusals", ["compose.yaml", "single.yaml", "faults.yaml"])

    def setUp(self):
        self.label = f"com.docker.compose.project={self.cluster.name}"
        self.name = f"{self.cluster.name}-{secrets.token_hex(3)}"

    def tearDown(self):
        docker("rm", "--force", "--volumes", self.name)
        # Whatever it tried: the cluster has not changed.
        self.cluster.wait_well()
        labels = [node["label"] for node in self.cluster.status()["nodes"]]
        self.assertEqual(sorted(labels), ["coordinator-1", "gateway-1", "storage-1"])

    def volume(self, *options):
        name = f"{self.name}-data"
        docker("volume", "create", "--label", self.label, *options, name)
        return name

    def start(self, *options, network=None, volume=None, mode="rw", **settings):
        """The container, as compose would run it; settings of `None` are left out."""
        secrets_directory = self.cluster.directory / "compose" / "secrets"
        settings = {
            "NODE_TYPE": "storage",
            "NODE_ID": "storage-9",
            "ADVERTISE_ADDRESS": "storage-9:9000",
            "SEED_NODES": "coordinator-1:9000",
            "CAPACITY_GB": "1GB",
            "CLUSTER_SECRET_FILE": "/run/secrets/cluster-secret",
            **settings,
        }
        words = [
            "run", "--detach", "--name", self.name, "--label", self.label, "--read-only",
            "--network", network or f"{self.cluster.name}_nodes",
            "--volume", f"{secrets_directory}/cluster-secret:/run/secrets/cluster-secret:ro",
        ]
        if volume != "":
            words += ["--volume", f"{volume or self.volume()}:/var/lib/dstorage:{mode}"]
        for name, value in settings.items():
            if value is not None:
                words += ["--env", f"{name}={value}"]
        docker(*words, *options, image())

    def logged(self):
        done = run("docker", "logs", self.name)
        return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]

    def ended(self, *words, seconds=60):
        """It ends by itself, not well, and its last line has these words."""
        code = int(docker("wait", self.name, seconds=seconds))
        last = self.logged()[-1]
        self.assertNotEqual(code, 0, last)
        for word in words:
            self.assertIn(word.lower(), last.lower())
        print(f"      {code}: {last[:300]}")

    def waits(self, *words):
        """It goes on, is not ready, and its last line has these words."""

        def says():
            assert inspect(self.name)["State"]["Running"], self.logged()[-1]
            networks = inspect(self.name)["NetworkSettings"]["Networks"]
            address = next(iter(networks.values()))["IPAddress"]
            assert http_get(f"{address}:9000", "/ready")[0] == 503
            last = self.logged()[-1].lower()
            missing = [word for word in words if word.lower() not in last]
            assert not missing, f"{missing} not in: {last}"
            return True

        self.wait_until("it says why it waits", says, 60, 0.3)
        print(f"      waits: {self.logged()[-1][:300]}")

    # Settings

    def test_no_secret(self):
        """no secret"""
        self.start(CLUSTER_SECRET_FILE=None)
        self.ended("CLUSTER_SECRET")

    def test_secret_file_missing(self):
        """a secret in a file that is not there"""
        self.start(CLUSTER_SECRET_FILE="/run/secrets/no-such-file")
        self.ended("CLUSTER_SECRET_FILE", "/run/secrets/no-such-file")

    def test_gateway_without_keys(self):
        """a gateway without its encryption key"""
        self.start(NODE_TYPE="gateway", CAPACITY_GB=None)
        self.ended("ENCRYPTION_KEY")

    def test_unknown_variable(self):
        """a variable with the product's prefix that it does not know"""
        self.start(DST_REPAIR_DELAY="20s")
        self.ended("DST_REPAIR_DELAY")

    # Who it is

    def test_wrong_secret(self):
        """another secret than the cluster's: not let in"""
        self.start(CLUSTER_SECRET_FILE=None, CLUSTER_SECRET=secrets.token_hex(32))
        self.waits("CLUSTER_SECRET")

    def test_same_name(self):
        """the name of a node that lives"""
        self.start(NODE_ID="storage-1")
        self.ended("NODE_ID", "storage-1")

    def test_volume_of_another_cluster(self):
        """the disk of a node of another cluster"""
        volume = self.volume()
        identity = {
            "format": 1, "node": uuid.uuid4().hex, "role": "storage", "cluster": uuid.uuid4().hex
        }
        self.write(volume, "node.json", json.dumps(identity))
        self.start(volume=volume)
        self.waits("cluster", identity["cluster"][:8])

    def test_volume_of_another_role(self):
        """the disk of a node of another role"""
        volume = self.volume()
        identity = {"format": 1, "node": uuid.uuid4().hex, "role": "gateway"}
        self.write(volume, "node.json", json.dumps(identity))
        self.start(volume=volume)
        self.ended("gateway", "/var/lib/dstorage")

    def test_volume_in_use(self):
        """the disk of a node that runs"""
        self.start(volume=f"{self.cluster.name}_storage-1")
        self.ended("/var/lib/dstorage", "another process")

    # The machine

    def test_port_taken(self):
        """a port that somebody listens on"""
        node = self.cluster.node("storage-1")
        self.start(network=f"container:{node.name}")
        self.ended("LISTEN_ADDRESS", "9000")

    def test_read_only_volume(self):
        """a disk that can't be written"""
        self.start(mode="ro")
        self.ended("/var/lib/dstorage", "read-only")

    def test_no_volume(self):
        """no disk at all: the root file system is read-only"""
        self.start(volume="")
        self.ended("/var/lib/dstorage", "read-only")

    def test_small_disk(self):
        """a disk with too little space to begin with"""
        options = "size=300k,uid=10001,gid=10001,mode=0700"
        volume = self.volume(
            "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o={options}"
        )
        self.start(volume=volume)
        self.ended("/var/lib/dstorage", "space")

    def write(self, volume, name, text):
        """A file in a volume, as the user of the image."""
        docker(
            "run", "--rm", "--volume", f"{volume}:/var/lib/dstorage", "--entrypoint", "sh",
            image(), "-c", 'printf %s "$2" >"/var/lib/dstorage/$1"', "sh", name, text,
        )


if __name__ == "__main__":
    unittest.main()
