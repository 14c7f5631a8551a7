"""Ten machines of a cloud, whose nodes ask the metadata service at its real address."""

import os
import random
import time
import unittest
from collections import Counter
from datetime import datetime, timedelta, timezone

from cloud_cluster import METADATA_ENDPOINTS
from cloud_machines import MachineCluster
from cluster import http_get, wait_until
from content import content

# How long a settled cluster is watched.
WATCH_SECONDS = 130
# The shortest notice, of a preemption, is 30 s before the end; half of that is for the drain.
NOTICE_SECONDS_MAX = 15


class MachineCase(unittest.TestCase):
    def setUp(self):
        self.failed = True
        self.cluster = None

    def tearDown(self):
        if self.cluster:
            self.cluster.close(keep=self.failed)

    def form(self, cloud, method=None, machine=(), **settings):
        """`machine`: what the cloud says of every machine besides."""
        self.cluster = MachineCluster(cloud, method, **settings)
        for one in self.cluster.instances.values():
            one.update(machine)
        self.cluster.open()
        for node in self.cluster.nodes:
            told = {*os.environ, *node.environment}
            self.assertFalse(told.intersection(METADATA_ENDPOINTS), node.name)
        order = list(self.cluster.nodes)
        random.Random(cloud).shuffle(order)
        for node in order:
            node.start()
        began = time.monotonic()
        self.cluster.wait_ready()
        print(f"      {cloud}: ready {time.monotonic() - began:.1f} s after the last start")
        # A gateway serves a moment before the cluster has written it down.
        wait_until("ten nodes", lambda: len(self.cluster.status()["nodes"]) == 10)

    def fill(self):
        """Objects that must survive whatever comes."""
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="kept")
        self.bodies = {f"k{number}": content(f"k{number}", 400_000) for number in range(20)}
        for key, body in self.bodies.items():
            s3.put_object(Bucket="kept", Key=key, Body=body)

    def assert_kept(self):
        s3 = self.cluster.s3(1)
        for key, body in self.bodies.items():
            self.assertEqual(s3.get_object(Bucket="kept", Key=key)["Body"].read(), body)

    def report(self, label):
        return next(node for node in self.cluster.status()["nodes"] if node["label"] == label)

    def requests(self, word="", method=None):
        """What was asked, of which a part has this word."""
        return [
            one
            for one in self.cluster.fake.requests()
            if word in one["path"] + one["body"] and method in (None, one["method"])
        ]

    def says(self, name, text):
        return text in self.cluster.node(name).log.read_text()


class MetadataAddress(MachineCase):
    def form_in_zones(self, cloud, method=None):
        self.form(cloud, method)
        report = self.cluster.status()["nodes"]
        self.assertEqual({node["label"]: node["zone"] for node in report}, self.cluster.zones)
        # Found by the machine's own address, which no setting names.
        self.assertEqual(
            {node["label"]: node["address"] for node in report},
            {node.name: node.address for node in self.cluster.nodes},
        )
        self.assertEqual(self.cluster.status_code(), 0)
        askers = {one["client"] for one in self.cluster.fake.requests()}
        self.assertTrue(askers >= {self.cluster.host(node.name) for node in self.cluster.nodes})
        self.fill()
        self.assert_kept()

    def test_aws(self):
        """ten machines of AWS, each in the zone that its metadata service names"""
        self.form_in_zones("aws")
        self.failed = False

    def test_gcp(self):
        """ten machines of Google, whose metadata server has a name that their DNS knows"""
        self.form_in_zones("gcp")
        hosts = {one["headers"]["host"] for one in self.requests("/computeMetadata/")}
        self.assertEqual(hosts, {"metadata.google.internal"})
        self.failed = False

    def test_azure(self):
        """ten machines of Azure, whose zones are numbers in a region"""
        self.form_in_zones("azure")
        self.failed = False

    def test_cloud(self):
        """ten machines that find out which cloud theirs is"""
        self.form_in_zones("azure", method="cloud")
        self.failed = False

    def test_a_settled_cluster_asks_once_a_minute(self):
        """nodes of a cluster where nothing changes make a call a minute, though Azure's list is two"""
        self.form("azure", page_size=1000)
        self.cluster.fake.forget()
        time.sleep(WATCH_SECONDS)
        calls = Counter(one["client"] for one in self.requests("/providers/Microsoft."))
        counts = {node.name: calls[self.cluster.host(node.name)] for node in self.cluster.nodes}
        print(f"      calls in {WATCH_SECONDS} s: {counts}, together {calls.total()}")
        self.assertEqual(calls.total(), sum(counts.values()))
        # Of one node by chance two lists, at the beginning and at the end.
        self.assertLessEqual(max(counts.values()), 4, counts)
        self.assertLessEqual(calls.total(), len(counts) * WATCH_SECONDS / 60, counts)
        self.failed = False


