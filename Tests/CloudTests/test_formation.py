"""Ten processes find each other through each cloud's lists, and form one cluster."""

import json
import random
import secrets
import subprocess
import sys
import time
import unittest
from datetime import datetime, timedelta, timezone

from cloud_cluster import CloudCluster, DiscoveryCase, FakeCloud, instance
from cluster import DSTNODE, http_get, plain_environment, wait_until
from content import content


class Formation(DiscoveryCase):
    def form(self, cloud, method=None, failures=(), page_size=5, empty_pages=1, seconds=60):
        self.finder = FakeCloud(cloud)
        self.cluster = CloudCluster(f"form-{cloud}", self.finder, method)
        strangers = [
            instance(cloud, "i-foreign", "127.0.7.200", "coordinator", cluster="another"),
            instance(cloud, "i-stopped", "127.0.7.201", "coordinator", running=False),
            instance(cloud, "i-silent", "127.0.7.202", "coordinator"),
        ]
        self.finder.state(
            instances=self.cluster.instances() + strangers,
            page_size=page_size,
            empty_pages=empty_pages,
            failures=list(failures),
        )
        order = list(self.cluster.nodes)
        random.Random(cloud).shuffle(order)
        for node in order:
            node.start()
        began = time.monotonic()
        self.cluster.wait_ready(seconds=seconds)
        print(f"      {cloud}: ready {time.monotonic() - began:.1f} s after the last start")
        # A gateway serves a moment before the cluster has written it down.
        wait_until("ten nodes", lambda: len(self.cluster.status()["nodes"]) == 10)
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="formed")
        body = content(cloud, 1 << 20)
        s3.put_object(Bucket="formed", Key="k", Body=body)
        got = self.cluster.s3(1).get_object(Bucket="formed", Key="k")["Body"].read()
        self.assertEqual(got, body)

    def test_aws(self):
        """ten nodes form through AWS's list: pages, empty ones, strangers"""
        self.form("aws")
        self.failed = False

    def test_gcp(self):
        """ten nodes form through Google's list"""
        self.form("gcp")
        self.failed = False

    def test_azure(self):
        """ten nodes form through Azure's lists"""
        self.form("azure")
        self.failed = False

    def test_failures(self):
        """ten nodes form although the cloud fails, throttles and lets credentials expire"""
        failures = [
            {"path": "DescribeInstances", "status": 503, "code": "RequestLimitExceeded", "count": 6},
            {"path": "/latest/api/token", "status": 503, "count": 4},
            {"path": "DescribeInstances", "status": 400, "code": "RequestExpired", "count": 2},
        ]
        self.form("aws", failures=failures)
        self.failed = False

    def test_a_list_that_is_behind(self):
        """ten nodes form although the list shows them late, one after the other"""
        self.finder = FakeCloud("aws")
        self.cluster = CloudCluster("behind", self.finder)
        instances = self.cluster.instances()
        self.finder.state(instances=[])
        for node in self.cluster.nodes:
            node.start()
        for node in self.cluster.nodes:
            said = "discovery finds nobody"
            wait_until(f"{node.name}: {said}", lambda: said in node.log.read_text(), 30)
        # No machine is in the list at once with the others, nor with itself.
        for count in range(1, len(instances) + 1):
            self.finder.state(instances=instances[:count])
            asked = len(self.finder.requests())
            wait_until("somebody looks", lambda: len(self.finder.requests()) > asked, 30)
        began = time.monotonic()
        self.cluster.wait_ready()
        print(f"      ready {time.monotonic() - began:.1f} s after the list was whole")
        self.failed = False

    def granted_late(self, cloud, path, code, permission):
        """The list is refused at first, as where a role was assigned a moment ago."""
        # In one page, as in half(): a round of many calls that fails takes most of a minute's.
        self.form(
            cloud, failures=[{"path": path, "status": 403, "code": code, "count": 12}],
            page_size=100, empty_pages=0,
        )
        missing = f"lacks {permission}; grant it"
        says = [node for node in self.cluster.nodes if missing in node.log.read_text()]
        self.assertTrue(says)
        for node in says:
            # Once, however often it was asked again.
            self.assertEqual(node.log.read_text().count(missing), 1, node.name)
        self.failed = False

    def test_permission_of_aws(self):
        """a permission that AWS grants late is named, once, and asked for again"""
        self.granted_late(
            "aws", "DescribeInstances", "UnauthorizedOperation", "ec2:DescribeInstances"
        )

    def test_permission_of_gcp(self):
        """a permission that Google grants late is named, once, and asked for again"""
        self.granted_late(
            "gcp", "aggregated/instances", "forbidden", "compute.instances.list"
        )

    def test_permission_of_azure(self):
        """a permission that Azure grants late is named, once, and asked for again"""
        self.granted_late(
            "azure", "/providers/Microsoft.Network", "AuthorizationFailed",
            "Microsoft.Network/networkInterfaces/read",
        )

    def half(self, cloud, path):
        # In one page, as lists of this length are: every page more halves a round's chance.
        failures = [{"path": path, "status": 503, "share": 0.5}]
        # Who fails several times in a row waits up to a minute: one of ten often does.
        self.form(cloud, failures=failures, page_size=50, empty_pages=0, seconds=300)
        calls = [request for request in self.finder.requests() if path in str(request)]
        print(f"      {len(calls)} calls of the list by ten nodes")
        self.failed = False

    def test_half_of_aws_fails(self):
        """ten nodes form while every second list of AWS fails"""
        self.half("aws", "DescribeInstances")

    def test_half_of_gcp_fails(self):
        """ten nodes form while every second list of Google fails"""
        self.half("gcp", "aggregated/instances")

    def test_half_of_azure_fails(self):
        """ten nodes form while every second of Azure's two lists fails"""
        self.half("azure", "/providers/Microsoft.")

    def test_cloud_finds_out_where_it_is(self):
        """DISCOVERY_METHOD=cloud finds out which cloud it is, and status stays well"""
        self.form("gcp", method="cloud")
        self.assertEqual(self.cluster.status_code(), 0)
        self.failed = False

    def test_the_last_list_lasts(self):
        """a node comes back by the list on disk while the cloud is silent"""
        self.form("aws")
        self.finder.close()
        node = self.cluster.of("storage")[0]
        node.kill()
        node.start()
        self.cluster.wait_ready([node])
        # It serves, and says what it can't do: in the status and as a figure.
        def complains():
            reports = {report["label"]: report for report in self.cluster.status()["nodes"]}
            return any("discovery aws" in problem for problem in reports[node.name]["problems"])

        wait_until("the status says that discovery fails", complains, 30)
        self.assertIn(
            f'dst_discovery_failing{{node="{node.name}",source="aws"}} 1.0\n',
            http_get(node.address, "/metrics")[1],
        )
        self.finder = None
        self.failed = False


