"""The guide's cluster as systemd services: started, used, killed, hung, rebooted, upgraded."""

import re
import shutil
import time

from cluster import wait_until
from cluster_case import ClusterCase
from guide import block
from package import NEW, package
from vm_cluster import ADDRESSES, VMCluster

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 30


class Services(ClusterCase):
    @classmethod
    def make_cluster(cls):
        return VMCluster()

    def machine(self, name):
        return self.cluster.machines[name]

    def shown(self, name, what):
        return self.machine(name).show("dstnode", what)[what]

    def pid(self, name, unit="dstnode"):
        return int(self.machine(name).show(unit, "MainPID")["MainPID"])

    def wait_restarted(self, name, before, seconds=90):
        def is_another():
            return self.pid(name) not in (0, before)

        wait_until(f"{name} was started again", is_another, seconds, pause=0.3)
        self.cluster.wait_ready(name)

    def stored(self):
        """An object of this test's own, and the bucket for it."""
        if "mine" not in self.cluster.aws("s3 ls"):
            self.cluster.aws("s3 mb s3://mine")
        key = self.id().split(".")[-1]
        self.cluster.put(key)
        return key

    def test_start(self):
        """services start in any order: none waits for another, each says what it waits for"""
        for name, (seconds, status) in self.cluster.starts.items():
            self.assertLess(seconds, START_SECONDS_MAX, name)
            # The last coordinator to start may find the others at once.
            if name != "c1":
                self.assertRegex(status, "^not ready: ", name)
        for name in ADDRESSES:
            # It may wait for a leader just now, when the tests before have moved it.
            wait_until(
                f"{name} is ready", lambda: self.shown(name, "StatusText") == "ready", 30, 0.3
            )
            shown = self.machine(name).show("dstnode", "NRestarts", "ActiveState")
            self.assertEqual(shown, {"NRestarts": "0", "ActiveState": "active"}, name)

    def test_use(self):
        """the guide's object goes in and comes out"""
        if "mine" in self.cluster.aws("s3 ls"):
            self.cluster.aws("s3 rb --force s3://mine")
        self.assertIn("bookworm", self.cluster.use())

    def test_journal(self):
        """the journal has each line's level and no second time"""
        machine = self.machine("g1")
        lines = machine.journal()
        self.assertTrue(lines)
        for line in lines:
            # Once a process, before it knows how to log: the runtime's manager thread may not raise
            # its own priority. Allowing it would need a right that not every host can give.
            self.assertRegex(
                line, "^gateway: |^Failed to set thread priority for worker thread: .* errno=13$"
            )
        levels = machine.run(
            "journalctl --unit=dstnode --output=json --output-fields=PRIORITY "
            "--identifier=dstnode"
        )
        self.assertIn('"PRIORITY":"6"', levels.replace(" ", ""))

    def test_secrets(self):
        """secrets are in no environment, and their files are root's alone"""
        machine = self.machine("g1")
        environment = machine.run(f"tr '\\0' '\\n' < /proc/{self.pid('g1')}/environ")
        shown = machine.run("systemctl show dstnode")
        for path in self.cluster.keys.iterdir():
            if path.is_file() and "secret" in path.name or path.name == "encryption-key":
                self.assertNotIn(path.read_text().strip(), environment + shown)
        modes = machine.run("stat -c '%a %U %n' /etc/dstnode/*-secret* /etc/dstnode/*-key")
        for line in modes.splitlines():
            self.assertTrue(line.startswith("600 root "), line)

    def test_confined(self):
        """the running service is confined as its unit says"""
        machine = self.machine("s1")
        text = machine.run("systemd-analyze security --no-pager dstnode", check=False)
        self.assertLessEqual(float(re.search(r"level for \S+: ([\d.]+)", text).group(1)), 2.0)
        status = machine.run(f"cat /proc/{self.pid('s1')}/status")
        self.assertRegex(status, r"(?m)^CapEff:\s+0+$")
        self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")
        self.assertRegex(status, r"(?m)^Seccomp:\s+2$")
        # What the kernel grants depends on the host around the container.
        self.assertEqual(machine.show("dstnode", "LimitNOFILE")["LimitNOFILE"], "262144")
        self.assertEqual(machine.run("stat -c '%a %U' /var/lib/dstorage").strip(), "700 dstnode")

    def test_firewall(self):
        """the guide's firewall lets the cluster's machines through, and nobody else"""
        key = self.stored()
        machine = self.machine("g1")
        machine.run(block("firewall"))
        machine.run("ufw --force enable")
        try:
            self.assertRegex(machine.run("ufw status"), r"dstorage\s+ALLOW\s+10.0.0.0/24")
            self.cluster.check(key)
            self.cluster.lan.inside("ip", "address", "add", "10.9.0.1/24", "dev", "lan")
            refused = self.cluster.lan.inside(
                "bash", "-c",
                "ip route add 10.0.0.31/32 dev lan src 10.9.0.1;"
                "timeout 2 bash -c 'echo > /dev/tcp/10.0.0.31/9000' && echo open || echo closed",
            )
            self.assertIn("closed", refused)
        finally:
            machine.run("ufw --force disable")
            self.cluster.lan.inside("ip", "address", "flush", "dev", "lan")
            self.cluster.lan.inside("ip", "address", "add", "10.0.0.1/24", "dev", "lan")

    def test_killed(self):
        """a killed node of each role is started again and serves"""
        key = self.stored()
        for name in ("s1", "c1", "g1"):
            before = self.pid(name)
            self.machine(name).run("systemctl kill -s KILL dstnode")
            self.wait_restarted(name, before)
            self.cluster.check(key)

    def test_hung(self):
        """a node that hangs is ended by the watchdog and serves again"""
        key = self.stored()
        machine = self.machine("s2")
        folder = "/run/systemd/system/dstnode.service.d"
        machine.run(
            f"mkdir -p {folder}; printf '[Service]\\nWatchdogSec=3s\\nRestartSec=1s\\n' "
            f"> {folder}/test.conf; systemctl daemon-reload; systemctl restart dstnode"
        )
        self.cluster.wait_ready("s2")
        try:
            before = self.pid("s2")
            # It is pinged while all is well.
            time.sleep(4)
            self.assertEqual(self.pid("s2"), before)
            machine.run("systemctl kill -s STOP dstnode")
            self.wait_restarted("s2", before)
        finally:
            machine.run(f"rm {folder}/test.conf; systemctl daemon-reload; systemctl restart dstnode")
        self.cluster.wait_ready("s2")
        self.assertIn("Watchdog timeout", machine.run("journalctl --unit=dstnode"))
        self.cluster.check(key)

    def test_stopped(self):
        """a stop hands over and drains, within its time and without complaint"""
        key = self.stored()
        for name in ("c2", "s3", "g1"):
            machine = self.machine(name)
            began = time.monotonic()
            machine.run("systemctl stop dstnode")
            self.assertLess(time.monotonic() - began, STOP_SECONDS_MAX, name)
            shown = machine.show("dstnode", "ActiveState", "Result", "ExecMainStatus")
            self.assertEqual(
                shown, {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
            )
            self.assertRegex(machine.journal()[-1], "stopped", name)
            if name != "g1":
                self.cluster.check(key)
            machine.run("systemctl start dstnode")
            self.cluster.wait_ready(name)
        self.cluster.check(key)

    def test_rebooted(self):
        """machines of each role come back by themselves after a reboot, all at once"""
        key = self.stored()
        for name in ("c1", "s1", "g1"):
            self.machine(name).reboot()
        self.cluster.wait_ready()
        self.cluster.check(key)

    def test_upgraded(self):
        """an upgrade in place restarts gracefully and keeps configuration, data and identity"""
        key = self.stored()
        for name in ("s3", "c3", "g1"):
            machine = self.machine(name)
            files = "/etc/dstnode/* /var/lib/dstorage/node.json"
            before, pid = machine.run(f"sha256sum {files}"), self.pid(name)
            shutil.copy(package(NEW), machine.root / "root")
            machine.run(block("upgrade"))
            self.assertEqual(machine.run("dpkg-query -W -f '${Version}' dstnode"), NEW)
            self.assertEqual(machine.run(f"sha256sum {files}"), before, name)
            self.assertNotEqual(self.pid(name), pid, name)
            shown = machine.show("dstnode", "NRestarts", "Result")
            self.assertEqual(shown, {"NRestarts": "0", "Result": "success"}, name)
            self.cluster.check(key)

    def test_join_token(self):
        """a storage node goes on with a join token in place of the cluster's secret"""
        export = block("use").split("dstnode status")[0]
        self.assertIn("valid", self.cluster.client(export + block("token")))
        self.cluster.put("before-the-token")
        machine = self.machine("s1")
        shutil.copy(self.cluster.keys / "join-token", machine.root / "etc/dstnode/join-token")
        machine.run(
            "chmod 0600 /etc/dstnode/join-token; mv /etc/dstnode/cluster-secret /root; "
            "systemctl restart dstnode"
        )
        machine.wait_ready()
        self.assertTrue((machine.root / "var/lib/dstorage/certificate.json").exists())
        self.cluster.check("before-the-token")

    def test_instance(self):
        """a second node runs on a machine as an instance, and an upgrade restarts it too"""
        machine = self.machine("s2")
        machine.run(block("instance"))
        # The example's size, made to fit what this test has.
        machine.run(
            "sed -i 's/^CAPACITY_GB=.*/CAPACITY_GB=4/' /etc/dstnode/disk2.env; "
            "systemctl restart dstnode@disk2"
        )
        machine.wait_ready(address="127.0.0.1:9001")
        report = self.cluster.client(block("use").split("aws s3 mb")[0])
        self.assertIn("disk2", report)
        self.assertIn(
            '"role" : "storage"', machine.run("cat /var/lib/dstorage-disk2/node.json")
        )
        before = self.pid("s2", "dstnode@disk2")
        shutil.copy(package(NEW), machine.root / "root")
        machine.run(block("upgrade"))
        machine.wait_ready(address="127.0.0.1:9001")
        self.assertNotEqual(self.pid("s2", "dstnode@disk2"), before)
