"""The lossy disk loses what was not synced, and nothing else."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cluster import scratch
from power import HERE, MOODS, Disk, build

SEEDS = 30


class File:
    """Bytes now, and all that may be there after a power cut, byte by byte."""

    def __init__(self):
        self.now = bytearray()
        self.synced = bytes()
        self.was_synced_at = 0
        self.pending = []

    def change(self, begin, end):
        self.pending.append((begin, end))

    def write(self, offset, data):
        if offset > len(self.now):
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data
        self.change(offset, offset + len(data))

    def resize(self, size):
        self.change(min(size, len(self.now)), max(size, len(self.now)))
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))

    def punch(self, offset, length):
        end = min(len(self.now), offset + length)
        if offset < end:
            self.now[offset:end] = bytes(end - offset)
            self.change(offset, end)

    def sync(self):
        self.synced, self.pending = bytes(self.now), []


class Model:
    """The directory as the program says that it is."""

    def __init__(self):
        self.names, self.synced_names = {}, {}
        self.history = [{}]

    def apply(self, what, *words):
        names = self.names
        if what == "create":
            names[words[0]] = File()
        elif what == "write":
            offset, length, byte = map(int, words[1:])
            names[words[0]].write(offset, bytes([byte]) * length)
        elif what == "resize":
            names[words[0]].resize(int(words[1]))
        elif what == "allocate":
            file = names[words[0]]
            file.resize(max(len(file.now), int(words[1])))
        elif what == "punch":
            names[words[0]].punch(int(words[1]), int(words[2]))
        elif what == "sync":
            names[words[0]].sync()
        elif what == "rename":
            names[words[1]] = names.pop(words[0])
        elif what == "unlink":
            del names[words[0]]
        elif what == "sync-names":
            self.synced_names, self.history = dict(names), [dict(names)]
        if what in ("create", "rename", "unlink"):
            self.history.append(dict(names))


class Unsynced(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="dst-unsynced-", dir=scratch()))
        self.addCleanup(shutil.rmtree, self.directory)
        self.library = build("unsynced", self.directory)

    def disk(self, name="disk", lie=""):
        root = self.directory / name
        root.mkdir(exist_ok=True)
        return Disk(root, self.directory / f"{name}.state", lie)

    def program(self, disk, what, *arguments):
        return subprocess.Popen(
            [
                sys.executable, HERE / "unsynced_program.py", what, disk.root, *map(str, arguments)
            ],
            env={**disk.environment(), "LD_PRELOAD": str(self.library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill(self, process):
        process.kill()
        rest = process.stdout.read()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        return rest

    def run_files(self, disk, seed, steps=60):
        model = Model()
        process = self.program(disk, "files", seed, steps)
        for line in process.stdout:
            if line == "done\n":
                break
            model.apply(*line.split())
        else:
            self.fail("the program fell")
        self.kill(process)
        self.assertEqual([], disk.complaints())
        return model

    def content(self, disk):
        return {path.name: path.read_bytes() for path in disk.root.iterdir()}

    def test_files(self):
        """synced bytes and names stay, unsynced ones go as the mood says; over seeds"""
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                disk = self.disk(f"disk-{seed}")
                model = self.run_files(disk, seed)
                # What is lost can be told exactly.
                mood = MOODS[seed // 2 % len(MOODS)] if seed % 2 else "none"
                told = disk.cut(seed, mood)
                self.verify(model, mood, self.content(disk), told)
                self.assertEqual(disk.unsynced(), 0)

    def verify(self, model, mood, found, told):
        if mood == "none":
            wanted = {name: file.synced for name, file in model.synced_names.items()}
            self.assert_same(found, wanted, told)
        elif mood == "all":
            wanted = {name: bytes(file.now) for name, file in model.names.items()}
            self.assert_same(found, wanted, told)
        else:
            self.assertIn(set(found), [set(names) for names in model.history], told)
            names = next(names for names in model.history if set(names) == set(found))
            # Which of several states with the same names it is, sizes could tell; bytes need not.
            if sum(set(other) == set(found) for other in model.history) == 1:
                for name, file in names.items():
                    self.verify_bytes(name, file, found[name], told)

    def assert_same(self, found, wanted, told):
        self.assertEqual(sorted(found), sorted(wanted), told)
        # A difference of so many bytes takes `assertEqual` minutes to tell.
        other = [name for name in wanted if found[name] != wanted[name]]
        self.assertEqual([], other, f"other bytes; {told}")

    def verify_bytes(self, name, file, found, told):
        """Where nothing is pending, the synced bytes; elsewhere none that were never there."""
        for at in range(len(file.synced)):
            if not any(begin <= at < end for begin, end in file.pending):
                self.assertLess(at, len(found), f"{name} is too short; {told}")
                self.assertEqual(found[at], file.synced[at], f"{name} at {at}; {told}")

    def test_a_process_that_was_only_killed(self):
        """what one process left unsynced, a power cut takes from under the next one, too"""
        disk = self.disk()
        first = self.run_files(disk, 7)
        pending = disk.unsynced()
        self.assertGreater(pending, 0)
        now = {name: bytes(file.now) for name, file in first.names.items()}
        self.assert_same(self.content(disk), now, "before the cut")
        second = self.program(disk, "sqlite", 20)
        second.stdout.readline()
        self.kill(second)
        disk.cut(7, "none")
        found = self.content(disk)
        for name, file in first.synced_names.items():
            self.assertIn(name, found)

    def rows(self, disk, mood, seed, pages=20):
        """How many rows were acknowledged and how many of them are there after a power cut."""
        process = self.program(disk, "sqlite", pages)
        acknowledged = 0
        for _ in range(60 + seed):
            acknowledged = int(process.stdout.readline())
        for line in self.kill(process).splitlines():
            acknowledged = int(line)
        self.assertEqual([], disk.complaints())
        disk.cut(seed, mood)
        try:
            database = sqlite3.connect(disk.root / "rows.sqlite")
            check = database.execute("PRAGMA integrity_check").fetchone()[0]
            count = database.execute("SELECT count(*) FROM rows").fetchone()[0]
            database.close()
        except sqlite3.DatabaseError as error:
            return acknowledged, f"{error}"
        self.assertEqual(check, "ok")
        return acknowledged, count

    def test_sqlite(self):
        """SQLite keeps what it has committed, whatever the disk makes of the rest"""
        disk = self.disk()
        for seed in range(10):
            mood = MOODS[seed % len(MOODS)]
            acknowledged, found = self.rows(disk, mood, seed)
            self.assertIn(found, (acknowledged, acknowledged + 1), mood)

    def test_sqlite_on_a_disk_that_lies(self):
        """where the syncs of its log do nothing, SQLite loses rows: the disk sees to it"""
        disk = self.disk(lie="*-wal")
        acknowledged, found = self.rows(disk, "none", 1, pages=10_000)
        self.assertNotIn(found, (acknowledged, acknowledged + 1))

    def test_a_disk_that_fails(self):
        """a sync that fails loses the bytes at once, and only the next ones count"""
        disk = self.disk()
        code = (
            "import os, sys\n"
            "file = os.open(sys.argv[1] + '/f', os.O_CREAT | os.O_RDWR)\n"
            "os.write(file, b'first'); os.fsync(file)\n"
            "names = os.open(sys.argv[1], os.O_RDONLY); os.fsync(names)\n"
            "os.pwrite(file, b'other', 0)\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "for sync in (os.fdatasync, os.fdatasync):\n"
            "    try: sync(file); print('synced')\n"
            "    except OSError as error: print(error.errno)\n"
            "print(os.pread(file, 9, 0).decode())\n"
            "sys.stdout.flush(); sys.stdin.readline()\n"
            "try: os.write(file, b'x' * 99)\n"
            "except OSError as error: print(error.errno)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, disk.root],
            env={**disk.environment(), "LD_PRELOAD": str(self.library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(process.stdout.readline(), "ready\n")
        disk.set(sync_errors=1, sync_delay_ms=1)
        process.stdin.write("\n")
        process.stdin.flush()
        answers = [process.stdout.readline().strip() for _ in range(3)]
        self.assertEqual(answers, ["5", "synced", "first"])
        disk.set(full=1)
        rest, _ = process.communicate("\n")
        self.assertEqual(rest, "28\n")
        self.assertEqual(disk.count("failed_syncs"), 1)
        self.assertEqual(disk.count("refused_writes"), 1)
        self.assertEqual(disk.count("slow_syncs"), 2)
        disk.cut(1, "none")
        self.assertEqual(self.content(disk), {"f": b"first"})


if __name__ == "__main__":
    unittest.main()
