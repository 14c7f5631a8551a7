"""scripts/up and scripts/down, as the README says."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from cluster import free_ports

ROOT = Path(__file__).parent.parent.parent


class Scripts(unittest.TestCase):
    def test_up_and_down(self):
        """up proves itself, a second up keeps the data, down stops"""
        with tempfile.TemporaryDirectory(dir=os.environ.get("DST_TEST_DIR")) as scratch:
            home = Path(scratch) / "home"
            ports = list(map(str, free_ports(10)))
            environment = {
                **os.environ,
                "DST_HOME": str(home),
                "DST_GATEWAY_PORTS": ",".join(ports[:2]),
                "DST_NODE_PORTS": ",".join(ports[2:]),
                "DST_CAPACITY": "2GB",
            }

            def run(*command, code=0):
                done = subprocess.run(
                    list(map(str, command)),
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=1500,
                )
                self.assertEqual(done.returncode, code, f"{done.stdout}\n{done.stderr}")
                return done.stdout + done.stderr

            try:
                text = run(ROOT / "scripts/up", "--detach")
                self.assertIn("equal", text)
                self.assertIn(f"http://127.0.0.1:{ports[0]}", text)
                self.assertEqual((home / "client.env").stat().st_mode & 0o777, 0o600)
                for secret in (home / "secrets").iterdir():
                    self.assertEqual(secret.stat().st_mode & 0o777, 0o600)
                pasted = next(line for line in text.splitlines() if "aws s3 mb" in line)
                run("bash", "-c", f". {home}/client.env && {pasted}")
                self.assertIn("already running", run(ROOT / "scripts/up", "--detach"))
                run(ROOT / "scripts/down")
                self.assertIn("nothing runs", run(ROOT / "scripts/down"))
                run(ROOT / "scripts/up", "--detach")
                listed = run("bash", "-c", f". {home}/client.env && aws s3 ls s3://mine/")
                self.assertIn("README.md", listed)
            finally:
                subprocess.run(
                    [ROOT / "scripts/down"], env=environment, capture_output=True, timeout=120
                )


if __name__ == "__main__":
    unittest.main()
