"""Disks that lose, in a power cut, what was not synced.

`unsynced.c`, preloaded into a process, keeps journals of what is not synced; `cut` turns the
directory into what a disk might hold. The processes must be dead: only what they told the kernel is
there.
"""

import ctypes
import itertools
import mmap
import os
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
WRITE, PUNCH, PIECE, SIZE, CREATE, UNLINK, RENAME, MKDIR, RMDIR = range(1, 10)
KEEP_SIZE, PUNCH_HOLE = 1, 2
RECORD = struct.Struct("<IIqqqqq")
MAGIC = 0x31534E55
HEADER_BYTES = 8
# What a disk writes as a whole. SQLite relies on no more.
SECTOR_BYTES = 512

# What becomes of the unsynced. One mood for a cut, so that whole outcomes are as frequent as mixed.
MOODS = ("none", "all", "each", "torn", "oldest")
# "each": each change by a coin; "torn": each sector of each write by a coin; "oldest": of each file
# the first changes, the last of them torn.


def build(name, directory):
    """Compiles a library of this folder into `directory`; its path."""
    library = Path(directory) / f"{name}.so"
    if not library.exists():
        # A path that is cut off would be complained about; the compiler need not.
        flags = ["-Wall", "-Wextra", "-Werror", "-Wno-format-truncation", "-O2", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, "-o", library, HERE / f"{name}.c", "-ldl"], check=True)
    return library


class Disk:
    """The directory of one process, and what is remembered about it beside it."""

    CONTROLS = ("sync_errors", "full", "sync_delay_ms", "unused")
    COUNTS = ("failed_syncs", "refused_writes", "slow_syncs", "syncs")

    def __init__(self, root, state, lie=""):
        self.root, self.state, self.lie = Path(root), Path(state), lie
        self.state.mkdir(parents=True, exist_ok=True)
        control = self.state / "control"
        control.write_bytes(bytes(64))
        with open(control, "r+b") as file:
            self._control = mmap.mmap(file.fileno(), 64)

    def environment(self):
        return {
            "UNSYNCED_ROOT": str(self.root),
            "UNSYNCED_STATE": str(self.state),
            "UNSYNCED_LIE": self.lie,
        }

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("<q", self._control, 8 * self.CONTROLS.index(name), value)

    def mend(self):
        self.set(sync_errors=0, full=0, sync_delay_ms=0)

    def count(self, name):
        return struct.unpack_from("<q", self._control, 32 + 8 * self.COUNTS.index(name))[0]

    def complaints(self):
        path = self.state / "complaints"
        return path.read_text().splitlines() if path.exists() else []

    def unsynced(self):
        """How many changes a power cut could take now."""
        return sum(len(_records(path)) for path in self.state.glob("*.journal"))

    def cut(self, seed, mood=None):
        """What a power cut leaves. Answers what it did, in words."""
        return _Cut(self, seed, mood).run()


@dataclass
class Change:
    """One record of a journal, and, once taken back, what it had written."""

    kind: int
    offset: int
    length: int
    size_before: int
    size_after: int
    old: bytes
    new: bytes = b""

    @property
    def is_of_names(self):
        return self.kind >= CREATE


def _records(path):
    data = path.read_bytes()
    if len(data) < HEADER_BYTES:
        return []
    at = max(HEADER_BYTES, int.from_bytes(data[:HEADER_BYTES], "little"))
    found = []
    while at + RECORD.size <= len(data):
        magic, kind, offset, length, before, after, stored = RECORD.unpack_from(data, at)
        at += RECORD.size
        # A process that was killed in the middle of a record had not made the change.
        if magic != MAGIC or at + stored > len(data):
            break
        found.append(Change(kind, offset, length, before, after, data[at : at + stored]))
        at += stored
    return found


