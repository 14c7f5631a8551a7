"""Clients with S3's standard retries, which should notice nothing."""

import threading
import time
import traceback

from content import KIB, content

SIZES = [100, 8 * KIB, 70 * KIB, 300 * KIB]
PAUSE_SECONDS = 0.02


class PatientClients:
    """Each thread puts, reads, lists and deletes objects of its own; the first failure stays."""

    def __init__(self, make_client, bucket, threads=4):
        self.make_client, self.bucket = make_client, bucket
        self.done = 0
        self.failures = []
        self.slowest = 0.0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client hangs"

    def wait_for(self, requests=40, seconds=60):
        start, deadline = self.done, time.monotonic() + seconds
        while self.done < start + requests and not self.failures:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.done - start} of {requests} requests in {seconds} s")
            time.sleep(0.02)

    def _run(self, thread):
        client = self.make_client()
        kept = []
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                self._round(client, thread, number, kept)
            except Exception as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
                if isinstance(error, AssertionError):
                    self.failures.append(traceback.format_exc())
            self._stop.wait(PAUSE_SECONDS)

    def _round(self, client, thread, number, kept):
        key = f"{thread}/{number:05d}"
        body = content(f"{self.bucket}/{key}", SIZES[number % len(SIZES)])
        self._ask(client.put_object, Bucket=self.bucket, Key=key, Body=body)
        kept.append(key)
        older = kept[(number * 7) % len(kept)]
        answer = self._ask(client.get_object, Bucket=self.bucket, Key=older)
        size = SIZES[int(older.split("/")[1]) % len(SIZES)]
        assert answer == content(f"{self.bucket}/{older}", size), f"{older}: other bytes"
        if number % 5 == 0:
            listed = self._ask(client.list_objects_v2, Bucket=self.bucket, Prefix=f"{thread}/")
            names = [item["Key"] for item in listed.get("Contents", [])]
            assert names == sorted(kept)[:1000], f"listed {names}, not {kept}"
        if len(kept) > 30:
            gone = kept.pop(0)
            self._ask(client.delete_object, Bucket=self.bucket, Key=gone)

    def _ask(self, call, **arguments):
        began = time.monotonic()
        answer = call(**arguments)
        if "Body" in answer:
            answer = answer["Body"].read()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.done += 1
        return answer
