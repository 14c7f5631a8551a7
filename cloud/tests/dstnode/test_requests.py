"""Holds the requests that dstnode sends against the providers' own descriptions of their APIs.

They are botocore's serializer and signer, the static discovery document in
google-api-python-client, and the operations and models of azure-mgmt-compute and azure-mgmt-network.
DSTNODE is the program. Each part skips itself where its package is missing; cloud/tests/check installs
all of them.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qsl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "Tests" / "CloudTests" / "fakes"))
sys.dont_write_bytecode = True

import fake_aws  # noqa: E402
import fake_azure  # noqa: E402
import fake_gcp  # noqa: E402
import fake_server  # noqa: E402

NODE = os.environ.get("DSTNODE", "")


def has(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def run(*arguments, **environment):
    base = {"PATH": os.environ["PATH"], "NODE_TYPE": "coordinator", "CLUSTER_NAME": "c1",
            "CLUSTER_SECRET": hashlib.sha256(b"requests_test").hexdigest()}
    return subprocess.run([NODE, *arguments], capture_output=True, text=True, timeout=60,
                          env={**base, **environment}, check=False)


@unittest.skipUnless(NODE, "DSTNODE is not set: there is no dstnode to ask with")
class Recorded(unittest.TestCase):
    def discover(self, fake, method, environment, state):
        fake.state.update(state)
        result = run("discover", "--output", "json", DISCOVERY_METHOD=method, **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout), result.stderr


class AWSRequests(Recorded):
    ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:n-AbCdEf"

    def setUp(self):
        self.fake = fake_aws.FakeAWS()
        base = fake_server.in_background(self.fake)
        self.environment = {f"DST_AWS_{name}_ENDPOINT": base for name in
                            ("EC2", "IMDS", "AUTOSCALING", "SECRETS")}
        instances = [
            {"id": f"i-{index}", "ip": f"10.0.0.{index}", "zone": "eu-west-1b",
             "tags": {"dst-cluster": "c1", "dst-role": role}}
            for index, role in enumerate(["coordinator", "storage", "gateway"], 1)]
        self.state = {"instances": instances, "page_size": 2, "secrets": {self.ARN: "s3cret"}}

    def sent(self, word):
        return [record for record in self.fake.records if word in record["body"]]

    def test_peers_are_an_array_with_roles_and_zones(self):
        peers, remarks = self.discover(self.fake, "aws", self.environment, self.state)
        self.assertEqual(peers[0], {"address": "10.0.0.1:9000", "role": "coordinator",
                                    "source": "aws", "zone": "eu-west-1b"})
        self.assertEqual([peer["role"] for peer in peers], ["coordinator", "storage", "gateway"])
        self.assertIn("role is storage", remarks)

    @unittest.skipUnless(has("botocore"), "botocore is not installed")
    def test_the_list_is_what_botocore_serializes_and_signs(self):
        import botocore.session
        from botocore.serialize import create_serializer
        self.discover(self.fake, "aws", self.environment, self.state)
        pages = self.sent("DescribeInstances")
        self.assertEqual(len(pages), 2)
        service = botocore.session.get_session().get_service_model("ec2")
        operation = service.operation_model("DescribeInstances")
        for page, token in zip(pages, [None, "page-2"]):
            parameters = {
                "Filters": [{"Name": "tag:dst-cluster", "Values": ["c1"]},
                            {"Name": "instance-state-name", "Values": ["pending", "running"]}],
                "MaxResults": 1000, **({"NextToken": token} if token else {})}
            wanted = create_serializer("ec2").serialize_to_request(parameters, operation)
            self.assertEqual(dict(parse_qsl(page["body"])),
                             {key: str(value) for key, value in wanted["body"].items()})
            self.assertEqual(page["method"], wanted["method"])
            self.check_signature(page, "ec2")

    @unittest.skipUnless(has("botocore"), "botocore is not installed")
    def test_a_secret_is_asked_for_as_botocore_asks(self):
        import botocore.session
        from botocore.serialize import create_serializer
        self.fake.state.update(self.state)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "secret"
            result = run("secret", "fetch", "aws:" + self.ARN, "--output", str(path),
                         "--timeout", "10s", **self.environment)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(path.read_text(), "s3cret")
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        record = self.sent("SecretId")[0]
        service = botocore.session.get_session().get_service_model("secretsmanager")
        wanted = create_serializer("json").serialize_to_request(
            {"SecretId": self.ARN}, service.operation_model("GetSecretValue"))
        self.assertEqual(json.loads(record["body"]), json.loads(wanted["body"]))
        self.assertEqual(record["headers"]["x-amz-target"], wanted["headers"]["X-Amz-Target"])
        self.assertEqual(record["headers"]["content-type"], wanted["headers"]["Content-Type"])
        self.check_signature(record, "secretsmanager")

    def check_signature(self, record, service):
        """Signs the recorded request again with botocore and compares."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        headers = record["headers"]
        names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        kept = {name: headers[name] for name in names
                if name not in ("host", "x-amz-date", "x-amz-security-token")}
        request = AWSRequest(method=record["method"], url=f"http://{headers['host']}/",
                             data=record["body"], headers=kept)
        when = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        credentials = Credentials("AKIAFAKE0001", "fake-secret", "fake-session-token")
        with mock.patch("botocore.auth.get_current_datetime", return_value=when):
            SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
        self.assertEqual(request.headers["Authorization"], headers["authorization"])

    def test_nothing_is_written_where_there_is_no_secret(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "secret"
            result = run("secret", "fetch", "aws:" + self.ARN, "--output", str(path),
                         "--timeout", "1s", **self.environment)
            self.assertEqual(result.returncode, 75, result.stderr)
            self.assertIn("not found", result.stderr)
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_a_missing_permission_is_named(self):
        self.fake.state["failures"] = [{
            "path": "DescribeInstances", "status": 403, "code": "UnauthorizedOperation",
            "count": 9}]
        result = run("discover", DISCOVERY_METHOD="aws", **self.environment)
        self.assertEqual(result.returncode, 1)
        self.assertIn("lacks ec2:DescribeInstances; grant it", result.stderr)

    def test_a_mistyped_plugin_is_refused_with_the_list(self):
        result = run("discover", DISCOVERY_METHOD="awz")
        self.assertEqual(result.returncode, 78)
        self.assertIn("there is no 'awz'; known: static, dns, aws, gcp, azure, cloud",
                      result.stderr)


class GCPRequests(Recorded):
    def setUp(self):
        self.fake = fake_gcp.FakeGCP()
        base = fake_server.in_background(self.fake)
        self.environment = {
            "GCE_METADATA_HOST": base.removeprefix("http://"), "DST_GCP_COMPUTE_ENDPOINT": base,
            "DST_GCP_SECRETS_ENDPOINT": base}
        self.state = {"page_size": 1, "instances": [
            {"name": f"n-{index}", "ip": f"10.0.0.{index}", "zone": "europe-west1-c",
             "labels": {"dst-cluster": "c1", "dst-role": "coordinator"}} for index in (1, 2)]}

    @unittest.skipUnless(has("googleapiclient"), "google-api-python-client is not installed")
    def test_the_list_is_what_the_discovery_document_describes(self):
        from googleapiclient.discovery import build
        from googleapiclient.http import HttpMock
        self.discover(self.fake, "gcp", self.environment, self.state)
        lists = [record for record in self.fake.records if "/aggregated/" in record["path"]]
        self.assertEqual(len(lists), 2)
        compute = build("compute", "v1", http=HttpMock(), static_discovery=True)
        for record, token in zip(lists, [None, "page-1"]):
            wanted = compute.instances().aggregatedList(
                project="p-1", maxResults=500, pageToken=token,
                filter='(labels.dst-cluster="c1") AND (status="RUNNING")')
            path, _, query = wanted.uri.removeprefix("https://compute.googleapis.com").partition("?")
            expected = dict(parse_qsl(query))
            expected.pop("alt", None)
            self.assertEqual((record["method"], record["path"]), (wanted.method, path))
            self.assertEqual(record["query"], expected)

    @unittest.skipUnless(has("googleapiclient"), "google-api-python-client is not installed")
    def test_a_secret_is_what_the_discovery_document_describes(self):
        from googleapiclient.discovery import build
        from googleapiclient.http import HttpMock
        name = "projects/p-1/secrets/n/versions/latest"
        self.fake.state["secrets"] = {name: "s3cret"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "secret"
            result = run("secret", "fetch", "gcp:" + name, "--output", str(path), **self.environment)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(path.read_text(), "s3cret")
        secrets = build("secretmanager", "v1", http=HttpMock(), static_discovery=True)
        wanted = secrets.projects().secrets().versions().access(name=name)
        record = self.fake.records[-1]
        self.assertEqual(
            (record["method"], record["path"]),
            (wanted.method, wanted.uri.partition("?")[0].removeprefix(
                "https://secretmanager.googleapis.com")))


class AzureRequests(Recorded):
    def setUp(self):
        self.fake = fake_azure.FakeAzure()
        base = fake_server.in_background(self.fake)
        self.environment = {f"DST_AZURE_{name}_ENDPOINT": base for name in ("IMDS", "ARM", "VAULT")}
        self.state = {"page_size": 1, "instances": [
            {"name": f"vm-{index}", "ip": f"10.0.0.{index}", "zone": str(index),
             "tags": {"dst-cluster": "c1", "dst-role": "coordinator"}} for index in (1, 2)]}

    def test_machines_are_found_page_by_page(self):
        peers, _ = self.discover(self.fake, "azure", self.environment, self.state)
        self.assertEqual([peer["zone"] for peer in peers], ["westeurope-1", "westeurope-2"])

    @unittest.skipUnless(has("azure.mgmt.compute") and has("azure.mgmt.network"),
                         "azure-mgmt-compute and azure-mgmt-network are not installed")
    def test_the_lists_are_the_ones_of_the_management_libraries(self):
        from azure.core.credentials import AccessToken
        from azure.core.pipeline.transport import HttpTransport
        from azure.mgmt.compute import ComputeManagementClient
        from azure.mgmt.network import NetworkManagementClient
        sent = []

        class Stop(Exception):
            pass

        class Transport(HttpTransport):
            def send(self, request, **_):
                sent.append(request)
                raise Stop

            def open(self):
                pass

            def close(self):
                pass

            def __exit__(self, *_):
                pass

        class Credential:
            def get_token(self, *_, **__):
                return AccessToken("x", 1 << 40)

        for make in (ComputeManagementClient, NetworkManagementClient):
            client = make(Credential(), "s-1", transport=Transport(), retry_total=0)
            operations = getattr(client, "virtual_machines", None) or client.network_interfaces
            with self.assertRaises(Stop):
                next(iter(operations.list("g-1")))
        self.discover(self.fake, "azure", self.environment, self.state)
        own = [record for record in self.fake.records
               if record["path"].startswith("/subscriptions/")]
        firsts = [record for record in own if "$skiptoken" not in record["query"]]
        self.assertEqual(len(firsts), 2)
        for record, wanted in zip(firsts, sent):
            url = wanted.url.removeprefix("https://management.azure.com")
            path, _, query = url.partition("?")
            self.assertEqual(record["path"], path)
            # The library asks for the newest version that it knows, we for the one that we read.
            self.assertEqual(record["query"].keys(), dict(parse_qsl(query)).keys())

    @unittest.skipUnless(has("azure.mgmt.compute") and has("azure.mgmt.network"),
                         "azure-mgmt-compute and azure-mgmt-network are not installed")
    def test_the_fake_answers_in_the_models_own_words(self):
        from azure.mgmt.compute.models import VirtualMachine
        from azure.mgmt.network.models import NetworkInterface
        self.fake.state.update(self.state)
        machine = VirtualMachine(self.fake.machine(self.fake.state["instances"][0]))
        self.assertEqual(machine.properties.provisioning_state, "Succeeded")
        interface = NetworkInterface(self.fake.interface(self.fake.state["instances"][0]))
        first = interface.properties.ip_configurations[1].properties
        self.assertTrue(first.primary)
        self.assertEqual(getattr(first, "private_ip_address"), "10.0.0.1")


if __name__ == "__main__":
    unittest.main()