class _Cut:
    def __init__(self, disk, seed, mood):
        self.disk = disk
        self.random = random.Random(f"power cut {seed}")
        self.mood = mood or self.random.choice(MOODS)
        self.share = self.random.uniform(0.05, 0.95)
        self.counts = {"changes": 0, "kept": 0, "names": 0, "names kept": 0}

    def run(self):
        journals = sorted(self.disk.state.glob("*.journal"), key=lambda path: int(path.stem))
        names = []
        for journal in journals:
            changes = _records(journal)
            if not changes:
                continue
            if changes[0].is_of_names:
                names.append(changes)
            else:
                self._cut_file(self.disk.state / f"{journal.stem}.file", changes)
        # The deepest directories first: a directory may itself go.
        names.sort(key=lambda changes: -changes[0].old.decode().split("\t")[1].count("/"))
        for changes in names:
            self._cut_names(changes)
        self._drop_memory()
        for path in itertools.chain(
            self.disk.state.glob("*.journal"), self.disk.state.glob("*.file")
        ):
            path.unlink()
        counts = self.counts
        return (
            f"{self.mood}: {counts['kept']} of {counts['changes']} writes and "
            f"{counts['names kept']} of {counts['names']} names kept"
        )

    # Bytes

    def _cut_file(self, path, changes):
        if not path.exists():
            return
        file = os.open(path, os.O_RDWR)
        try:
            for change in reversed(changes):
                self._take_back(file, change)
            fates = self._fates(changes)
            for change, kept in zip(changes, fates, strict=True):
                self.counts["changes"] += 1
                self.counts["kept"] += bool(kept)
                if kept:
                    self._make(file, change, kept)
        finally:
            os.close(file)

    def _take_back(self, file, change):
        if change.kind != SIZE:
            change.new = os.pread(file, change.length, change.offset)
        os.ftruncate(file, change.size_before)
        old = min(change.length, change.size_before - change.offset)
        if change.kind == SIZE or old <= 0:
            return
        if change.old:
            _write(file, change.old, change.offset)
        else:
            # Zeros are not kept. Where there was a hole, there is one again.
            _punch(file, change.offset, old)

    def _fates(self, changes):
        """For each change a function that says of a sector whether it is kept, or `None`."""
        cut = self.random.randint(0, len(changes))
        fates = []
        for number, change in enumerate(changes):
            if change.kind == PIECE:
                # Shares the fate of the change of size that follows.
                fates.append(PIECE)
                continue
            is_write = change.kind == WRITE
            if self.mood == "none":
                fate = None
            elif self.mood == "all":
                fate = _whole
            elif self.mood == "each" or (self.mood == "torn" and not is_write):
                fate = _whole if self.random.random() < self.share else None
            elif self.mood == "torn":
                fate = lambda _: self.random.random() < self.share
            elif number < cut:
                fate = _whole
            elif number == cut and is_write:
                sectors = -(-change.length // SECTOR_BYTES)
                first = change.offset // SECTOR_BYTES
                upto = first + self.random.randrange(sectors + 1)
                fate = lambda sector, upto=upto: sector < upto
            else:
                fate = None
            fates.append(fate)
        for number in reversed(range(len(fates))):
            if fates[number] is PIECE:
                fates[number] = fates[number + 1] if number + 1 < len(fates) else None
        return fates

    def _make(self, file, change, kept):
        if change.kind == SIZE:
            os.ftruncate(file, change.size_after)
        elif change.kind in (PUNCH, PIECE):
            _punch(file, change.offset, change.length)
        elif kept is _whole:
            _write(file, change.new, change.offset)
        else:
            end = change.offset + len(change.new)
            at = change.offset
            while at < end:
                upto = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
                if kept(at // SECTOR_BYTES):
                    piece = change.new[at - change.offset : upto - change.offset]
                    _write(file, piece, at)
                at = upto

    # Names: file systems keep their order within a directory, so a beginning of them is kept.

    def _cut_names(self, changes):
        kept = {"none": 0, "all": len(changes)}.get(self.mood)
        if kept is None:
            kept = self.random.randint(0, len(changes))
        self.counts["names"] += len(changes)
        self.counts["names kept"] += kept
        for change in reversed(changes[kept:]):
            inode, path, to, replaced = change.old.decode().split("\t")
            path = self.disk.root / path
            if change.kind == CREATE:
                path.unlink(missing_ok=True)
            elif change.kind == UNLINK:
                self._name(inode, path)
            elif change.kind == RENAME:
                (self.disk.root / to).unlink(missing_ok=True)
                self._name(inode, path)
                if replaced != "0":
                    self._name(replaced, self.disk.root / to)
            elif change.kind == MKDIR:
                shutil.rmtree(path, ignore_errors=True)
            elif change.kind == RMDIR:
                path.mkdir(exist_ok=True)

    def _name(self, inode, path):
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        os.link(self.disk.state / f"{inode}.file", path)

    def _drop_memory(self):
        """SQLite's shared memory says nothing after a power cut, whatever is left of it."""
        for path in self.disk.root.rglob("*-shm"):
            fate = self.random.choice(("gone", "garbage", "left"))
            if fate == "gone":
                path.unlink()
            elif fate == "garbage":
                path.write_bytes(self.random.randbytes(path.stat().st_size))


def _whole(_):
    return True


def _write(file, data, offset):
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], offset + done)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def _punch(file, offset, length):
    if _libc.fallocate64(file, KEEP_SIZE | PUNCH_HOLE, offset, length) != 0:
        _write(file, bytes(min(length, max(0, os.fstat(file).st_size - offset))), offset)
