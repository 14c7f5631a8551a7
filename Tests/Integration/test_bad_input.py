"""Bad requests get S3's code and status, and store nothing; garbage costs nothing."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cluster import DSTNODE, DevCluster, http_get, s3_client, wait_until
from cluster_case import ClusterCase


class BadInput(ClusterCase):
    @classmethod
    def make_cluster(cls):
        return DevCluster("bad")

    @property
    def address(self):
        return self.cluster.endpoints[0].removeprefix("http://")

    @property
    def keys(self):
        found = self.cluster.credentials
        return Credentials(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])

    def signed(self, method, path, body=b"", keys=None, headers=None, region="us-east-1", skew=0):
        """Headers of a request as botocore signs it, perhaps with a wrong clock."""
        request = AWSRequest(
            method, f"http://{self.address}{path}", data=body, headers=dict(headers or {})
        )
        auth = S3SigV4Auth(keys or self.keys, "s3", region)
        import botocore.auth
        import botocore.compat

        real = botocore.compat.get_current_datetime
        shifted = lambda remove_tzinfo=True: real(remove_tzinfo) + datetime.timedelta(seconds=skew)
        botocore.auth.get_current_datetime = shifted
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = real
        return dict(request.headers.items())

    def send(self, method, path, headers, body=b""):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            found = re.search("<Code>(.*?)</Code>", text)
            return answer.status, found.group(1) if found else ""
        finally:
            connection.close()

    def assert_absent(self, bucket, key="k"):
        with self.assertRaises(ClientError) as refused:
            self.cluster.s3().head_object(Bucket=bucket, Key=key)
        self.assertEqual(refused.exception.response["Error"]["Code"], "404")

    # Signatures

    def test_no_signature(self):
        """an unsigned request is refused"""
        bucket = self.bucket()
        for method, path in [
            ("GET", "/"),
            ("GET", f"/{bucket}"),
            ("PUT", f"/{bucket}/k"),
            ("DELETE", f"/{bucket}"),
            ("GET", "/-/admin/v1/status"),
            ("GET", "/-/admin/v1/keys"),
        ]:
            status, code = self.send(method, path, {})
            self.assertEqual((status, code), (403, "AccessDenied"), (method, path))
        self.assert_absent(bucket)

    def test_wrong_signatures(self):
        """an unknown key, a wrong secret, a changed request are refused"""
        bucket = self.bucket()
        path = f"/{bucket}/k"
        good = self.keys
        headers = self.signed("PUT", path, b"x", keys=Credentials("nobody", "whatever12"))
        self.assertEqual(self.send("PUT", path, headers, b"x"), (403, "InvalidAccessKeyId"))
        headers = self.signed("PUT", path, b"x", keys=Credentials(good.access_key, "whatever12"))
        self.assertEqual(self.send("PUT", path, headers, b"x"), (403, "SignatureDoesNotMatch"))
        headers = self.signed("PUT", path, b"x")
        self.assertEqual(
            self.send("PUT", path + "2", headers, b"x"), (403, "SignatureDoesNotMatch")
        )
        headers = self.signed("GET", path)
        self.assertEqual(self.send("DELETE", path, headers), (403, "SignatureDoesNotMatch"))
        self.assert_absent(bucket)

    def test_other_region(self):
        """a signature for another region is refused with the right one"""
        status, code = self.send("GET", "/", self.signed("GET", "/", region="mars-1"))
        self.assertEqual(status, 400)
        self.assertEqual(code, "AuthorizationHeaderMalformed")

    def test_skewed_clock(self):
        """a request from too far in the past or future is refused"""
        for skew in (-3600, 3600):
            headers = self.signed("GET", "/", skew=skew)
            self.assertEqual(self.send("GET", "/", headers), (403, "RequestTimeTooSkewed"), skew)
        self.assertEqual(self.send("GET", "/", self.signed("GET", "/", skew=-60))[0], 200)

    def test_expired_url(self):
        """an expired presigned URL is refused"""
        bucket = self.bucket()
        request = AWSRequest("GET", f"http://{self.address}/{bucket}")
        S3SigV4QueryAuth(self.keys, "s3", "us-east-1", expires=1).add_auth(request)
        target = request.url.removeprefix(f"http://{self.address}")
        self.assertEqual(self.send("GET", target, {})[0], 200)

        def expired():
            return self.send("GET", target, {}) == (403, "AccessDenied")

        wait_until("the URL has expired", expired, 10)

    # Bodies

    def test_wrong_body(self):
        """a body that is not the one signed is refused and not stored"""
        bucket = self.bucket()
        path = f"/{bucket}/k"
        for size in (10, 200_000):
            headers = self.signed("PUT", path, b"x" * size)
            status, code = self.send("PUT", path, headers, b"y" * size)
            self.assertEqual((status, code), (400, "XAmzContentSHA256Mismatch"))
            self.assert_absent(bucket)

    def test_wrong_md5(self):
        """a body that does not match its Content-MD5 is refused and not stored"""
        bucket = self.bucket()
        path = f"/{bucket}/k"
        wrong = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
        headers = self.signed("PUT", path, b"x", headers=wrong)
        self.assertEqual(self.send("PUT", path, headers, b"x"), (400, "BadDigest"))
        headers = self.signed("PUT", path, b"x", headers={"Content-MD5": "nonsense"})
        self.assertEqual(self.send("PUT", path, headers, b"x"), (400, "InvalidDigest"))
        self.assert_absent(bucket)

    def test_truncated_body(self):
        """a body that ends early is not stored, inline or in chunks"""
        bucket = self.bucket()
        path = f"/{bucket}/k"
        for size in (1000, 300_000, 9 << 20):
            body = os.urandom(size)
            headers = self.signed("PUT", path, body)
            headers["Content-Length"] = str(size)
            lines = [f"PUT {path} HTTP/1.1", f"Host: {self.address}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            host, port = self.address.split(":")
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[: size - 7])
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
            self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
            self.assert_absent(bucket)

    def test_expect_continue(self):
        """100-continue is answered only after authentication"""
        bucket = self.bucket()
        host, port = self.address.split(":")
        for keys, expected in [
            (self.keys, b"HTTP/1.1 100 "),
            (Credentials(self.keys.access_key, "wrong-secret"), b"HTTP/1.1 403 "),
        ]:
            headers = self.signed("PUT", f"/{bucket}/e", b"x" * 10, keys=keys)
            headers.update({"Content-Length": "10", "Expect": "100-continue"})
            lines = [f"PUT /{bucket}/e HTTP/1.1", f"Host: {self.address}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
                self.assertEqual(connection.recv(4096)[: len(expected)], expected)

    def test_expect_continue_without_body(self):
        """100-continue is answered for an empty body too: botocore counts on it"""
        bucket = self.bucket()
        host, port = self.address.split(":")
        headers = self.signed("PUT", f"/{bucket}/e")
        headers.update({"Content-Length": "0", "Expect": "100-continue"})
        lines = [f"PUT /{bucket}/e HTTP/1.1", f"Host: {self.address}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            answer = b""
            while b" 200 " not in answer:
                piece = connection.recv(4096)
                self.assertTrue(piece, answer)
                answer += piece
        self.assertTrue(answer.startswith(b"HTTP/1.1 100 "), answer)

    # Requests

    def test_bad_requests(self):
        """unknown buckets, bad names, keys, parts and documents get S3's codes"""
        bucket = self.bucket()
        client = self.cluster.s3()

        def code(call, **arguments):
            with self.assertRaises(ClientError) as refused:
                call(**arguments)
            return refused.exception.response["Error"]["Code"]

        self.assertEqual(code(client.get_object, Bucket="no-such-one", Key="k"), "NoSuchBucket")
        self.assertEqual(code(client.get_object, Bucket=bucket, Key="none"), "NoSuchKey")
        self.assertEqual(
            code(client.put_object, Bucket=bucket, Key="k" * 1025, Body=b""), "KeyTooLongError"
        )
        client.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
        for name in ("Ab", "a_b_c", "a..b", "-ab", "192.168.1.1"):
            headers = self.signed("PUT", f"/{name}")
            self.assertEqual(self.send("PUT", f"/{name}", headers), (400, "InvalidBucketName"), name)
        # The same bucket again is fine in us-east-1, as with S3.
        self.assertEqual(
            code(client.upload_part, Bucket=bucket, Key="k", UploadId="0" * 32, PartNumber=1),
            "NoSuchUpload",
        )
        upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        named = dict(Bucket=bucket, Key="m", UploadId=upload)
        self.assertEqual(
            code(client.upload_part, **named, PartNumber=10001, Body=b"x"), "InvalidArgument"
        )
        etags = [
            client.upload_part(**named, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)
        ]
        parts = [{"PartNumber": n + 1, "ETag": etag} for n, etag in enumerate(etags)]
        self.assertEqual(
            code(client.complete_multipart_upload, **named, MultipartUpload={"Parts": parts}),
            "EntityTooSmall",
        )
        self.assertEqual(
            code(
                client.complete_multipart_upload,
                **named,
                MultipartUpload={"Parts": list(reversed(parts))},
            ),
            "InvalidPartOrder",
        )
        self.assertEqual(
            code(
                client.complete_multipart_upload,
                **named,
                MultipartUpload={"Parts": [{"PartNumber": 3, "ETag": '"0"'}]},
            ),
            "InvalidPart",
        )
        self.assertEqual(
            code(client.put_bucket_versioning, Bucket=bucket,
                 VersioningConfiguration={"Status": "Enabled"}),
            "NotImplemented",
        )
        client.put_object(Bucket=bucket, Key="x", Body=b"x")
        self.assertEqual(code(client.delete_bucket, Bucket=bucket), "BucketNotEmpty")

    def test_malformed_xml(self):
        """malformed and oversized documents are refused"""
        bucket = self.bucket()
        documents = [
            b"<Delete><Object>",
            b"not xml",
            b"",
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><Delete>&b;</Delete>",
            b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
        ]
        for document in documents:
            digest = hashlib.md5(document).digest()
            import base64

            extra = {"Content-MD5": base64.b64encode(digest).decode()}
            headers = self.signed("POST", f"/{bucket}?delete=", document, headers=extra)
            status, code = self.send("POST", f"/{bucket}?delete=", headers, document)
            self.assertEqual(status, 400, (document[:40], code))

    def test_oversized_header(self):
        """a header beyond all bounds is refused"""
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (4 << 20))
                answer = connection.recv(4096)
            except ConnectionError:
                answer = b""
        self.assertNotIn(b" 200 ", answer)
        self.assertEqual(http_get(self.address, "/health")[0], 200)

    def test_garbage(self):
        """garbage on every port is closed, and nobody falls"""
        for port in self.cluster.ports:
            for garbage in (
                os.urandom(4096),
                b"\x16\x03\x01\x00\x05hello",
                b"\x00" * 100,
                b"GET\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                    try:
                        connection.sendall(garbage)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(4096):
                            pass
                    except ConnectionError:
                        pass
        self.assertTrue(self.cluster.is_ready())

    def test_metrics(self):
        """metrics count what was done"""
        bucket = self.bucket()
        self.cluster.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
        status, text = http_get(self.address, "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("# TYPE", text)
        self.assertRegex(text, r'operation="PutObject"')

    def test_metrics_are_a_node_s_own(self):
        """each of ten nodes in one process shows its own figures, and one of them all nodes"""
        bucket = self.bucket()
        self.cluster.s3(gateway=1).put_object(Bucket=bucket, Key="k", Body=b"x")

        def figures(port):
            status, text = http_get(f"127.0.0.1:{port}", "/metrics")
            self.assertEqual(status, 200)
            return [line for line in text.splitlines() if not line.startswith("#")]

        names = set()
        for port in self.cluster.ports:
            mine = {re.search(r'node="([^"]*)"', line)[1] for line in figures(port)}
            self.assertLessEqual(len(mine), 1, port)
            names |= mine
        self.assertEqual(len(names), 10, names)
        storage = [line for line in figures(self.cluster.ports[5]) if "dst_used_bytes" in line]
        self.assertEqual(len(storage), 1, storage)

        def all_nodes():
            found = [
                line
                for port in self.cluster.ports
                for line in figures(port)
                if line.startswith("dst_nodes{")
            ]
            counts = {
                tuple(re.findall(r'(?:role|state)="([^"]*)"', line)): float(line.split()[-1])
                for line in found
            }
            self.assertEqual((len(found), len(counts)), (15, 15), found)
            up = {role: counts[role, "up"] for role in ("coordinator", "storage", "gateway")}
            return up == {"coordinator": 3, "storage": 5, "gateway": 2}

        wait_until("one node counts all of them", all_nodes, 30, 0.5)


class Refusals(unittest.TestCase):
    """A node that can't start says so clearly and changes nothing."""

    def start(self, directory, *flags, **environment):
        settings = {
            "NODE_TYPE": "storage",
            "SEED_NODES": "127.0.0.1:1",
            "CLUSTER_SECRET": hashlib.sha256(b"x").hexdigest(),
            "CAPACITY_GB": "1",
            "LISTEN_ADDRESS": "127.0.0.1:1",
            "DATA_PATH": str(directory),
            **environment,
        }
        done = subprocess.run(
            [DSTNODE, "start", *flags],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr

    def test_bad_settings(self):
        """all that is wrong with the settings is said at once"""
        code, text = self.start("relative", "--seeds", "a:b:c", NODE_TYPE="storrage")
        self.assertEqual(code, 78)
        self.assertIn("did you mean storage?", text)
        self.assertIn("flag --seeds: 'a:b:c' is not an address", text)
        self.assertIn("DATA_PATH: 'relative' is not an absolute path", text)
        self.assertIn("3 problems; nothing was started", text)

    def test_a_mistyped_discovery(self):
        """a plugin or a parameter that does not exist is refused with the list of what does"""
        with tempfile.TemporaryDirectory() as directory:
            data = Path(directory, "data")
            code, text = self.start(data, DISCOVERY_METHOD="awz")
            self.assertEqual(code, 78, text)
            self.assertIn("static, dns, aws, gcp, azure, cloud", text)
            self.assertIn("did you mean aws?", text)
            code, text = self.start(
                data, DISCOVERY_METHOD="dns", DISCOVERY_DNS_NAME="coordinators:9000"
            )
            self.assertEqual(code, 78, text)
            self.assertIn("did you mean DISCOVERY_DNS_NAMES?", text)
            self.assertIn("DISCOVERY_AZURE_CLIENT_ID", text)
            yaml = Path(directory, "dstnode.yaml")
            yaml.write_text("discovery_methd: aws\n")
            code, text = self.start(data, "--config", str(yaml))
            self.assertEqual(code, 78, text)
            self.assertIn("did you mean discovery_method?", text)
            self.assertFalse(data.exists())

    def test_other_role(self):
        """a data directory of another role, version or of somebody else is refused"""
        with tempfile.TemporaryDirectory() as scratch:
            node = Path(scratch) / "node"
            node.mkdir()
            (node / "node.json").write_text(
                '{"format": 1, "node": "' + "0" * 31 + '1", "role": "gateway"}'
            )
            code, text = self.start(node)
            self.assertEqual(code, 78)
            self.assertIn("belongs to a gateway node", text)
            (node / "node.json").write_text('{"format": 99}')
            code, text = self.start(node)
            self.assertEqual(code, 78)
            self.assertIn("has the format 99", text)
            other = Path(scratch) / "other"
            other.mkdir()
            (other / "precious.txt").write_text("mine")
            code, text = self.start(other)
            self.assertEqual(code, 78)
            self.assertIn("precious.txt", text)


if __name__ == "__main__":
    unittest.main()
