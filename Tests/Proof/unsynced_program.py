"""What the tests of the lossy disk do to it: runs below `unsynced.c`, and is killed.

    unsynced_program.py files DIRECTORY SEED STEPS     random changes and syncs; prints each
    unsynced_program.py sqlite DIRECTORY PAGES         commits rows until it is killed; prints each;
                                                       a checkpoint whenever its log has PAGES
"""

import ctypes
import os
import random
import sqlite3
import sys

SIZE_MAX = 20_000
libc = ctypes.CDLL(None, use_errno=True)


def say(*words):
    print(*words, flush=True)


class Files:
    """Each step is said before the next begins: its effect is there when the line is."""

    def __init__(self, directory, seed):
        self.directory = directory
        self.random = random.Random(seed)
        self.open = {}
        self.number = 0

    def step(self):
        choices = [self.create] + [self.write] * 6 + [self.resize, self.punch, self.allocate]
        choices += [self.sync] * 3 + [self.sync_names, self.rename, self.unlink, self.vector]
        self.random.choice(choices)()

    def create(self):
        self.number += 1
        name = f"f{self.number}"
        flags = os.O_CREAT | os.O_RDWR | (os.O_EXCL if self.number % 2 else 0)
        self.open[name] = os.open(f"{self.directory}/{name}", flags, 0o600)
        say("create", name)

    def _any(self):
        return self.random.choice(sorted(self.open)) if self.open else None

    def _range(self):
        offset = self.random.randrange(SIZE_MAX)
        return offset, self.random.choice([1, 100, 512, 3000, 9000])

    def write(self):
        if name := self._any():
            offset, length = self._range()
            byte = self.random.randrange(1, 256)
            if offset % 3:
                os.pwrite(self.open[name], bytes([byte]) * length, offset)
            else:
                os.lseek(self.open[name], offset, os.SEEK_SET)
                os.write(self.open[name], bytes([byte]) * length)
            say("write", name, offset, length, byte)

    def vector(self):
        if name := self._any():
            offset, length = self._range()
            byte = self.random.randrange(1, 256)
            pieces = [bytes([byte]) * (length // 2), bytes([byte]) * (length - length // 2)]
            os.pwritev(self.open[name], pieces, offset)
            say("write", name, offset, length, byte)

    def resize(self):
        if name := self._any():
            size = self.random.randrange(SIZE_MAX)
            os.ftruncate(self.open[name], size)
            say("resize", name, size)

    def punch(self):
        if name := self._any():
            offset, length = self._range()
            arguments = [ctypes.c_long(offset), ctypes.c_long(length)]
            if libc.fallocate(self.open[name], 3, *arguments) != 0:
                raise OSError(ctypes.get_errno(), "fallocate")
            say("punch", name, offset, length)

    def allocate(self):
        if name := self._any():
            size = self.random.randrange(1, SIZE_MAX)
            os.posix_fallocate(self.open[name], 0, size)
            say("allocate", name, size)

    def sync(self):
        if name := self._any():
            self.random.choice([os.fsync, os.fdatasync])(self.open[name])
            say("sync", name)

    def sync_names(self):
        directory = os.open(self.directory, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        say("sync-names")

    def rename(self):
        if name := self._any():
            to = self._any() if self.random.random() < 0.5 else f"{name}-new"
            if to == name:
                return
            os.rename(f"{self.directory}/{name}", f"{self.directory}/{to}")
            if to in self.open:
                os.close(self.open[to])
            self.open[to] = self.open.pop(name)
            say("rename", name, to)

    def unlink(self):
        name = self._any()
        if name and len(self.open) > 2:
            os.unlink(f"{self.directory}/{name}")
            os.close(self.open.pop(name))
            say("unlink", name)


def files(directory, seed, steps):
    program = Files(directory, seed)
    for _ in range(int(steps)):
        program.step()
    say("done")
    sys.stdin.read()


def sqlite(directory, pages):
    database = sqlite3.connect(f"{directory}/rows.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    database.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, text BLOB)")
    # SQLite syncs the names of its logs only.
    home = os.open(directory, os.O_RDONLY)
    os.fsync(home)
    number = database.execute("SELECT coalesce(max(number), 0) FROM rows").fetchone()[0]
    while True:
        number += 1
        database.execute("INSERT INTO rows VALUES (?, randomblob(700))", (number,))
        say(number)


if __name__ == "__main__":
    {"files": files, "sqlite": sqlite}[sys.argv[1]](*sys.argv[2:])
