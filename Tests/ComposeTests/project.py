"""A compose cluster of its own: copied files, own secrets, free ports, removed afterwards."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import engine
from cluster import LOGS, free_ports, http_get, plain_environment, s3_client, wait_until
from engine import CHECKOUT, CommandFailed, Container, docker, run
from image import balancer_image, image

PREFIX = "dsttest"
READY_SECONDS_MAX = 120
ROLES = ("coordinator", "storage", "gateway")


class Project:
    """One compose project in a directory of its own, as in a checkout.

    `files` are those of compose/, the first being the base; `overlay` is a further one, given as
    the data of its YAML.
    """

    def __init__(self, name, files=("compose.yaml", "faults.yaml"), overlay=None, **environment):
        engine.prepare()
        remove_abandoned()
        self.name = f"{PREFIX}-{os.getpid()}-{name}-{secrets.token_hex(2)}"
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        for name in ("compose", "docker"):
            shutil.copytree(
                CHECKOUT / name, self.directory / name,
                ignore=shutil.ignore_patterns("secrets", ".*", "prebuilt"),
            )
        self.files = list(files)
        self.overlays = 0
        self.container_names = {}
        self.cut_off = set()
        self.ports = free_ports(6)
        self.environment = {
            **plain_environment(),
            "COMPOSE_PROJECT_NAME": self.name,
            "DSTORAGE_IMAGE": image(),
            "LOAD_BALANCER_IMAGE": balancer_image(),
            "GATEWAY_1_PORT": str(self.ports[0]),
            "GATEWAY_2_PORT": str(self.ports[1]),
            "GATEWAY_3_PORT": str(self.ports[2]),
            "LOAD_BALANCER_PORT": str(self.ports[3]),
            **{key: str(value) for key, value in environment.items()},
        }
        run(self.directory / "compose" / "init", env=self.environment, cwd=self.directory)
        if overlay:
            self.add(overlay)

    def add(self, overlay):
        """A further overlay. JSON is YAML too."""
        self.overlays += 1
        file = f"test-{self.overlays}.yaml"
        (self.directory / "compose" / file).write_text(json.dumps(overlay, indent=1))
        self.files.append(file)

    # Compose

    def compose(self, *arguments, **options):
        files = [word for file in self.files for word in ("-f", f"compose/{file}")]
        command = [*engine.compose_command(), *files, "-p", self.name, *arguments]
        return run(*command, env=self.environment, cwd=self.directory, **options)

    def up(self, *services):
        self.container_names.clear()
        self.compose("up", "-d", *services)
        return self

    def start(self, seconds=READY_SECONDS_MAX):
        """Up and ready; how many seconds that took."""
        began = time.monotonic()
        self.up()
        self.wait_ready(seconds=seconds)
        return time.monotonic() - began

    def services(self):
        """Those that have a container."""
        told = docker(
            "ps", "-a", "--filter", f"label=com.docker.compose.project={self.name}",
            "--format", '{{.Label "com.docker.compose.service"}}',
        )
        return sorted(told.split())

    def nodes(self, role=None):
        """Containers of dstnode, perhaps those of one role."""
        return [
            Container(self, service)
            for service in self.services()
            if service.split("-")[0] in ([role] if role else ROLES)
        ]

    def node(self, service):
        return Container(self, service)

    def close(self, failed=False):
        if failed:
            self.keep()
        remove_project(self.name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def keep(self):
        """Leaves behind why a test failed: logs of all, their state, the cluster's own view."""
        kept = LOGS / self.name
        kept.mkdir(parents=True, exist_ok=True)
        for name in project_containers(self.name):
            done = run("docker", "logs", "--timestamps", name, check=False)
            (kept / f"{name}.log").write_text(done.stdout + done.stderr)
            state = run("docker", "inspect", name, check=False).stdout
            (kept / f"{name}.json").write_text(state)
        (kept / "status.txt").write_text(self._status_text())
        print(f"logs: {kept}", flush=True)

    def _status_text(self):
        told = []
        for number, endpoint in enumerate(self.endpoints):
            try:
                done = self._dstnode("status", number, check=False)
                told.append(f"by {endpoint} ({done.returncode}):\n{done.stdout}{done.stderr}")
            except (OSError, subprocess.SubprocessError) as error:
                told.append(f"by {endpoint}: {error}\n")
        return "\n".join(told)

    # The cluster

    @property
    def endpoints(self):
        return [f"http://127.0.0.1:{port}" for port in self.ports[:2]]

    def credentials(self):
        secrets = self.directory / "compose" / "secrets"
        return tuple(
            (secrets / name).read_text().strip() for name in ("root-access-key", "root-secret-key")
        )

    def client_environment(self, gateway=0):
        access, secret = self.credentials()
        return {
            **plain_environment(),
            "AWS_ENDPOINT_URL": self.endpoints[gateway],
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def s3(self, gateway=0, endpoint=None, **options):
        return s3_client(endpoint or self.endpoints[gateway], *self.credentials(), **options)

    def _dstnode(self, command, gateway=0, *arguments, **options):
        return run(
            os.environ.get("DSTNODE", "dstnode"), command, *arguments,
            "--endpoint", self.endpoints[gateway], env=self.client_environment(gateway),
            seconds=30, **options,
        )

    def status(self, gateway=0):
        """What `dstnode status` says, and whether it finds all well."""
        done = self._dstnode("status", gateway, "--json", check=False)
        # 2: something is wrong, which is an answer too.
        if done.returncode not in (0, 2):
            raise CommandFailed(f"dstnode status: {done.returncode}: {done.stderr}")
        report = json.loads(done.stdout)
        report["isWell"] = done.returncode == 0
        return report

    def reported(self, service, gateway=0):
        """What the cluster says of one node: the latest by that name."""
        found = [node for node in self.status(gateway)["nodes"] if node["label"] == service]
        living = [node for node in found if node["membership"] in ("member", "draining")]
        if not found:
            raise CommandFailed(f"dstnode status knows no {service}")
        return (living or found)[0]

    def leader(self, range_name="system"):
        """The coordinator that leads a range; an assertion fails while nobody does."""
        report = self.status()
        leader = next(r.get("leader") for r in report["ranges"] if r["name"] == range_name)
        assert leader, f"nobody leads {range_name}"
        label = next(n["label"] for n in report["nodes"] if n["id"] == leader)
        return self.node(label)

    # Faults

    def volume(self, service):
        """Where the engine keeps a node's disk."""
        name = f"{self.name}_{service}"
        return Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", name))

    def copy_volume(self, service, name):
        """A copy of a stopped node's disk, for ``put_back``."""
        shutil.rmtree(self.directory / name, ignore_errors=True)
        run("cp", "-a", self.volume(service), self.directory / name)

    def put_back(self, service, name):
        volume = self.volume(service)
        shutil.rmtree(volume)
        run("cp", "-a", self.directory / name, volume)

    def lose_volume(self, service):
        """Kills a node and throws its disk away."""
        node = self.node(service)
        node.kill_for_good()
        docker("rm", node.name)
        docker("volume", "rm", f"{self.name}_{service}")

    @contextmanager
    def squatter(self):
        """Somebody else's container on the nodes' network, which takes an address that is free."""
        name = f"{self.name}-squatter"
        docker(
            "run", "--detach", "--rm", "--name", name,
            "--network", f"{self.name}_nodes",
            "--label", f"com.docker.compose.project={self.name}",
            "--entrypoint", "sleep", image(), "infinity",
        )
        try:
            yield
        finally:
            docker("rm", "--force", name)

    # Waiting

    def ready(self, node):
        """Status and text of the node's /ready, by its own address."""
        return http_get(f"{node.addresses()[0]}:9000", "/ready")

    def is_ready(self, node):
        code, text = self.ready(node)
        assert code == 200, f"{code} {text.strip()}"
        return True

    def wait_ready(self, nodes=None, seconds=READY_SECONDS_MAX):
        for node in nodes or self.nodes():
            wait_until(f"{node.service} ready", lambda node=node: self._ready(node), seconds, 0.2)
        return self

    def _ready(self, node):
        try:
            return self.is_ready(node)
        except (CommandFailed, IndexError) as error:
            raise AssertionError(f"{error}; last said: {node.last_line()}") from None

    def wait_state(self, service, *states, seconds=30, gateway=0):
        """Until the cluster itself says so of a node."""
        wait_until(
            f"dstnode status says that {service} is {' or '.join(states)}",
            lambda: self.reported(service, gateway)["state"] in states, seconds, 0.3,
        )

    def wait_well(self, seconds=READY_SECONDS_MAX):
        """Until every node is ready and the cluster finds nothing wrong and nothing to move."""
        self.wait_ready(seconds=seconds)

        def is_well():
            report = self.status()
            assert report["isWell"], [
                (n["label"], n["state"], n["membership"], n["problems"])
                for n in report["nodes"] if n["state"] != "up" or n["problems"]
            ] + report["problems"] + [report["partitions"]]
            return report["partitions"]["moving"] == 0

        wait_until("the cluster finds itself well", is_well, seconds, 0.5)
        return self


def project_containers(name):
    label = f"label=com.docker.compose.project={name}"
    return docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split()


def remove_project(name):
    """Everything of a project, by its label: what compose made, whatever the files say now."""
    label = f"label=com.docker.compose.project={name}"

    def containers_gone():
        found = docker("ps", "-a", "-q", "--filter", label).split()
        if found:
            docker("rm", "--force", "--volumes", *found)
        return True

    # On a busy machine the engine may take one for dead before it is.
    wait_until(f"the containers of {name} are gone", containers_gone, 120, 1)
    for kind in ("volume", "network"):
        found = docker(kind, "ls", "-q", "--filter", label).split()
        if found:
            docker(kind, "rm", *found)


def remove_abandoned():
    """What an earlier run of these tests left behind when it was ended from outside."""
    projects = set()
    for kind in (("ps", "-a"), ("volume", "ls"), ("network", "ls")):
        told = docker(*kind, "--format", '{{.Label "com.docker.compose.project"}}')
        projects.update(name for name in told.split() if name.startswith(f"{PREFIX}-"))
    for name in projects:
        pid = name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            remove_project(name)
