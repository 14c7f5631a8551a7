"""Disks that fail, clocks that jump, and a while of everything: by fixed seeds, as `scripts/soak`
does by new ones."""

import unittest

from cluster import wait_until
from nemeses import ClockJump
from trial import Trial, run


class Disks(unittest.TestCase):
    def test_disks(self):
        """disks of a minority fail, fill up and are slow under load: nothing is lost"""
        with Trial("disks", 30) as trial:
            cluster = trial.cluster
            trial.start_clients()
            with self.subTest("syncs fail"):
                storage, leader = cluster.node("s1"), cluster.leader()
                for node in (storage, leader):
                    node.disk.set(sync_errors=-1)
                # It must not go on as if it could still promise anything.
                wait_until("the coordinator stops", lambda: not leader.is_running, 30)
                self.assertEqual(leader.process.returncode, 1, leader.tail())
                wait_until("the storage node is sick", lambda: cluster._is_sick(storage), 30)
                trial.wait_for_clients()
                self.mend(trial)
            with self.subTest("full"):
                nodes = [cluster.node("s2"), cluster.node("s4"), cluster.node("c2")]
                for node in nodes:
                    node.disk.set(full=1)
                trial.wait_for_clients()
                refused = sum(node.disk.count("refused_writes") for node in nodes)
                self.assertGreater(refused, 0)
                self.mend(trial)
            with self.subTest("slow"):
                nodes = [cluster.node("s3"), cluster.node("s5"), cluster.leader()]
                for node in nodes:
                    node.disk.set(sync_delay_ms=150)
                trial.wait_for_clients()
                for node in nodes:
                    self.assertGreater(node.disk.count("slow_syncs"), 0)
                self.mend(trial)
            trial.cut_power(cluster.nodes)
            trial.finish()

    def mend(self, trial):
        trial.cluster.mend()
        trial.cluster.wait_well()
        trial.wait_for_clients()


class Clocks(unittest.TestCase):
    def test_clocks(self):
        """wall clocks jump by minutes, of some and of all, there and back: nobody minds"""
        with Trial("clocks", 31) as trial:
            trial.start_clients()
            trial.disturb(8, kinds=[ClockJump], hold=(2, 4), rest=(0.5, 1))
            everybody = trial.cluster.nodes
            for seconds in (540, -540, 0):
                for node in everybody:
                    node.clock.set(seconds)
                trial.wait_for_clients()
            trial.finish()


class Mixed(unittest.TestCase):
    def test_mixed(self):
        """a while of everything, then a power cut of all ten, and one more"""
        run(seed=32, seconds=15)


if __name__ == "__main__":
    unittest.main()
