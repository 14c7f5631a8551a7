"""The power goes: everything acknowledged survives, and the net has no hole."""

import unittest

from botocore.exceptions import BotoCoreError, ClientError

from content import KIB, content
from trial import Trial

SEED = 20


class PowerCuts(unittest.TestCase):
    """One cluster under load all the time; each cut is followed by a verification of everything."""

    def cut(self, trial, nodes, mood=None):
        trial.cut_power(nodes, mood)
        trial.cluster.restart()
        trial.cluster.wait_well()
        trial.wait_for_clients()

    def test_power_cuts(self):
        """a storage node, the leading coordinator, then all ten lose their power under load"""
        with Trial("power", SEED) as trial:
            cluster = trial.cluster
            trial.start_clients()
            with self.subTest("a storage node"):
                self.cut(trial, [cluster.node("s2")], "none")
            with self.subTest("the leading coordinator"):
                self.cut(trial, [cluster.leader()], "none")
            with self.subTest("one that was only killed before"):
                nodes = [cluster.node("c1"), cluster.node("s3")]
                cluster.kill(nodes)
                cluster.restart()
                cluster.wait_ready(nodes)
                self.cut(trial, nodes, "none")
            for mood in ("none", "torn"):
                with self.subTest("all ten", mood=mood):
                    self.cut(trial, cluster.nodes, mood)
            trial.finish()


class Lies(unittest.TestCase):
    """Were a sync missing in the product, these tests would see it: the shim leaves one out."""

    SIZES = [100, 200 * KIB]
    OBJECTS = 24

    def lost(self, lie):
        """How many of the acknowledged objects are gone after a power cut of all ten."""
        with Trial("lie", SEED, lie) as trial:
            client = trial.cluster.s3(attempts=10)
            bodies = {
                f"k{number}": content(f"lie {number}", self.SIZES[number % 2])
                for number in range(self.OBJECTS)
            }
            for key, body in bodies.items():
                client.put_object(Bucket="kept", Key=key, Body=body)
            trial.cut_power(trial.cluster.nodes, "none")
            trial.cluster.restart()
            try:
                trial.cluster.wait_ready(seconds=20)
            except AssertionError as error:
                trial.tell("not ready", f"{error}")
                return self.OBJECTS
            client = trial.cluster.s3(attempts=2, read_timeout=10)
            return sum(not self.is_there(client, key, body) for key, body in bodies.items())

    def is_there(self, client, key, body):
        try:
            return client.get_object(Bucket="kept", Key=key)["Body"].read() == body
        except (ClientError, BotoCoreError, OSError):
            return False

    def test_no_lie(self):
        """where nothing lies, nothing is lost"""
        self.assertEqual(self.lost(""), 0)

    def test_segments(self):
        """where chunks are acknowledged before they are synced, objects are lost"""
        self.assertEqual(self.lost("chunks/segments/segment-*"), self.OBJECTS // 2)

    def test_raft_log(self):
        """where the log's syncs do nothing, objects are lost"""
        self.assertGreater(self.lost("raft-log/*"), 0)


if __name__ == "__main__":
    unittest.main()
