"""Clients that work in the background while things break, and remember every answer."""

import hashlib
import itertools
import random
import threading
import time
import traceback
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from content import KIB, content
from history import ABSENT, FAIL, OK, UNKNOWN, History, Operation
from linearizable import check

# Inline, at the border to chunks, several blocks.
SIZES = [40, 3 * KIB, 8 * KIB, 64 * KIB + 1, 200 * KIB]
PAGE_KEYS = 7
# The pace of one client. The load is there to see, not to wear the machine down.
PAUSE_SECONDS_MAX = 0.06
# Two loads may work on the same keys: their clients, and so their bytes, have names of their own.
_numbers = itertools.count(1)


class Load:
    """Threads that read, write, delete and list a few keys at random until told to stop.

    They contend for the keys on purpose. No client tries again by itself: each attempt is an
    operation of the history, and each goes to a gateway drawn at random.
    """

    def __init__(self, clients, bucket, seed=1, threads=6, keys=16):
        self.clients, self.bucket = clients, bucket
        self.number = next(_numbers)
        self.keys = [f"key-{number:02d}" for number in range(keys)]
        self.history = History()
        self.unexpected = []
        self.errors = []
        self.acked = 0
        self.reads = 0
        self._last_seen = {}
        self._avoided = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number, seed), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(90)
                assert not thread.is_alive(), "a client hangs"

    def wait_for(self, writes=30, reads=30, seconds=60):
        """Until so many more of each were answered well: the cluster serves."""
        acked, read = self.acked, self.reads
        deadline = time.monotonic() + seconds
        while self.acked - acked < writes or self.reads - read < reads:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.acked - acked} of {writes} writes and {self.reads - read} of {reads} "
                    f"reads in {seconds} s; last errors: {self.errors[-4:]}"
                )
            time.sleep(0.02)

    @contextmanager
    def avoiding(self, number):
        """New requests go elsewhere: to a gateway that hangs, each would wait its time limit."""
        self._avoided = self.clients[number]
        try:
            yield
        finally:
            self._avoided = None

    def verify(self, case):
        """Stops, reads everything once more through every gateway, and judges the history."""
        self.stop()
        for number in range(len(self.clients)):
            worker = _Client(self, "last", random.Random(number), [self.clients[number]])
            for key in self.keys:
                worker.get(key)
            worker.list()
        operations = self.history.operations
        violations = check(operations, self.keys)
        case.assertEqual([], self.unexpected, f"answers that no fault excuses, {self.bucket}")
        told = "\n".join(str(violation) for violation in violations)
        case.assertEqual([], [violation.key for violation in violations], told)
        last = [operation for operation in operations if operation.client == "last"]
        silent = [str(operation) for operation in last if operation.answer != OK]
        case.assertEqual([], silent, "the cluster should serve everything by now")

    def _run(self, number, seed):
        name = f"{self.number}.{number}"
        worker = _Client(self, name, random.Random(f"{seed}/{name}"), self.clients)
        try:
            while not self._stop.is_set():
                worker.work()
                self._stop.wait(worker.random.uniform(0, PAUSE_SECONDS_MAX))
        except Exception:
            # A client that falls must not look like one that was satisfied.
            self.unexpected.append(traceback.format_exc())


