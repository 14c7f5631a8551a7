"""The user-data of all roles on all clouds, as cloud-init, systemd and the shell read it."""

import re
import shutil
import tempfile
import unittest
from pathlib import Path

import user_data
from render import SECRETS, render

CLOUD = Path(__file__).resolve().parent.parent
PACKAGING = CLOUD.parent / "packaging"
REFERENCES = {
    "aws": "aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:{}-AbCdEf",
    "gcp": "gcp:projects/p/secrets/{}/versions/latest",
    "azure": "azure:https://v.vault.azure.net/secrets/{}",
}
DISKS = {
    "aws": ["auto"],
    "gcp": ["/dev/disk/by-id/google-dstorage"],
    "azure": ["/dev/disk/azure/scsi1/lun0", "/dev/disk/azure/data/by-lun/0"],
}


def rendered(cloud, role, **more):
    return render(
        cloud=cloud,
        role=role,
        cluster_name="c1",
        coordinator_count=3,
        secrets={name: REFERENCES[cloud].format(name) for name in SECRETS[role]},
        data_disk=[] if role == "gateway" else DISKS[cloud],
        **more,
    )


class UserDataTests(unittest.TestCase):
    def test_every_role_on_every_cloud(self):
        for cloud in REFERENCES:
            for role in SECRETS:
                with self.subTest(cloud=cloud, role=role):
                    user_data.check(self, rendered(cloud, role), role, cloud)

    def test_the_checks_see_mistakes(self):
        good = rendered("aws", "storage")
        bad = {
            "unknown key": good.replace("runcmd:", "runcmds:"),
            "a secret": good.replace("join-token aws:arn", "join-token 00ff:arn"),
            "a setting": good.replace("ZONE=auto", "ZONE=auto\n    JOIN_TOKEN=abc"),
            "a shell error": good.replace('mkdir -p "$state"', "mkdir -p $state"),
            "wrong type": good.replace('permissions: "0644"', "permissions: [1]", 1),
        }
        for what, text in bad.items():
            with self.subTest(what):
                self.assertNotEqual(text, good)
                with self.assertRaises((AssertionError, ValueError)):
                    user_data.check(unittest.TestCase(), text, "storage", "aws")

    def test_a_package_is_installed_by_its_checksum(self):
        url, sha256 = "https://example.com/dstnode.deb", "0123456789abcdef" * 4
        text = rendered("gcp", "storage", deb_url=url, deb_sha256=sha256)
        user_data.check(self, text, "storage", "gcp")
        self.assertIn(f'- [/usr/local/sbin/dstnode-install, "{url}", "{sha256}"]', text)

    def test_systemd_takes_the_units(self):
        """With the package's own unit, in a root of their own: no word from systemd is allowed."""
        for role in SECRETS:
            with self.subTest(role), tempfile.TemporaryDirectory() as root:
                units = Path(root, "etc/systemd/system")
                shutil.copytree("/lib/systemd/system", Path(root, "lib/systemd/system"), symlinks=True)
                Path(root, "usr/bin").mkdir(parents=True)
                Path(root, "usr/bin/dstnode").touch(mode=0o755)
                for path, content in user_data.files(rendered("aws", role)).items():
                    file = Path(root, path.lstrip("/"))
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(content)
                    file.chmod(0o755 if "sbin" in path else 0o644)
                shutil.copy(PACKAGING / "systemd/dstnode.service", units)
                done = user_data.run(
                    "systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                    f"--root={root}", "dstnode.service", "dstnode-secrets.service",
                    *([] if role == "gateway" else ["dstnode-disk.service"]),
                )
                said = [line for line in done.stderr.splitlines() if "dstnode" in line]
                self.assertEqual((done.returncode, said), (0, []), done.stderr)

    def test_clients_have_to_be_named(self):
        """No module opens a port to networks that nobody named."""
        for cloud in REFERENCES:
            text = (CLOUD / cloud / "variables.tf").read_text()
            block = re.search(r'(?ms)^variable "client_cidrs" \{.*?^\}', text)[0]
            self.assertNotRegex(block, r"(?m)^ *default *=", cloud)
            self.assertNotIn("0.0.0.0/0", text, cloud)
        template = (CLOUD / "aws/cloudformation/dstnode.yaml").read_text()
        block = re.search(r"(?ms)^  ClientCidr:.*?(?=^  \w)", template)[0]
        self.assertNotIn("Default:", block)

    def test_the_modules_have_one_vocabulary(self):
        """What one module calls something, the others call it too."""
        own = {
            "aws": {"vpc_id", "subnet_ids", "key_name", "kms_key", "warmup_s", "certificate_arn"},
            "gcp": {"project", "region", "zones", "network_id", "subnet_id"},
            "azure": {
                "resource_group", "location", "zones", "subnet_id", "key_vault_id",
                "admin_ssh_public_key",
            },
        }
        names = {
            cloud: set(re.findall(r'(?m)^variable "(\w+)"', (CLOUD / cloud / "variables.tf").read_text()))
            for cloud in own
        }
        common = {cloud: names[cloud] - own[cloud] for cloud in own}
        self.assertEqual(common["aws"], common["gcp"])
        # Azure's longest notice is fixed.
        self.assertEqual(common["aws"] - {"drain_timeout_s"}, common["azure"])
        outputs = {
            cloud: set(re.findall(r'(?m)^output "(\w+)"', (CLOUD / cloud / "outputs.tf").read_text()))
            for cloud in own
        }
        self.assertEqual(outputs["aws"], outputs["gcp"])
        self.assertEqual(outputs["aws"], outputs["azure"])
