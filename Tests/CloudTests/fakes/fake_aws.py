"""EC2's metadata service (version 2), DescribeInstances, Auto Scaling's answers, Secrets Manager.

An instance in `state["instances"]`: {"id", "ip", "state": "running", "zone", "tags": {…}}.
`self` is the id of the instance that asks; one that is not in the list is in the region's zone a.
"""

import json
import time
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from fake_server import Fake

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
AUTO_SCALING = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def details(instance):
    """What else is said of an instance: so many elements that nobody reads."""
    return "".join(
        f"<field{number}>value-{number}-of-something</field{number}>"
        for number in range(instance.get("details", 0)))


def instance_xml(instance):
    tags = "".join(
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in instance.get("tags", {}).items())
    ip = f"<privateIpAddress>{instance['ip']}</privateIpAddress>" if instance.get("ip") else ""
    ipv6 = "".join(
        f"<item><ipv6Address>{address}</ipv6Address></item>"
        for address in instance.get("ipv6", []))
    return f"""<item><reservationId>r-1</reservationId><groupSet/><instancesSet><item>
<instanceId>{instance['id']}</instanceId><imageId>ami-1</imageId>
<instanceState><code>16</code><name>{instance.get('state', 'running')}</name></instanceState>
{ip}{details(instance)}<placement><availabilityZone>{instance.get('zone', 'eu-west-1a')}</availabilityZone></placement>
<networkInterfaceSet><item><ipv6AddressesSet>{ipv6}</ipv6AddressesSet></item></networkInterfaceSet>
<tagSet>{tags}</tagSet></item></instancesSet></item>"""


class FakeAWS(Fake):
    def __init__(self):
        super().__init__()
        self.sessions = set()
        self.actions = []
        self.state.update({
            "region": "eu-west-1", "account": "123456789012", "role": "dst-node", "self": "i-1",
            "instances": [], "page_size": 1000, "empty_pages": 0, "access_key": "AKIAFAKE0001",
            "credentials_seconds": 3600, "session_seconds": None, "accepted_keys": None,
            "target_lifecycle_state": None, "spot_action": None, "secrets": {}, "hook": None,
        })

    def fail(self, status, code, message):
        return status, {"Content-Type": "text/xml"}, (
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}"
            "</Message></Error></Errors><RequestID>r</RequestID></Response>")

    def answer(self, request):
        if request.path.startswith("/latest/"):
            return self.metadata(request)
        key = request.headers.get("authorization", "")
        accepted = self.state["accepted_keys"]
        if "AWS4-HMAC-SHA256 Credential=" not in key or (
                accepted is not None and not any(f"={name}/" in key for name in accepted)):
            return self.fail(401, "AuthFailure", "the credentials were not accepted")
        if "x-amz-target" in request.headers:
            return self.secret(request)
        form = request.form()
        if form.get("Action") == "DescribeInstances":
            return self.describe(form)
        if form.get("Action") in ("CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"):
            return self.lifecycle(form)
        return self.fail(400, "InvalidAction", form.get("Action", ""))

    # Metadata

    def metadata(self, request):
        if request.path == "/latest/api/token":
            seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
            if request.method != "PUT" or not seconds or not 1 <= int(seconds) <= 21600:
                return 400, {}, ""
            token = f"session-{len(self.sessions)}=="
            self.sessions.add(token)
            return 200, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": seconds}, token
        if request.headers.get("x-aws-ec2-metadata-token") not in self.sessions:
            return 401, {}, ""
        value = self.value(request.path.removeprefix("/latest/"), self.own(request))
        return (404, {}, "not found") if value is None else (200, {}, value)

    def own(self, request):
        return self.asking(request, "id") or {"id": self.state["self"], "ip": "10.0.0.1"}

    def value(self, path, own):
        state = self.state
        if path == "dynamic/instance-identity/document":
            return {
                "region": state["region"], "accountId": state["account"],
                "availabilityZone": own.get("zone", state["region"] + "a"),
                "instanceId": own["id"], "privateIp": own.get("ip"), "version": "2017-09-30",
            }
        if path == "meta-data/iam/security-credentials/":
            return state["role"]
        if path == f"meta-data/iam/security-credentials/{state['role']}":
            return {
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": state["access_key"],
                "SecretAccessKey": "fake-secret", "Token": "fake-session-token",
                "LastUpdated": iso(time.time()),
                "Expiration": iso(time.time() + state["credentials_seconds"]),
            }
        if path == "meta-data/autoscaling/target-lifecycle-state":
            return state["target_lifecycle_state"]
        if path == "meta-data/spot/instance-action":
            return state["spot_action"]
        return None

    # Services

    def describe(self, form):
        wanted = self.filtered(form)
        if "InstanceId.1" in form:
            page, token = wanted, ""
        else:
            start = int(form.get("NextToken", "0").split("-")[-1])
            empty = form.get("NextToken", "").startswith("empty")
            size = min(self.state["page_size"], int(form.get("MaxResults", "1000")))
            if self.state["empty_pages"] > 0 and not empty:
                self.state["empty_pages"] -= 1
                page, token = [], f"empty-{start}"
            else:
                page = wanted[start:start + size]
                token = f"page-{start + size}" if start + size < len(wanted) else ""
        items = "".join(instance_xml(instance) for instance in page)
        return 200, {"Content-Type": "text/xml"}, (
            f'<?xml version="1.0" encoding="UTF-8"?><DescribeInstancesResponse xmlns="{EC2}">'
            f"<requestId>r</requestId><reservationSet>{items}</reservationSet>"
            + (f"<nextToken>{token}</nextToken>" if token else "") + "</DescribeInstancesResponse>")

    def filtered(self, form):
        if "InstanceId.1" in form:
            return [one for one in self.state["instances"] if one["id"] == form["InstanceId.1"]]
        result = self.state["instances"]
        for index in range(1, 11):
            name = form.get(f"Filter.{index}.Name")
            if not name:
                break
            values = {value for key, value in form.items()
                      if key.startswith(f"Filter.{index}.Value.")}
            if name.startswith("tag:"):
                result = [one for one in result if one.get("tags", {}).get(name[4:]) in values]
            elif name == "instance-state-name":
                result = [one for one in result if one.get("state", "running") in values]
        return result

    def lifecycle(self, form):
        hook = self.state["hook"]
        if hook is not None and form.get("LifecycleHookName") != hook:
            return self.fail(400, "ValidationError", "No active Lifecycle Action found")
        self.actions.append(form)
        action = form["Action"]
        return 200, {"Content-Type": "text/xml"}, (
            f'<{action}Response xmlns="{AUTO_SCALING}"><{action}Result/></{action}Response>')

    def secret(self, request):
        name = json.loads(request.body).get("SecretId")
        if name not in self.state["secrets"]:
            return 400, {}, {"__type": "ResourceNotFoundException",
                             "Message": "Secrets Manager can't find the specified secret."}
        return 200, {}, {"ARN": name, "Name": name, "SecretString": self.state["secrets"][name],
                         "VersionId": "1", "CreatedDate": 1.7e9}