class ReplacedAsAWhole(DiscoveryCase):
    """The group of coordinators lost all its machines, and the cloud made new ones."""

    def setUp(self):
        super().setUp()
        self.finder = FakeCloud("aws")
        # The voter whose disk stays away is soon given up for its replacement.
        self.cluster = CloudCluster(
            "replaced", self.finder, storage=3, gateways=1, REPAIR_DELAY="10s"
        )
        self.set_form_until(timedelta(hours=1))
        self.finder.state(instances=self.cluster.instances())
        self.cluster.start()

    def set_form_until(self, ahead):
        """As user-data has it: a time that was an hour ahead when the account was empty."""
        until = datetime.now(timezone.utc) + ahead
        self.cluster.set(FORM_CLUSTER=until.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def says(self, node, text):
        wait_until(
            f"{node.name} says '{text}'", lambda: text in http_get(node.address, "/ready")[1], 60
        )
        self.assertEqual(http_get(node.address, "/health")[0], 200)

    def cluster_of(self, node):
        return json.loads((node.data / "node.json").read_text()).get("cluster")

    def test_they_form_no_empty_cluster_over_the_data(self):
        """blank coordinators wait and say so, storage nodes keep waiting; old disks end that"""
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="kept")
        body = content("kept", 300_000)
        s3.put_object(Bucket="kept", Key="k", Body=body)
        coordinators = self.cluster.of("coordinator")
        before = self.cluster_of(coordinators[0])
        self.assertTrue(before)
        self.set_form_until(-timedelta(hours=1))
        for node in coordinators:
            node.kill()
            node.data.rename(node.data.with_suffix(".lost"))
            node.environment["NODE_ID"] = f"new-{node.name}"
        for node in coordinators:
            node.start()
        for node in coordinators:
            self.says(node, "FORM_CLUSTER")
        for node in [*self.cluster.of("storage"), *self.cluster.of("gateway")]:
            self.says(node, "is in no cluster yet")
            self.assertEqual(self.cluster_of(node), before)
        self.assertEqual([self.cluster_of(node) for node in coordinators], [None] * 3)
        # A majority's disks come back; the third stays a new one.
        for node in coordinators[:2]:
            node.kill()
            node.data.rename(node.data.with_suffix(".blank"))
            node.data.with_suffix(".lost").rename(node.data)
            node.environment["NODE_ID"] = node.name
            node.start()
        self.cluster.wait_ready()
        self.assertEqual([self.cluster_of(node) for node in coordinators], [before] * 3)
        got = self.cluster.s3().get_object(Bucket="kept", Key="k")["Body"].read()
        self.assertEqual(got, body)
        self.failed = False


