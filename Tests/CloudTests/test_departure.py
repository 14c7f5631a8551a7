"""The machine of a node is about to go: it prepares, and tells the cloud when it may."""

import unittest
from datetime import datetime, timedelta, timezone

from cloud_cluster import CloudCluster, DiscoveryCase, FakeCloud
from cluster import http_get, wait_until
from content import content


class Departure(DiscoveryCase):
    def setUp(self):
        super().setUp()
        self.finder = FakeCloud("aws")
        self.cluster = CloudCluster("departure", self.finder, storage=4, gateways=1)
        self.finder.state(instances=self.cluster.instances())

    def watched(self, name):
        """Only this node looks for its end: the fake has one machine's metadata."""
        node = self.cluster.node(name)
        node.environment["LIFECYCLE"] = "aws"
        return node

    def completed(self):
        return [
            request
            for request in self.finder.requests()
            if "CompleteLifecycleAction" in request["body"]
        ]

    def announce(self):
        self.finder.state({"target_lifecycle_state": "Terminated", "self": "i-s4"})

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


class NotYetSafe(DiscoveryCase):
    """Three storage nodes hold three copies: what is on one of them has no other place to go."""

    # The answer is due 20 s before the end.
    NOTICE = timedelta(seconds=40)

    def start(self, cloud):
        self.finder = FakeCloud(cloud)
        self.cluster = CloudCluster("unsafe", self.finder, storage=3, gateways=1)
        self.finder.state({"self": "i-s3"}, instances=self.cluster.instances())
        self.cluster.node("s3").environment["LIFECYCLE"] = cloud
        self.cluster.start()

    def says_so(self, notice):
        """In its log and in the status, with what it still holds."""
        node = self.cluster.node("s3")
        wait_until(
            "the log says that it is not safe",
            lambda: "not yet safe: this machine is about to go although" in node.log.read_text(),
            60,
        )
        reports = {node["label"]: node for node in self.cluster.status()["nodes"]}
        problems = " ".join(reports["s3"]["problems"])
        self.assertIn(f"its machine is about to go ({notice})", problems)
        self.assertNotIn("it may go", problems)
        self.assertGreater(reports["s3"]["partitions"], 0)
        self.assertNotIn("this machine may go", node.log.read_text())

    def told(self):
        return [
            request for request in self.finder.requests()
            if request["method"] == "POST" and "DescribeInstances" not in request["body"]
        ]

    def test_a_spot_machine_that_is_taken_away(self):
        """a spot machine whose data has no other place says that it is not safe"""
        self.start("aws")
        end = datetime.now(timezone.utc) + self.NOTICE
        self.finder.state(
            spot_action={"action": "terminate", "time": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        )
        self.says_so("Spot: terminate")
        self.assertEqual(self.told(), [])
        self.failed = False

    def test_an_event_of_azure_is_not_acknowledged(self):
        """the end of a machine of Azure is not acknowledged while its data is nowhere else"""
        self.start("azure")
        end = datetime.now(timezone.utc) + self.NOTICE
        self.finder.state(incarnation=2, events=[{
            "EventId": "end", "EventType": "Terminate", "EventStatus": "Scheduled",
            "ResourceType": "VirtualMachine", "Resources": ["i-s3"],
            "NotBefore": end.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }])
        self.says_so("scheduled event Terminate")
        self.assertEqual(self.told(), [])
        self.failed = False


if __name__ == "__main__":
    unittest.main()
