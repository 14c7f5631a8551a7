"""Containers are stopped, killed, paused, restarted and cut off under load."""

import time
import unittest

from botocore.exceptions import ClientError

from cluster import http_get
from compose_case import ComposeCase
from content import MIB, content

SILENT = ("suspect", "down")


class Faults(ComposeCase):
    """One cluster for all: each test leaves it well, and the next makes sure of it."""

    def setUp(self):
        self.mend()

    def tearDown(self):
        self.mend()

    def mend(self):
        for node in self.cluster.nodes():
            state = node.state()
            if state["Paused"]:
                node.resume()
            if not state["Running"]:
                node.start()
            if not node.networks():
                node.plug()
            node.reconnect()
        self.cluster.wait_well()

    def leader(self):
        return self.cluster.leader()

    def each_kind(self):
        """One of each kind: the coordinator is the one that leads."""
        return [self.leader(), self.cluster.node("storage-2"), self.cluster.node("gateway-2")]

    def asked(self, node):
        """A gateway that is not the node: whom to ask about it."""
        return 1 if node.service == "gateway-1" else 0

    def under_load(self, fault):
        """Does `fault(node, load)` to one of each kind, while clients go on; all recovers."""
        with self.load() as load:
            load.wait_for()
            for node in self.each_kind():
                with self.subTest(node=node.service):
                    try:
                        fault(node, load)
                    finally:
                        self.mend()
                    load.wait_for()
        load.verify(self)

    # Each kind of node

    def test_stop(self):
        """one of each kind is stopped: said to be so at once, missed by nobody, back on start"""

        def fault(node, load):
            node.stop()
            self.assertEqual(node.exit_code, 0, node.last_line())
            self.cluster.wait_state(node.service, "stopped", seconds=8, gateway=self.asked(node))
            load.wait_for()
            node.start()

        self.under_load(fault)

    def test_kill(self):
        """one of each kind is killed: the engine starts it again, and it goes on where it was"""

        def fault(node, load):
            before = node.state()["StartedAt"]
            node.kill()
            load.wait_for()
            self.wait_until(
                f"{node.service} runs again",
                lambda: node.is_running and node.state()["StartedAt"] != before, 30,
            )

        self.under_load(fault)

    def test_pause(self):
        """one of each kind hangs: it is suspected, missed by nobody, and told no lies afterwards"""

        def fault(node, load):
            node.pause()
            self.cluster.wait_state(node.service, *SILENT, gateway=self.asked(node))
            if node.service.startswith("gateway"):
                with load.avoiding(1 - self.asked(node)):
                    load.wait_for()
            else:
                load.wait_for()
            node.resume()

        self.under_load(fault)

    def test_restart(self):
        """one of each kind is restarted"""

        def fault(node, load):
            node.restart()
            load.wait_for()

        self.under_load(fault)

    # The network

    def test_coordinator_unplugged(self):
        """the leading coordinator loses its network and gets another address when it is back"""
        with self.load() as load:
            load.wait_for()
            leader = self.leader()
            address = leader.addresses()[0]
            others = [n.service for n in self.cluster.nodes("coordinator")]
            others.remove(leader.service)
            leader.unplug()
            self.wait_until("another leads", lambda: self.leader().service in others, 30)
            self.cluster.wait_state(leader.service, *SILENT)
            load.wait_for()
            # Somebody else takes the old address meanwhile, so that it must change.
            with self.cluster.squatter():
                leader.plug()
                self.assertNotEqual(leader.addresses(), [address])
                self.cluster.wait_well()
            load.wait_for()
        load.verify(self)

    def test_storage_node_cut_off(self):
        """a storage node's packets vanish: it knows, the others know, and nothing is lost"""
        with self.load() as load:
            load.wait_for()
            node = self.cluster.node("storage-5")
            node.cut_off(self.addresses(but=[node]))
            self.cluster.wait_state("storage-5", *SILENT)
            self.wait_not_ready(node)
            self.assertEqual(self.health(node), 200, "its process and disk are well")
            load.wait_for()
            node.reconnect()
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)

    def test_zone_cut_off(self):
        """a zone's packets vanish: the others go on, the zone's gateway refuses"""
        zone = [n for n in self.cluster.nodes() if self.zone(n) == "zone-b"]
        names = {node.service for node in zone}
        self.assertEqual(names, {"coordinator-2", "storage-2", "storage-5", "gateway-2"})
        bucket = self.bucket()
        # A gateway in the zone and one outside: both are asked all the time.
        with self.load(bucket=bucket) as load, self.load(gateways=[0], bucket=bucket) as outside:
            outside.wait_for()
            elsewhere = self.addresses(but=zone)
            for node in zone:
                node.cut_off(elsewhere)
            for name in names:
                self.cluster.wait_state(name, *SILENT)
            self.wait_not_ready(self.cluster.node("gateway-2"))
            outside.wait_for()
            for node in zone:
                node.reconnect()
            self.cluster.wait_well()
            load.wait_for()
        self.verify_together(load, outside)

    def test_quorum_lost(self):
        """two coordinators hang: nobody pretends to serve; it goes on when they are back"""
        with self.load() as load:
            load.wait_for()
            paused = self.cluster.nodes("coordinator")[:2]
            for node in paused:
                node.pause()
            for node in self.cluster.nodes("gateway") + [self.cluster.node("coordinator-3")]:
                self.wait_not_ready(node)
                self.assertEqual(self.health(node), 200, "the process itself is well")
            acked, reads = load.acked, load.reads
            client = self.cluster.s3(attempts=1, read_timeout=60)
            began = time.monotonic()
            with self.assertRaises(ClientError) as refused:
                client.get_object(Bucket=load.bucket, Key=load.keys[0])
            status = refused.exception.response["ResponseMetadata"]["HTTPStatusCode"]
            self.assertEqual(status, 503, refused.exception)
            self.assertLess(time.monotonic() - began, 40)
            for node in paused:
                node.resume()
            self.cluster.wait_well()
            load.wait_for()
            self.assertGreater(load.acked + load.reads, acked + reads)
        load.verify(self)

    # Everything

    def test_everything_killed(self):
        """all ten are killed at once: the engine starts them, nothing is lost"""
        large = self.put_large()
        with self.load() as load:
            load.wait_for()
            for node in self.cluster.nodes():
                node.kill()
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)
        self.verify_large(large)

    def test_everything_restarted(self):
        """all ten are restarted by compose"""
        large = self.put_large()
        with self.load() as load:
            load.wait_for()
            self.cluster.compose("restart")
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)
        self.verify_large(large)

    # Disks

    def test_storage_volume_lost(self):
        """a storage node comes back without its disk: a new one by its name, filled again"""
        large = self.put_large()
        with self.load() as load:
            load.wait_for()
            before = self.cluster.reported("storage-3")
            self.cluster.lose_volume("storage-3")
            load.wait_for()
            self.cluster.up("storage-3")
            self.wait_until(
                "a new node has the name",
                lambda: self.cluster.reported("storage-3")["id"] != before["id"], 90,
            )
            self.cluster.wait_well(seconds=180)
            self.assertGreater(self.cluster.reported("storage-3")["usedBytes"], 0)
            load.wait_for()
        load.verify(self)
        # The only one of its zone holds a copy of everything, so the others of two zones may go
        # one zone at a time: what is read then is read from the new node.
        gone = [self.cluster.node(name) for name in ("storage-1", "storage-4")]
        self.verify_large_without(large, gone)

    def test_coordinator_volume_lost(self):
        """a coordinator comes back without its disk: it joins as a new one and votes"""
        with self.load() as load:
            load.wait_for()
            node = self.leader()
            before = self.cluster.reported(node.service)["id"]
            self.cluster.lose_volume(node.service)
            load.wait_for(seconds=90)
            self.cluster.up(node.service)

            def votes():
                report = self.cluster.status()
                new = self.cluster.reported(node.service)["id"]
                assert new != before, "not registered yet"
                return all(
                    new in r["voters"] and before not in r["voters"] and len(r["voters"]) == 3
                    for r in report["ranges"]
                )

            self.wait_until("the new one votes in every range", votes, 120, 0.5)
            self.cluster.wait_well()
            load.wait_for()
        load.verify(self)

    def verify_large_without(self, bucket, gone):
        for node in gone:
            node.kill_for_good()
        self.verify_large(bucket)
        for node in gone:
            node.start()
        self.cluster.wait_well()

    # What the tests ask

    LARGE = {f"large-{number}": size for number, size in enumerate([MIB, 8 * MIB + 5, 19 * MIB])}

    def put_large(self):
        """Objects of many chunks, in a bucket of their own: its name."""
        bucket = self.bucket("large")
        client = self.cluster.s3(attempts=5)
        for name, size in self.LARGE.items():
            client.put_object(Bucket=bucket, Key=f"l/{name}", Body=content(name, size))
        return bucket

    def verify_large(self, bucket):
        client = self.cluster.s3(attempts=5)
        for name, size in self.LARGE.items():
            body = client.get_object(Bucket=bucket, Key=f"l/{name}")["Body"].read()
            self.assertTrue(body == content(name, size), f"{name}: {len(body)} other bytes")

    def verify_together(self, first, second):
        """Two loads on the same keys have one history."""
        second.stop()
        first.stop()
        first.unexpected += second.unexpected
        first.history.extend(second.history.operations)
        first.verify(self)

    def addresses(self, but):
        spared = {node.service for node in but}
        return [
            address
            for node in self.cluster.nodes() if node.service not in spared
            for address in node.addresses()
        ]

    def zone(self, node):
        return self.cluster.reported(node.service)["zone"]

    def health(self, node):
        return http_get(f"{node.addresses()[0]}:9000", "/health")[0]

    def wait_not_ready(self, node):
        self.wait_until(
            f"{node.service} says that it is not ready",
            lambda: self.cluster.ready(node)[0] == 503, 30, 0.2,
        )


if __name__ == "__main__":
    unittest.main()
