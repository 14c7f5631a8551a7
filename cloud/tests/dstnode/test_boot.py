"""The user-data of a cluster's machines, booted: by cloud-init on machines that run systemd.

Of Google's module; `BOOT_CLOUDS="aws gcp azure"` names others, whose user-data differ in where
disks and secrets are.
"""

import os
import re
import subprocess
import time
import unittest

from boot_account import ADDRESSES, DISK_BYTES, ROOT, Account
from cluster import DSTNODE, plain_environment, wait_until
from guide import BLOCK
from machines import call

CLOUDS = os.environ.get("BOOT_CLOUDS", "gcp").split()


def blocks():
    return dict(BLOCK.findall((ROOT / "cloud/README.md").read_text()))


@unittest.skipUnless(os.environ.get("DSTNODE"), "DSTNODE is not set: there is nothing to package")
@unittest.skipUnless(os.geteuid() == 0, "machines and their disks need root")
class BootTests(unittest.TestCase):
    def test_from_an_empty_account_to_a_working_cluster(self):
        """user-data makes nodes of blank machines, tokens let others in, a reboot loses nothing"""
        for cloud in CLOUDS:
            with self.subTest(cloud):
                self.failed = True
                self.account = Account(cloud)
                try:
                    self.work()
                    self.failed = False
                finally:
                    self.account.close(keep=self.failed)

    def work(self):
        began = time.monotonic()
        account = self.account
        account.open()
        for machine in account.machines.values():
            machine.boot()
        for machine in account.of("c"):
            self.wait_active(machine, "dstnode")
            machine.wait_ready()
        print(f"      coordinators ready after {time.monotonic() - began:.0f} s")
        for machine in [*account.of("s"), *account.of("g")]:
            self.waits_for_its_token(machine)
        self.make_tokens()
        for machine in [*account.of("s"), *account.of("g")]:
            self.wait_active(machine, "dstnode")
            machine.wait_ready()
            self.assertIn("ok", machine.run("curl --silent --fail http://127.0.0.1:9000/health"))
        print(f"      all ready after {time.monotonic() - began:.0f} s")
        self.prove()
        for machine in account.machines.values():
            self.check_cloud_init(machine)
        self.check_disk(account.machines["s1"])
        self.check_secrets_stay_in_memory()
        self.reboot(account.machines["s2"])
        self.prove()
        print(f"      {account.cloud}: done after {time.monotonic() - began:.0f} s")

    def wait_active(self, machine, unit, seconds=240):
        def is_active():
            return machine.run(f"systemctl is-active {unit}", check=False).strip() == "active"

        wait_until(f"{unit} of {machine.name} is active", is_active, seconds, pause=0.5)

    def waits_for_its_token(self, machine):
        """The secret is there and has no value yet: the machine says so and starts no node."""
        def says():
            said = machine.run(
                "journalctl --unit=dstnode-secrets --output=cat --quiet", check=False
            )
            return re.search("(?i)not ?found", said)

        wait_until(f"{machine.name} says that it has no token", says, 240, pause=0.5)
        state = machine.show("dstnode", "ActiveState")["ActiveState"]
        self.assertNotEqual(state, "active", machine.name)

    def make_tokens(self):
        """As cloud/README.md says, on a coordinator."""
        services = self.account.fake.services()
        exports = "".join(f"export {name}={value}\n" for name, value in services.items())
        printed = self.account.machines["c2"].run(exports + blocks()["tokens"]).split()
        tokens = {token.split(".")[1]: token for token in printed if token.startswith("dst1.")}
        self.assertEqual(set(tokens), {"storage", "gateway"}, printed)
        for role, token in tokens.items():
            self.account.secrets[f"{role}-join-token"] = token
        self.account.tell()

    def prove(self):
        """From another place of the network, with the root key."""
        call(
            DSTNODE, "prove", "--patience", "60s",
            env={
                **plain_environment(),
                "AWS_ENDPOINT_URL": f"http://{ADDRESSES['g1']}:9000",
                "AWS_ACCESS_KEY_ID": "root",
                "AWS_SECRET_ACCESS_KEY": self.account.secrets["root-secret-key"],
                "AWS_REGION": "us-east-1",
            },
        )

    def check_cloud_init(self, machine):
        """It is through with all it was told, and has nothing to complain of."""
        status = machine.run("cloud-init status --wait --long", check=False)
        self.assertIn("status: done", status, machine.name)
        self.assertIn("DataSourceNoCloud", status, machine.name)
        # Nothing that must not be changed by hand, and no leftover of the way there.
        self.assertFalse((machine.root / "etc/dstnode/dstnode.env.new").exists())

    def check_disk(self, machine):
        mount = machine.run("findmnt --noheadings --output FSTYPE,OPTIONS /var/lib/dstorage")
        for word in ("xfs", "noexec", "nosuid"):
            self.assertIn(word, mount)
        capacity = machine.run("cat /run/dstnode-disk/capacity.env").strip()
        mebibytes = int(capacity.removeprefix("CAPACITY_GB=").removesuffix("MiB"))
        self.assertTrue(200 < mebibytes < DISK_BYTES >> 20, capacity)

    def check_secrets_stay_in_memory(self):
        """No file of a machine's disks holds a secret; what a node's own state holds is its own."""
        secrets = "\n".join(self.account.secrets.values())
        for machine in self.account.machines.values():
            top = self.account.lan.directory / f"{machine.name}.top"
            found = subprocess.run(
                ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--file=-",
                 str(top)],
                input=secrets, capture_output=True, text=True,
            )
            self.assertEqual(found.stdout, "", machine.name)

    def reboot(self, machine):
        """The same node with the same disk, without another look at the user-data."""
        identity = machine.run("cat /var/lib/dstorage/node.json")
        machine.reboot()
        self.wait_active(machine, "dstnode")
        machine.wait_ready()
        self.assertEqual(machine.run("cat /var/lib/dstorage/node.json"), identity)


if __name__ == "__main__":
    unittest.main()
