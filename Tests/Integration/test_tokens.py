"""Nodes that hold a join token in place of the cluster's secret."""

import json
import secrets
import subprocess
import unittest

from cluster import (
    DSTNODE,
    Cluster,
    clock_ahead,
    free_ports,
    http_get,
    plain_environment,
    s3_client,
    wait_until,
)
from cluster_case import ClusterCase
from content import content


class JoiningCase(ClusterCase):
    def dstnode(self, *arguments, gateway=0):
        return subprocess.run(
            [DSTNODE, *arguments],
            env=self.cluster.client_environment(gateway),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def token(self, role, *arguments):
        answer = self.dstnode("token", "create", "--role", role, *arguments)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout.strip()

    def joining(self, role, name, token):
        """A node that knows nothing secret but the token, not started."""
        node = self.cluster._add(role, name, free_ports(1)[0], JOIN_TOKEN=token)
        del node.environment["CLUSTER_SECRET"]
        return node

    def forget(self, *nodes):
        for node in nodes:
            node.kill()
            self.cluster.nodes.remove(node)

    def refused(self, node, reason):
        """It stays up and says why it does not get in: in /ready and in its log."""
        node.start()
        wait_until(
            f"{node.name} says '{reason}'",
            lambda: reason in http_get(node.address, "/ready")[1],
            30,
        )
        self.assertIn(reason, node.log.read_text())
        self.assertEqual(http_get(node.address, "/health")[0], 200)
        self.forget(node)


class Tokens(JoiningCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("tokens", storage=3, gateways=1)

    def test_a_storage_node_and_a_gateway_join_serve_and_come_back(self):
        """storage nodes and gateways join by tokens, serve, and come back without them"""
        bucket = self.bucket()
        key = json.loads(self.dstnode_key())
        storage = self.joining("storage", "s8", self.token("storage"))
        gateway = self.joining("gateway", "g8", self.token("gateway", "--expires", "1h"))
        try:
            for node in (storage, gateway):
                node.start()
            self.cluster.wait_ready([storage, gateway])
            wait_until("s8 is a member", lambda: self.state("s8") == "up")
            # The gateway knows the secrets of access keys, too: it was given what opens them.
            client = s3_client(f"http://{gateway.address}", key["id"], key["secret"])
            body = content("joined", 300_000)
            client.put_object(Bucket=bucket, Key="by-the-new-gateway", Body=body)
            self.assertEqual(self.read(bucket, "by-the-new-gateway"), body)
            made = subprocess.run(
                [DSTNODE, "key", "create", "--endpoint", f"http://{gateway.address}"],
                env=self.cluster.client_environment(),
                capture_output=True,
                text=True,
            )
            self.assertEqual(made.returncode, 0, made.stderr)
            # A certificate is enough from now on.
            for node in (storage, gateway):
                node.terminate()
                del node.environment["JOIN_TOKEN"]
                node.environment["JOIN_TOKEN"] = "dst1.{}.{}.{}.{}".format(
                    node.role, "00" * 32, "00" * 8, "00" * 32
                )
                node.start()
            self.cluster.wait_ready([storage, gateway])
            wait_until("s8 is back", lambda: self.state("s8") == "up")
        finally:
            self.forget(storage, gateway)

    def dstnode_key(self):
        answer = self.dstnode("key", "create", "--json", "--label", "tokens")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout

    def read(self, bucket, key):
        return self.cluster.s3().get_object(Bucket=bucket, Key=key)["Body"].read()

    def state(self, label):
        nodes = self.cluster.status()["nodes"]
        return next((node["state"] for node in nodes if node["label"] == label), None)

    def test_a_revoked_token_lets_nobody_in(self):
        """a revoked token is listed as such and lets nobody in, whoever is in stays"""
        token = self.token("storage", "--label", "for the test")
        listed = json.loads(self.dstnode("token", "list", "--json").stdout)["tokens"]
        mine = next(entry for entry in listed if entry["label"] == "for the test")
        self.assertEqual((mine["role"], mine["state"]), ("storage", "valid"))
        self.assertNotIn(token.split(".")[4], json.dumps(listed))
        self.assertEqual(self.dstnode("token", "revoke", mine["id"]).returncode, 0)
        listed = json.loads(self.dstnode("token", "list", "--json").stdout)["tokens"]
        self.assertEqual(
            next(entry["state"] for entry in listed if entry["id"] == mine["id"]), "revoked"
        )
        self.refused(self.joining("storage", "s9", token), "was revoked")

    def test_a_token_of_another_cluster_is_refused(self):
        """a token of another cluster is refused by the node before it says anything"""
        parts = self.token("storage").split(".")
        parts[2] = "ab" * 32
        self.refused(self.joining("storage", "s9", ".".join(parts)), "of another cluster")

    def test_a_token_with_another_secret_is_refused(self):
        """a token with a wrong secret is refused by the cluster, which says so in its log"""
        parts = self.token("storage").split(".")
        parts[4] = "cd" * 32
        self.refused(self.joining("storage", "s9", ".".join(parts)), "no join token")
        logs = "".join(node.log.read_text() for node in self.cluster.of("coordinator"))
        self.assertIn("a node that wants to join is refused", logs)

    def test_a_token_is_good_for_its_role(self):
        """a storage node's token makes no gateway, whatever its text says"""
        parts = self.token("storage").split(".")
        parts[1] = "gateway"
        self.refused(
            self.joining("gateway", "g9", ".".join(parts)), "is for storage nodes, not for a gateway"
        )

    def test_what_is_no_token_is_not_made(self):
        """coordinators get no tokens; a time or role that makes no sense is refused"""
        for arguments in (
            ("--role", "coordinator"),
            ("--role", "disk"),
            ("--role", "storage", "--expires", "soon"),
            ("--role", "storage", "--expires", "1s"),
        ):
            answer = self.dstnode("token", "create", *arguments)
            self.assertNotEqual(answer.returncode, 0, arguments)
        answer = self.dstnode("token", "revoke", "zz")
        self.assertNotEqual(answer.returncode, 0)


class FirstTokens(JoiningCase):
    """No gateway is there yet: the first one joins by a token, too."""

    @classmethod
    def make_cluster(cls):
        return Cluster("first-tokens", storage=3, gateways=0)

    def beside(self, coordinator, *arguments, **settings):
        """A command on a coordinator's machine, with that node's settings."""
        return subprocess.run(
            [DSTNODE, *arguments],
            env={
                **plain_environment(), **self.cluster.node(coordinator).environment, **settings
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_a_coordinator_makes_the_first_tokens(self):
        """beside any coordinator tokens are made, listed and revoked; the first gateway joins"""
        made = self.beside("c1", "token", "create", "--role", "gateway", "--label", "first")
        self.assertEqual(made.returncode, 0, made.stderr)
        gateway = self.joining("gateway", "g8", made.stdout.strip())
        gateway.start()
        self.cluster.wait_ready([gateway])
        s3 = s3_client(
            f"http://{gateway.address}", self.cluster.access_key, self.cluster.secret_key
        )
        s3.create_bucket(Bucket="first")
        s3.put_object(Bucket="first", Key="k", Body=b"by a token")
        self.assertEqual(s3.get_object(Bucket="first", Key="k")["Body"].read(), b"by a token")
        for coordinator in ("c2", "c3"):
            listed = self.listed(coordinator)
            self.assertEqual([(one["label"], one["state"]) for one in listed], [("first", "valid")])
        revoked = self.beside("c3", "token", "revoke", listed[0]["id"])
        self.assertEqual(revoked.returncode, 0, revoked.stderr)
        self.assertEqual([one["state"] for one in self.listed("c1")], ["revoked"])
        # The admin API of the gateway and the coordinators speak of the same tokens.
        self.assertEqual(
            json.loads(self.dstnode("token", "list", "--json").stdout)["tokens"],
            self.listed("c2"),
        )
        refused = self.joining("storage", "s9", made.stdout.strip().replace("gateway", "storage"))
        self.refused(refused, "was revoked")

    def listed(self, coordinator):
        answer = self.beside(coordinator, "token", "list", "--json")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return json.loads(answer.stdout)["tokens"]

    def test_without_the_secret_there_is_no_token(self):
        """another secret, none, or nobody there: nothing is made, and the reason is said"""
        wrong = self.beside("c1", "token", "list", CLUSTER_SECRET=secrets.token_hex(32))
        self.assertEqual(wrong.returncode, 1, wrong.stdout)
        self.assertIn("CLUSTER_SECRET", wrong.stderr)
        none = self.beside("c1", "token", "list", CLUSTER_SECRET="")
        self.assertEqual(none.returncode, 78, none.stdout)
        self.assertIn("CLUSTER_SECRET", none.stderr)
        nobody = f"127.0.0.1:{free_ports(1)[0]}"
        silent = self.beside(
            "c1", "token", "list", LISTEN_ADDRESS=nobody, SEED_NODES=nobody,
            BOOTSTRAP_EXPECT="1",
        )
        self.assertEqual(silent.returncode, 1, silent.stdout)
        self.assertIn(nobody, silent.stderr)


class ADayLater(JoiningCase):
    """Every machine's clock is put 25 hours ahead: all certificates and tokens have expired."""

    @classmethod
    def make_cluster(cls):
        return Cluster("a-day-later", storage=3, gateways=1)

    def test_certificates_renew_themselves_and_tokens_end(self):
        """a node that joined by a token renews its expired certificate; the token is of no use"""
        token = self.token("storage", "--expires", "24h")
        joined = self.joining("storage", "s8", token)
        joined.start()
        self.cluster.wait_ready([joined])
        before = (joined.data / "certificate.json").read_text()
        later = clock_ahead(self.cluster.directory, 25 * 3600)
        for node in self.cluster.nodes:
            node.terminate()
            node.environment.update(later)
        for node in self.cluster.nodes:
            node.start()
        self.cluster.wait_ready()
        self.assertNotEqual((joined.data / "certificate.json").read_text(), before)
        late = self.joining("storage", "s9", token)
        late.environment.update(later)
        self.refused(late, "has expired")


if __name__ == "__main__":
    unittest.main()
