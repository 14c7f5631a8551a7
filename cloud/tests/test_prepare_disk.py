"""prepare-disk on real block devices: files behind loop devices. As root."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "common" / "prepare-disk"
# The smallest that mkfs.xfs takes is 300 MiB.
DISK_BYTES = 400 << 20


def call(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@unittest.skipUnless(os.geteuid() == 0, "loop devices and mounting need root")
class PrepareDiskTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.mount_point = self.directory / "mount"
        self.state = self.directory / "state"

    def disk(self, name="disk"):
        file = self.directory / name
        with file.open("wb") as handle:
            handle.truncate(DISK_BYTES)
        device = call("losetup", "--find", "--show", str(file))
        self.addCleanup(subprocess.run, ["losetup", "--detach", device])
        # Before the device goes, what is mounted of it.
        self.addCleanup(self.unmount)
        return device

    def unmount(self):
        if os.path.ismount(self.mount_point):
            call("umount", str(self.mount_point))

    def prepare(self, *arguments, path=""):
        return subprocess.run(
            [str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60,
            env={
                "PATH": path + os.environ["PATH"] + ":/sbin:/usr/sbin",
                "DST_MOUNT_POINT": str(self.mount_point),
                "DST_DISK_STATE": str(self.state),
                "DST_DISK_WAIT": "1",
            },
        )

    def refused(self, device, words):
        """The disk is as it was, nothing is mounted, and the reason is said."""
        before = Path(device).read_bytes()[: 4 << 20]
        done = self.prepare(device)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(Path(device).read_bytes()[: 4 << 20], before)
        self.assertFalse(os.path.ismount(self.mount_point))

    def test_a_new_disk_and_every_boot_after(self):
        device = self.disk()
        done = self.prepare("/dev/not-this-one", device)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(os.path.ismount(self.mount_point))
        options = call("findmnt", "-no", "OPTIONS", str(self.mount_point))
        for option in ("noatime", "nodev", "nosuid", "noexec"):
            self.assertIn(option, options)
        data = self.mount_point / "node.json"
        data.write_text("{}")

        done = self.prepare(device)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        call("umount", str(self.mount_point))
        done = self.prepare(device)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(data.read_text(), "{}")
        self.assertNotIn("new", done.stdout)

    def test_what_the_node_may_fill_follows_the_disk(self):
        device = self.disk()
        self.assertEqual(self.prepare(device).returncode, 0)
        capacity = self.state / "capacity.env"
        small = int(capacity.read_text().removeprefix("CAPACITY_GB=").removesuffix("MiB\n"))
        self.assertTrue(250 < small < 360, small)
        os.truncate(self.directory / "disk", 2 * DISK_BYTES)
        call("losetup", "--set-capacity", device)
        self.assertEqual(self.prepare(device).returncode, 0)
        large = int(capacity.read_text().removeprefix("CAPACITY_GB=").removesuffix("MiB\n"))
        self.assertGreater(large, 1.8 * small)

    def test_foreign_file_systems_are_not_touched(self):
        device = self.disk()
        for command in (["mkfs.ext4", "-q"], ["mkfs.xfs", "-q", "-f", "-L", "other"], ["mkswap", "-f"]):
            with self.subTest(command[0]):
                call(*command, device)
                self.refused(device, "it is not touched")

    def test_a_partition_table_is_not_touched(self):
        device = self.disk()
        subprocess.run(["sfdisk", "-q", device], input=b"label: gpt\n,100M\n", check=True, stderr=subprocess.DEVNULL)
        self.refused(device, "it is not touched")

    def test_unknown_bytes_are_not_touched(self):
        device = self.disk()
        with open(device, "r+b") as handle:
            handle.seek(500_000)
            handle.write(b"somebody's data")
        self.refused(device, "it is not touched")

    def test_no_disk_is_an_error(self):
        done = self.prepare("/dev/there-is-no-such-disk")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no data disk", done.stderr)
        self.assertFalse(self.mount_point.exists())

    def test_files_below_the_mount_point_are_not_hidden(self):
        device = self.disk()
        self.mount_point.mkdir()
        (self.mount_point / "node.json").write_text("{}")
        done = self.prepare(device)
        self.assertEqual(done.returncode, 1)
        self.assertIn("would hide", done.stderr)

    def lsblk(self, *disks):
        """A stand-in: the system's disk, one in use, one read-only, and the given ones."""
        directory = self.directory / "bin"
        directory.mkdir()
        names = "".join(f"{name} disk 0\\n" for name in ("vda", "vdm", *disks))
        script = directory / "lsblk"
        script.write_text(f"""#!/bin/sh
            case $* in
            *--nodeps*) printf '{names}vdr disk 1\\nloop7 loop 0\\nsr0 rom 0\\n' ;;
            *MOUNTPOINT*vdm) echo /mnt ;;
            *MOUNTPOINT*) echo ;;
            *NAME*vda) printf 'vda\\nvda1\\n' ;;
            *NAME*) echo one ;;
            esac""")
        script.chmod(0o755)
        return f"{directory}:"

    def test_auto_takes_the_only_free_disk(self):
        done = self.prepare("auto", path=self.lsblk("there-is-no-such"))
        # It is chosen, and then it can't be read.
        self.assertEqual(done.returncode, 1)
        self.assertIn("/dev/there-is-no-such holds bytes", done.stderr)

    def test_auto_does_not_guess(self):
        done = self.prepare("auto", path=self.lsblk("vdx", "vdy"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("more than one disk is free", done.stderr)

    def test_auto_waits_and_then_says_that_there_is_none(self):
        done = self.prepare("auto", path=self.lsblk())
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no data disk (auto) after 1 s", done.stderr)
