"""Machines that do not fit into the cluster: they say why, and wait or give up as is right."""

import re
import unittest

from cluster import wait_until
from guide import block
from vm_cluster import VMCluster


class Strangers(unittest.TestCase):
    """One coordinator, one storage node, and a stranger."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = VMCluster()
        cls.failed = False
        try:
            cls.cluster.write_secrets()
            cls.image = cls.cluster.installed_root()
            for name, address in (("c1", "10.0.0.11"), ("s1", "10.0.0.21")):
                cls.cluster.add(name, address, cls.image).boot()
            for name, role in (("c1", "coordinator"), ("s1", "storage")):
                cls.cluster.machines[name].wait_booted()
                cls.cluster.configure(name, role, BOOTSTRAP_EXPECT="1", SEED_NODES="10.0.0.11")
                cls.cluster.machines[name].run("systemctl start dstnode")
            cls.cluster.wait_ready("c1", "s1")
            cls.cluster.add("x1", "10.0.0.99", cls.image).boot().wait_booted()
        except BaseException:
            cls.cluster.close(keep=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close(keep=cls.failed)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True

    def setUp(self):
        self.machine = self.cluster.machines["x1"]
        self.machine.run(
            "systemctl stop dstnode; systemctl reset-failed dstnode || true; "
            "rm -rf /var/lib/dstorage/* /etc/dstnode/*; journalctl --rotate --vacuum-time=1s"
        )

    def start(self, **settings):
        self.cluster.configure(
            "x1", "storage", SEED_NODES="10.0.0.11", ZONE="zone-9", **settings
        )
        return self.machine.run("systemctl start dstnode", check=False)

    def wait_said(self, text, seconds=60):
        wait_until(
            f"the journal ends with '{text}'",
            lambda: text in "\n".join(self.machine.journal()[-2:]), seconds, pause=0.3,
        )

    def status(self):
        return self.machine.show("dstnode", "StatusText")["StatusText"]

    def test_same_label(self):
        """a second node with one NODE_ID says whose it is, and joins once that one is gone"""
        self.start(NODE_ID="s1")
        self.wait_said("NODE_ID 's1' belongs to another live node")
        wait_until(
            "it was started again",
            lambda: int(self.machine.show("dstnode", "NRestarts")["NRestarts"]) > 0, 30,
        )
        first = self.cluster.machines["s1"]
        first.run("systemctl stop dstnode")
        try:
            self.cluster.wait_ready("x1")
        finally:
            # The label has passed on: the first is a node of the past and says so.
            self.machine.run("systemctl stop dstnode")
            first.run("rm -rf /var/lib/dstorage/*; systemctl start dstnode")
            self.cluster.wait_ready("s1")

    def test_other_secret(self):
        """a node with another secret runs, is not ready, and says what differs"""
        self.machine.run("openssl rand -hex 32 > /root/other-secret")
        self.cluster.configure("x1", "storage", SEED_NODES="10.0.0.11", NODE_ID="x1")
        self.machine.run(
            "install -m 0600 /root/other-secret /etc/dstnode/cluster-secret; "
            "systemctl start dstnode"
        )
        self.wait_said("CLUSTER_SECRET")
        wait_until(
            "the status says so too",
            lambda: re.match("not ready: .*CLUSTER_SECRET", self.status()), 30,
        )
        self.assertEqual(self.machine.show("dstnode", "NRestarts")["NRestarts"], "0")
        # What is right is taken up without a new start of anything else.
        self.machine.run(f"{block('storage').splitlines()[0]}; systemctl restart dstnode")
        self.cluster.wait_ready("x1")

    def test_other_cluster(self):
        """a disk of another cluster is refused with both clusters' names"""
        self.start(NODE_ID="x1")
        self.cluster.wait_ready("x1")
        self.machine.run(
            "systemctl stop dstnode; sed -i 's/\"cluster\" : \".*\"/\"cluster\" : "
            f"\"{'a1' * 16}\"/' /var/lib/dstorage/node.json"
        )
        self.machine.run("systemctl start dstnode", check=False)
        self.wait_said("a1" * 16)
        self.wait_said("an empty data directory")
