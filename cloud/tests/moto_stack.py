"""The CloudFormation stack in moto: a server of its own, and what it made of the template."""

import base64
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

TEMPLATE = Path(__file__).resolve().parent.parent / "aws/cloudformation/dstnode.yaml"
REGION = "eu-west-1"
CLUSTER = "c1"
ACCOUNT = "123456789012"
COUNTS = {"coordinator": 3, "storage": 5, "gateway": 2}
FORM_UNTIL = "2030-01-02T03:04:05Z"


def secret(name):
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"


SECRETS = {
    "ClusterSecret": secret("cluster-secret"),
    "StorageJoinTokenSecret": secret("storage-join-token"),
    "GatewayJoinTokenSecret": secret("gateway-join-token"),
    "EncryptionKeySecret": secret("encryption-key"),
    "RootSecretKeySecret": secret("root-secret-key"),
}


def template():
    """The template as moto can make it: it takes every load balancer for one of HTTP."""
    text = TEMPLATE.read_text()
    protocol = "Protocol: !If [HasCertificate, TLS, TCP]"
    assert text.count(protocol) == 1
    return text.replace(protocol, "Protocol: HTTP")


class MotoServer:
    """moto on a free port of this machine, ended by its process id."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=self.log, stderr=self.log,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise RuntimeError("moto did not start") from None
                time.sleep(0.1)

    def client(self, service):
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url,
            aws_access_key_id="moto", aws_secret_access_key="moto",
            config=Config(retries={"max_attempts": 1}),
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Stack:
    """The template's stack in the default network of a moto account."""

    def __init__(self, server, **parameters):
        self.server = server
        self.ec2 = server.client("ec2")
        self.cloudformation = server.client("cloudformation")
        self.image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        subnets = self.ec2.describe_subnets()["Subnets"][:3]
        given = {
            "ClusterName": CLUSTER,
            "VpcId": subnets[0]["VpcId"],
            "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
            "ClientCidr": "10.0.0.0/16",
            "ImageId": self.image,
            "StorageDiskGb": "500",
            "FormCluster": FORM_UNTIL,
            **SECRETS,
            **parameters,
        }
        self.name = f"dstorage-{given['ClusterName']}"
        self.cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=template(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
            ],
        )

    def status(self):
        return self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]

    def instances(self, role=None, state="running"):
        filters = {"tag:dst-cluster": CLUSTER, "instance-state-name": state}
        if role:
            filters["tag:dst-role"] = role
        pages = self.ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
        )
        return [
            instance
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    def launch_template(self, role):
        """The data of the role's launch template, its user-data decoded."""
        (version,) = self.ec2.describe_launch_template_versions(
            LaunchTemplateName=f"{CLUSTER}-{role}"
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        data["UserData"] = base64.b64decode(data["UserData"]).decode()
        return data
