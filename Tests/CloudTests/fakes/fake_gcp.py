"""Google's metadata server, instances.aggregatedList and Secret Manager.

An instance in `state["instances"]`: {"name", "ip", "status": "RUNNING", "zone", "labels": {…}}.
`unreachables` makes a list partial. An instance may have `stop_state` and `preempted` of its own.
"""

import base64
import re

import fake_server
from fake_server import Fake

FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


class FakeGCP(Fake):
    def __init__(self):
        super().__init__()
        self.state.update({
            "project": "p-1", "self": "n-1", "instances": [], "page_size": 500, "empty_pages": 0,
            "zones": ["europe-west1-b", "europe-west1-c", "europe-west1-d"], "unreachables": [],
            "token": "gcp-token-1", "token_seconds": 3599, "accepted_tokens": None,
            "stop_state": None, "preempted": False, "secrets": {}, "flavor": True,
            "ignores_filter": False,
        })

    def fail(self, status, code, message):
        return status, dict(FLAVOR), {"error": {
            "code": status, "message": message, "status": code,
            "errors": [{"message": message, "domain": "global", "reason": code}]}}

    def answer(self, request):
        if request.path.startswith("/computeMetadata/v1/"):
            status, headers, body = self.metadata(request)
            return status, {**headers, **(FLAVOR if self.state["flavor"] else {})}, body
        accepted = self.state["accepted_tokens"] or [self.state["token"]]
        if request.headers.get("authorization") not in {f"Bearer {token}" for token in accepted}:
            return self.fail(401, "authError", "Invalid Credentials")
        project = self.state["project"]
        if request.path == f"/compute/v1/projects/{project}/aggregated/instances":
            return self.list(request)
        if request.path.startswith("/v1/") and request.path.endswith(":access"):
            return self.secret(request.path[4:-7])
        return self.fail(404, "notFound", "no such resource")

    def own(self, request):
        return self.asking(request, "name") or {
            "name": self.state["self"], "ip": "10.0.0.1", "zone": self.state["zones"][0]}

    def metadata(self, request):
        if request.headers.get("metadata-flavor") != "Google":
            return 403, {}, "Missing required header \"Metadata-Flavor: Google\""
        path = request.path.removeprefix("/computeMetadata/v1/")
        own, state = self.own(request), self.state
        values = {
            "project/project-id": state["project"], "instance/name": own["name"],
            "instance/id": "4242", "instance/zone": f"projects/1/zones/{own['zone']}",
            "instance/network-interfaces/0/ip": own.get("ip"),
            "instance/preempted": (
                "TRUE" if own.get("preempted", state["preempted"]) else "FALSE"),
            "instance/shutdown-details/stop-state": own.get("stop_state", state["stop_state"]),
            "instance/service-accounts/default/token": {
                "access_token": state["token"], "expires_in": state["token_seconds"],
                "token_type": "Bearer"},
        }
        value = values.get(path)
        return (404, {}, "") if value is None else (200, {}, value)

    def list(self, request):
        wanted = re.search(r'labels\.dst-cluster="([^"]*)"', request.query.get("filter", ""))
        found = [
            one for one in self.state["instances"]
            if self.state["ignores_filter"] or (
                one.get("labels", {}).get("dst-cluster") == (wanted and wanted[1])
                and one.get("status", "RUNNING") == "RUNNING")
        ]
        token = request.query.get("pageToken", "")
        start = int(token.split("-")[-1] or 0) if token else 0
        size = min(self.state["page_size"], int(request.query.get("maxResults", "500")))
        if self.state["empty_pages"] > 0 and not token.startswith("empty"):
            self.state["empty_pages"] -= 1
            page, following = [], f"empty-{start}"
        else:
            page = found[start:start + size]
            following = f"page-{start + size}" if start + size < len(found) else None
        items = {f"zones/{zone}": self.scope(zone, page) for zone in self.state["zones"]}
        reply = {"kind": "compute#instanceAggregatedList", "items": items,
                 "unreachables": self.state["unreachables"]}
        if following:
            reply["nextPageToken"] = following
        return 200, {}, reply

    def scope(self, zone, page):
        instances = [self.instance(one) for one in page if one["zone"] == zone]
        if instances:
            return {"instances": instances}
        return {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "no results", "data": []}}

    def instance(self, one):
        root = f"https://www.googleapis.com/compute/v1/projects/{self.state['project']}"
        interface = {"networkIP": one["ip"]} if one.get("ip") else {}
        return {"id": str(one.get("id", abs(hash(one["name"])) % 10**15)), "name": one["name"],
                "status": one.get("status", "RUNNING"), "labels": one.get("labels", {}),
                "zone": f"{root}/zones/{one['zone']}", "networkInterfaces": [interface],
                **fake_server.details(one)}

    def secret(self, name):
        if name not in self.state["secrets"]:
            return self.fail(404, "NOT_FOUND", f"Secret [{name}] not found")
        data = self.state["secrets"][name].encode()
        return 200, {}, {"name": name, "payload": {
            "data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}}
