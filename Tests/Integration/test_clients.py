"""Stock clients do their daily work: aws-cli, boto3, rclone, s3cmd."""

import hashlib
import io
import os
import subprocess
import unittest
import urllib.request
from pathlib import Path

import boto3.s3.transfer
from botocore.exceptions import ClientError

from cluster import Cluster, DevCluster
from cluster_case import ClusterCase
from content import KIB, MIB, SIZES, content


def make_tree(root):
    """Files of all sizes in nested folders, with names that need encoding."""
    names = ["plain.txt", "with space.txt", "ünïcode-名.bin", "plus+and&amp.txt", "percent%41.txt"]
    for index, size in enumerate(SIZES):
        folder = root / f"folder {index % 3}" / f"deep{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{index}-{names[index % len(names)]}"
        (folder / name).write_bytes(content(name, size))
    return root


def digest_tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


class Clients:
    """The work; run against the dev cluster and against ten processes."""

    def shell(self, *command, gateway=0, fails=False):
        done = subprocess.run(
            list(map(str, command)),
            env=self.cluster.client_environment(gateway),
            capture_output=True,
            text=True,
            timeout=300,
        )
        if fails:
            self.assertNotEqual(done.returncode, 0, done.stdout)
        else:
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @property
    def scratch(self):
        path = self.cluster.directory / self.id().split(".")[-1]
        path.mkdir(parents=True, exist_ok=True)
        return path

    def test_aws_cli(self):
        """aws-cli syncs a tree in through one gateway and out of the other"""
        source = make_tree(self.scratch / "in")
        target = self.scratch / "out"
        self.shell("aws", "s3", "mb", "s3://aws-tree")
        self.shell("aws", "s3", "sync", source, "s3://aws-tree/a", "--no-progress")
        listing = self.shell("aws", "s3", "ls", "--recursive", "s3://aws-tree/", gateway=1)
        self.assertEqual(len(listing.splitlines()), len(SIZES))
        self.shell("aws", "s3", "sync", "s3://aws-tree/a", target, "--no-progress", gateway=1)
        self.assertEqual(digest_tree(source), digest_tree(target))
        self.shell("aws", "s3", "cp", "s3://aws-tree/a", "s3://aws-tree/b", "--recursive")
        self.shell("aws", "s3", "rm", "s3://aws-tree/a", "--recursive")
        self.assertEqual(self.shell("aws", "s3", "ls", "s3://aws-tree/").split(), ["PRE", "b/"])
        self.shell("aws", "s3", "rb", "s3://aws-tree", fails=True)
        self.shell("aws", "s3", "rb", "s3://aws-tree", "--force")
        self.shell("aws", "s3", "ls", "s3://aws-tree", fails=True)

    def test_aws_cli_multipart(self):
        """aws-cli uploads and downloads a large file in parts"""
        source = self.scratch / "large.bin"
        source.write_bytes(content("large", 41 * MIB + 3))
        target = self.scratch / "back.bin"
        self.shell("aws", "s3", "mb", "s3://aws-large")
        self.shell("aws", "s3", "cp", source, "s3://aws-large/large.bin", "--no-progress")
        head = self.cluster.s3().head_object(Bucket="aws-large", Key="large.bin")
        self.assertRegex(head["ETag"], '^"[0-9a-f]{32}-6"$')
        self.shell("aws", "s3", "cp", "s3://aws-large/large.bin", target, "--no-progress", gateway=1)
        self.assertEqual(source.read_bytes(), target.read_bytes())

    def test_rclone(self):
        """rclone syncs a tree, checks it by hash, and moves it"""
        source = make_tree(self.scratch / "in")
        target = self.scratch / "out"
        remote = [
            "--config=/dev/null",
            "--s3-provider=Other",
            "--s3-env-auth",
            f"--s3-endpoint={self.cluster.endpoints[1]}",
            "--s3-region=us-east-1",
            "--s3-force-path-style",
            "--s3-upload-cutoff=5M",
            "--s3-chunk-size=5M",
        ]
        self.shell("rclone", "mkdir", ":s3:rclone-tree", *remote)
        self.shell("rclone", "sync", source, ":s3:rclone-tree/x", *remote)
        self.shell("rclone", "check", source, ":s3:rclone-tree/x", "--download", *remote)
        self.shell("rclone", "sync", ":s3:rclone-tree/x", target, *remote)
        self.assertEqual(digest_tree(source), digest_tree(target))
        self.shell("rclone", "move", ":s3:rclone-tree/x", ":s3:rclone-tree/y", *remote)
        self.assertEqual(self.shell("rclone", "lsf", ":s3:rclone-tree", *remote).split(), ["y/"])
        self.shell("rclone", "purge", ":s3:rclone-tree", *remote)

    def test_s3cmd(self):
        """s3cmd syncs a tree both ways"""
        source = make_tree(self.scratch / "in")
        target = self.scratch / "out"
        target.mkdir()
        host = self.cluster.endpoints[0].removeprefix("http://")
        environment = self.cluster.client_environment()
        remote = [
            "--config=/dev/null",
            f"--access_key={environment['AWS_ACCESS_KEY_ID']}",
            f"--secret_key={environment['AWS_SECRET_ACCESS_KEY']}",
            f"--host={host}",
            f"--host-bucket={host}",
            "--no-ssl",
            "--region=us-east-1",
            "--multipart-chunk-size-mb=5",
            "--no-progress",
        ]
        self.shell("s3cmd", *remote, "mb", "s3://s3cmd-tree")
        self.shell("s3cmd", *remote, "sync", f"{source}/", "s3://s3cmd-tree/x/")
        self.shell("s3cmd", *remote, "sync", "s3://s3cmd-tree/x/", f"{target}/")
        self.assertEqual(digest_tree(source), digest_tree(target))
        self.shell("s3cmd", *remote, "del", "--recursive", "--force", "s3://s3cmd-tree/")
        self.shell("s3cmd", *remote, "rb", "s3://s3cmd-tree")

    def test_every_size(self):
        """objects of every size come back byte for byte through the other gateway"""
        bucket = self.bucket()
        for size in SIZES:
            body = content(f"size-{size}", size)
            put = self.cluster.s3().put_object(Bucket=bucket, Key=f"o{size}", Body=body)
            got = self.cluster.s3(gateway=1).get_object(Bucket=bucket, Key=f"o{size}")
            self.assertEqual(got["Body"].read(), body)
            self.assertEqual(got["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
            self.assertEqual(put["ETag"], got["ETag"])
            self.assertEqual(got["ContentLength"], size)

    def test_ranges(self):
        """ranges of an object of three chunks are exact, across blocks and chunks"""
        bucket = self.bucket()
        body = content("ranges", 19 * MIB + 17)
        client = self.cluster.s3()
        client.put_object(Bucket=bucket, Key="r", Body=body)
        edges = [0, 1, 64 * KIB - 1, 64 * KIB, 8 * MIB - 1, 8 * MIB, 16 * MIB + 1, len(body) - 1]
        for first in edges:
            for last in [first, first + 1, first + 200 * KIB, first + 9 * MIB, len(body) + 5]:
                if last < first:
                    continue
                got = client.get_object(Bucket=bucket, Key="r", Range=f"bytes={first}-{last}")
                end = min(last, len(body) - 1)
                self.assertEqual(got["Body"].read(), body[first : end + 1], (first, last))
                self.assertEqual(got["ContentRange"], f"bytes {first}-{end}/{len(body)}")
        got = client.get_object(Bucket=bucket, Key="r", Range="bytes=-100")
        self.assertEqual(got["Body"].read(), body[-100:])
        with self.assertRaises(ClientError) as refused:
            client.get_object(Bucket=bucket, Key="r", Range=f"bytes={len(body)}-")
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidRange")

    def test_conditions(self):
        """conditional reads and writes hold"""
        bucket, client = self.bucket(), self.cluster.s3()
        etag = client.put_object(Bucket=bucket, Key="c", Body=b"1", IfNoneMatch="*")["ETag"]

        def code(call, **arguments):
            with self.assertRaises(ClientError) as refused:
                call(Bucket=bucket, Key="c", **arguments)
            return refused.exception.response["ResponseMetadata"]["HTTPStatusCode"]

        self.assertEqual(code(client.put_object, Body=b"2", IfNoneMatch="*"), 412)
        self.assertEqual(code(client.put_object, Body=b"2", IfMatch='"0"'), 412)
        self.assertEqual(code(client.get_object, IfNoneMatch=etag), 304)
        self.assertEqual(code(client.get_object, IfMatch='"0"'), 412)
        client.put_object(Bucket=bucket, Key="c", Body=b"3", IfMatch=etag)
        self.assertEqual(client.get_object(Bucket=bucket, Key="c")["Body"].read(), b"3")

    def test_checksums(self):
        """checksums of every algorithm are checked, kept and given back"""
        bucket, client = self.bucket(), self.cluster.s3()
        body = content("sums", 300 * KIB)
        for algorithm in ["CRC32", "SHA1", "SHA256"]:
            key = algorithm.lower()
            put = client.put_object(
                Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm=algorithm
            )
            field = f"Checksum{algorithm}"
            got = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
            self.assertEqual(got[field], put[field])
        with self.assertRaises(ClientError) as refused:
            client.put_object(Bucket=bucket, Key="bad", Body=body, ChecksumCRC32="AAAAAA==")
        self.assertEqual(refused.exception.response["Error"]["Code"], "BadDigest")
        with self.assertRaises(ClientError):
            client.head_object(Bucket=bucket, Key="bad")

    def test_metadata_and_copy(self):
        """headers and user metadata are kept, copied and replaced"""
        bucket, client = self.bucket(), self.cluster.s3()
        client.put_object(
            Bucket=bucket,
            Key="m",
            Body=b"x" * 100,
            Metadata={"colour": "blue"},
            ContentType="text/x-y",
            CacheControl="no-cache",
            ContentDisposition="attachment",
        )
        source = {"Bucket": bucket, "Key": "m"}
        client.copy_object(Bucket=bucket, Key="m2", CopySource=source)
        got = client.head_object(Bucket=bucket, Key="m2")
        self.assertEqual(got["Metadata"], {"colour": "blue"})
        self.assertEqual(got["ContentType"], "text/x-y")
        self.assertEqual(got["CacheControl"], "no-cache")
        client.copy_object(
            Bucket=bucket,
            Key="m2",
            CopySource=source,
            Metadata={"colour": "red"},
            MetadataDirective="REPLACE",
        )
        got = client.head_object(Bucket=bucket, Key="m2")
        self.assertEqual(got["Metadata"], {"colour": "red"})

    def test_copy_onto_itself(self):
        """an object copied onto itself gets new metadata and keeps its bytes, in parts or not"""
        bucket, client = self.bucket(), self.cluster.s3()
        body = content("self", 11 * MIB)
        client.put_object(Bucket=bucket, Key="plain", Body=body, Metadata={"a": "1"})
        client.upload_fileobj(
            io.BytesIO(body),
            bucket,
            "parts",
            Config=boto3.s3.transfer.TransferConfig(multipart_chunksize=5 * MIB),
        )
        for key in ("plain", "parts"):
            source = {"Bucket": bucket, "Key": key}
            before = client.head_object(Bucket=bucket, Key=key)
            with self.assertRaises(ClientError) as raised:
                client.copy_object(Bucket=bucket, Key=key, CopySource=source)
            self.assertEqual(raised.exception.response["Error"]["Code"], "InvalidRequest")
            client.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource=source,
                Metadata={"a": "2"},
                ContentType="text/z",
                MetadataDirective="REPLACE",
            )
            got = client.get_object(Bucket=bucket, Key=key)
            self.assertEqual(got["Metadata"], {"a": "2"})
            self.assertEqual(got["ContentType"], "text/z")
            self.assertEqual(got["ETag"], before["ETag"])
            self.assertEqual(got["Body"].read() == body, True)

    def test_listing(self):
        """listings are ordered by bytes, cut by prefix and delimiter, and paged exactly"""
        bucket, client = self.bucket(), self.cluster.s3(gateway=1)
        keys = [f"d{n % 7}/k{n:03d}" for n in range(120)]
        keys += ["a", "a/b", "a/b/c", "Z", "é", "e\u0301", "ü space", "~"]
        for key in keys:
            client.put_object(Bucket=bucket, Key=key, Body=b"")
        ordered = sorted(keys, key=lambda key: key.encode())

        def listed(size, **arguments):
            found, prefixes = [], []
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": size}, **arguments
            )
            for page in pages:
                found += [item["Key"] for item in page.get("Contents", [])]
                prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            return found, prefixes

        for size in [1000, 7]:
            self.assertEqual(listed(size)[0], ordered)
        self.assertEqual(
            listed(3, Prefix="d3/")[0], [key for key in ordered if key.startswith("d3/")]
        )
        self.assertEqual(listed(2, Delimiter="/")[1], ["a/"] + [f"d{n}/" for n in range(7)])
        self.assertEqual(listed(5, StartAfter="d5/k100")[0], [k for k in ordered if k.encode() > b"d5/k100"])
        ones = client.list_objects(Bucket=bucket, Marker="d5/", MaxKeys=3)
        self.assertEqual(len(ones["Contents"]), 3)
        self.assertTrue(ones["IsTruncated"])

    def test_multipart(self):
        """parts go through different gateways, out of order, replaced, copied, aborted"""
        bucket = self.bucket()
        one, other = self.cluster.s3(), self.cluster.s3(gateway=1)
        upload = one.create_multipart_upload(
            Bucket=bucket, Key="mp", Metadata={"a": "b"}
        )["UploadId"]
        named = dict(Bucket=bucket, Key="mp", UploadId=upload)
        bodies = {n: content(f"part-{n}", 5 * MIB + n) for n in (1, 2, 4)}
        bodies[9] = content("last", 17)
        other.upload_part(**named, PartNumber=2, Body=content("replaced", 5 * MIB))
        etags = {}
        for number in (9, 2, 1, 4):
            client = one if number % 2 else other
            etags[number] = client.upload_part(
                **named, PartNumber=number, Body=bodies[number]
            )["ETag"]
        parts = one.list_parts(**named)["Parts"]
        self.assertEqual([part["PartNumber"] for part in parts], [1, 2, 4, 9])
        self.assertIn(
            upload,
            [u["UploadId"] for u in other.list_multipart_uploads(Bucket=bucket)["Uploads"]],
        )
        other.complete_multipart_upload(
            **named,
            MultipartUpload={
                "Parts": [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2, 4, 9)]
            },
        )
        whole = b"".join(bodies[n] for n in (1, 2, 4, 9))
        got = one.get_object(Bucket=bucket, Key="mp")
        self.assertEqual(got["Body"].read(), whole)
        self.assertEqual(got["Metadata"], {"a": "b"})
        middle = one.get_object(Bucket=bucket, Key="mp", Range=f"bytes={5 * MIB - 3}-{10 * MIB + 9}")
        self.assertEqual(middle["Body"].read(), whole[5 * MIB - 3 : 10 * MIB + 10])
        # A copy of a range becomes a part.
        upload = one.create_multipart_upload(Bucket=bucket, Key="mp2")["UploadId"]
        named = dict(Bucket=bucket, Key="mp2", UploadId=upload)
        copied = one.upload_part_copy(
            **named,
            PartNumber=1,
            CopySource={"Bucket": bucket, "Key": "mp"},
            CopySourceRange=f"bytes=10-{6 * MIB}",
        )["CopyPartResult"]["ETag"]
        one.complete_multipart_upload(
            **named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied}]}
        )
        got = other.get_object(Bucket=bucket, Key="mp2")["Body"].read()
        self.assertEqual(got, whole[10 : 6 * MIB + 1])
        # What is aborted is gone.
        upload = one.create_multipart_upload(Bucket=bucket, Key="mp3")["UploadId"]
        named = dict(Bucket=bucket, Key="mp3", UploadId=upload)
        one.upload_part(**named, PartNumber=1, Body=b"x")
        other.abort_multipart_upload(**named)
        with self.assertRaises(ClientError) as refused:
            one.list_parts(**named)
        self.assertEqual(refused.exception.response["Error"]["Code"], "NoSuchUpload")

    def test_presigned(self):
        """presigned URLs work for anybody who has them"""
        bucket, client = self.bucket(), self.cluster.s3(signature_version="s3v4")
        named = {"Bucket": bucket, "Key": "p é.txt"}
        body = content("presigned", 100 * KIB)
        put = client.generate_presigned_url("put_object", named, ExpiresIn=60)
        with urllib.request.urlopen(urllib.request.Request(put, body, method="PUT")) as answer:
            self.assertEqual(answer.status, 200)
        get = client.generate_presigned_url("get_object", named, ExpiresIn=60)
        with urllib.request.urlopen(get) as answer:
            self.assertEqual(answer.read(), body)

    def test_transfer_manager(self):
        """boto3's transfer manager moves a large object with many threads"""
        bucket, client = self.bucket(), self.cluster.s3()
        source, target = self.scratch / "in.bin", self.scratch / "out.bin"
        source.write_bytes(content("transfer", 60 * MIB))
        settings = boto3.s3.transfer.TransferConfig(
            multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=8
        )
        client.upload_file(str(source), bucket, "t", Config=settings)
        client.download_file(bucket, "t", str(target), Config=settings)
        self.assertEqual(source.read_bytes(), target.read_bytes())

    def test_delete_many(self):
        """DeleteObjects deletes what is there and what is not"""
        bucket, client = self.bucket(), self.cluster.s3()
        for number in range(30):
            client.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
        deleted = client.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": f"k{n}"} for n in range(40)]}
        )
        self.assertEqual(len(deleted["Deleted"]), 40)
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=bucket))
        client.delete_bucket(Bucket=bucket)

    def test_access_keys(self):
        """keys are created, disabled, enabled and deleted, and obeyed at once"""
        environment = self.cluster.client_environment()
        made = subprocess.run(
            [os.environ["DSTNODE"], "key", "create", "--label", "test", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        import json

        from cluster import s3_client, wait_until

        key = json.loads(made.stdout)
        client = s3_client(self.cluster.endpoints[1], key["id"], key["secret"], attempts=1)

        def allowed():
            try:
                client.list_buckets()
                return True
            except ClientError:
                return False

        def command(*words):
            done = subprocess.run(
                [os.environ["DSTNODE"], "key", *words],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        wait_until("the new key is known", allowed, 10)
        self.assertIn(key["id"], command("list"))
        self.assertNotIn(key["secret"], command("list"))
        command("disable", key["id"])
        wait_until("the key is disabled", lambda: not allowed(), 10)
        command("enable", key["id"])
        wait_until("the key is enabled", allowed, 10)
        command("delete", key["id"])
        wait_until("the key is deleted", lambda: not allowed(), 10)


class DevClusterClients(Clients, ClusterCase):
    @classmethod
    def make_cluster(cls):
        return DevCluster("dev")


class SeparateProcessClients(Clients, ClusterCase):
    @classmethod
    def make_cluster(cls):
        return Cluster("clients")


if __name__ == "__main__":
    unittest.main()
