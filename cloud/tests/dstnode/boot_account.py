"""An account of a cloud with a cluster's machines in it: systemd-nspawn containers that boot.

What the cloud has is imitated: its metadata service at its address, its list and its secrets, a
data disk at the place that the cloud gives it, an https server for the package. As root.
"""

import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from render import SECRETS, render

ROOT = Path(__file__).resolve().parents[3]
for part in ("Integration", "PackagingTests", "CloudTests"):
    sys.path.insert(0, str(ROOT / "Tests" / part))

from cloud_cluster import ZONES, FakeCloud, instance
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
# What user-data of the module says of data disks, and how the cloud's secrets are called.
DISKS = {
    "aws": ["auto"],
    "gcp": ["/dev/disk/by-id/google-dstorage"],
    "azure": ["/dev/disk/azure/scsi1/lun0", "/dev/disk/azure/data/by-lun/0"],
}
REFERENCES = {
    "aws": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:c1-{}-AbCdEf",
    "gcp": "projects/p-1/secrets/c1-{}/versions/latest",
    "azure": "https://v.vault.azure.net/secrets/c1-{}",
}
# A container sees the disks of its host, and its own one as what it is, a loop device.
LSBLK = """#!/bin/sh
case "$*" in
*--nodeps*) echo "{disk} disk 0" ;;
*) exec /usr/bin/lsblk "$@" ;;
esac
"""


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
    """None of its machines is booted, and no join token has a value."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.lan = Lan()
        self.machines, self.loops = {}, []
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
        self.fake = FakeCloud(self.cloud, METADATA, 80, around=around)
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
        """Debian as images of clouds are: cloud-init looks for its data, nothing is set up."""
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
                f"Environment={name}={value}\n" for name, value in self.fake.services().items()
            )
        for path, text in files.items():
            file = merged / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        with open(merged / "etc/ssl/certs/ca-certificates.crt", "a") as authorities:
            authorities.write(self.packages.certificate)
        return [top, base_root(IMAGE)]

    def reference(self, name):
        return REFERENCES[self.cloud].format(name)

    def user_data(self, role, form_until):
        """As the cloud's module renders it."""
        names = {
            name: f"{role}-join-token" if name == "join-token" else name for name in SECRETS[role]
        }
        return render(
            cloud=self.cloud,
            role=role,
            cluster_name="c1",
            coordinator_count=3,
            form_cluster=form_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            secrets={
                name: f"{self.cloud}:{self.reference(kept)}" for name, kept in names.items()
            },
            data_disk=[] if role == "gateway" else DISKS[self.cloud],
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
        """A new disk, where the cloud's udev rules make its name, or the only one that is free."""
        file = self.lan.directory / f"{machine.name}.disk"
        with file.open("wb") as handle:
            handle.truncate(DISK_BYTES)
        device = call("losetup", "--find", "--show", str(file)).strip()
        self.loops.append(device)
        machine.devices.append(device)
        place = DISKS[self.cloud][0]
        if place == "auto":
            stand_in = machine.root / "usr/local/bin/lsblk"
            stand_in.write_text(LSBLK.format(disk=Path(device).name))
            stand_in.chmod(0o755)
        else:
            (machine.root / "etc/tmpfiles.d/disk.conf").write_text(f"L {place} - - - - {device}\n")

    def tell(self):
        """The cloud knows its machines and its secrets as they are now."""
        zones = ZONES[self.cloud]
        self.fake.state(
            instances=[
                instance(
                    self.cloud, f"i-{name}", address, ROLES[name[0]], "c1",
                    zone=zones[int(name[1]) - 1],
                )
                for name, address in ADDRESSES.items()
            ],
            # A vault is asked by the secret's name alone.
            secrets={
                f"c1-{name}" if self.cloud == "azure" else self.reference(name): value
                for name, value in self.secrets.items()
            },
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
