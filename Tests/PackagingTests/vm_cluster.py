"""A cluster of services on booted machines, set up as docs/DEPLOYING-VMS.md says."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from cluster import DSTNODE, plain_environment
from guide import block
from machines import Lan, base_root, call
from package import OLD, package

ADDRESSES = {
    "c1": "10.0.0.11", "c2": "10.0.0.12", "c3": "10.0.0.13",
    "s1": "10.0.0.21", "s2": "10.0.0.22", "s3": "10.0.0.23",
    "g1": "10.0.0.31",
}
ROLES = {"c": "coordinator", "s": "storage", "g": "gateway"}


class VMCluster:
    """3 coordinators, 3 storage nodes and a gateway, each a machine."""

    def __init__(self):
        self.lan = Lan()
        self.keys = Path(tempfile.mkdtemp(prefix="dst-keys-"))
        self.machines = {}
        # Of the guide's first start: how long systemctl took, and what the node said of itself.
        self.starts = {}

    def write_secrets(self):
        call("bash", "-euc", block("secrets"), cwd=self.keys)

    def start(self):
        self.write_secrets()
        image = self.installed_root()
        for name, address in ADDRESSES.items():
            self.add(name, address, image).boot()
        for name in ADDRESSES:
            self.machines[name].wait_booted()
            self.configure(name, ROLES[name[0]])
        # Whoever needs others first.
        for name in reversed(list(ADDRESSES)):
            began = time.monotonic()
            self.machines[name].run(block("start"))
            self.starts[name] = (
                time.monotonic() - began,
                self.machines[name].show("dstnode", "StatusText")["StatusText"],
            )
        for machine in self.machines.values():
            machine.run(block("ready"))
        return self

    def installed_root(self):
        """The base with the package installed while nothing runs, as an image is made."""
        merged, top = self.lan.layer("image", [base_root()])
        shutil.copy(package(OLD), merged / "root")
        call(
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
            f"--directory={merged}", "--chdir=/root", "--setenv=DEBIAN_FRONTEND=noninteractive",
            "bash", "-euc", block("install"), stdin=subprocess.DEVNULL,
        )
        (merged / "root" / package(OLD).name).unlink()
        return [top, base_root()]

    def add(self, name, address, lower=None):
        """A machine, from the bare base where no other root is given."""
        machine = self.lan.machine(name, address, lower or [base_root()])
        for key in self.keys.iterdir():
            shutil.copy(key, machine.root / "root")
        self.machines[name] = machine
        return machine

    def configure(self, name, role, **settings):
        """The guide's configuration of a role, with what an operator edits."""
        machine = self.machines[name]
        machine.run(block(role))
        edited = {"ZONE": f"zone-{name[-1]}", **settings}
        if role == "storage":
            edited.setdefault("CAPACITY_GB", "4")
        self.edit(machine, edited)
        machine.run(block("check"))

    @staticmethod
    def edit(machine, settings):
        """Sets variables of a machine's environment file."""
        file = machine.root / "etc/dstnode/dstnode.env"
        lines = [
            line for line in file.read_text().splitlines() if line.split("=")[0] not in settings
        ]
        lines += [f"{name}={value}" for name, value in settings.items()]
        file.write_text("\n".join(lines) + "\n")

    def use(self):
        """The guide's proof, from another machine of the network."""
        return self.client(block("use"))

    def client(self, command, seconds=120):
        environment = plain_environment()
        environment["PATH"] = f"{Path(DSTNODE).resolve().parent}:{environment['PATH']}"
        environment.update(AWS_CONFIG_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true")
        return self.lan.inside(
            "bash", "-euc", command, seconds=seconds, cwd=self.keys, env=environment
        )

    def aws(self, command):
        """One command of the aws client with the root key."""
        export = block("use").split("dstnode status")[0]
        return self.client(f"{export}\naws {command}")

    def put(self, key, size=100_000):
        """Stores random bytes that ``check`` finds again."""
        body = os.urandom(size)
        (self.keys / "content").mkdir(exist_ok=True)
        (self.keys / "content" / key).write_bytes(body)
        self.aws(f"s3 cp --quiet content/{key} s3://mine/{key}")

    def check(self, key):
        self.aws(f"s3 cp --quiet s3://mine/{key} fetched")
        assert (self.keys / "fetched").read_bytes() == (self.keys / "content" / key).read_bytes()

    def wait_ready(self, *names, seconds=90):
        for name in names or ADDRESSES:
            self.machines[name].wait_ready(seconds)

    def close(self, keep=False):
        self.lan.close(keep)
        shutil.rmtree(self.keys, ignore_errors=True)

