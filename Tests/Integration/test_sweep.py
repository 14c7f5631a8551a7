"""Chunks that nothing names go, and nothing else does."""

import http.client
import re
import time
import unittest

from botocore.exceptions import ClientError

from cluster import Cluster, http_get, wait_until
from cluster_case import ClusterCase
from content import MIB, content
from writers import Writers, verify


SWEEP_AGE = 10
# Longer than chunks live that nothing names.
STEADY_SECONDS = 2 * SWEEP_AGE


class HalfUpload:
    """A PUT whose bytes come when the test says so."""

    def __init__(self, cluster, bucket, key, body, gateway):
        self.rest = body
        url = cluster.s3(gateway).generate_presigned_url(
            "put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=600
        )
        host, path = url.removeprefix("http://").split("/", 1)
        self.connection = http.client.HTTPConnection(host, timeout=60)
        self.connection.putrequest("PUT", "/" + path)
        self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders()

    def send(self, count):
        self.connection.send(self.rest[:count])
        self.rest = self.rest[count:]

    def finish(self):
        self.send(len(self.rest))
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def close(self):
        self.connection.close()


class Sweep(ClusterCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("sweep", storage=3, SWEEP_AGE=f"{SWEEP_AGE}s", GARBAGE_GRACE="2s")

    def setUp(self):
        self.cluster.start()

    def used(self):
        """Bytes in use, by the storage nodes themselves: heartbeats come later."""
        total = 0
        for node in self.cluster.of("storage"):
            text = http_get(node.address, "/metrics")[1]
            total += int(float(re.search(r"^dst_used_bytes\{.*\} (.+)$", text, re.M)[1]))
        return total

    def settled(self):
        """Bytes in use once nothing comes or goes any more: garbage and sweeps are through."""
        seen = [None, time.monotonic()]

        def is_steady():
            now = self.used()
            if now != seen[0]:
                seen[:] = [now, time.monotonic()]
            return time.monotonic() - seen[1] > STEADY_SECONDS

        wait_until("nothing comes or goes", is_steady, 180, 0.5)
        return seen[0]

    def test_a_gateway_dies_in_mid_put(self):
        """what a killed gateway had written and not named goes; all that was acknowledged stays"""
        bucket = self.bucket()
        with Writers(self.cluster, bucket, count=4) as writers:
            writers.wait_for(60)
        before = self.settled()
        bodies = [content(f"half{number}", 40 * MIB) for number in range(3)]
        halves = [
            HalfUpload(self.cluster, bucket, f"half{number}", body, gateway=1)
            for number, body in enumerate(bodies)
        ]
        for half in halves:
            half.send(25 * MIB)
        # Two whole chunks of each, three copies.
        wait_until("the chunks are there", lambda: self.used() >= before + 3 * 3 * 16 * MIB, 60, 0.5)
        self.cluster.node("g2").kill()
        for half in halves:
            half.close()
        wait_until("the space is back", lambda: self.used() <= before, 120, 1)
        verify(self, self.cluster, writers)
        self.cluster.kill_all()
        self.cluster.start()
        verify(self, self.cluster, writers, gateway=1)
        wait_until("as much is in use as before", lambda: self.used() == before, 60, 1)

    def test_a_put_slower_than_the_sweep(self):
        """a PUT whose chunks were swept meanwhile is refused, never half there"""
        bucket = self.bucket()
        before = self.settled()
        body = content("slow", 20 * MIB)
        upload = HalfUpload(self.cluster, bucket, "slow", body, gateway=0)
        upload.send(17 * MIB)
        wait_until("the chunks are there", lambda: self.used() >= before + 3 * 16 * MIB, 60, 0.5)
        wait_until("they are swept", lambda: self.used() <= before, 120, 1)
        status, text = upload.finish()
        self.assertEqual(status, 503, text)
        self.assertIn("SlowDown", text)
        with self.assertRaises(ClientError) as raised:
            self.cluster.s3().get_object(Bucket=bucket, Key="slow")
        self.assertEqual(raised.exception.response["Error"]["Code"], "NoSuchKey")
        wait_until("nothing of it stays", lambda: self.used() <= before, 120, 1)
        self.cluster.s3().put_object(Bucket=bucket, Key="slow", Body=body)
        got = self.cluster.s3().get_object(Bucket=bucket, Key="slow")["Body"].read()
        self.assertEqual(got == body, True)

    def test_parts_wait_for_their_upload(self):
        """parts of an upload that stays open for longer than SWEEP_AGE are kept"""
        bucket = self.bucket()
        client = self.cluster.s3()
        body = content("parts", 10 * MIB)
        upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        named = {"Bucket": bucket, "Key": "m", "UploadId": upload}
        parts = []
        for number in (1, 2):
            piece = body[(number - 1) * 5 * MIB : number * 5 * MIB]
            etag = client.upload_part(**named, PartNumber=number, Body=piece)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        before = self.settled()
        # What comes after the parts and is swept shows that they have been looked at too.
        stray = HalfUpload(self.cluster, bucket, "stray", content("stray", 20 * MIB), gateway=1)
        stray.send(9 * MIB)
        wait_until("a chunk is there", lambda: self.used() >= before + 3 * 8 * MIB, 60, 0.5)
        self.cluster.node("g2").kill()
        stray.close()
        wait_until("it is swept", lambda: self.used() <= before, 120, 1)
        client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        got = client.get_object(Bucket=bucket, Key="m")["Body"].read()
        self.assertEqual(got == body, True)


if __name__ == "__main__":
    unittest.main()
