"""One trial: a cluster, clients, nemeses by seed; at the end everything is mended and verified."""

import argparse
import json
import random
import signal
import sys
import time
import traceback
import unittest
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Integration")]

from cluster import LOGS
from load import Load
from machines import ProofCluster
from nemeses import ALL
from writers import Writers, verify

# Requests to whatever hangs are given up after so long.
READ_TIMEOUT = 10
WELL_SECONDS_MAX = 120


class Trial:
    """`with` makes and ends the cluster; a failure leaves logs and the history behind."""

    def __init__(self, name, seed=1, lie="", **settings):
        self.name, self.seed = name, seed
        self.random = random.Random(f"trial {seed}")
        self.cluster = ProofCluster(name, lie, **settings)
        # What happened, with seconds since the beginning.
        self.told = []
        self.load = self.writers = None
        self.began = time.monotonic()

    def __enter__(self):
        try:
            self.cluster.open().start()
            self.cluster.wait_well()
            client = self.cluster.s3(attempts=10)
            for bucket in ("contended", "kept"):
                client.create_bucket(Bucket=bucket)
        except BaseException:
            self.cluster.close(keep=True)
            raise
        return self

    def __exit__(self, kind, error, _):
        try:
            self.stop_clients()
        except AssertionError as late:
            self.tell("clients", f"{late}")
        failed = error is not None
        if failed:
            self.tell("failed", "".join(traceback.format_exception(error))[-4000:])
            self.keep()
            print(f"seed {self.seed} failed: {error}", flush=True)
        self.cluster.close(keep=failed)

    def tell(self, what, words):
        line = f"{time.monotonic() - self.began:7.2f} {what}: {words}"
        self.told.append(line)
        print(line, flush=True)

    def keep(self):
        directory = LOGS / self.cluster.directory.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "nemeses.txt").write_text(f"seed {self.seed}\n" + "\n".join(self.told) + "\n")
        if self.load:
            with open(directory / "history.jsonl", "w") as file:
                for operation in sorted(self.load.history.operations, key=lambda o: o.began):
                    file.write(json.dumps(asdict(operation)) + "\n")

    # Clients

    def start_clients(self, threads=4, writers=2, large=True):
        """Those of `load` contend for a few keys; those of `writers` put ever new objects, of which
        some have many chunks."""
        clients = [
            self.cluster.s3(gateway, attempts=1, read_timeout=READ_TIMEOUT) for gateway in (0, 1)
        ]
        self.load = Load(clients, "contended", seed=self.seed, threads=threads)
        self.writers = Writers(
            self.cluster, "kept", count=writers, large=large, overwrite=True, pause_seconds=0.05,
            read_timeout=READ_TIMEOUT,
        )
        self.load.__enter__()
        self.writers.__enter__()
        self.wait_for_clients()

    def wait_for_clients(self, requests=20, seconds=60):
        """Until so many more requests of each kind were answered well: the cluster serves."""
        self.load.wait_for(writes=requests, reads=requests, seconds=seconds)
        self.writers.wait_for(requests, seconds=seconds)

    def stop_clients(self):
        if self.load:
            self.load._stop.set()
            self.writers.stop()
            self.load.stop()

    # Trouble

    def disturb(self, seconds, kinds=ALL, hold=(1.5, 6.0), rest=(0.5, 3.0)):
        """Nemeses one after another, at times two at once, for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            count = self.random.choice([1, 1, 2])
            nemeses = [
                kind(self.cluster, self.random)
                for kind in self.random.sample(kinds, min(count, len(kinds)))
            ]
            for nemesis in nemeses:
                self.tell(type(nemesis).__name__, nemesis.begin())
            time.sleep(self.random.uniform(*hold))
            for nemesis in nemeses:
                nemesis.end()
            self.tell("ended", " ".join(type(nemesis).__name__ for nemesis in nemeses))
            time.sleep(self.random.uniform(*rest))

    def cut_power(self, nodes, mood=None):
        cut = self.cluster.cut_power(nodes, self.random.getrandbits(32), mood)
        for name, told in cut.items():
            self.tell("power cut", f"{name} {told}")

    # Verdict

    def finish(self):
        """Mends everything, waits until all is well, and verifies all that was acknowledged."""
        self.cluster.mend()
        self.cluster.wait_well(WELL_SECONDS_MAX)
        self.tell("well", "again")
        self.wait_for_clients(requests=5)
        self.verify()

    def verify(self):
        self.stop_clients()
        case = unittest.TestCase()
        self.load.verify(case)
        verify(case, self.cluster, self.writers)
        case.assertEqual([], self.cluster.complaints(), "what the disks could not follow")
        crashed = [text for text in self.cluster.ended if "ended with -" in text]
        case.assertEqual([], crashed, "processes that fell instead of stopping")
        self.cluster.wait_well(WELL_SECONDS_MAX)
        counts = self.load.history.counts()
        objects, operations = len(self.writers.acked), sum(counts.values())
        self.tell("verified", f"{objects} objects, {operations} operations")

    def operations(self):
        return len(self.load.history.operations) + len(self.writers.begun) if self.load else 0

    def kinds(self):
        """The nemeses that there were, with their counts."""
        found = {}
        for line in self.told:
            kind = line.split()[1].rstrip(":")
            if kind in {nemesis.__name__ for nemesis in ALL}:
                found[kind] = found.get(kind, 0) + 1
        return " ".join(f"{kind}*{count}" for kind, count in sorted(found.items()))


def run(seed, seconds):
    """A whole trial of mixed nemeses, ended by a power cut of all ten under load."""
    # At times what is deleted goes at once, and with it room on the disks.
    grace = random.Random(f"grace {seed}").choice(["1s", "15m"])
    trial = Trial("trial", seed, GARBAGE_GRACE=grace)
    with trial:
        trial.start_clients()
        trial.disturb(seconds)
        trial.cut_power(trial.cluster.nodes)
        trial.finish()
        # Again, with nobody writing: what a restart has read must be as durable as what it wrote.
        trial.cut_power(trial.cluster.nodes)
        trial.cluster.restart()
        trial.cluster.wait_well(WELL_SECONDS_MAX)
        trial.verify()
    return trial


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--summary", help="file for one line: nemeses, operations")
    arguments = parser.parse_args()

    def stop(*_):
        raise SystemExit("told to stop")

    signal.signal(signal.SIGTERM, stop)
    trial = run(arguments.seed, arguments.seconds)
    if arguments.summary:
        Path(arguments.summary).write_text(f"{trial.kinds()}\t{trial.operations()}")


if __name__ == "__main__":
    main()
