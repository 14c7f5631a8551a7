"""Processes are killed under load; every acknowledged write is read back and compared."""

import secrets
import time
import unittest

from cluster import Cluster, wait_until
from cluster_case import ClusterCase
from content import MIB, content
from writers import Writers, verify


class Faults(ClusterCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("faults")

    def setUp(self):
        self.cluster.start()

    def test_two_storage_nodes_die(self):
        """two storage nodes are killed under load: writes go on, nothing is lost"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket) as writers:
            writers.wait_for(100)
            for name in ("s2", "s4"):
                self.cluster.node(name).kill()
            writers.wait_for(200, seconds=60)
        verify(self, self.cluster, writers, gateway=1)
        self.cluster.start()
        verify(self, self.cluster, writers)

    def test_reading_while_storage_nodes_die(self):
        """a download goes on when the nodes it reads from are killed in mid-stream"""
        bucket = self.bucket()
        body = content("download", 96 * MIB)
        self.cluster.s3().put_object(Bucket=bucket, Key="d", Body=body)
        stream = self.cluster.s3(attempts=1).get_object(Bucket=bucket, Key="d")["Body"]
        got = [stream.read(6 * MIB)]
        for name in ("s1", "s5"):
            self.cluster.node(name).kill()
        while piece := stream.read(MIB):
            got.append(piece)
        self.assertEqual(b"".join(got) == body, True)

    def test_the_leading_coordinator_dies(self):
        """the leading coordinator is killed under load: another takes over within seconds"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket) as writers:
            writers.wait_for(100)
            leader = self.cluster.leader()
            leader.kill()
            waited = writers.wait_for(100, seconds=60)
            self.assertLess(waited, 15)
            leader.start()
            self.cluster.wait_ready([leader])
            writers.wait_for(50)
        verify(self, self.cluster, writers)

    def test_a_gateway_dies(self):
        """a gateway is killed under load: the other goes on"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket) as writers:
            writers.wait_for(50)
            self.cluster.node("g1").kill()
            writers.wait_for(50, seconds=60)
            self.cluster.start()
            writers.wait_for(50)
        verify(self, self.cluster, writers)

    def test_everything_dies_at_once(self):
        """all ten processes are killed during writes, twice: what was acknowledged is there"""
        bucket = self.bucket()
        for _ in range(2):
            with Writers(self.cluster, bucket, overwrite=True) as writers:
                writers.wait_for(150)
                self.cluster.kill_all()
            self.cluster.start()
            verify(self, self.cluster, writers)
            self.empty(bucket)

    def empty(self, bucket):
        client = self.cluster.s3()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if keys:
                client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})

    def test_rolling_restart(self):
        """every node is restarted in turn with SIGTERM: hardly a request fails"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket, count=4, large=False) as writers:
            writers.wait_for(50)
            for node in self.cluster.nodes:
                self.assertEqual(node.terminate(), 0, node.tail())
                node.start()
                self.cluster.wait_ready([node])
                writers.wait_for(20)
        verify(self, self.cluster, writers)

    def test_a_stopped_node_says_so(self):
        """a node of any role that is stopped is shown as such at once, and as up when it is back"""

        def state(name):
            return next(n["state"] for n in self.cluster.status()["nodes"] if n["label"] == name)

        follower = next(n for n in self.cluster.of("coordinator") if n != self.cluster.leader())
        for node in (self.cluster.node("g2"), self.cluster.node("s5"), follower):
            self.assertEqual(node.terminate(), 0, node.tail())
            self.assertEqual(state(node.name), "stopped")
            node.start()
            wait_until("it is up again", lambda: state(node.name) == "up", 30)
        # Who leads says goodbye to the next leader.
        leader = self.cluster.leader()
        self.assertEqual(leader.terminate(), 0, leader.tail())
        wait_until("another leads", lambda: self.cluster.leader() is not leader, 30)
        self.assertEqual(state(leader.name), "stopped")
        leader.start()
        wait_until("it is up again", lambda: state(leader.name) == "up", 30)

    def test_a_paused_leader_does_not_lie(self):
        """a leader that was stopped for a while does not serve old data afterwards"""
        bucket = self.bucket()
        client = self.cluster.s3(attempts=10)
        client.put_object(Bucket=bucket, Key="k", Body=b"old")
        leader = self.cluster.leader()
        leader.pause()
        try:
            wait_until(
                "a write with the leader paused",
                lambda: client.put_object(Bucket=bucket, Key="k", Body=b"new"),
                30,
            )
        finally:
            leader.resume()
        for gateway in (0, 1):
            body = self.cluster.s3(gateway, attempts=10).get_object(Bucket=bucket, Key="k")
            self.assertEqual(body["Body"].read(), b"new")


class Formation(unittest.TestCase):
    def setUp(self):
        self.clusters = []

    def tearDown(self):
        failed = any(error for _, error in getattr(self._outcome, "errors", []) if error)
        for cluster in self.clusters:
            cluster.close(keep=failed)

    def cluster(self, *arguments, **settings):
        made = Cluster(*arguments, **settings)
        self.clusters.append(made)
        return made

    def test_ten_nodes_together(self):
        """ten nodes started together are ready within 10 s"""
        cluster = self.cluster("together")
        began = time.monotonic()
        cluster.start(seconds=30)
        self.assertLess(time.monotonic() - began, 10)

    def test_any_order(self):
        """the order of starting does not matter, nor do restarts on the way"""
        cluster = self.cluster("order")
        for node in reversed(cluster.nodes):
            node.start()
            time.sleep(0.2)
            if node.name in ("g1", "s3", "c3", "c2"):
                node.kill()
                node.start()
        cluster.wait_ready()
        clusters = {
            (cluster.directory / node.name / "node.json").read_text().split('"cluster"')[1][:40]
            for node in cluster.nodes
        }
        self.assertEqual(len(clusters), 1)

    def test_unresolvable_seed(self):
        """a seed that can't be resolved stops nobody"""
        cluster = self.cluster("seed", storage=3, gateways=1)
        for node in cluster.nodes:
            node.environment["SEED_NODES"] += ",no-such-host.invalid:9000"
        cluster.start()

    def test_a_foreign_cluster_is_refused(self):
        """a node with another secret is not let in, and the cluster goes on"""
        cluster = self.cluster("foreign", storage=3, gateways=1)
        cluster.start()
        stranger = cluster.add_storage("s9", CLUSTER_SECRET=secrets.token_hex(32))
        stranger.start()
        wait_until("the stranger is heard", lambda: stranger.log.stat().st_size > 0)
        time.sleep(3)
        labels = [node["label"] for node in cluster.status()["nodes"]]
        self.assertNotIn("s9", labels)
        stranger.kill()

    def test_a_node_joins_and_one_is_lost(self):
        """a node that joins gets its share; a lost one's copies are made again"""
        cluster = self.cluster("moves", storage=3, gateways=1, REPAIR_DELAY="10s")
        cluster.start()
        client = cluster.s3()
        client.create_bucket(Bucket="moves")
        with Writers(cluster, "moves", count=4) as writers:
            writers.wait_for(150)
            joined = cluster.add_storage("s4").start()
            cluster.wait_ready([joined])

            def share():
                report = cluster.status()
                used = next(n["usedBytes"] for n in report["nodes"] if n["label"] == "s4")
                return used > 0 and report["partitions"]["moving"] == 0

            wait_until("the new node has its share", share, 180, 1)
            cluster.node("s1").kill()
            writers.wait_for(50, seconds=60)

            def healed():
                report = cluster.status()
                lost = next(n for n in report["nodes"] if n["label"] == "s1")
                partitions = report["partitions"]
                return (
                    lost["membership"] == "lost"
                    and partitions["moving"] == 0
                    and partitions["underReplicated"] == 0
                )

            wait_until("the lost node's copies are made again", healed, 240, 1)
        verify(self, cluster, writers)
        # Two more may go now: the third copies are really there.
        cluster.node("s2").kill()
        cluster.node("s3").kill()
        verify(self, cluster, writers)

    def test_a_label_passes_on(self):
        """a replacement takes the label of a dead node; the old disk is refused when it is back"""
        cluster = self.cluster("label", storage=4, gateways=1)
        cluster.start()
        old = cluster.node("s1")
        old.kill()
        new = cluster.add_storage("s1", DATA_PATH=str(cluster.directory / "s1-new"))
        new.log = cluster.directory / "s1-new.log"

        def has_taken_over():
            # It is refused, and ends, for as long as the old one may be alive.
            if not new.is_running:
                new.start()
            return new.is_ready()

        wait_until("the replacement is in", has_taken_over, 60, 0.5)
        old.start()
        wait_until("the old disk is refused", lambda: not old.is_running, 30)
        self.assertNotEqual(old.process.returncode, 0)
        self.assertIn("NODE_ID 's1' belongs to another live node", old.tail())
        # A lost one that was replaced is nobody's problem.
        wait_until("all is well", lambda: cluster.status_code() == 0, 60, 0.5)

    def test_space_comes_back(self):
        """the space of deleted and overwritten objects comes back"""
        cluster = self.cluster("space", storage=3, gateways=1, GARBAGE_GRACE="2s")
        cluster.start()
        client = cluster.s3()
        client.create_bucket(Bucket="space")

        def used():
            return sum(node["usedBytes"] for node in cluster.status()["nodes"])

        for number in range(8):
            client.put_object(Bucket="space", Key=f"k{number % 4}", Body=content(f"{number}", 8 * MIB))
        wait_until("the objects count", lambda: used() > 90 * MIB, 30, 0.5)
        for number in range(4):
            client.delete_object(Bucket="space", Key=f"k{number}")
        wait_until("the space is back", lambda: used() < 10 * MIB, 120, 1)


if __name__ == "__main__":
    unittest.main()
