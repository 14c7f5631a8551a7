"""What the three fakes share: an HTTP server that records every request, and a control endpoint.

GET  /-/requests        everything that was asked, as JSON; DELETE forgets it
PUT  /-/state           replaces parts of the state (a JSON object)
GET  /-/state           the state

Whoever asks from the address of an instance in `state["instances"]` is that instance; everybody
else is the one that `self` names.
"""

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

RECORDS_MAX = 10_000
BODY_MAX = 32 << 20


def details(instance):
    """What else is said of an instance: so many fields that nobody reads."""
    return {
        f"field{number}": f"value-{number}-of-something"
        for number in range(instance.get("details", 0))}


class Fake:
    """One cloud. A subclass answers in `answer`; `state` is what tests change."""

    def __init__(self):
        self.lock = threading.RLock()
        self.records = []
        self.dice = random.Random(1)
        self.state = {"failures": [], "delay_seconds": 0}
        self.base = ""

    def answer(self, request):
        raise NotImplementedError

    def fail(self, status, code, message):
        """The cloud's own form of an error; (status, headers, body)."""
        raise NotImplementedError

    def asking(self, request, key):
        """The instance that asks, or None. `key` is what `self` is the value of."""
        instances = self.state["instances"]
        for one in instances:
            if one.get("ip") == request.client:
                return one
        return next((one for one in instances if one[key] == self.state["self"]), None)

    def injected(self, request):
        """The first failure whose `path` is in the request's. `count` says how often it happens, or
        `share` how likely it is, by the same dice in every run."""
        for failure in self.state["failures"]:
            asked = f"{request.path}?{request.raw_query}?{request.text()}"
            if failure.get("path", "") not in asked:
                continue
            if "share" in failure:
                if self.dice.random() >= failure["share"]:
                    continue
            elif failure.get("count", 1) <= 0:
                continue
            else:
                failure["count"] = failure.get("count", 1) - 1
            status, headers, body = self.fail(
                failure.get("status", 503), failure.get("code", "Injected"),
                failure.get("message", "injected"))
            if "retry_after" in failure:
                headers = {**headers, "Retry-After": str(failure["retry_after"])}
            return status, {**headers, **failure.get("headers", {})}, failure.get("body", body)
        return None


class Request:
    def __init__(self, method, target, headers, body, client):
        parts = urlsplit(target)
        self.client = client
        self.method, self.path, self.body = method, parts.path, body
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.raw_query = parts.query
        self.headers = {name.lower(): value for name, value in headers.items()}

    def text(self):
        return self.body.decode("utf-8", "replace")

    def form(self):
        return dict(parse_qsl(self.text(), keep_blank_values=True))

    def record(self):
        return {
            "method": self.method, "path": self.path, "query": self.query,
            "raw_query": self.raw_query, "headers": self.headers, "body": self.text(),
            "client": self.client, "time": time.time(),
        }


def handler(fake):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def reply(self, status, headers, body):
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers = {"Content-Type": "application/json", **headers}
            data = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self.wfile.write(data)
            except BrokenPipeError:
                # Whoever asked has read enough.
                self.close_connection = True

        def control(self, request):
            if request.path == "/-/requests":
                if request.method == "DELETE":
                    fake.records.clear()
                return self.reply(200, {}, fake.records)
            if request.method == "PUT":
                fake.state.update(json.loads(request.body))
            return self.reply(200, {}, fake.state)

        def serve(self):
            length = min(int(self.headers.get("Content-Length") or 0), BODY_MAX)
            body = self.rfile.read(length)
            request = Request(
                self.command, self.path, self.headers, body, self.client_address[0])
            if request.path.startswith("/-/"):
                with fake.lock:
                    return self.control(request)
            if fake.state["delay_seconds"]:
                time.sleep(fake.state["delay_seconds"])
            with fake.lock:
                if len(fake.records) < RECORDS_MAX:
                    fake.records.append(request.record())
                answer = fake.injected(request) or fake.answer(request)
            return self.reply(*answer)

        do_GET = do_PUT = do_POST = do_DELETE = serve

    return Handler


def serve(fake, host, port):
    """Serves for ever; prints `port N` as soon as it listens."""
    server = ThreadingHTTPServer((host, port), handler(fake))
    server.daemon_threads = True
    fake.base = f"http://{host}:{server.server_address[1]}"
    print(f"port {server.server_address[1]}", flush=True)
    server.serve_forever()


def in_background(fake, host="127.0.0.1"):
    """For tests in Python: the base URL of a server that ends with the process."""
    server = ThreadingHTTPServer((host, 0), handler(fake))
    server.daemon_threads = True
    fake.base = f"http://{host}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return fake.base
