"""`dstnode discover` against a stack in moto. DSTNODE is the program.

moto has no instance identity document, which says the region, so a small server stands before its
metadata service; EC2 itself is moto's alone.
"""

import http.client
import json
import os
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto_stack import ACCOUNT, CLUSTER, COUNTS, REGION, MotoServer, Stack

DSTNODE = os.environ.get("DSTNODE", "")


def metadata_service(moto_port, own):
    """IMDS of one instance: the identity document from here, all else from moto."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.headers.get("X-aws-ec2-metadata-token"):
                return self.answer(401, b"")
            if self.path == "/latest/dynamic/instance-identity/document":
                return self.answer(200, json.dumps(identity(own)).encode())
            return self.forward()

        def do_PUT(self):
            self.forward()

        def forward(self):
            moto = http.client.HTTPConnection("127.0.0.1", moto_port, timeout=10)
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            moto.request(self.command, self.path, headers={**headers, "Host": "169.254.169.254"})
            reply = moto.getresponse()
            self.answer(reply.status, reply.read())
            moto.close()

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def identity(instance):
    return {
        "accountId": ACCOUNT,
        "availabilityZone": instance["Placement"]["AvailabilityZone"],
        "instanceId": instance["InstanceId"],
        "privateIp": instance["PrivateIpAddress"],
        "region": REGION,
    }


@unittest.skipUnless(DSTNODE, "DSTNODE is not set: there is no dstnode to discover with")
class DiscoverTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MotoServer()
        cls.addClassCleanup(cls.server.stop)
        cls.stack = Stack(cls.server)
        cls.ec2 = cls.stack.ec2
        # Where it runs: a machine of the account that is in no cluster.
        cls.own = cls.start({})
        cls.metadata = metadata_service(cls.server.port, cls.own)
        cls.addClassCleanup(cls.metadata.server_close)
        cls.addClassCleanup(cls.metadata.shutdown)
        # What it must not find: another cluster, and what once was in this one.
        cls.start({"dst-cluster": "c10", "dst-role": "storage"})
        stopped = cls.start({"dst-cluster": CLUSTER, "dst-role": "storage"})
        cls.ec2.stop_instances(InstanceIds=[stopped["InstanceId"]])
        gone = cls.start({"dst-cluster": CLUSTER, "dst-role": "coordinator"})
        cls.ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])

    @classmethod
    def start(cls, tags):
        (instance,) = cls.ec2.run_instances(
            ImageId=cls.stack.image, MinCount=1, MaxCount=1,
            TagSpecifications=[{
                "ResourceType": "instance",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }] if tags else [],
        )["Instances"]
        return instance

    def discover(self, **settings):
        with tempfile.TemporaryDirectory() as directory:
            return subprocess.run(
                [DSTNODE, "discover", "--output", "json"],
                capture_output=True, text=True, timeout=60,
                env={
                    "PATH": os.environ["PATH"],
                    "DATA_PATH": directory,
                    "DISCOVERY_METHOD": "aws",
                    "CLUSTER_NAME": CLUSTER,
                    "DST_AWS_EC2_ENDPOINT": self.server.url,
                    "DST_AWS_IMDS_ENDPOINT": f"http://127.0.0.1:{self.metadata.server_port}",
                    **settings,
                },
            )

    def test_finds_exactly_the_running_instances_of_the_stack(self):
        done = self.discover()
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {(peer["address"], peer["role"], peer["zone"]) for peer in json.loads(done.stdout)}
        expected = {
            (
                f"{instance['PrivateIpAddress']}:9000", role,
                instance["Placement"]["AvailabilityZone"],
            )
            for role in COUNTS
            for instance in self.stack.instances(role)
        }
        self.assertEqual(len(expected), sum(COUNTS.values()))
        self.assertEqual(found, expected)
        self.assertEqual({peer["source"] for peer in json.loads(done.stdout)}, {"aws"})

    def test_finds_nothing_of_a_cluster_that_is_not_there(self):
        done = self.discover(CLUSTER_NAME="c2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), [])
