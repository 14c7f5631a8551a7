"""The package without a machine: its content, its units, the examples."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from cluster import DSTNODE, plain_environment
from guide import ROOT, blocks
from machines import call
from package import package

UNITS = ROOT / "packaging" / "systemd"
EXPOSURE_MAX = 2.0


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="dst-unpacked-")
        cls.root = Path(cls.directory.name)
        call("dpkg-deb", "--extract", str(package()), str(cls.root))

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def test_lintian(self):
        """lintian finds no error"""
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on=error", str(package())],
            capture_output=True, text=True, timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_dependencies(self):
        """what it depends on is in Debian 12 and in Ubuntu 22.04"""
        depends = call("dpkg-deb", "--field", str(package()), "Depends")
        # Ubuntu 22.04: libc 2.35, sqlite 3.37.2, OpenSSL 3.0.2, libstdc++ 12.
        newest = {
            "libc6": (2, 35), "libsqlite3-0": (3, 37, 2), "libssl3": (3, 0, 2),
            "libstdc++6": (12,), "libgcc-s1": (12,), "zlib1g": (1, 2, 11), "systemd": (249,),
        }
        for entry in depends.split(", "):
            name, _, rest = entry.strip().partition(" ")
            if name in ("ca-certificates",):
                continue
            self.assertIn(name, newest, f"{entry} is of neither or was never looked at")
            wanted = re.search(r">= (?:\d+:)?([\d.]+)", rest)
            version = tuple(int(part) for part in wanted.group(1).split(".")) if wanted else ()
            self.assertLessEqual(version, newest[name], entry)

    def test_no_configuration(self):
        """no configuration and no secret come with it"""
        content = call("dpkg-deb", "--contents", str(package()))
        self.assertNotIn("./etc/dstnode", content)
        for example in (self.root / "usr/share/doc/dstnode/examples").glob("*.env"):
            text = example.read_text()
            self.assertNotRegex(text, r"(?m)^\w*(SECRET|ENCRYPTION)\w*=", example.name)

    def test_verify(self):
        """systemd-analyze finds nothing to say about the units"""
        # Units are looked at as installed, so that the program in ExecStart is there.
        units = sorted((self.root / "lib/systemd/system").iterdir())
        self.assertEqual([unit.name for unit in units], ["dstnode.service", "dstnode@.service"])
        with tempfile.TemporaryDirectory() as scratch:
            for unit in units:
                text = unit.read_text()
                self.assertIn("ExecStart=/usr/bin/dstnode start\n", text)
                placed = Path(scratch) / unit.name
                placed.write_text(
                    text.replace("=/usr/bin/dstnode", f"={self.root}/usr/bin/dstnode")
                )
                done = subprocess.run(
                    ["systemd-analyze", "verify", "--man=no", str(placed)],
                    capture_output=True, text=True, timeout=60,
                )
                # It ends with 0 on an unknown key too.
                self.assertEqual((done.stdout + done.stderr, done.returncode), ("", 0))

    def test_verify_sees_mistakes(self):
        """the check above notices a misspelt key"""
        with tempfile.TemporaryDirectory() as scratch:
            placed = Path(scratch) / "dstnode.service"
            text = (UNITS / "dstnode.service").read_text()
            placed.write_text(text.replace("ProtectClock=", "ProtectClocks="))
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", str(placed)],
                capture_output=True, text=True, timeout=60,
            )
            self.assertIn("ProtectClocks", done.stdout + done.stderr)

    def test_security(self):
        """systemd-analyze security rates both units at 2.0 or better"""
        for name in ("dstnode.service", "dstnode@.service"):
            text = call(
                "systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / name)
            )
            exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", text).group(1))
            self.assertLessEqual(exposure, EXPOSURE_MAX, text)

    def test_template(self):
        """dstnode@.service differs from dstnode.service only where instances do"""
        plain = (UNITS / "dstnode.service").read_text()
        expected = plain.replace("Description=dstorage node", "Description=dstorage node %i")
        expected = expected.replace("/etc/dstnode/dstnode.env", "/etc/dstnode/%i.env")
        expected = expected.replace("StateDirectory=dstorage\n", "StateDirectory=dstorage-%i\n")
        expected = expected.replace(
            "EnvironmentFile=",
            "Environment=NODE_ID=%i DATA_PATH=/var/lib/dstorage-%i\nEnvironmentFile=",
        )
        self.assertEqual((UNITS / "dstnode@.service").read_text(), expected)

    def test_stop_time(self):
        """the unit waits for longer than the node gives itself to stop"""
        code = (ROOT / "Sources/dstnode/Node/NodeService.swift").read_text()
        graceful = int(re.search(r"gracefulStopMax = Duration.seconds\((\d+)\)", code).group(1))
        code = (ROOT / "Sources/dstnode/Node/NodeBase.swift").read_text()
        drain = int(re.search(r"drainTime = TimeAmount.seconds\((\d+)\)", code).group(1))
        unit = (UNITS / "dstnode.service").read_text()
        timeout = int(re.search(r"(?m)^TimeoutStopSec=(\d+)s$", unit).group(1))
        self.assertGreaterEqual(timeout, graceful + drain + 10)

    def test_examples(self):
        """each role's example is a valid configuration as it stands"""
        secret = call("openssl", "rand", "-hex", "32")
        for role, names in (
            ("coordinator", ["cluster-secret"]),
            ("storage", ["cluster-secret"]),
            ("gateway", ["cluster-secret", "encryption-key", "root-secret-key"]),
        ):
            example = ROOT / "packaging/env" / f"{role}.env"
            settings = dict(
                line.split("=", 1)
                for line in example.read_text().splitlines()
                if line and not line.startswith("#")
            )
            self.assertEqual(settings["NODE_TYPE"], role)
            with tempfile.TemporaryDirectory() as credentials:
                for name in names:
                    (Path(credentials) / name).write_text(secret)
                done = subprocess.run(
                    [DSTNODE, "config", "check"],
                    env={
                        **plain_environment(), **settings, "CREDENTIALS_DIRECTORY": credentials,
                    },
                    capture_output=True, text=True, timeout=60,
                )
            self.assertEqual((done.returncode, done.stderr), (0, ""), role)
            self.assertNotIn(secret.strip(), done.stdout)

    def test_guide(self):
        """the guide's blocks are the ones that the tests run"""
        self.assertEqual(
            sorted(blocks()),
            sorted(
                "install secrets coordinator storage gateway check firewall start ready use "
                "token upgrade instance".split()
            ),
        )


if __name__ == "__main__":
    unittest.main()
