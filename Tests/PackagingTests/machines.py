"""Machines that boot systemd: systemd-nspawn containers on a private network.

Each has a network namespace of its own on a bridge that lives in a namespace too, so that neither
the host's addresses nor its firewall matter, and a file system of its own over a common root.
"""

import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from cluster import LOGS, wait_until
from network import enter, leave

ROOTS = Path("/var/cache/dstorage-tests")
SUITE = "bookworm"
# What the package depends on, and what the guide's commands need; machines have no way out.
PACKAGES = (
    "systemd,systemd-sysv,dbus,iproute2,procps,ca-certificates,openssl,ufw,iptables,"
    "libsqlite3-0,libssl3,libstdc++6,zlib1g"
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def call(*command, seconds=120, **options):
    """Runs a command that must succeed; its output is in the error where it doesn't."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def base_root(packages=PACKAGES):
    """A Debian 12 root, made once for this machine."""
    root = ROOTS / f"{SUITE}-{hash_of(packages):x}"
    if not root.exists():
        ROOTS.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=ROOTS))
        call(
            "debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(making),
            mirror(), seconds=900,
        )
        making.rename(root)
    return root


def mirror():
    """Where this host gets Debian from; the public mirror on hosts of another kind."""
    for sources in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        text = sources.read_text()
        uris = re.search(r"(?m)^URIs:\s*(\S+)", text)
        if uris and re.search(rf"(?m)^Suites:.*\b{SUITE}\b", text):
            return uris.group(1)
    return "http://deb.debian.org/debian"


def hash_of(text):
    """The same in every process, unlike hash()."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


class Lan:
    """A bridge 10.0.0.1/24 in a namespace; `client()` runs commands as a machine of that network."""

    def __init__(self):
        self.name = f"dst-{secrets.token_hex(3)}"
        self.directory = Path(tempfile.mkdtemp(prefix="dst-machines-"))
        self.directory.chmod(0o755)
        self.machines = []
        self._layers = []
        self._home = None
        call("ip", "netns", "add", self.name)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "link", "add", "lan", "type", "bridge")
        self.inside("ip", "address", "add", "10.0.0.1/24", "dev", "lan")
        self.inside("ip", "link", "set", "lan", "up")

    def inside(self, *command, **options):
        return call("ip", "netns", "exec", self.name, *command, **options)

    def enter(self):
        """From here on the test itself is in the network, beside the machines."""
        self._home = enter(self.name)

    def layer(self, name, lower):
        """A writable root over others, topmost first."""
        top, work, merged = (self.directory / f"{name}.{kind}" for kind in ("top", "work", "root"))
        for directory in (top, work, merged):
            directory.mkdir()
        call(
            "mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={':'.join(map(str, lower))},upperdir={top},workdir={work}", str(merged),
        )
        self._layers.append(merged)
        return merged, top

    def machine(self, name, address, lower):
        machine = Machine(self, name, address, self.layer(name, lower)[0])
        self.machines.append(machine)
        return machine

    def close(self, keep=False):
        if self._home is not None:
            leave(self._home)
            self._home = None
        for machine in self.machines:
            if keep:
                machine.keep_logs(LOGS / f"packaging-{self.name}")
            machine.power_off()
        if keep:
            print(f"logs: {LOGS / f'packaging-{self.name}'}")
        for merged in reversed(self._layers):
            subprocess.run(["umount", str(merged)], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)


