"""Discovery by DNS, with a real server: by `dstnode discover`, and by ten processes that form."""

import json
import random
import socket
import subprocess
import time
import unittest

from cloud_cluster import AddressCluster, DiscoveryCase
from cluster import DSTNODE, Cluster, free_ports, plain_environment, wait_until
from content import content
from dns_server import DOMAIN, DNSServer

NAME = f"coordinators.{DOMAIN}"
SERVICE = f"_dst._tcp.{DOMAIN}"


class Discover(unittest.TestCase):
    """`dstnode discover` asks once."""

    def serve(self, addresses=(), services=(), aliases=()):
        server = DNSServer()
        self.addCleanup(server.close)
        server.addresses, server.services, server.aliases = addresses, services, aliases
        self.server = server.start().authority

    def discover(self, *names, server=None):
        return subprocess.run(
            [DSTNODE, "discover", "--output", "json"],
            env={
                **plain_environment(),
                "DISCOVERY_METHOD": "dns",
                "DISCOVERY_DNS_NAMES": ",".join(names),
                "DISCOVERY_DNS_SERVER": server or self.server,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    def assert_found(self, answer, *addresses):
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        peers = json.loads(answer.stdout)
        self.assertEqual(sorted(peer["address"] for peer in peers), sorted(addresses))
        for peer in peers:
            self.assertEqual(peer["source"], "dns")
            # DNS knows neither.
            self.assertIsNone(peer.get("role"))
            self.assertIsNone(peer.get("zone"))

    def test_addresses_of_one_name(self):
        """all addresses of a name, with the port that stands beside it"""
        self.serve([(NAME, f"10.0.0.{number}") for number in (1, 2, 3)])
        answer = self.discover(f"{NAME}:9123")
        self.assert_found(answer, "10.0.0.1:9123", "10.0.0.2:9123", "10.0.0.3:9123")

    def test_addresses_of_several_names(self):
        """several names, each with its port; an address of two names is found once"""
        self.serve(
            [
                (f"a.{DOMAIN}", "10.0.0.1"),
                (f"b.{DOMAIN}", "10.0.0.2"),
                (f"c.{DOMAIN}", "10.0.0.2"),
                (f"d.{DOMAIN}", "10.0.0.2"),
            ]
        )
        names = (f"a.{DOMAIN}:9001", f"b.{DOMAIN}:9002", f"c.{DOMAIN}:9002", f"d.{DOMAIN}:9004")
        self.assert_found(
            self.discover(*names), "10.0.0.1:9001", "10.0.0.2:9002", "10.0.0.2:9004"
        )

    def test_addresses_of_version_six(self):
        """a name with addresses of both versions, and one that has only the newer"""
        self.serve([(NAME, "10.0.0.1"), (NAME, "fd00::1"), (f"six.{DOMAIN}", "fd00:0:0:1::2")])
        self.assert_found(
            self.discover(f"{NAME}:9000", f"six.{DOMAIN}:9006"),
            "10.0.0.1:9000", "[fd00::1]:9000", "[fd00:0:0:1::2]:9006",
        )

    def test_services_bring_their_ports(self):
        """the port is the one of the SRV record; a target's addresses are all found"""
        targets = [(f"c{number}.{DOMAIN}", f"10.0.0.{number}") for number in (1, 2, 3)]
        self.serve(
            [*targets, (f"c3.{DOMAIN}", "10.0.1.3")],
            [(SERVICE, name, 9100 + number) for number, (name, _) in enumerate(targets)],
        )
        self.assert_found(
            self.discover(SERVICE),
            "10.0.0.1:9100", "10.0.0.2:9101", "10.0.0.3:9102", "10.0.1.3:9102",
        )

    def test_an_alias_is_followed(self):
        """an alias (CNAME) leads to the addresses of its name"""
        self.serve([(NAME, "10.0.0.1")], aliases=[(f"alias.{DOMAIN}", NAME)])
        self.assert_found(self.discover(f"alias.{DOMAIN}:9000"), "10.0.0.1:9000")

    def test_an_answer_that_fits_no_datagram(self):
        """more addresses than a datagram holds are all found"""
        addresses = [f"10.0.1.{number}" for number in range(1, 201)]
        self.serve([(NAME, address) for address in addresses])
        self.assert_found(
            self.discover(f"{NAME}:9000"), *(f"{address}:9000" for address in addresses)
        )

    def test_a_name_that_does_not_exist(self):
        """a name that does not exist is named, and takes nothing from the others"""
        self.serve([(NAME, "10.0.0.1")])
        answer = self.discover(f"nobody.{DOMAIN}:9000", f"{NAME}:9000")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual([peer["address"] for peer in json.loads(answer.stdout)], ["10.0.0.1:9000"])
        self.assertIn(
            f"nobody joins through nobody.{DOMAIN}:9000: no such name, or it has no address",
            answer.stderr,
        )

    def test_nothing_but_a_name_that_does_not_exist(self):
        """who finds nobody at all is told so"""
        self.serve()
        for name in (f"{NAME}:9000", SERVICE):
            answer = self.discover(name)
            # The server has answered: that nobody is there is what was to be found out.
            self.assertEqual((answer.returncode, json.loads(answer.stdout)), (0, []))
            self.assertIn(f"nobody joins through {name}: no such name", answer.stderr)
            self.assertIn("dns: finds nobody", answer.stderr)

    def test_a_server_that_refuses(self):
        """a server that does not serve the name's domain"""
        self.serve()
        answer = self.discover("elsewhere.example:9000")
        self.assertEqual((answer.returncode, json.loads(answer.stdout)), (1, []))
        self.assertIn("the DNS server answers REFUSED for elsewhere.example", answer.stderr)

    def test_a_silent_server(self):
        """a server that says nothing is given up, and the setting that names it is named"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            server = f"127.0.0.1:{silent.getsockname()[1]}"
            began = time.monotonic()
            answer = self.discover(f"{NAME}:9000", server=server)
            self.assertLess(time.monotonic() - began, 20)
        self.assert_unanswered(answer, server, "no answer in time")

    def test_nobody_at_the_servers_address(self):
        """an address where no server is"""
        server = f"127.0.0.1:{free_ports(1)[0]}"
        answer = self.discover(f"{NAME}:9000", SERVICE, server=server)
        self.assert_unanswered(answer, server, "refused")

    def assert_unanswered(self, answer, server, reason):
        self.assertEqual((answer.returncode, json.loads(answer.stdout)), (1, []))
        self.assertIn("no DNS server answers for", answer.stderr)
        self.assertIn(server, answer.stderr)
        self.assertIn(reason, answer.stderr)
        self.assertIn("check /etc/resolv.conf or DISCOVERY_DNS_SERVER", answer.stderr)


class Formation(DiscoveryCase):
    """Ten processes, which know a name."""

    def by_addresses(self, name, ttl=1):
        """A cluster whose coordinators are the addresses of a name; its server does not run yet."""
        self.finder = DNSServer(ttl=ttl)
        self.cluster = AddressCluster(f"dns-{name}")
        self.cluster.set(
            DISCOVERY_METHOD="dns",
            DISCOVERY_DNS_NAMES=f"{NAME}:{self.cluster.port}",
            DISCOVERY_DNS_SERVER=self.finder.authority,
        )

    def coordinators(self):
        """The records of the coordinators."""
        return [(NAME, node.address.split(":")[0]) for node in self.cluster.of("coordinator")]

    def start(self):
        order = list(self.cluster.nodes)
        random.Random(self.id()).shuffle(order)
        for node in order:
            node.start()

    def ready(self, what, since):
        """All are, and the cluster is of use."""
        self.cluster.wait_ready()
        print(f"      dns: ready {time.monotonic() - since:.1f} s after {what}")
        # A gateway serves a moment before the cluster has written it down.
        wait_until("ten nodes", lambda: len(self.cluster.status()["nodes"]) == 10)
        s3 = self.cluster.s3()
        s3.create_bucket(Bucket="formed")
        body = content("dns", 1 << 20)
        s3.put_object(Bucket="formed", Key="k", Body=body)
        got = self.cluster.s3(1).get_object(Bucket="formed", Key="k")["Body"].read()
        self.assertEqual(got, body)

    def test_by_addresses(self):
        """ten nodes form by the addresses of one name"""
        self.by_addresses("addresses")
        self.finder.addresses = self.coordinators()
        self.finder.start()
        self.start()
        self.ready("the last start", time.monotonic())
        self.assertEqual(self.cluster.status_code(), 0)
        self.failed = False

    def test_by_services(self):
        """ten nodes form by SRV records, although each has another port"""
        self.finder = DNSServer()
        self.cluster = Cluster(
            "dns-services",
            DISCOVERY_METHOD="dns",
            DISCOVERY_DNS_NAMES=SERVICE,
            DISCOVERY_DNS_SERVER=self.finder.authority,
        )
        for node in self.cluster.nodes:
            del node.environment["SEED_NODES"]
        for node in self.cluster.of("coordinator"):
            host, port = node.address.split(":")
            self.finder.addresses.append((f"{node.name}.{DOMAIN}", host))
            self.finder.services.append((SERVICE, f"{node.name}.{DOMAIN}", port))
        self.finder.start()
        self.start()
        self.ready("the last start", time.monotonic())
        self.failed = False

    def test_a_server_that_starts_last(self):
        """ten nodes form although no DNS server answered when they started"""
        self.by_addresses("last")
        self.finder.addresses = self.coordinators()
        self.start()
        for node in self.cluster.nodes:
            wait_until("it says so", lambda: "no DNS server answers" in node.log.read_text(), 30)
        self.finder.start()
        self.ready("the server's start", time.monotonic())
        self.failed = False

    def test_addresses_that_are_added_later(self):
        """addresses that a name gets after the start are found, and the cluster forms then"""
        self.by_addresses("added", ttl=5)
        one, *others = self.coordinators()
        self.finder.addresses = [one]
        self.finder.start()
        self.start()
        for name in ("c2", "c3"):
            log = self.cluster.node(name).log
            wait_until(f"{name} has met c1", lambda: "each other, 2 here" in log.read_text())
        self.assertFalse(any(node.is_ready() for node in self.cluster.nodes))
        self.finder.addresses += others
        self.finder.reload()
        self.ready("their addition, with a TTL of 5 s", time.monotonic())
        self.failed = False

    def test_an_answer_is_used_for_its_time(self):
        """an answer is not asked for again before its TTL is over, and then it is"""
        self.by_addresses("ttl", ttl=3)
        self.finder.addresses = self.coordinators()
        self.finder.start()
        self.cluster.node("c1").start()

        def asked(count):
            return wait_until(
                f"{count} questions", lambda: self.finder.queries("A", NAME) >= count, 30
            )

        asked(1)
        began = time.monotonic()
        asked(4)
        # What is looked at from outside is seen a little late.
        self.assertGreater(time.monotonic() - began, 3 * 3 - 0.5)
        self.failed = False


if __name__ == "__main__":
    unittest.main()
