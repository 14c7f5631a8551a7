"""The load balancer before the gateways: TLS, the loss of a gateway, and a rolling restart."""

import ssl
import unittest
import urllib.request

from cluster import wait_until
from compose_case import ComposeCase
from content import MIB, content
from patient import PatientClients
from project import Project


class LoadBalancer(ComposeCase):
    @classmethod
    def make_cluster(cls):
        return Project("balancer", ["compose.yaml", "load-balancer.yaml", "faults.yaml"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wait_until("the load balancer answers", cls.answers, 60)

    @classmethod
    def endpoint(cls):
        return f"https://127.0.0.1:{cls.cluster.ports[3]}"

    @classmethod
    def authority(cls):
        return str(cls.cluster.directory / "compose/secrets/ca.pem")

    @classmethod
    def answers(cls):
        context = ssl.create_default_context(cafile=cls.authority())
        with urllib.request.urlopen(f"{cls.endpoint()}/health", timeout=5, context=context) as a:
            return a.status == 200

    def client(self, **options):
        """Three attempts, as every SDK of S3 makes unless told otherwise."""
        return self.cluster.s3(
            endpoint=self.endpoint(), attempts=3, verify=self.authority(), **options
        )

    def test_tls(self):
        """clients check the certificate, and nothing speaks plainly"""
        with self.assertRaises(Exception) as refused:
            urllib.request.urlopen(f"{self.endpoint()}/health", timeout=5)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", str(refused.exception))
        bucket = self.bucket()
        self.client().put_object(Bucket=bucket, Key="k", Body=b"x")
        self.assertEqual(self.client().get_object(Bucket=bucket, Key="k")["Body"].read(), b"x")

    def test_uploads_survive_a_gateway(self):
        """large uploads and downloads go on when either gateway is killed for good"""
        bucket = self.bucket()
        body = content("upload", 40 * MIB)
        for name in ("gateway-1", "gateway-2"):
            node = self.cluster.node(name)
            client = self.client()
            upload = client.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
            named = dict(Bucket=bucket, Key=name, UploadId=upload)
            parts = []
            for number in range(5):
                if number == 2:
                    node.kill_for_good()
                piece = body[number * 8 * MIB : (number + 1) * 8 * MIB]
                answer = client.upload_part(**named, PartNumber=number + 1, Body=piece)
                parts.append({"PartNumber": number + 1, "ETag": answer["ETag"]})
            client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
            got = client.get_object(Bucket=bucket, Key=name)["Body"].read()
            self.assertTrue(got == body, f"{len(got)} other bytes")
            node.start()
            self.cluster.wait_ready()

    def test_rolling_restart(self):
        """every container is restarted in turn under load: clients with retries notice nothing"""
        bucket = self.bucket()
        with PatientClients(self.client, bucket) as clients:
            clients.wait_for()
            for node in self.cluster.nodes():
                # One waits for the cluster to be whole before one takes the next node.
                node.restart()
                self.assertEqual(clients.failures, [], f"with {node.service} restarted")
                self.cluster.wait_well()
                clients.wait_for()
                self.assertEqual(clients.failures, [], f"with {node.service} restarted")
        print(f"      {clients.done} requests, the slowest took {clients.slowest:.2f} s")
        self.assertEqual(clients.failures, [])


if __name__ == "__main__":
    unittest.main()