class Machine:
    """One booted container."""

    def __init__(self, lan, name, address, root):
        self.lan, self.name, self.address, self.root = lan, name, address, root
        self.namespace = f"{lan.name}-{name}"
        self.console = lan.directory / f"{name}.console"
        self.process = None
        # Devices of the host's that are devices of this machine's, too.
        self.devices = []
        (root / "etc/hostname").write_text(name + "\n")
        (root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")
        link = f"v{secrets.token_hex(4)}"
        call("ip", "netns", "add", self.namespace)
        call(
            "ip", "-n", lan.name, "link", "add", link, "type", "veth", "peer", "name", "host0",
            "netns", self.namespace,
        )
        call("ip", "-n", lan.name, "link", "set", link, "master", "lan", "up")
        for command in (
            "link set lo up", f"address add {address}/24 dev host0", "link set host0 up",
            "route add default via 10.0.0.1",
        ):
            call("ip", "-n", self.namespace, *command.split())

    def boot(self):
        command = [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", f"--machine={self.namespace}",
            f"--directory={self.root}", f"--network-namespace-path=/run/netns/{self.namespace}",
            # For the machine's own firewall.
            "--capability=CAP_NET_ADMIN",
            *(f"--bind={device}" for device in self.devices),
        ]
        with_systemd = Path("/run/systemd/system").is_dir()
        if not with_systemd:
            command.append("--keep-unit")
        with open(self.console, "ab") as console:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                start_new_session=True,
                preexec_fn=None if with_systemd else self._enter_own_cgroup,
            )
        return self

    def _enter_own_cgroup(self):
        # Without a systemd of the host's, whose scopes would do it: two machines in one control
        # group would end each other's processes.
        for tree in self._cgroups():
            tree.mkdir(exist_ok=True)
            (tree / "cgroup.procs").write_text(str(os.getpid()))

    def _cgroups(self):
        roots = [Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified")]
        if Path("/sys/fs/cgroup/cgroup.procs").exists():
            roots = [Path("/sys/fs/cgroup")]
        return [root / self.namespace for root in roots if root.is_dir()]

    @property
    def leader(self):
        """The process id, outside, of the machine's first process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split():
            # The first process of the machine has a namespace of processes of its own.
            if os.readlink(f"/proc/{child}/ns/pid") != os.readlink("/proc/self/ns/pid"):
                return child
        raise AssertionError(f"{self.name} does not run: {self.console.read_text()[-2000:]}")

    def run(self, command, seconds=120, check=True, directory="/root"):
        """A shell command of root's inside; what it printed."""
        done = subprocess.run(
            ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p",
             f"--wd=/proc/{self.leader}/root{directory}",
             "env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "SYSTEMD_PAGER=",
             "DEBIAN_FRONTEND=noninteractive", "bash", "-euc", command],
            capture_output=True, text=True, timeout=seconds,
        )
        if check:
            assert done.returncode == 0, (
                f"{self.name}: {command}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout + done.stderr

    def is_booted(self):
        return self.run("systemctl is-system-running", check=False).strip() in (
            "running", "degraded",
        )

    def wait_booted(self, seconds=90):
        wait_until(f"{self.name} has booted", self.is_booted, seconds, pause=0.3)
        return self

    def reboot(self):
        """Shuts down in good order and boots again; returns when it has booted."""
        before = self.leader
        self.run("systemctl reboot", check=False)

        def is_down():
            return self.process.poll() is not None or self.leader != before

        wait_until(f"{self.name} has gone down", is_down, 120, pause=0.1)
        # Outside a unit of the host's, the end with this code asks for the next boot.
        if self.process.poll() is not None:
            assert self.process.returncode == 133, self.process.returncode
            self.boot()
        self.wait_booted()

    def wait_ready(self, seconds=90, address=""):
        """Returns once the node here, or the one at the address, serves its role."""
        place = f"--address {address}" if address else ""
        self.run(f"dstnode health --ready --wait {seconds}s {place}", seconds=seconds + 30)

    def show(self, unit="dstnode", *properties):
        """Properties of a unit, by name."""
        wanted = ",".join(properties)
        text = self.run(f"systemctl show {unit} --property={wanted}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def journal(self, unit="dstnode"):
        """The service's own lines, oldest first."""
        return self.run(
            f"journalctl --unit={unit} --output=cat --identifier=dstnode --quiet", check=False
        ).splitlines()

    def keep_logs(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        if self.process is None:
            return
        shutil.copy(self.console, directory)
        try:
            text = self.run("journalctl --no-pager --output=short-precise", check=False)
            (directory / f"{self.name}.journal").write_text(text)
        except (AssertionError, OSError, subprocess.SubprocessError):
            pass

    def power_off(self):
        """As pulling the plug: for the end of a test."""
        if self.process and self.process.poll() is None:
            try:
                os.kill(int(self.leader), signal.SIGKILL)
            except (AssertionError, OSError):
                pass
            self.process.kill()
            self.process.wait()
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)
        for tree in self._cgroups():
            remove_cgroup(tree)


def remove_cgroup(tree):
    """Removes it once its processes are gone."""
    deadline = time.monotonic() + 10
    while tree.is_dir() and time.monotonic() < deadline:
        for directory in sorted(tree.rglob("*"), reverse=True):
            if directory.is_dir():
                try:
                    directory.rmdir()
                except OSError:
                    pass
        try:
            tree.rmdir()
        except OSError:
            time.sleep(0.1)