class Strangers(DiscoveryCase):
    """Somebody else's cluster carries the same tag, and gets an address that was ours."""

    def setUp(self):
        super().setUp()
        self.finder = FakeCloud("aws")
        self.cluster = CloudCluster("strangers", self.finder, storage=3, gateways=1)

    def stranger(self):
        """A coordinator that forms a cluster of its own, under another secret."""
        node = self.cluster._add(
            "coordinator", "x1", self.cluster.port, BOOTSTRAP_EXPECT="1",
            CLUSTER_SECRET=secrets.token_hex(32),
        )
        self.cluster.nodes.remove(node)
        self.addCleanup(node.kill)
        self.settle(node, "127.0.7.90")
        for name in ("DISCOVERY_METHOD", "DISCOVERY_PORT", "CLUSTER_NAME"):
            node.environment[name] = self.cluster.node("c1").environment[name]
        node.environment.update(self.finder.environment())
        del node.environment["SEED_NODES"]
        return node

    def settle(self, node, host):
        node.address = node.environment["LISTEN_ADDRESS"] = f"{host}:{self.cluster.port}"

    def cluster_of(self, node):
        return json.loads((node.data / "node.json").read_text()).get("cluster")

    def test_clusters_are_never_merged(self):
        """a foreign cluster under the same tag, also at an address that was ours, stays foreign"""
        stranger = self.stranger()
        instances = [
            *self.cluster.instances(), instance("aws", "i-x1", "127.0.7.90", "coordinator")
        ]
        self.finder.state(instances=instances)
        stranger.start()
        wait_until("x1 has its cluster", lambda: self.cluster_of(stranger), 30)
        self.cluster.start()
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="ours")
        s3.put_object(Bucket="ours", Key="k", Body=b"ours")
        ours = {self.cluster_of(node) for node in self.cluster.nodes}
        self.assertEqual(len(ours), 1)
        self.assertNotIn(self.cluster_of(stranger), ours)
        # The machine of c3 is gone, and its address goes to the stranger.
        lost = self.cluster.node("c3")
        lost.kill()
        stranger.kill()
        self.settle(stranger, lost.address.split(":")[0])
        stranger.start()
        wait_until("x1 is back", stranger.is_ready, 30)
        joins = self.cluster.of("storage")[0]
        joins.kill()
        joins.start()
        self.cluster.wait_ready([joins])
        nodes = self.cluster.status()["nodes"]
        self.assertEqual({node["label"] for node in nodes}, {n.name for n in self.cluster.nodes})
        wait_until(
            "c3 is missed",
            lambda: "up" not in [
                node["state"] for node in self.cluster.status()["nodes"] if node["label"] == "c3"
            ],
        )
        self.assertEqual({self.cluster_of(node) for node in self.cluster.nodes}, ours)
        self.assertEqual(s3.get_object(Bucket="ours", Key="k")["Body"].read(), b"ours")
        self.failed = False


