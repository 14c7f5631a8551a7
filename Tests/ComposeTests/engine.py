"""The container engine, by its own command line."""

import json
import os
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS_MAX = 300


class CommandFailed(AssertionError):
    """A command that ended badly, with what it said."""


def run(*command, seconds=COMMAND_SECONDS_MAX, check=True, env=None, cwd=None):
    """Runs a command and answers what it was and said."""
    done = subprocess.run(
        [str(word) for word in command],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
    )
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr)[-4000:]
        raise CommandFailed(f"{' '.join(map(str, command))}: ended with {done.returncode}: {said}")
    return done


def docker(*arguments, **options):
    """`docker ...`; what it printed."""
    return run("docker", *arguments, **options).stdout.strip()


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def prepare():
    """Makes sure of an engine and of compose, or says what is missing."""
    if shutil.which("docker") is None or run("docker", "info", check=False).returncode != 0:
        tool = CHECKOUT.parent / "shared" / "tools" / "docker-host"
        if not tool.exists():
            raise SystemExit(
                "the compose tests need a container engine: `docker info` fails. Install it "
                "(https://docs.docker.com/engine/install) and start it, or run them as a user "
                "that may talk to it."
            )
        run(tool, seconds=1200)
        docker("info")
    compose_command()


def compose_commands():
    """Those that this machine has: `docker compose`, and the older `docker-compose`."""
    found = []
    if run("docker", "compose", "version", check=False).returncode == 0:
        found.append(["docker", "compose"])
    if shutil.which("docker-compose"):
        found.append(["docker-compose"])
    return found


def compose_command():
    """The first of them; DST_TEST_COMPOSE names another."""
    named = os.environ.get("DST_TEST_COMPOSE")
    if named:
        return named.split()
    for command in compose_commands():
        return command
    raise SystemExit(
        "the compose tests need docker compose: install its plugin "
        "(https://docs.docker.com/compose/install) or docker-compose 1.29."
    )


class Container:
    """One container of a project, found by its name."""

    def __init__(self, project, service):
        self.project, self.service = project, service

    @property
    def name(self):
        names = self.project.container_names
        if self.service not in names:
            found = docker(
                "ps", "-a", "--format", "{{.Names}}",
                "--filter", f"label=com.docker.compose.project={self.project.name}",
                "--filter", f"label=com.docker.compose.service={self.service}",
            ).split()
            if len(found) != 1:
                place = f"{self.project.name}/{self.service}"
                raise CommandFailed(f"{place}: {found or 'no container'}")
            names[self.service] = found[0]
        return names[self.service]

    def state(self):
        return inspect(self.name)["State"]

    @property
    def is_running(self):
        return self.state()["Running"]

    @property
    def exit_code(self):
        return self.state()["ExitCode"]

    def kill(self):
        """kill -9 from outside, as the kernel does it when memory is short.

        Not `docker kill`, which counts as the operator's wish: a restart policy must not undo that.
        """
        pid = self.state()["Pid"]
        assert pid > 1, f"{self.service} does not run"
        os.kill(pid, 9)

    def kill_for_good(self):
        """The same, and it stays dead: no restart policy undoes the operator's own kill."""
        docker("kill", self.name)

    def stop(self):
        docker("stop", self.name)

    def start(self):
        docker("start", self.name)

    def restart(self):
        docker("restart", self.name)

    def pause(self):
        docker("pause", self.name)

    def resume(self):
        docker("unpause", self.name)

    def logs(self, lines="all"):
        done = run("docker", "logs", "--tail", str(lines), self.name)
        return done.stdout + done.stderr

    def last_line(self):
        lines = [line for line in self.logs(20).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def execute(self, *command, **options):
        return docker("exec", self.name, *command, **options)

    # Network

    def networks(self):
        return inspect(self.name)["NetworkSettings"]["Networks"]

    def addresses(self):
        return [found["IPAddress"] for found in self.networks().values() if found["IPAddress"]]

    def unplug(self):
        """Off the network; the engine forgets its address."""
        for network in self.networks():
            docker("network", "disconnect", network, self.name)

    def plug(self):
        """Back on it under the name that the others know, at whatever address is free."""
        network = f"{self.project.name}_nodes"
        docker("network", "connect", "--alias", self.service, network, self.name)

    def in_network_of(self, *command):
        """Runs a program of this machine in the container's network, and in nothing else of it."""
        return run("nsenter", "-t", self.state()["Pid"], "-n", *command)

    def cut_off(self, addresses, chains=("INPUT", "OUTPUT")):
        """Drops all packets from and to these addresses, as a failed switch does, or one way."""
        for address in addresses:
            for chain in chains:
                side = "-s" if chain == "INPUT" else "-d"
                self.in_network_of("iptables", "-w", "-A", chain, side, address, "-j", "DROP")
        self.project.cut_off.add(self.service)

    def lose_packets(self, share):
        """Drops such a share of all packets, both ways, as a bad cable does."""
        chance = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        for chain in ("INPUT", "OUTPUT"):
            self.in_network_of("iptables", "-w", "-A", chain, *chance, "-j", "DROP")
        self.project.cut_off.add(self.service)

    def reconnect(self):
        """Undoes ``cut_off`` and ``lose_packets``."""
        if self.service in self.project.cut_off:
            self.in_network_of("iptables", "-w", "-F")
            self.project.cut_off.remove(self.service)
