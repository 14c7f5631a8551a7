"""The CloudFormation template, created in moto.

moto makes no lifecycle hooks, does not spread zones and knows no TCP listeners: those are read in the
template.
"""

import ast
import unittest

import yaml

import user_data
from moto_stack import COUNTS, FORM_UNTIL, SECRETS, TEMPLATE, MotoServer, Stack
from render import SECRETS as NAMES
from render import render

# What CloudFormation takes in a request; more must be uploaded to a bucket first.
TEMPLATE_BYTES_MAX = 51_200


class Loader(yaml.SafeLoader):
    """Short forms of functions as pairs of name and argument."""


def function(loader, name, node):
    kind = {"scalar": loader.construct_scalar, "sequence": loader.construct_sequence}
    construct = kind.get(node.id, loader.construct_mapping)
    argument = construct(node, deep=True) if node.id != "scalar" else construct(node)
    return {name: argument}


Loader.add_multi_constructor("!", function)


def reads(policy):
    """ARNs of the secrets that a policy lets a role read."""
    # moto hands the documents of stacks out as the text of Python values, and what is left out as None.
    if isinstance(policy, str):
        policy = ast.literal_eval(policy)
    return [
        arn
        for statement in policy["Statement"]
        if statement and "secretsmanager:GetSecretValue" in statement["Action"]
        for arn in statement["Resource"]
    ]


class StackTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MotoServer()
        cls.addClassCleanup(cls.server.stop)
        cls.stack = Stack(cls.server)

    def test_is_created_with_the_instances_of_each_role(self):
        self.assertEqual(self.stack.status(), "CREATE_COMPLETE")
        counts = {role: len(self.stack.instances(role)) for role in COUNTS}
        self.assertEqual(counts, COUNTS)
        self.assertEqual(len(self.stack.instances()), sum(COUNTS.values()))

    def test_user_data_is_what_the_terraform_module_writes(self):
        arns = {
            "coordinator": {"cluster-secret": "ClusterSecret"},
            "storage": {"join-token": "StorageJoinTokenSecret"},
            "gateway": {
                "join-token": "GatewayJoinTokenSecret",
                "encryption-key": "EncryptionKeySecret",
                "root-secret-key": "RootSecretKeySecret",
            },
        }
        for role in COUNTS:
            with self.subTest(role):
                text = self.stack.launch_template(role)["UserData"]
                user_data.check(self, text, role, "aws")
                self.assertEqual(set(arns[role]), set(NAMES[role]))
                expected = render(
                    cloud="aws",
                    role=role,
                    cluster_name="c1",
                    coordinator_count=3,
                    form_cluster=FORM_UNTIL,
                    secrets={name: f"aws:{SECRETS[arn]}" for name, arn in arns[role].items()},
                    data_disk=[] if role == "gateway" else ["auto"],
                )
                self.assertEqual(text, expected)

    def test_metadata_only_with_a_token(self):
        for role in COUNTS:
            options = self.stack.launch_template(role)["MetadataOptions"]
            self.assertEqual(options["HttpTokens"], "required", role)
            self.assertEqual(options["HttpPutResponseHopLimit"], 1, role)

    def test_data_disks_are_encrypted(self):
        for role, gib in {"coordinator": 20, "storage": 500}.items():
            (mapping,) = self.stack.launch_template(role)["BlockDeviceMappings"]
            self.assertTrue(mapping["Ebs"]["Encrypted"], role)
            self.assertEqual(mapping["Ebs"]["VolumeSize"], gib, role)
        self.assertNotIn("BlockDeviceMappings", self.stack.launch_template("gateway"))

    def test_each_role_reads_its_own_secrets(self):
        iam = self.server.client("iam")
        found = {}
        for role in iam.list_roles()["Roles"]:
            policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="dstnode")
            found[tuple(sorted(reads(policy["PolicyDocument"])))] = role["RoleName"]
        expected = {
            (SECRETS["ClusterSecret"],),
            (SECRETS["StorageJoinTokenSecret"],),
            tuple(sorted(SECRETS[name] for name in (
                "GatewayJoinTokenSecret", "EncryptionKeySecret", "RootSecretKeySecret"
            ))),
        }
        self.assertEqual(set(found), expected)

    def test_9000_is_open_where_it_is_needed(self):
        groups = self.stack.ec2.describe_security_groups()["SecurityGroups"]
        doors = []
        for group in groups:
            if not group["GroupName"].startswith(self.stack.name):
                continue
            kind = group["Description"].split(",")[0]
            for rule in group["IpPermissions"]:
                networks = [network["CidrIp"] for network in rule["IpRanges"]]
                peers = [pair["GroupId"] for pair in rule["UserIdGroupPairs"]]
                doors.append((kind, rule["FromPort"], rule["ToPort"], networks, len(peers)))
        self.assertEqual(sorted(doors), [
            ("All nodes of the cluster", 9000, 9000, [], 1),
            ("Gateways", 9000, 9000, [], 1),
            ("Load balancer", 9000, 9000, ["10.0.0.0/16"], 0),
        ])


class TemplateTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = TEMPLATE.read_text()
        cls.resources = yaml.load(cls.text, Loader)["Resources"]

    def properties(self, role):
        return self.resources[f"{role}Group"]["Properties"]

    def test_fits_into_a_request(self):
        self.assertLess(len(self.text.encode()), TEMPLATE_BYTES_MAX)

    def test_stateful_groups_replace_one_at_a_time(self):
        for role in ("Coordinator", "Storage"):
            group = self.properties(role)
            self.assertEqual(
                group["InstanceMaintenancePolicy"],
                {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 101},
            )
            self.assertEqual(group["HealthCheckType"], "EC2")
            self.assertEqual(group["MinSize"], group["DesiredCapacity"])
            zones = group["AvailabilityZoneDistribution"]["CapacityDistributionStrategy"]
            self.assertEqual(zones, "balanced-only")

    def test_the_load_balancer_takes_tcp_and_asks_health(self):
        self.assertEqual(
            self.resources["Listener"]["Properties"]["Protocol"],
            {"If": ["HasCertificate", "TLS", "TCP"]},
        )
        balancer = self.resources["LoadBalancer"]["Properties"]
        self.assertEqual((balancer["Type"], balancer["Scheme"]), ("network", "internal"))
        target = self.resources["TargetGroup"]["Properties"]
        self.assertEqual(target["HealthCheckPath"], {"Ref": "HealthCheckPath"})
        parameters = yaml.load(self.text, Loader)["Parameters"]
        self.assertEqual(parameters["HealthCheckPath"]["Default"], "/health")
        self.assertEqual(parameters["FormCluster"]["Default"], "never")

    def test_every_role_drains_first(self):
        for role, result in {"Coordinator": "ABANDON", "Storage": "ABANDON", "Gateway": "CONTINUE"}.items():
            (hook,) = self.properties(role)["LifecycleHookSpecificationList"]
            self.assertEqual(hook["LifecycleHookName"], "dst-terminating")
            self.assertEqual(hook["LifecycleTransition"], "autoscaling:EC2_INSTANCE_TERMINATING")
            self.assertEqual(hook["DefaultResult"], result)
            self.assertEqual(hook["HeartbeatTimeout"], {"Ref": "DrainTimeoutS"})
        for role in ("Coordinator", "Storage"):
            # Without it ABANDON would end the instance all the same.
            triggers = self.properties(role)["InstanceLifecyclePolicy"]["RetentionTriggers"]
            self.assertEqual(triggers, {"TerminateHookAbandon": "retain"})
