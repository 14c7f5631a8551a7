"""Ten processes on machines of their own, each with a network, a disk and a clock that can fail."""

import json
import mmap
import struct

from cluster import Cluster, clock_library, http_get, wait_until
from network import PORT, Network
from power import Disk, build


class Clock:
    """A machine's wall clock, which the test moves."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)

    def set(self, seconds_ahead):
        struct.pack_into("<q", self._ahead, 0, int(seconds_ahead * 1e9))


class ProofCluster(Cluster):
    """`lie`: patterns of files whose syncs do nothing, as an error in the product would."""

    def __init__(self, name, lie="", **settings):
        super().__init__(f"proof-{name}", **settings)
        self.network = Network()
        # Of nodes that have ended by themselves, what they ended with.
        self.ended = []
        # The last one begins first, and the clock opens a file by way of the disk.
        libraries = f"{clock_library(self.directory)}:{build('unsynced', self.directory)}"
        clocks = self.directory / "clocks"
        clocks.mkdir()
        for number, node in enumerate(self.nodes):
            node.host = f"10.0.0.{number + 11}"
            node.address = f"{node.host}:{PORT}"
            node.zone = f"zone-{number % 3}"
            node.disk = Disk(node.data, self.directory / "disks" / node.name, lie)
            node.clock = Clock(clocks / node.name)
            # What sets the machine up has the machine's own clock and disk.
            around = self.network.around(node.name)
            node.command = [*around, "env", f"LD_PRELOAD={libraries}", *node.command]
            node.environment.update(
                LISTEN_ADDRESS=node.address,
                ZONE=node.zone,
                CLOCK_AHEAD_FILE=str(node.clock.path),
                **node.disk.environment(),
            )
        seeds = ",".join(node.address for node in self.of("coordinator"))
        for node in self.nodes:
            node.environment["SEED_NODES"] = seeds

    def open(self):
        """The machines, without nodes; the test is among them from here on."""
        self.network.build()
        for node in self.nodes:
            self.network.plug_in(node.name, node.host)
        self.network.enter()
        return self

    # Faults

    def kill(self, nodes):
        """kill -9: all signals first, then all waits."""
        running = [node for node in nodes if node.is_running]
        for node in running:
            node.process.kill()
        for node in running:
            node.process.wait()

    def cut_power(self, nodes, seed, mood=None):
        """At once; what was not synced is lost as the seed says. Answers what became of each."""
        self.kill(nodes)
        return {node.name: node.disk.cut(f"{seed} {node.name}", mood) for node in nodes}

    def restart(self):
        """As a supervisor would: whoever has ended, or finds itself sick, is started again."""
        for node in self.nodes:
            if node.is_running:
                if not self._is_sick(node):
                    continue
                node.kill()
            code = node.process.returncode
            if code != -9:
                self.ended.append(f"{node.name} ended with {code}: {node.tail(1)}")
            node.start()

    def _is_sick(self, node):
        # A disk that has failed once is not trusted again by the process that saw it.
        try:
            return http_get(node.address, "/health", seconds=2)[0] == 503
        except OSError:
            return False

    def mend(self):
        """Everything works again, and everybody runs."""
        for node in self.nodes:
            node.disk.mend()
            node.clock.set(0)
            self.network.unblock(node.name)
            if node.is_running:
                node.resume()
        self.restart()

    # What the cluster says

    def wait_well(self, seconds=90):
        """Until every node is ready and the cluster finds nothing wrong and nothing to move."""

        def is_well():
            self.restart()
            assert all(node.is_ready() for node in self.nodes), [
                node.name for node in self.nodes if not node.is_ready()
            ]
            answer = self._status()
            assert answer.returncode in (0, 2), answer.stderr
            report = json.loads(answer.stdout)
            assert answer.returncode == 0, [
                (n["label"], n["state"], n["membership"], n.get("problems"))
                for n in report["nodes"] if n["state"] != "up" or n.get("problems")
            ] + [report.get("problems"), report["partitions"]]
            return report["partitions"]["moving"] == 0

        wait_until("the cluster finds itself well", is_well, seconds, 0.3)
        return self

    def complaints(self):
        """What the disks could not follow: nothing, or the rest that they say counts for little."""
        return [f"{node.name}: {text}" for node in self.nodes for text in node.disk.complaints()]

    def close(self, keep=False):
        for node in self.nodes:
            if node.is_running:
                node.resume()
        try:
            super().close(keep)
        finally:
            self.network.close()