class _Client:
    """One thread's way of asking."""

    def __init__(self, load, name, random, clients):
        self.load, self.name, self.random, self.clients = load, name, random, clients
        self.number = 0

    def work(self):
        key = self.random.choice(self.load.keys)
        what = self.random.random()
        if what < 0.22:
            self.put(key)
        elif what < 0.30:
            self.put(key, if_absent=True)
        elif what < 0.42:
            etag = self.load._last_seen.get(key)
            self.put(key, if_match=etag) if etag else self.put(key)
        elif what < 0.50:
            self.delete(key)
        elif what < 0.60:
            self.list()
        elif what < 0.68:
            self.head(key)
        else:
            self.get(key)

    # Operations

    def put(self, key, **conditions):
        self.number += 1
        size = self.random.choice(SIZES)
        body = content(f"{self.load.bucket}/{key}/{self.name}/{self.number}", size)
        etag = hashlib.md5(body).hexdigest()
        asked = {}
        if conditions.get("if_absent"):
            asked["IfNoneMatch"] = "*"
        if conditions.get("if_match"):
            asked["IfMatch"] = f'"{conditions["if_match"]}"'
        operation = Operation("put", key, etag, client=self.name, **conditions)

        def answered(answer):
            if answer["ETag"].strip('"') != etag:
                self.load.unexpected.append(f"{operation}: ETag {answer['ETag']}")
            self._saw(key, etag)

        def refused(code):
            if code == "PreconditionFailed" and asked:
                operation.refused = True
            elif code == "NoSuchKey" and conditions.get("if_match"):
                # It found no object: the same as having read nothing.
                operation.kind, operation.value, operation.if_match = "read", ABSENT, None
                operation.note = "If-Match"
            else:
                return False
            return True

        self._ask(
            operation, "put_object", answered, refused, Key=key, Body=body, **asked
        )

    def delete(self, key):
        self._ask(Operation("delete", key, client=self.name), "delete_object", Key=key)

    def get(self, key):
        operation = Operation("read", key, client=self.name)

        def answered(answer):
            body = answer["Body"].read()
            operation.value = hashlib.md5(body).hexdigest()
            if answer["ETag"].strip('"') != operation.value:
                self.load.unexpected.append(f"{operation}: {len(body)} bytes, {answer['ETag']}")
            self._saw(key, operation.value)

        self._ask(operation, "get_object", answered, _is_absent, Key=key)

    def head(self, key):
        operation = Operation("read", key, client=self.name, note="HEAD")

        def answered(answer):
            operation.value = answer["ETag"].strip('"')
            self._saw(key, operation.value)

        self._ask(operation, "head_object", answered, _is_absent, Key=key)

    def list(self):
        """All pages; each is an operation of its own, about the keys that it spans."""
        after, token = "", None
        while True:
            page = Operation("list", after=after, client=self.name)
            more = {"ContinuationToken": token} if token else {}

            def answered(answer, page=page):
                page.seen = {
                    item["Key"]: item["ETag"].strip('"') for item in answer.get("Contents", [])
                }
                if answer["IsTruncated"]:
                    page.upto = max(page.seen, default="")
                if answer["IsTruncated"] and not page.upto > page.after:
                    raise AssertionError(f"a page that does not go on: {answer}")

            answer = self._ask(page, "list_objects_v2", answered, MaxKeys=PAGE_KEYS, **more)
            if answer is None or not answer["IsTruncated"]:
                return
            after, token = page.upto, answer["NextContinuationToken"]

    # Answers

    def _ask(self, operation, call, answered=None, refused=None, **arguments):
        """Sends one request and notes what came of it."""
        avoided = self.load._avoided
        client = self.random.choice([each for each in self.clients if each is not avoided])
        self.load.history.begin(operation)
        answer = None
        try:
            answer = getattr(client, call)(Bucket=self.load.bucket, **arguments)
            if answered:
                answered(answer)
            outcome = OK
        except ClientError as error:
            outcome = self._outcome(operation, error, refused)
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            # Nothing was sent.
            outcome = FAIL
            self._failed(operation, error)
        except (BotoCoreError, HTTPClientError, OSError) as error:
            outcome, answer = UNKNOWN, None
            self._failed(operation, error)
        self.load.history.end(operation, outcome)
        if outcome == OK:
            with self.load._lock:
                if operation.kind in ("put", "delete"):
                    self.load.acked += 1
                else:
                    self.load.reads += 1
        return answer

    def _outcome(self, operation, error, refused):
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if refused and refused(code):
            return OK
        self._failed(operation, error)
        if status < 500:
            self.load.unexpected.append(f"{operation}: {error}")
        return UNKNOWN

    def _failed(self, operation, error):
        operation.note = f"{operation.note} {type(error).__name__}: {error}"[:160]
        self.load.errors.append(f"{operation.kind} {operation.key}: {error}")

    def _saw(self, key, etag):
        self.load._last_seen[key] = etag


def _is_absent(code):
    return code in ("NoSuchKey", "404")
