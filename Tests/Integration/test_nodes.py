"""What an operator decides about nodes: drain, undrain, remove."""

import subprocess
import unittest

from cluster import DSTNODE, Cluster, free_ports, wait_until
from cluster_case import ClusterCase
from writers import Writers, verify


class NodeCase(ClusterCase):
    """What the classes share."""

    def dstnode(self, *arguments):
        return subprocess.run(
            [DSTNODE, *arguments],
            env=self.cluster.client_environment(),
            capture_output=True,
            text=True,
            timeout=180,
        )

    def report(self, label):
        nodes = self.cluster.status()["nodes"]
        return next((node for node in nodes if node["label"] == label), None)


class Nodes(NodeCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("nodes", storage=4, gateways=1, REPAIR_DELAY="60s")

    def test_one_coordinator_is_enough_to_be_found(self):
        """a node that knows of one coordinator alone finds the leader through it, whichever it is"""
        for coordinator in self.cluster.of("coordinator"):
            node = self.cluster._add(
                "gateway", f"by-{coordinator.name}", free_ports(1)[0],
                SEED_NODES=coordinator.address,
            )
            try:
                node.start()
                self.cluster.wait_ready([node], seconds=30)
            finally:
                node.kill()
                self.cluster.nodes.remove(node)

    def test_a_begun_drain_is_taken_back(self):
        """a storage node that was undrained takes its share again"""
        self.assertIn(self.dstnode("drain", "s3", "--wait", "0s").returncode, (0, 2))
        self.assertEqual(self.report("s3")["membership"], "draining")
        self.assertEqual(self.dstnode("node", "undrain", "s3").returncode, 0)
        wait_until("s3 has its share", lambda: self.report("s3")["partitions"] > 2000)
        self.assertEqual(self.report("s3")["membership"], "member")

    def test_a_drained_node_holds_nothing_and_is_removed_for_good(self):
        """a storage node is drained under load, stopped, removed, and not let in again"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket) as writers:
            writers.wait_for(50)
            drained = self.dstnode("drain", "s4", "--wait", "120s")
            self.assertEqual(drained.returncode, 0, drained.stdout + drained.stderr)
            writers.wait_for(50)
        report = self.report("s4")
        self.assertEqual((report["membership"], report["partitions"]), ("draining", 0))
        running = self.dstnode("node", "remove", "s4")
        self.assertNotEqual(running.returncode, 0)
        self.assertIn("is running", running.stderr)
        node = self.cluster.node("s4")
        self.assertEqual(node.terminate(), 0)
        # A drained node that is gone is nothing to complain of.
        wait_until("all is well", lambda: self.cluster.status_code() == 0)
        removed = self.dstnode("node", "remove", "s4")
        self.assertEqual(removed.returncode, 0, removed.stderr)
        self.assertEqual(self.report("s4")["membership"], "left")
        verify(self, self.cluster, writers)
        node.start()
        wait_until("the removed node ends", lambda: not node.is_running, 60)
        self.assertIn("was removed from the cluster", node.tail())
        self.cluster.nodes.remove(node)


class Replaced(NodeCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("replaced", storage=4, gateways=1, REPAIR_DELAY="10s")

    def test_a_drained_node_that_is_gone_is_removed(self):
        """a drained node whose machine is gone leaves nothing behind to complain of"""
        drained = self.dstnode("drain", "s4", "--wait", "120s")
        self.assertEqual(drained.returncode, 0, drained.stdout + drained.stderr)
        node = self.cluster.node("s4")
        node.kill()
        self.cluster.nodes.remove(node)
        wait_until("s4 is removed", lambda: self.report("s4")["membership"] == "left", 90)
        wait_until("all is well", lambda: self.cluster.status_code() == 0)


class TooFew(NodeCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("too-few", storage=3, gateways=1)

    def test_what_would_lose_copies_is_refused(self):
        """no drain below the number of copies, none of nodes without data"""
        for name, reason in (
            ("s1", "add one first"),
            ("c1", "holds no chunks"),
            ("g1", "holds no chunks"),
            ("nobody", "No node has the label"),
        ):
            answer = self.dstnode("drain", name, "--wait", "0s")
            self.assertNotEqual(answer.returncode, 0, name)
            self.assertIn(reason, answer.stderr)

    def test_who_holds_copies_is_not_removed(self):
        """a stopped node that still counts as a holder is removed by force only"""
        node = self.cluster.node("s3")
        self.assertEqual(node.terminate(), 0)
        wait_until("s3 is stopped", lambda: self.report("s3")["state"] == "stopped")
        answer = self.dstnode("node", "remove", "s3")
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("still counts as a holder", answer.stderr)
        node.start()
        self.cluster.wait_ready([node])


class Alone(NodeCase):
    @classmethod
    def make_cluster(cls):
        cluster = Cluster("alone", coordinators=1, storage=1, gateways=1, REPLICATION_FACTOR=1)
        del cluster.node("c1").environment["SEED_NODES"]
        return cluster

    def test_a_lone_coordinator_needs_no_seeds(self):
        """a coordinator that forms a cluster alone is ready without SEED_NODES"""
        bucket = self.bucket()
        s3 = self.cluster.s3()
        s3.put_object(Bucket=bucket, Key="k", Body=b"one of each")
        self.assertEqual(s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"one of each")
        self.assertEqual(self.cluster.status_code(), 0)


if __name__ == "__main__":
    unittest.main()
