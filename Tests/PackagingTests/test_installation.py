"""Install, misconfigure, remove and purge on a machine that has seen nothing of dstorage."""

import shutil
import unittest

from cluster import wait_until
from guide import block
from package import OLD, package
from vm_cluster import VMCluster

CONFIG = 78
KEYS = "cluster-secret encryption-key root-secret-key"


class Installation(unittest.TestCase):
    """Each test has a fresh machine; the rest of the cluster is not there."""

    def setUp(self):
        self.cluster = VMCluster()
        self.addCleanup(self.close)
        self.cluster.write_secrets()
        self.machine = self.cluster.add("new", "10.0.0.21").boot().wait_booted()
        shutil.copy(package(OLD), self.machine.root / "root")
        self.machine.run(block("install"))

    def close(self):
        outcome = self._outcome.result
        failed = any(test is self for test, _ in outcome.failures + outcome.errors)
        self.cluster.close(keep=failed)

    # Installed

    def test_unconfigured(self):
        """an installed node without configuration is enabled, down and no failure"""
        self.assertEqual(self.machine.run("systemctl is-enabled dstnode").strip(), "enabled")
        self.machine.run("systemctl start dstnode")
        shown = self.machine.show("dstnode", "ActiveState", "Result", "NRestarts")
        self.assertEqual(
            shown, {"ActiveState": "inactive", "Result": "success", "NRestarts": "0"}
        )
        self.assertEqual(self.machine.run("systemctl --failed --no-legend"), "")
        self.assertIn(":/usr/sbin/nologin", self.machine.run("getent passwd dstnode"))

    def test_removed(self):
        """remove stops the node and keeps all; installing again starts it as it was"""
        self.configure()
        self.machine.run("systemctl start dstnode")
        identity = self.machine.run("cat /var/lib/dstorage/node.json")
        self.machine.run("apt-get remove --yes dstnode")
        self.assertEqual(self.machine.run("pgrep --count dstnode", check=False).strip(), "0")
        self.machine.run("test -e /etc/dstnode/dstnode.env -a -e /etc/dstnode/cluster-secret")
        self.machine.run(block("install"))
        self.assertEqual(self.state(), "active")
        self.assertEqual(self.machine.run("cat /var/lib/dstorage/node.json"), identity)

    def test_purged(self):
        """purge removes the configuration, and data with its keys never"""
        self.configure()
        self.machine.run("systemctl start dstnode")
        identity = self.machine.run("cat /var/lib/dstorage/node.json")
        said = self.machine.run("apt-get purge --yes dstnode")
        self.assertIn("kept the node's data in /var/lib/dstorage and the keys", said)
        self.machine.run("test ! -e /etc/dstnode/dstnode.env -a -e /etc/dstnode/cluster-secret")
        self.assertEqual(self.machine.run("cat /var/lib/dstorage/node.json"), identity)

    def test_purged_elsewhere(self):
        """purge keeps the keys of data that is elsewhere"""
        self.machine.run("install -d -o dstnode -g dstnode -m 0700 /opt/dstorage/data")
        self.configure(DATA_PATH="/opt/dstorage/data")
        self.machine.run("systemctl start dstnode")
        said = self.machine.run("apt-get purge --yes dstnode")
        self.assertIn("kept the node's data in /opt/dstorage/data", said)
        self.machine.run("test -e /opt/dstorage/data/node.json -a -e /etc/dstnode/cluster-secret")

    def test_purged_unused(self):
        """purge of what never ran leaves nothing"""
        self.configure()
        self.machine.run("apt-get purge --yes dstnode")
        left = self.machine.run(
            "find / -xdev ( -path /proc -o -path /sys -o -path /root -o -path /var/lib/apt "
            "-o -path /var/log -o -path /run -o -path /tmp ) -prune -o "
            "( -name '*dstnode*' -o -name '*dstorage*' ) -print".replace("(", r"\(")
            .replace(")", r"\)")
        )
        self.assertEqual(left, "")

    # Set up wrongly

    def configure(self, **settings):
        """The guide's storage node, with some settings of this test's."""
        self.machine.run(block("storage"))
        self.cluster.edit(self.machine, settings)

    def state(self):
        return self.machine.show("dstnode", "ActiveState")["ActiveState"]

    def assert_refused(self, *texts):
        """The start fails at once, stays down, and its last line says why."""
        self.machine.run("systemctl reset-failed dstnode; systemctl start dstnode", check=False)
        wait_until("the service has failed", lambda: self.state() == "failed", 30)
        shown = self.machine.show("dstnode", "ExecMainStatus", "NRestarts")
        self.assertEqual(shown, {"ExecMainStatus": str(CONFIG), "NRestarts": "0"})
        last = self.machine.journal()[-1]
        for text in texts:
            self.assertIn(text, last)

    def test_wrong_settings(self):
        """a wrong setting, a missing secret: down at once, with what to write instead"""
        self.configure()
        self.machine.run("rm /etc/dstnode/cluster-secret")
        self.assert_refused(
            "CLUSTER_SECRET: is not set", "openssl rand -hex 32", "/etc/dstnode/cluster-secret"
        )
        self.machine.run("echo hunter2 > /etc/dstnode/cluster-secret")
        self.assert_refused("CLUSTER_SECRET: has 7 characters that are not 64 hex digits")
        self.configure(CAPACITY_GB="lots")
        self.assert_refused("environment CAPACITY_GB: 'lots' is not a size")
        self.configure(NODE_TYPE="storrage")
        self.assert_refused("did you mean storage?")

    def test_wrong_machine(self):
        """a taken port, an address of another machine: down at once"""
        self.configure()
        self.machine.run(
            "systemd-run --unit=squatter perl -MIO::Socket::INET -e "
            "'@kept = IO::Socket::INET->new(LocalPort => 9000, Listen => 1) or die; sleep'"
        )
        wait_until("the port is taken", lambda: ":9000" in self.machine.run("ss -ltn"), 20)
        self.assert_refused("0.0.0.0:9000 is taken by another process", "set LISTEN_ADDRESS")
        self.machine.run("systemctl stop squatter")
        self.configure(LISTEN_ADDRESS="10.0.0.99:9000")
        self.assert_refused("10.0.0.99:9000 is not an address of this machine")

    def test_wrong_directory(self):
        """a directory of another role, foreign, too small, read-only or out of reach: down"""
        self.configure()
        data = "/var/lib/dstorage"
        self.machine.run(f"echo precious > {data}/thesis.txt")
        self.assert_refused("thesis.txt", "give an empty one as DATA_PATH")
        self.machine.run(f"rm {data}/thesis.txt")
        # A gateway's identity.
        self.machine.run(
            f"""echo '{{"format": 1, "node": "{'0' * 31}1", "role": "gateway"}}' > {data}/node.json"""
        )
        self.assert_refused("belongs to a gateway node", "set NODE_TYPE=gateway")
        self.machine.run(f"rm {data}/node.json")
        owner = "uid=$(id -u dstnode),gid=$(id -g dstnode),mode=0700"
        self.machine.run(f"mount -t tmpfs -o size=8m,{owner} tmpfs {data}")
        self.assert_refused("has too little free space", "make room")
        self.machine.run(f"umount {data}; mount -t tmpfs -o ro,{owner} tmpfs {data}")
        self.assert_refused("can't be written", "mounted read-only")
        self.machine.run(f"umount {data}; install -d -o dstnode -m 0700 /srv/data")
        self.configure(DATA_PATH="/srv/data")
        self.assert_refused("/srv/data can't be written", "ReadWritePaths")

    def test_missing_disk(self):
        """a node that insists on its data disk does not begin anew without it"""
        self.configure()
        folder = "/etc/systemd/system/dstnode.service.d"
        self.machine.run(
            f"mkdir -p {folder}; cp /usr/share/doc/dstnode/examples/data-disk.conf {folder}; "
            "systemctl daemon-reload"
        )
        said = self.machine.run("systemctl start dstnode", check=False)
        self.assertIn("Assertion failed", said)
        self.machine.run("test ! -e /var/lib/dstorage/node.json")
        self.machine.run("mount -t tmpfs -o size=4g tmpfs /var/lib/dstorage")
        self.machine.run("systemctl start dstnode")
        self.assertEqual(self.state(), "active")
