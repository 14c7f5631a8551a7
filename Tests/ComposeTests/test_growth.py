"""More nodes join a running cluster; a disk fills up."""

import unittest

from compose_case import ComposeCase
from content import MIB, content
from engine import run
from project import Project

DISK = 12 << 30


class Growth(ComposeCase):
    """The tests go on where those before them have left the cluster: they run in order of name."""

    @classmethod
    def make_cluster(cls):
        # The disk of a node to come, in memory, so that its size can be changed: compose wants a
        # volume as it made it, so it is in the files from the start.
        options = f"size={DISK},uid=10001,gid=10001,mode=0700"
        volume = {"type": "tmpfs", "device": "tmpfs", "o": options}
        overlay = {"volumes": {"storage-6": {"driver": "local", "driver_opts": volume}}}
        return Project("growth", overlay=overlay)

    def test_1_more_nodes(self):
        """storage nodes and a gateway join under load, and take their share"""
        bucket = self.bucket("large")
        client = self.cluster.s3(attempts=5)
        for number in range(24):
            client.put_object(
                Bucket=bucket, Key=f"l/{number}", Body=content(f"growth-{number}", 2 * MIB)
            )
        before = set(self.cluster.services())
        with self.load() as load:
            load.wait_for()
            self.cluster.environment["COMPOSE_PROFILES"] = "more"
            # Only the new ones: those that run must not be touched.
            self.cluster.up("--no-recreate")
            joined = sorted(set(self.cluster.services()) - before)
            self.assertEqual(joined, ["gateway-3", "storage-6", "storage-7"])
            self.cluster.wait_well(seconds=240)
            load.wait_for()
            for service in joined:
                self.assertEqual(self.cluster.reported(service)["state"], "up")
                if service.startswith("storage"):
                    # Well it also is before its first partition begins to move.
                    self.wait_until(
                        f"{service} has its share",
                        lambda: self.cluster.reported(service)["usedBytes"] > 0, 120, 0.5,
                    )
        load.verify(self)
        for number in range(24):
            body = client.get_object(Bucket=bucket, Key=f"l/{number}")["Body"].read()
            self.assertTrue(body == content(f"growth-{number}", 2 * MIB), number)
        third = f"http://{self.cluster.node('gateway-3').addresses()[0]}:9000"
        got = self.cluster.s3(endpoint=third).get_object(Bucket=bucket, Key="l/0")["Body"].read()
        self.assertTrue(got == content("growth-0", 2 * MIB), f"{len(got)} other bytes")

    def resize(self, node, size):
        """As if somebody else's files had filled the disk, or had been removed."""
        where = "/var/lib/dstorage"
        pid = node.state()["Pid"]
        run("nsenter", "-t", pid, "-m", "mount", "-o", f"remount,size={size}", where)

    def test_2_disk_full(self):
        """a disk fills up: the node says so, writes go elsewhere; it goes on when there is room"""
        bucket = self.bucket("large")
        node = self.cluster.node("storage-6")
        client = self.cluster.s3(attempts=3)
        written = []

        def write():
            name = f"fill-{len(written)}"
            client.put_object(Bucket=bucket, Key=f"l/{name}", Body=content(name, 8 * MIB))
            written.append(name)

        with self.load() as load:
            load.wait_for()
            started = node.state()["StartedAt"]
            used = node.execute("df", "--block-size=1", "--output=used", "/var/lib/dstorage")
            self.resize(node, int(used.split()[-1]) + 4 * MIB)

            def is_said():
                write()
                return self.cluster.reported("storage-6")["problems"]

            said = self.wait_until("dstnode status says that the disk is full", is_said, 90, 0)
            print(f"      {said}")
            self.assertTrue(any("room" in text or "full" in text for text in said), said)
            for _ in range(8):
                write()
            load.wait_for()
            self.assertEqual(node.state()["StartedAt"], started, "a full disk ends no node")
            self.resize(node, DISK)
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)
        for name in written:
            body = client.get_object(Bucket=bucket, Key=f"l/{name}")["Body"].read()
            self.assertTrue(body == content(name, 8 * MIB), f"{name}: {len(body)} other bytes")


if __name__ == "__main__":
    unittest.main()
