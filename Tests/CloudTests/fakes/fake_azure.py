"""Azure's metadata service, lists of virtual machines and network interfaces, a key vault.

A machine in `state["instances"]`: {"name", "ip", "state": "Succeeded", "zone": "1", "tags": {…}}.
Ids of interfaces' machines are written in capitals, as the services sometimes do.
"""

import json
import time

import fake_server
from fake_server import Fake


class FakeAzure(Fake):
    def __init__(self):
        super().__init__()
        self.acknowledged = []
        self.state.update({
            "subscription": "s-1", "group": "g-1", "location": "westeurope", "self": "vm-1",
            "instances": [], "page_size": 50, "empty_pages": 0, "next_host": None,
            "token": "azure-token-1", "token_seconds": 86400, "accepted_tokens": None,
            "identities": ["c-1"], "events": [], "incarnation": 1, "secrets": {},
        })

    def fail(self, status, code, message):
        return status, {}, {"error": {"code": code, "message": message}}

    def answer(self, request):
        if request.path.startswith("/metadata/"):
            if request.headers.get("metadata") != "true":
                return 400, {}, {"error": "Bad request. Required metadata header not specified"}
            return self.metadata(request)
        accepted = self.state["accepted_tokens"] or [self.state["token"]]
        if request.headers.get("authorization") not in {f"Bearer {token}" for token in accepted}:
            return self.fail(401, "ExpiredAuthenticationToken", "The access token expiry UTC time")
        root = f"/subscriptions/{self.state['subscription']}/resourceGroups/{self.state['group']}"
        if request.path == root + "/providers/Microsoft.Compute/virtualMachines":
            return self.page(request, self.machine)
        if request.path == root + "/providers/Microsoft.Network/networkInterfaces":
            return self.page(request, self.interface)
        if request.path.startswith("/secrets/"):
            return self.secret(request.path.split("/")[2])
        return self.fail(404, "ResourceNotFound", "no such resource")

    def own(self, request):
        return self.asking(request, "name") or {
            "name": self.state["self"], "ip": "10.0.0.1", "zone": "1"}

    def metadata(self, request):
        if request.path == "/metadata/instance":
            return self.instance(self.own(request))
        if request.path == "/metadata/identity/oauth2/token":
            return self.access(request)
        if request.path == "/metadata/scheduledevents":
            if request.method == "POST":
                for start in json.loads(request.body)["StartRequests"]:
                    self.acknowledged.append(start["EventId"])
                return 200, {}, ""
            return 200, {}, {"DocumentIncarnation": self.state["incarnation"],
                             "Events": self.state["events"]}
        return 404, {}, ""

    def instance(self, own):
        state = self.state
        return 200, {}, {
            "compute": {
                "subscriptionId": state["subscription"], "resourceGroupName": state["group"],
                "name": own["name"], "location": state["location"], "zone": own.get("zone", ""),
                "resourceId": self.machine_id(own), "vmScaleSetName": state.get("scale_set", ""),
                "azEnvironment": "AzurePublicCloud",
                "tagsList": [{"name": k, "value": v} for k, v in own.get("tags", {}).items()]},
            "network": {"interface": [{"macAddress": "000D3A", "ipv4": {"ipAddress": [
                {"privateIpAddress": own.get("ip", ""), "publicIpAddress": ""}]}}]}}

    def access(self, request):
        client = request.query.get("client_id")
        if client is None and len(self.state["identities"]) > 1:
            return 400, {}, {"error": "invalid_request", "error_description":
                             "Multiple user assigned identities exist, please specify the clientId"}
        if not self.state["identities"] or client not in [None, *self.state["identities"]]:
            return 400, {}, {"error": "invalid_request", "error_description": "Identity not found"}
        return 200, {}, {
            "access_token": self.state["token"], "resource": request.query["resource"],
            "expires_on": str(int(time.time()) + self.state["token_seconds"]),
            "token_type": "Bearer", "client_id": client or self.state["identities"][0]}

    def page(self, request, render):
        token = request.query.get("$skiptoken", "0")
        start = int(token.split("-")[-1])
        if self.state["empty_pages"] > 0 and not token.startswith("empty"):
            self.state["empty_pages"] -= 1
            reply, following = {"value": []}, f"empty-{start}"
        else:
            end = start + self.state["page_size"]
            reply = {"value": [render(one) for one in self.state["instances"][start:end]]}
            following = str(end) if end < len(self.state["instances"]) else None
        if following:
            host = self.state["next_host"] or self.base
            version = request.query["api-version"]
            reply["nextLink"] = (
                f"{host}{request.path}?api-version={version}&%24skiptoken={following}")
        return 200, {}, reply

    def machine_id(self, one):
        return (f"/subscriptions/{self.state['subscription']}/resourceGroups/{self.state['group']}"
                f"/providers/Microsoft.Compute/virtualMachines/{one['name']}")

    def interface_id(self, one):
        return (f"/subscriptions/{self.state['subscription']}/resourceGroups/{self.state['group']}"
                f"/providers/Microsoft.Network/networkInterfaces/{one['name']}-nic")

    def machine(self, one):
        return {
            "id": self.machine_id(one), "name": one["name"], "location": self.state["location"],
            "type": "Microsoft.Compute/virtualMachines", "tags": one.get("tags", {}),
            "zones": [one["zone"]] if one.get("zone") else [],
            "properties": {
                **fake_server.details(one),
                "provisioningState": one.get("state", "Succeeded"),
                "networkProfile": {"networkInterfaces": [{"id": self.interface_id(one)}]}}}

    def interface(self, one):
        address = {"privateIPAddress": one["ip"]} if one.get("ip") else {}
        return {
            "id": self.interface_id(one), "name": one["name"] + "-nic",
            "location": self.state["location"],
            "properties": {
                **fake_server.details(one),
                "virtualMachine": {"id": self.machine_id(one).upper()}, "primary": True,
                "ipConfigurations": [
                    {"name": "second", "properties": {
                        "primary": False, "privateIPAddress": "10.99.0.1"}},
                    {"name": "first", "properties": {"primary": True, **address}}]}}

    def secret(self, name):
        if name not in self.state["secrets"]:
            return self.fail(404, "SecretNotFound", f"A secret with (name/id) {name} was not found")
        return 200, {}, {"value": self.state["secrets"][name], "id": f"https://v/secrets/{name}/1",
                         "attributes": {"enabled": True}}
