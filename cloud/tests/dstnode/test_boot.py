"""The user-data of a cluster's machines, booted: by cloud-init on machines that run systemd.

What the cloud has is imitated: its metadata service at its address, its list and its secrets, a
data disk at the place that the cloud gives it, an https server for the package. As root.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from render import SECRETS, render

ROOT = Path(__file__).resolve().parents[3]
for part in ("Integration", "PackagingTests", "CloudTests"):
    sys.path.insert(0, str(ROOT / "Tests" / part))

from cloud_cluster import ZONES, FakeCloud, instance
from cluster import DSTNODE, plain_environment, wait_until
from guide import BLOCK
from machines import PACKAGES, Lan, base_root, call
from package import package

METADATA = "169.254.169.254"
# As images of clouds have it; the rest of it is what dstnode-install would fetch from Debian.
IMAGE = f"{PACKAGES},cloud-init,python3-cffi-backend,curl,xfsprogs,fdisk,netbase"
ADDRESSES = {
    "c1": "10.0.0.11", "c2": "10.0.0.12", "c3": "10.0.0.13",
    "s1": "10.0.0.21", "s2": "10.0.0.22", "s3": "10.0.0.23",
    "g1": "10.0.0.31",
}
ROLES = {"c": "coordinator", "s": "storage", "g": "gateway"}
# The smallest that mkfs.xfs takes is 300 MiB.
DISK_BYTES = 400 << 20
DISK = "/dev/disk/by-id/google-dstorage"
ENDPOINTS = {
    "DST_GCP_COMPUTE_ENDPOINT": f"http://{METADATA}",
    "DST_GCP_SECRETS_ENDPOINT": f"http://{METADATA}",
}


def reference(name):
    return f"projects/p-1/secrets/c1-{name}/versions/latest"


def zone_of(name):
    return ZONES["gcp"][int(name[1]) - 1]


def blocks():
    return dict(BLOCK.findall((ROOT / "cloud/README.md").read_text()))


class PackageServer:
    """Serves the package by https, as openssl does; its certificate is its own authority."""

    def __init__(self, lan):
        self.directory = Path(tempfile.mkdtemp(prefix="served-", dir=lan.directory))
        call(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=packages", "-addext", "subjectAltName=IP:10.0.0.1",
            "-keyout", "key", "-out", "certificate", cwd=self.directory,
        )
        # What is made quickly; seven machines unpack it.
        os.environ.update(DPKG_DEB_COMPRESSOR_TYPE="gzip", DPKG_DEB_COMPRESSOR_LEVEL="1")
        file = package()
        self.url = f"https://10.0.0.1/{file.name}"
        self.sha256 = sha256(file.read_bytes()).hexdigest()
        (self.directory / file.name).symlink_to(file)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", lan.name, "openssl", "s_server", "-quiet", "-WWW",
             "-accept", "10.0.0.1:443", "-key", "key", "-cert", "certificate"],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def certificate(self):
        return (self.directory / "certificate").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()


class Account:
    """A project of Google's with a cluster's machines in it, none of them booted."""

    def __init__(self):
        self.lan = Lan()
        self.machines, self.tops, self.loops = {}, {}, []
        self.fake = self.packages = None
        self.secrets = {
            name: os.urandom(length).hex()
            for name, length in (
                ("cluster-secret", 32), ("encryption-key", 32), ("root-secret-key", 20)
            )
        }

    def open(self):
        self.lan.inside("ip", "address", "add", f"{METADATA}/32", "dev", "lan")
        around = ["ip", "netns", "exec", self.lan.name]
        self.fake = FakeCloud("gcp", METADATA, 80, around=around)
        self.packages = PackageServer(self.lan)
        image = self.image()
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        data = {role: self.user_data(role, soon) for role in SECRETS}
        for name, address in ADDRESSES.items():
            self.add(name, address, image, data[ROLES[name[0]]])
        # The metadata service has this address on other machines, too.
        self.lan.enter()
        self.tell()

    def image(self):
        """An image of Debian as clouds have it: cloud-init looks for its data, nothing is set up."""
        merged, top = self.lan.layer("image", [base_root(IMAGE)])
        files = {
            "etc/cloud/cloud.cfg.d/90_test.cfg":
                "datasource_list: [NoCloud]\nnetwork: {config: disabled}\n"
                "apt: {preserve_sources_list: true}\nlocale: C.UTF-8\n",
            # What the machine needs of Debian is there, and Debian is not.
            "etc/apt/sources.list": "",
            # As Google's images have it.
            "etc/hosts": f"127.0.0.1 localhost\n{METADATA} metadata.google.internal\n",
        }
        for unit in ("dstnode", "dstnode-secrets"):
            files[f"etc/systemd/system/{unit}.service.d/endpoints.conf"] = "[Service]\n" + "".join(
                f"Environment={name}={value}\n" for name, value in ENDPOINTS.items()
            )
        for path, text in files.items():
            file = merged / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        with open(merged / "etc/ssl/certs/ca-certificates.crt", "a") as authorities:
            authorities.write(self.packages.certificate)
        return [top, base_root(IMAGE)]

    def user_data(self, role, form_until):
        return render(
            cloud="gcp",
            role=role,
            cluster_name="c1",
            coordinator_count=3,
            form_cluster=form_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            secrets={name: f"gcp:{reference(name)}" if name != "join-token"
                     else f"gcp:{reference(role + '-join-token')}" for name in SECRETS[role]},
            data_disk=[] if role == "gateway" else [DISK],
            deb_url=self.packages.url,
            deb_sha256=self.packages.sha256,
        )

    def add(self, name, address, image, user_data):
        machine = self.lan.machine(name, address, image)
        self.machines[name] = machine
        seed = machine.root / "var/lib/cloud/seed/nocloud"
        seed.mkdir(parents=True)
        (seed / "user-data").write_text(user_data)
        (seed / "meta-data").write_text(f"instance-id: {name}\nlocal-hostname: {name}\n")
        if name[0] != "g":
            self.attach_disk(machine)

    def attach_disk(self, machine):
        """A new disk, where Google's udev rules make its name."""
        file = self.lan.directory / f"{machine.name}.disk"
        with file.open("wb") as handle:
            handle.truncate(DISK_BYTES)
        device = call("losetup", "--find", "--show", str(file)).strip()
        self.loops.append(device)
        machine.devices.append(device)
        (machine.root / "etc/tmpfiles.d/disk.conf").write_text(f"L {DISK} - - - - {device}\n")

    def tell(self):
        """The cloud knows its machines and its secrets as they are now."""
        self.fake.state(
            instances=[
                instance("gcp", name, address, ROLES[name[0]], "c1", zone=zone_of(name))
                for name, address in ADDRESSES.items()
            ],
            secrets={reference(name): value for name, value in self.secrets.items()},
        )

    def of(self, letter):
        return [machine for name, machine in self.machines.items() if name[0] == letter]

    def close(self, keep=False):
        for service in (self.packages, self.fake):
            if service is not None:
                service.close()
        self.lan.close(keep)
        for device in self.loops:
            subprocess.run(["losetup", "--detach", device], capture_output=True)


@unittest.skipUnless(os.environ.get("DSTNODE"), "DSTNODE is not set: there is nothing to package")
@unittest.skipUnless(os.geteuid() == 0, "machines and their disks need root")
class BootTests(unittest.TestCase):
    def setUp(self):
        self.failed = True
        self.account = Account()

    def tearDown(self):
        self.account.close(keep=self.failed)

    def test_from_an_empty_account_to_a_working_cluster(self):
        """user-data makes nodes of blank machines; tokens let the others in; a reboot loses nothing"""
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
        print(f"      done after {time.monotonic() - began:.0f} s")
        self.failed = False

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
            return "not found" in said and "join-token" in said

        wait_until(f"{machine.name} says that it has no token", says, 240, pause=0.5)
        state = machine.show("dstnode", "ActiveState")["ActiveState"]
        self.assertNotEqual(state, "active", machine.name)

    def make_tokens(self):
        """As cloud/README.md says, on a coordinator."""
        exports = "".join(f"export {name}={value}\n" for name, value in ENDPOINTS.items())
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
