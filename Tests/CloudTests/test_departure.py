"""The machine of a node is about to go: it prepares, and tells the cloud when it may."""

import unittest

from cloud_cluster import CloudCluster, FakeCloud
from cluster import http_get, wait_until
from content import content


class Departure(unittest.TestCase):
    def setUp(self):
        self.failed = True
        self.fake = FakeCloud("aws")
        self.cluster = CloudCluster("departure", self.fake, storage=4, gateways=1)
        self.fake.state(instances=self.cluster.instances())

    def tearDown(self):
        self.cluster.close(keep=self.failed)
        self.fake.close()

    def watched(self, name):
        """Only this node looks for its end: the fake has one machine's metadata."""
        node = self.cluster.node(name)
        node.environment["LIFECYCLE"] = "aws"
        return node

    def completed(self):
        return [
            request
            for request in self.fake.requests()
            if "CompleteLifecycleAction" in request["body"]
        ]

    def announce(self):
        self.fake.state({"target_lifecycle_state": "Terminated", "self": "i-s4"})

    def report(self, label):
        nodes = self.cluster.status()["nodes"]
        return next(node for node in nodes if node["label"] == label)

    def test_a_storage_node_is_drained_before_its_machine_goes(self):
        """a storage node whose group takes it away is drained, then the cloud hears CONTINUE"""
        self.watched("s4")
        self.cluster.start()
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="kept")
        bodies = {f"k{number}": content(f"k{number}", 400_000) for number in range(20)}
        for key, body in bodies.items():
            s3.put_object(Bucket="kept", Key=key, Body=body)
        self.announce()
        wait_until("the drain is done", lambda: self.completed(), 120)
        self.assertIn("LifecycleActionResult=CONTINUE", self.completed()[0]["body"])
        report = self.report("s4")
        self.assertEqual((report["membership"], report["partitions"]), ("draining", 0))
        self.cluster.node("s4").kill()
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="kept", Key=key)["Body"].read(), body)
        self.failed = False

    def test_a_gateway_turns_load_balancers_away_first(self):
        """a gateway whose machine goes is not ready but healthy, and serves what still comes"""
        node = self.watched("g1")
        self.cluster.start()
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="kept")
        self.announce()
        wait_until("not ready", lambda: http_get(node.address, "/ready")[0] == 503, 60)
        self.assertIn("about to go", http_get(node.address, "/ready")[1])
        self.assertEqual(http_get(node.address, "/health")[0], 200)
        s3.put_object(Bucket="kept", Key="k", Body=b"late")
        wait_until("the cloud is told", lambda: self.completed(), 60)
        self.failed = False


if __name__ == "__main__":
    unittest.main()
