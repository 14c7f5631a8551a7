"""What clients asked, when, and what they were told: the input of the checker.

The checker knows a version of an object by its ETag. Every write has bytes of its own, so an ETag
names one write; `ABSENT` stands for a key that does not exist.
"""

import itertools
import threading
import time
from dataclasses import dataclass, field

ABSENT = None

# Answers. "fail" is certain: the write was refused or never sent. Whatever a client can't know,
# such as a time-out or a 500, is "unknown": it may take effect at any later time, or never.
OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


@dataclass(slots=True)
class Operation:
    """One request on one key, or one page of a listing.

    `kind` and what belongs to it:

    - `put`: `value`; with `if_absent` or `if_match` it is conditional. Its answer is `refused`
      where the condition did not hold.
    - `delete`
    - `read` (GET or HEAD): `value` is what it saw.
    - `list`: `seen` maps keys to ETags; it speaks for all keys in (`after`, `upto`], where an
      `upto` of `None` is the end.
    """

    kind: str
    key: str = ""
    value: str | None = None
    if_absent: bool = False
    if_match: str | None = None
    refused: bool = False
    seen: dict | None = None
    after: str = ""
    upto: str | None = None
    began: int = 0
    ended: int = 0
    answer: str = UNKNOWN
    client: str = ""
    note: str = ""

    def covers(self, key):
        return key > self.after and (self.upto is None or key <= self.upto)

    def __str__(self):
        what = self.kind
        if self.if_absent:
            what += " if absent"
        if self.if_match:
            what += f" if {short(self.if_match)}"
        if self.kind in ("put", "read"):
            what += f" {short(self.value)}"
        answer = "refused" if self.refused else self.answer
        times = f"{self.began / 1e9:.6f}-{self.ended / 1e9:.6f}"
        return f"[{times}] {self.client} {what}: {answer} {self.note}".rstrip()


def short(value):
    return "nothing" if value is ABSENT else value[:8]


@dataclass
class History:
    """Operations of many threads. `begin` and `end` stamp them with one monotonic clock."""

    operations: list = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, operation):
        operation.began = time.monotonic_ns()
        return operation

    def end(self, operation, answer):
        operation.ended = time.monotonic_ns()
        operation.answer = answer
        with self._lock:
            self.operations.append(operation)
        return operation

    def extend(self, operations):
        with self._lock:
            self.operations.extend(operations)

    def counts(self):
        found = {}
        for operation in self.operations:
            name = f"{operation.kind} {'refused' if operation.refused else operation.answer}"
            found[name] = found.get(name, 0) + 1
        return dict(sorted(found.items()))

    def keys(self):
        single = (operation.key for operation in self.operations if operation.kind != "list")
        listed = (
            operation.seen for operation in self.operations if operation.kind == "list"
        )
        return sorted(set(itertools.chain(single, *listed)))
