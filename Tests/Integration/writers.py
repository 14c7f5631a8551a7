"""Write load whose acknowledged writes are remembered."""

import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from content import content, size_of


class Writers:
    """Threads that put objects until told to stop.

    `acked` holds what the cluster has promised to keep; `begun` everything that was tried, of which
    each object must be there whole or not at all.
    """

    def __init__(
        self, cluster, bucket, count=8, large=True, overwrite=False, pause_seconds=0,
        read_timeout=60,
    ):
        self.pause_seconds, self.read_timeout = pause_seconds, read_timeout
        self.cluster, self.bucket, self.large, self.overwrite = cluster, bucket, large, overwrite
        self.acked, self.begun, self.errors = {}, {}, []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(number,), daemon=True)
            for number in range(count)
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
            thread.join(120)
            assert not thread.is_alive(), "a writer hangs"

    def wait_for(self, more, seconds=60):
        """Until `more` further writes are acknowledged; answers how long the first took."""
        began = time.monotonic()
        start = len(self.acked)
        first = None
        while len(self.acked) < start + more:
            if first is None and len(self.acked) > start:
                first = time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise AssertionError(
                    f"{len(self.acked) - start} of {more} writes in {seconds} s; "
                    f"last errors: {self.errors[-3:]}"
                )
            time.sleep(0.02)
        return first or 0

    def _write(self, thread):
        gateways = len(self.cluster.endpoints)
        clients = [
            self.cluster.s3(gateway=index, attempts=1, read_timeout=self.read_timeout)
            for index in range(gateways)
        ]
        number = 0
        while not self._stop.is_set():
            key = f"w{thread}/{number:06d}"
            size = size_of(number * 7 + thread, self.large)
            version = 1 if self.overwrite and number % 5 == 0 else 0
            for round in range(version + 1):
                body = content(f"{key}#{round}", size)
                with self._lock:
                    self.begun.setdefault(key, []).append((round, size))
                try:
                    clients[(number + round) % gateways].put_object(
                        Bucket=self.bucket, Key=key, Body=body
                    )
                    with self._lock:
                        self.acked[key] = (round, size)
                except (BotoCoreError, ClientError, OSError) as error:
                    self.errors.append(f"{key}: {error}")
                    # The next try is another key: this one stays in doubt.
                    time.sleep(0.05)
                    break
            number += 1
            self._stop.wait(self.pause_seconds)


def verify(case, cluster, writers, gateway=0):
    """Every acknowledged write is there, byte for byte; what was in doubt is whole or absent."""
    client = cluster.s3(gateway=gateway)
    wrong = []
    for key, tries in writers.begun.items():
        acked = writers.acked.get(key)
        try:
            body = client.get_object(Bucket=writers.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if acked or error.response["Error"]["Code"] != "NoSuchKey":
                wrong.append(f"{key}: acked {acked}, but {error}")
            continue
        # A try after the acknowledged one may have come through without our hearing of it.
        first = acked[0] if acked else 0
        allowed = [content(f"{key}#{round}", size) for round, size in tries if round >= first]
        if body not in allowed:
            wrong.append(f"{key}: {len(body)} bytes that nobody wrote; acked {acked}")
    case.assertEqual(wrong, [], f"{len(wrong)} of {len(writers.begun)} objects")
    listed = set()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=writers.bucket):
        listed.update(item["Key"] for item in page.get("Contents", []))
    case.assertEqual(sorted(set(writers.acked) - listed), [], "acknowledged but not listed")
    case.assertEqual(sorted(listed - set(writers.begun)), [], "listed but never written")
