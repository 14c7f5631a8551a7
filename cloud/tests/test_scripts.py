"""The scripts that run on machines and beside them, with stand-ins for the programs they call."""

import hashlib
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

CLOUD = Path(__file__).resolve().parent.parent
COMMON = CLOUD / "common"


class ScriptCase(unittest.TestCase):
    """A directory with stand-ins; each writes its name and arguments into the file `calls`."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.bin = self.directory / "bin"
        self.bin.mkdir()
        self.calls = self.directory / "calls"
        self.calls.touch()

    def stand_in(self, name, body="true"):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        path.chmod(0o755)

    def run_script(self, script, *arguments, **env):
        return subprocess.run(
            [str(script), *arguments],
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "D": str(self.directory), **env},
        )

    def called(self):
        return self.calls.read_text().splitlines()


class FetchSecretsTests(ScriptCase):
    def fetch(self):
        listed = self.directory / "secrets"
        listed.write_text("join-token aws:arn:x\nroot-secret-key aws:arn:y\n")
        self.secrets = self.directory / "run"
        self.secrets.mkdir()
        return self.run_script(
            COMMON / "fetch-secrets", DST_SECRETS_LIST=str(listed), DST_SECRETS_PAUSE="0",
            RUNTIME_DIRECTORY=str(self.secrets),
        )

    def test_each_by_its_name_where_only_root_reads(self):
        # It reads what it is given, so that it would swallow the rest of the list.
        self.stand_in("dstnode", 'cat >/dev/null\necho "of $3" >"$5"')
        done = self.fetch()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.secrets / "join-token").read_text(), "of aws:arn:x\n")
        self.assertEqual((self.secrets / "root-secret-key").read_text(), "of aws:arn:y\n")
        self.assertEqual((self.secrets / "join-token").stat().st_mode & 0o777, 0o600)

    def test_tries_again_and_says_so(self):
        self.stand_in("dstnode", '[ "$(wc -l <"$D/calls")" -ge 3 ] && echo x >"$5"')
        done = self.fetch()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("no join-token yet"), 2)
        self.assertTrue((self.secrets / "root-secret-key").exists())


class InstallTests(ScriptCase):
    def setUp(self):
        super().setUp()
        self.etc = self.directory / "etc"
        self.etc.mkdir()
        (self.etc / "dstnode.env.new").write_text("NODE_TYPE=storage\n")
        for name in ("apt-get", "mkfs.xfs"):
            self.stand_in(name)
        state = '[ -f "$D/etc/dstnode.env" ] && echo configured >>"$D/calls" || true'
        self.stand_in("systemctl", state)

    def install(self, *arguments):
        return self.run_script(
            COMMON / "install", *arguments, DST_CONFIGURATION=str(self.etc), DST_INSTALL_PAUSE="0"
        )

    def test_an_image_that_has_all_needs_no_package_server(self):
        self.stand_in("dstnode")
        done = self.install("", "")
        self.assertEqual(done.returncode, 0, done.stderr)
        # systemd knows the drop-in before there is a configuration to start with.
        self.assertEqual(self.called(), [
            "systemctl daemon-reload",
            "systemctl enable dstnode.service", "configured",
            "systemctl restart --no-block dstnode.service", "configured",
        ])

    def test_what_has_another_checksum_is_not_installed(self):
        # The first download is cut short, the second is right.
        self.stand_in("curl", '''
            for last; do case $previous in --output) file=$last ;; esac; previous=$last; done
            [ -f "$D/second" ] && printf right >"$file" || printf wrong >"$file"
            touch "$D/second"''')
        done = self.install("https://example.com/d.deb", hashlib.sha256(b"right").hexdigest())
        self.assertEqual(done.returncode, 0, done.stderr)
        installs = [call for call in self.called() if " install " in call]
        self.assertEqual(len(installs), 1, self.called())
        self.assertRegex(installs[0], r" install /\S+\.deb$")
        self.assertEqual(sum(call.startswith("curl") for call in self.called()), 2)
        self.assertIn("trying again", done.stderr)
        self.assertTrue((self.etc / "dstnode.env").exists())


class RollTests(ScriptCase):
    def roll(self, cloud, *arguments):
        return self.run_script(
            CLOUD / cloud / "roll", *arguments, DST_ROLL_PAUSE="0", DST_ROLL_TIMEOUT="0"
        )

    def test_gcp_one_machine_after_the_other(self):
        self.stand_in("gcloud", 'case "$*" in *list-instances*) printf "z/a\\nz/b\\n" ;; esac')
        self.stand_in("well")
        done = self.roll("gcp", "--project", "p", "--region", "r", "g", "well")
        self.assertEqual(done.returncode, 0, done.stderr)
        steps = [call.split(" g ")[0].split()[-1] for call in self.called()]
        one = ["well", "update-instances", "wait-until"]
        self.assertEqual(steps, ["list-instances", *one, *one, "well"])
        self.assertIn("--instances=z/a --minimal-action=replace", self.called()[2])

    def test_gcp_stops_where_the_cluster_is_not_well(self):
        self.stand_in("gcloud", 'case "$*" in *list-instances*) printf "z/a\\nz/b\\n" ;; esac')
        self.stand_in("well", '! grep -q z/a "$D/calls"')
        done = self.roll("gcp", "--project", "p", "--region", "r", "g", "well")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not well", done.stderr)
        self.assertFalse(any("z/b" in call for call in self.called()))

    def test_azure_adds_one_before_it_deletes_one(self):
        self.stand_in("az", 'case "$*" in *"vm list"*) printf "a\\nb\\nc\\n" ;; esac')
        self.stand_in("well")
        done = self.roll("azure", "--resource-group", "r", "s", "well")
        self.assertEqual(done.returncode, 0, done.stderr)
        steps = [" ".join(call.split()[:3]) for call in self.called()]
        one = ["well", "az vmss scale", "well", "az vmss delete-instances"]
        self.assertEqual(steps, ["az vm list", *one * 3, "well"])
        self.assertIn("--new-capacity 4", self.called()[2])

    def test_what_is_missing_is_said(self):
        for cloud in ("gcp", "azure"):
            done = self.roll(cloud, "group")
            self.assertEqual(done.returncode, 64)
            self.assertIn(f"cloud/{cloud}/roll --", done.stderr)