# Runs a command and says what it took. A process of its own, and a small one: the peak of a program
# counts what its parent had when it was started.
COSTS = """
import os, sys
process = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
status, usage = os.wait4(process, 0)[1:]
print(1000 * (usage.ru_utime + usage.ru_stime), usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
# What a request for a further page of a list has, and the first one has not.
FURTHER_PAGE = {"aws": "NextToken", "gcp": "pageToken", "azure": "skiptoken"}


class Discover(unittest.TestCase):
    """`dstnode discover`, as somebody would who finds out why a node finds nobody."""

    def setUp(self):
        self.fake = FakeCloud("aws")

    def tearDown(self):
        self.fake.close()

    def test_a_list_that_fails_on_a_later_page(self):
        """half a list is no list: the failure is said, and nothing is taken for the whole"""
        for cloud, further in FURTHER_PAGE.items():
            with self.subTest(cloud):
                self.fake.close()
                self.fake = FakeCloud(cloud)
                self.fake.state(
                    page_size=2,
                    instances=[
                        instance(cloud, f"i-{number}", f"10.0.0.{number}", "coordinator")
                        for number in range(1, 6)
                    ],
                    failures=[{"path": further, "status": 503, "code": "Injected", "count": 1}],
                )
                answer = self.discover("--output", "json", DISCOVERY_METHOD=cloud)
                self.assertEqual(answer.returncode, 1, answer.stdout)
                self.assertEqual(json.loads(answer.stdout), [])
                self.assertIn("503", answer.stderr)
                answer = self.discover("--output", "json", DISCOVERY_METHOD=cloud)
                self.assertEqual(answer.returncode, 0, answer.stderr)
                found = {peer["address"] for peer in json.loads(answer.stdout)}
                self.assertTrue(
                    found >= {f"10.0.0.{number}:9000" for number in range(1, 6)}, found
                )

    def test_two_thousand_instances(self):
        """a list of 2,000 instances costs at most 200 ms of a processor and 20 MiB more than one"""
        for cloud in FURTHER_PAGE:
            with self.subTest(cloud):
                self.fake.close()
                self.fake = FakeCloud(cloud)
                milliseconds, kibibytes = (
                    many - one for many, one in zip(self.cost(cloud, 2000), self.cost(cloud, 1))
                )
                print(f"      {cloud}: {milliseconds:.0f} ms, {kibibytes / 1024:.1f} MiB")
                self.assertLessEqual(milliseconds, 200)
                self.assertLessEqual(kibibytes, 20 << 10)

    def cost(self, cloud, count):
        """Milliseconds of a processor and peak KiB of `dstnode discover` with so many instances."""
        instances = []
        for number in range(count):
            address = f"10.1.{number // 250}.{number % 250 + 1}"
            one = instance(cloud, f"i-{number}", address, "storage")
            # As real ones are: most of what is said of them is not what we look for.
            tags = one.get("tags") or one["labels"]
            tags.update({f"team-{tag}": "somebody-s-own" for tag in range(8)})
            instances.append({**one, "details": 60})
        # As many on a page as is asked for; Azure says how many it likes.
        self.fake.state(instances=instances, page_size=250 if cloud == "azure" else 1000)
        answer = subprocess.run(
            [sys.executable, "-c", COSTS, DSTNODE, "discover", "--output", "json"],
            env=self.environment(DISCOVERY_METHOD=cloud), capture_output=True, text=True,
        )
        self.assertEqual(answer.returncode, 0, answer.stderr)
        milliseconds, kibibytes = answer.stderr.splitlines()[-1].split()
        self.assertEqual(len(json.loads(answer.stdout)), count)
        return float(milliseconds), int(kibibytes)

    def environment(self, **settings):
        return {
            **plain_environment(),
            **self.fake.environment(),
            "DISCOVERY_METHOD": "aws",
            "CLUSTER_NAME": "cloud-test",
            **settings,
        }

    def discover(self, *arguments, **settings):
        return subprocess.run(
            [DSTNODE, "discover", *arguments],
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_peers_as_json(self):
        """the list in JSON: address, role, zone, source"""
        self.fake.state(
            instances=[
                instance("aws", "i-1", "10.0.0.1", "coordinator"),
                instance("aws", "i-2", "10.0.0.2", "storage"),
                instance("aws", "i-3", "10.0.0.3", "coordinator", running=False),
            ]
        )
        answer = self.discover("--output", "json", DISCOVERY_PORT="9123")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        peers = {peer["address"]: peer for peer in json.loads(answer.stdout)}
        self.assertEqual(set(peers), {"10.0.0.1:9123", "10.0.0.2:9123"})
        self.assertEqual(peers["10.0.0.1:9123"]["role"], "coordinator")
        self.assertEqual(peers["10.0.0.1:9123"]["zone"], "eu-west-1a")
        self.assertEqual(peers["10.0.0.1:9123"]["source"], "aws")

    def test_missing_permission_is_named(self):
        """a missing permission is named exactly"""
        self.fake.state(
            failures=[
                {
                    "path": "DescribeInstances",
                    "status": 403,
                    "code": "UnauthorizedOperation",
                    "count": 100,
                }
            ]
        )
        answer = self.discover()
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("ec2:DescribeInstances", answer.stdout + answer.stderr)

    def test_a_mistyped_name_is_refused_with_the_list(self):
        """a mistyped plugin is refused with the list of what exists"""
        answer = self.discover(DISCOVERY_METHOD="awz")
        self.assertNotEqual(answer.returncode, 0)
        for name in ("static", "dns", "aws", "gcp", "azure", "cloud"):
            self.assertIn(name, answer.stderr)


if __name__ == "__main__":
    unittest.main()
