"""Clusters of real processes for the integration tests.

Everything is on free ports of 127.0.0.1 and in a directory of its own. Only processes that were
started here are ever signalled, by their handle. A failed test leaves its directory and logs behind.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

DSTNODE = os.environ.get("DSTNODE", "dstnode")
LOGS = Path(os.environ.get("DST_TEST_LOGS", tempfile.gettempdir()))


def plain_environment():
    """The environment without what would lead clients elsewhere: proxies, certificates, profiles."""
    unwanted = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {
        name: value for name, value in os.environ.items() if not name.upper().startswith(unwanted)
    }


def free_ports(count):
    """Ports nobody listens on now, below the range that outgoing connections take."""
    low = 10000
    try:
        high = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        high = 32768
    found = []
    while len(found) < count:
        port = low + secrets.randbelow(max(1000, high - low))
        if port in found:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found


def wait_until(what, condition, seconds=60, pause=0.1):
    """Waits for a condition and answers its value; never longer than it must."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, urllib.error.URLError, subprocess.SubprocessError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s (last: {last})")
        time.sleep(pause)


def http_get(address, path, seconds=5):
    """Status and text of a plain GET."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def clock_library(directory):
    """Preloaded, it moves a process's wall clock; built into `directory`."""
    library = directory / "clock_ahead.so"
    if not library.exists():
        source = Path(__file__).resolve().parent / "clock_ahead.c"
        subprocess.run(
            ["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
            check=True,
        )
    return library


def clock_ahead(directory, seconds):
    """Environment in which a process's wall clock is ahead. `directory`: for what is built."""
    return {
        "LD_PRELOAD": str(clock_library(directory)), "CLOCK_AHEAD_SECONDS": str(seconds)
    }


class Node:
    """One process in one role."""

    def __init__(self, cluster, role, name, port, environment):
        self.cluster, self.role, self.name = cluster, role, name
        self.address = f"127.0.0.1:{port}"
        self.data = cluster.directory / name
        self.log = cluster.directory / f"{name}.log"
        self.environment = environment
        self.command = [DSTNODE, "start"]
        self.process = None

    def start(self):
        assert self.process is None or self.process.poll() is not None, f"{self.name} runs"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9: the process gets no chance to say or finish anything."""
        if self.is_running:
            self.process.kill()
            self.process.wait()

    def terminate(self, seconds=60):
        """SIGTERM, and what the process ended with."""
        if self.is_running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not stop within {seconds} s of SIGTERM")
        return self.process.returncode

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def is_ready(self):
        if not self.is_running:
            raise AssertionError(
                f"{self.name} ended with {self.process and self.process.returncode}: {self.tail()}"
            )
        return http_get(self.address, "/ready")[0] == 200

    def tail(self, lines=5):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Cluster:
    """Three coordinators, five storage nodes and two gateways, each a process."""

    def __init__(
        self, name, coordinators=3, storage=5, gateways=2, capacity="4GiB", **settings
    ):
        self.directory = Path(tempfile.mkdtemp(prefix=f"dst-{name}-", dir=scratch()))
        self.access_key, self.secret_key = "root-test", secrets.token_urlsafe(30)
        count = coordinators + storage + gateways
        self._ports = free_ports(count + 4)
        self._spare_ports = self._ports[count:]
        seeds = ",".join(f"127.0.0.1:{port}" for port in self._ports[:coordinators])
        self._common = {
            "SEED_NODES": seeds,
            "CLUSTER_SECRET": secrets.token_hex(32),
            "ENCRYPTION_KEY": secrets.token_hex(32),
            "ROOT_ACCESS_KEY": self.access_key,
            "ROOT_SECRET_KEY": self.secret_key,
            "CAPACITY_GB": capacity,
            "BOOTSTRAP_EXPECT": str(coordinators),
            "LOG_FORMAT": "text",
            "LOG_LEVEL": os.environ.get("DST_TEST_LOG_LEVEL", "info"),
            **{key: str(value) for key, value in settings.items()},
        }
        self.nodes = []
        ports = iter(self._ports)
        for role, letter, number in (
            ("coordinator", "c", coordinators),
            ("storage", "s", storage),
            ("gateway", "g", gateways),
        ):
            for index in range(1, number + 1):
                self._add(role, f"{letter}{index}", next(ports))

    def _add(self, role, name, port, **settings):
        environment = {
            **self._common,
            "NODE_TYPE": role,
            "NODE_ID": name,
            "LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "DATA_PATH": str(self.directory / name),
            "ZONE": f"zone-{name[-1]}",
            **settings,
        }
        node = Node(self, role, name, port, environment)
        self.nodes.append(node)
        return node

    def add_storage(self, name, **settings):
        """A further storage node, not started."""
        return self._add("storage", name, self._spare_ports.pop(), **settings)

    def of(self, role):
        return [node for node in self.nodes if node.role == role]

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    @property
    def endpoint(self):
        return f"http://{self.of('gateway')[0].address}"

    @property
    def endpoints(self):
        return [f"http://{node.address}" for node in self.of("gateway")]

    def start(self, seconds=60):
        for node in self.nodes:
            if not node.is_running:
                node.start()
        return self.wait_ready(seconds=seconds)

    def wait_ready(self, nodes=None, seconds=60):
        for node in nodes or self.nodes:
            wait_until(f"{node.name} ready", node.is_ready, seconds)
        return self

    def kill_all(self):
        # All signals first, then all waits: as near to at once as a script gets.
        for node in self.nodes:
            if node.is_running:
                node.process.kill()
        for node in self.nodes:
            if node.process is not None:
                node.process.wait()

    def status_code(self):
        """0 where `dstnode status` finds all well, 2 where something is wrong."""
        return self._status().returncode

    def _status(self):
        return subprocess.run(
            [DSTNODE, "status", "--json", "--endpoint", self.endpoint],
            env=self.client_environment(),
            capture_output=True,
            text=True,
            timeout=30,
        )

    def status(self):
        answer = self._status()
        # 2: something is wrong, which is an answer too.
        assert answer.returncode in (0, 2), answer.stderr
        return json.loads(answer.stdout)

    def leader(self, range_name="system"):
        """The coordinator that leads a range."""
        report = self.status()
        leader = next(r["leader"] for r in report["ranges"] if r["name"] == range_name)
        label = next(n["label"] for n in report["nodes"] if n["id"] == leader)
        return self.node(label)

    def client_environment(self, gateway=0):
        return {
            **plain_environment(),
            "AWS_ENDPOINT_URL": self.endpoints[gateway],
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def s3(self, gateway=0, **options):
        return s3_client(self.endpoints[gateway], self.access_key, self.secret_key, **options)

    def close(self, keep=False):
        """Ends what runs. Keeps the logs of a failed test, not its data."""
        self.kill_all()
        if keep:
            kept = LOGS / self.directory.name
            kept.mkdir(parents=True, exist_ok=True)
            for log in self.directory.glob("*.log"):
                shutil.copy(log, kept)
            print(f"logs: {kept}")
        shutil.rmtree(self.directory, ignore_errors=True)


class DevCluster:
    """`dstnode dev`: the ten nodes in one process."""

    def __init__(self, name):
        self.directory = Path(tempfile.mkdtemp(prefix=f"dst-{name}-", dir=scratch()))
        self.home = self.directory / "home"
        self.log = self.directory / "dev.log"
        self.ports = free_ports(10)
        self.process = None

    def settings(self):
        return {
            "DST_GATEWAY_PORTS": ",".join(map(str, self.ports[:2])),
            "DST_NODE_PORTS": ",".join(map(str, self.ports[2:])),
            "DST_CAPACITY": "4GiB",
        }

    def start(self, seconds=60):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [DSTNODE, "dev", "--home", str(self.home)],
                env={**os.environ, **self.settings()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until("dev ready", self.is_ready, seconds)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
            raise AssertionError(f"dev ended with {self.process.returncode}: {tail}")
        asked = subprocess.run(
            [DSTNODE, "health", "--ready", "--home", str(self.home)],
            capture_output=True,
            timeout=60,
        )
        return asked.returncode == 0

    @property
    def credentials(self):
        found = {}
        for line in (self.home / "client.env").read_text().splitlines():
            if line.startswith("export "):
                key, value = line[len("export ") :].split("=", 1)
                found[key] = value
        return found

    @property
    def endpoints(self):
        return [f"http://127.0.0.1:{port}" for port in self.ports[:2]]

    def client_environment(self, gateway=0):
        return {
            **plain_environment(),
            **self.credentials,
            "AWS_ENDPOINT_URL": self.endpoints[gateway],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def s3(self, gateway=0, **options):
        found = self.credentials
        return s3_client(
            self.endpoints[gateway],
            found["AWS_ACCESS_KEY_ID"],
            found["AWS_SECRET_ACCESS_KEY"],
            **options,
        )

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def terminate(self, seconds=60):
        self.process.terminate()
        self.process.wait(seconds)
        return self.process.returncode

    def close(self, keep=False):
        self.kill()
        if keep and self.log.exists():
            kept = LOGS / self.directory.name
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.log, kept)
            print(f"logs: {kept}")
        shutil.rmtree(self.directory, ignore_errors=True)


def s3_client(
    endpoint, access_key, secret_key, attempts=5, addressing="path", read_timeout=60, verify=None,
    **options
):
    """A client that asks at most `attempts` times; `verify` names its certificate authorities."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        s3={"addressing_style": addressing},
        connect_timeout=5,
        read_timeout=read_timeout,
        max_pool_connections=32,
        **options,
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        verify=verify,
        config=config,
    )


def scratch():
    """A disk, not a file system in memory, where there is a choice."""
    directory = os.environ.get("DST_TEST_DIR")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return directory
