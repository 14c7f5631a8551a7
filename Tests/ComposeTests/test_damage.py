"""Disks that rot, lose files or are put back from a copy; a network that is bad, not gone."""

import os
import unittest

from compose_case import ComposeCase
from content import KIB, MIB, content

SIZES = [70 * KIB, 300 * KIB, MIB, 19 * MIB]


class Damage(ComposeCase):
    """One cluster for all: each test leaves it well."""

    def tearDown(self):
        for node in self.cluster.nodes():
            if not node.is_running:
                node.start()
            node.reconnect()
        self.cluster.wait_well()

    # Disks

    def test_rot_and_lost_files(self):
        """bits flip on one disk, a file of another is lost: said, and mended without a reader"""
        bucket = self.bucket("large")
        client = self.cluster.s3(attempts=5)
        for number, size in enumerate(SIZES * 4):
            client.put_object(Bucket=bucket, Key=f"l/{number}", Body=content(str(number), size))
        # Chunks are synced before they are acknowledged: what is on the disk by now is all of it.
        for segment in self.segments("storage-1"):
            flip_bits(segment)
        node = self.cluster.node("storage-2")
        node.stop()
        max(self.segments("storage-2"), key=lambda file: file.stat().st_blocks).unlink()
        node.start()

        def is_said():
            said = self.cluster.reported("storage-2")["problems"]
            return [text for text in said if "lost their segment file" in text]

        said = self.wait_until("the status says that chunks were lost", is_said, 60, 0.3)
        self.assertIn("empty disk", said[0])
        self.assertIn(said[0], node.logs())
        # As it says. The new one is filled from disks of which one has rotted.
        before = self.cluster.reported("storage-2")["id"]
        self.cluster.lose_volume("storage-2")
        self.cluster.up("storage-2")
        self.wait_until(
            "a new node has the name",
            lambda: self.cluster.reported("storage-2")["id"] != before, 90, 0.3,
        )
        self.cluster.wait_well(seconds=180)
        for number, size in enumerate(SIZES * 4):
            body = client.get_object(Bucket=bucket, Key=f"l/{number}")["Body"].read()
            self.assertTrue(body == content(str(number), size), f"{number}: other bytes")

    def segments(self, service):
        return sorted((self.cluster.volume(service) / "chunks" / "segments").glob("segment-*"))

    def test_older_copy_of_a_coordinator(self):
        """a coordinator whose disk is put back from a copy forgot what it said: it stops"""
        with self.load() as load:
            node = self.cluster.node("coordinator-2")
            node.stop()
            self.cluster.copy_volume(node.service, "older")
            node.start()
            self.cluster.wait_well()
            # Only who leads a range all the time knows what another has acknowledged of it.
            found = any(self.is_found_out(node, load) for _ in range(5))
            self.assertTrue(found, node.last_line())
            # The engine starts it again and again: other lines follow.
            said = [line for line in node.logs(100).splitlines() if "has acknowledged" in line]
            self.assertIn("empty DATA_PATH", said[-1])
            load.wait_for()
            node.stop()
            self.cluster.put_back(node.service, "newer")
            node.start()
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)

    def is_found_out(self, node, load):
        """Puts the older copy back. `False` where the range got another leader meanwhile."""
        before = {r["name"]: r["commitIndex"] for r in self.cluster.status()["ranges"]}
        load.wait_for()
        grown = max(
            self.cluster.status()["ranges"], key=lambda r: r["commitIndex"] - before[r["name"]]
        )
        if grown["leader"] == self.cluster.reported(node.service)["id"]:
            node.restart()
            self.cluster.wait_well()
            return False
        node.kill_for_good()
        self.cluster.copy_volume(node.service, "newer")
        self.cluster.put_back(node.service, "older")
        node.start()

        def outcome():
            if "has acknowledged" in node.last_line() and node.exit_code != 0:
                return "found out"
            ranges = {r["name"]: r["term"] for r in self.cluster.status()["ranges"]}
            return "led by another" if ranges[grown["name"]] != grown["term"] else None

        if self.wait_until("the copy is found out", outcome, 30, 0.2) == "found out":
            return True
        self.cluster.wait_well()
        return False

    def test_damaged_catalogue(self):
        """a coordinator whose catalogue is damaged refuses to start and says what to do"""
        with self.load() as load:
            load.wait_for()
            node = self.cluster.node("coordinator-2")
            node.stop()
            self.cluster.copy_volume(node.service, "whole")
            catalogue = self.cluster.volume(node.service) / "catalogue" / "range-2.sqlite"
            with catalogue.open("r+b") as file:
                file.write(b"\xff" * 100)
            node.start()
            code = self.wait_end(node, "range-2.sqlite", "empty DATA_PATH")
            self.assertEqual(code, 78)
            load.wait_for()
            node.stop()
            self.cluster.put_back(node.service, "whole")
            node.start()
            self.cluster.wait_well()
        load.verify(self)

    def wait_end(self, node, *words):
        """Until its last line has the words, and it has ended; with which exit code it did.

        The engine starts it again and again: a moment later there is none.
        """

        def ended():
            last = node.last_line()
            assert all(word in last for word in words), last
            return node.exit_code

        return self.wait_until(f"{node.service} says why it ended", ended, 60, 0.1)

    # The network

    def test_packets_are_lost(self):
        """one of each kind loses a seventh of its packets: slower, and nothing else"""
        with self.load() as load:
            load.wait_for()
            kinds = [self.cluster.leader(), *map(self.cluster.node, ("storage-2", "gateway-2"))]
            for node in kinds:
                node.lose_packets(0.15)
            load.wait_for()
            for node in kinds:
                self.assertTrue(node.is_running, node.last_line())
                node.reconnect()
            self.cluster.wait_well()
        load.verify(self)

    def test_leader_hears_nobody(self):
        """the leader's packets leave and none arrive: another leads, and it knows"""
        with self.load() as load:
            load.wait_for()
            leader = self.cluster.leader()
            others = [n for n in self.cluster.nodes() if n.service != leader.service]
            leader.cut_off([a for n in others for a in n.addresses()], chains=["INPUT"])
            self.wait_until(
                "another leads", lambda: self.cluster.leader().service != leader.service, 30, 0.3
            )
            self.cluster.wait_state(leader.service, "suspect", "down")
            self.wait_until(
                "it says that it is not ready", lambda: self.cluster.ready(leader)[0] == 503, 30
            )
            load.wait_for()
            leader.reconnect()
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)


def flip_bits(path):
    """One in each 16 KiB of what a file holds, but for its first page."""
    with path.open("r+b") as file:
        end = 4096
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                # Nothing but a hole is left.
                return
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            for offset in range(start + 100, end, 16 * KIB):
                byte = os.pread(file.fileno(), 1, offset)
                os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), offset)


if __name__ == "__main__":
    unittest.main()
