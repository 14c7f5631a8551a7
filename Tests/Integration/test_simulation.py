"""`dstnode simulate cluster`: a seed is a whole world, and the same one each time."""

import subprocess
import unittest

from cluster import DSTNODE


class Simulation(unittest.TestCase):
    def simulate(self, *arguments):
        return subprocess.run(
            [DSTNODE, "simulate", "cluster", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
        )

    def test_a_seed_plays_the_same_world(self):
        """a seed plays the same world each time, to the last line that a node logs"""
        first, second = (self.simulate("--seed", 3, "--seconds", 20, "--verbose") for _ in range(2))
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("seed 3, power: ready", first.stdout)
        self.assertEqual(first.stdout, second.stdout)
        lines = first.stderr.splitlines()
        self.assertGreater(len(lines), 30)
        self.assertEqual(self.of_nodes(lines), self.of_nodes(second.stderr.splitlines()))

    def of_nodes(self, lines):
        """Without how long it took, and the directory, which has the process's number."""
        return [line for line in lines if line[:1].isdigit() and "/world-" not in line]

    def test_seeds_play_different_worlds(self):
        """another seed is another world"""
        played = self.simulate("--seed", 5, "--seeds", 2, "--seconds", 5)
        self.assertEqual(played.returncode, 0, played.stderr)
        fingerprints = {
            line.split()[-1] for line in played.stdout.splitlines() if line.startswith("seed")
        }
        self.assertEqual(len(fingerprints), 2)

    def test_many_seeds_are_played(self):
        """more seeds than one process plays, and their sum at the end"""
        played = self.simulate("--seeds", 18, "--scenario", "calm", "--ticks", 20)
        self.assertEqual(played.returncode, 0, played.stderr)
        seeds = [line for line in played.stdout.splitlines() if line.startswith("seed")]
        self.assertEqual([line.split(",")[0] for line in seeds], [f"seed {n}" for n in range(18)])
        self.assertIn("played 18 of 18 seeds", played.stderr)

    def test_scenarios_are_listed_and_chosen(self):
        """scenarios are listed, and played without the disasters that are left out"""
        names = [line.split(":")[0] for line in self.simulate("--list").stdout.splitlines()]
        self.assertIn("lost-disk", names)
        played = self.simulate("--scenario", "power", "--seconds", 5, "--only", "none")
        self.assertEqual(played.returncode, 0, played.stderr)
        self.assertIn("seed 0, power: ready", played.stdout)
        self.assertIn(" 0 disasters,", played.stdout)

    def test_bad_arguments_are_refused(self):
        """no seeds, or more than there are; no such scenario, no such disaster"""
        for arguments in (
            ("--seeds", 0),
            ("--seed", 2**64 - 1, "--seeds", 2),
            ("--seconds", -1),
            ("--seconds", 5, "--ticks", 100),
            ("--scenario", "bliss"),
            ("--only", "1,x"),
        ):
            self.assertNotEqual(self.simulate(*arguments).returncode, 0, arguments)


if __name__ == "__main__":
    unittest.main()