class Departure(MachineCase):
    """Each machine has a life cycle of its own; all nodes look out for their end."""

    def drains(self, name, notice):
        """A storage node notices what was announced, and prepares until it may go."""
        began = time.monotonic()
        wait_until(
            f"{name} notices",
            lambda: self.says(name, "this machine is about to go; preparing"),
            NOTICE_SECONDS_MAX,
        )

        def may_go():
            report = self.report(name)
            return (
                report["membership"] == "draining"
                and report["partitions"] == 0
                and f"its machine is about to go ({notice}): it may go" in report["problems"]
            )

        wait_until(f"{name} says in the status that it may go", may_go, 150)
        wait_until(f"{name} may go", lambda: self.says(name, "this machine may go"), 30)
        print(f"      {name} may go {time.monotonic() - began:.1f} s after the notice")

    def assert_nobody_else(self, *leaving):
        """Only these prepare to go."""
        for node in self.cluster.nodes:
            self.assertEqual(
                self.says(node.name, "this machine is about to go"), node.name in leaving, node.name
            )
        for report in self.cluster.status()["nodes"]:
            is_draining = report["label"] in leaving and report["role"] == "storage"
            self.assertEqual(report["membership"], "draining" if is_draining else "member")

    def goes(self, name):
        """Its machine is gone, and nothing with it."""
        self.cluster.node(name).kill()
        self.assert_kept()
        self.failed = False

    def form_on_google(self, name, method):
        """All have a stop state, as machines with graceful shutdown do, and look at it."""
        self.form("gcp", machine={"stop_state": "UNSPECIFIED"}, LIFECYCLE=method)
        self.fill()

        def looks():
            return any(
                one["client"] == self.cluster.host(name) for one in self.requests("/stop-state")
            )

        wait_until(f"{name} looks at its stop state", looks, 90)
        self.cluster.fake.forget()

    def assert_nobody_told(self):
        """A machine that is safe powers itself off; Google asks for no answer."""
        told = [one for one in self.cluster.fake.requests() if one["method"] != "GET"]
        self.assertEqual(told, [])

    def test_google_stops_a_machine(self):
        """a storage node of a machine that Google stops drains, and tells nobody"""
        self.form_on_google("s4", "gcp")
        self.cluster.instances["s4"]["stop_state"] = "PENDING_STOP"
        self.cluster.tell()
        self.drains("s4", "the stop state is PENDING_STOP")
        self.assert_nobody_else("s4")
        self.assert_nobody_told()
        self.goes("s4")

    def test_google_preempts_a_machine(self):
        """a storage node of a machine that Google preempts drains, and tells nobody"""
        self.form_on_google("s2", "cloud")
        self.cluster.instances["s2"]["preempted"] = True
        self.cluster.tell()
        self.drains("s2", "the VM is preempted")
        self.assert_nobody_else("s2")
        self.assert_nobody_told()
        self.goes("s2")

    def test_azure_ends_a_machine(self):
        """a storage node acknowledges the end of its own machine alone, when it is drained"""
        self.form("azure", LIFECYCLE="azure")
        self.fill()
        # Every machine of a group sees the events of all.
        events = [
            self.event("both", "Terminate", "i-g1", "i-g2"),
            self.event("restart", "Reboot", "i-s1"),
            self.event("end", "Terminate", "I-S4"),
        ]
        self.cluster.tell(events=events, incarnation=2)
        self.drains("s4", "scheduled event Terminate")
        for name in ("g1", "g2"):
            wait_until(f"{name} may go", lambda: self.says(name, "this machine may go"), 60)
            self.assertEqual(http_get(self.cluster.node(name).address, "/ready")[0], 503)
        self.assert_nobody_else("s4", "g1", "g2")
        told = self.requests("/metadata/scheduledevents", "POST")
        self.assertEqual(
            [(one["client"], one["body"]) for one in told],
            [(self.cluster.host("s4"), '{"StartRequests":[{"EventId":"end"}]}')],
        )
        self.goes("s4")

    def event(self, name, kind, *machines):
        at = datetime.now(timezone.utc) + timedelta(minutes=15)
        return {
            "EventId": name,
            "EventType": kind,
            "EventStatus": "Scheduled",
            "ResourceType": "VirtualMachine",
            "Resources": list(machines),
            "NotBefore": at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }


if __name__ == "__main__":
    unittest.main()
