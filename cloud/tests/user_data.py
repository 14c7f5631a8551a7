"""What must hold for the user-data of every role on every cloud."""

import re
import subprocess
import tempfile
from pathlib import Path

import yaml

# cloud-init takes an unknown top-level key without a word, and does nothing.
KEYS = {"write_files", "runcmd"}
BYTES_MAX = 16384
REFERENCE = re.compile(r"(aws:arn:|gcp:projects/|azure:https://)\S+")
SCRIPTS = {
    "/usr/local/sbin/dstnode-install",
    "/usr/local/sbin/dstnode-fetch-secrets",
    "/usr/local/sbin/dstnode-prepare-disk",
}
# Settings that would hold a secret itself; references and names of files are in other places.
SECRET_SETTINGS = re.compile(
    r"(?m)^(CLUSTER_SECRET|JOIN_TOKEN|ENCRYPTION_KEY|ROOT_SECRET_KEY|AWS_SECRET\w*)(_FILE)?="
)


def files(text):
    """The files that user-data writes, by path."""
    return {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def check(test, text, role, cloud):
    """Fails the test where the user-data is not what a machine of this role needs."""
    test.assertLess(len(text.encode()), BYTES_MAX)
    document = yaml.safe_load(text)
    test.assertEqual(set(document), KEYS)
    written = files(text)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "user-data")
        path.write_text(text)
        done = run("cloud-init", "schema", "--config-file", str(path))
        test.assertEqual(done.returncode, 0, done.stdout + done.stderr)

        for name in SCRIPTS & set(written):
            script = Path(directory, Path(name).name)
            script.write_text(written[name])
            done = run("shellcheck", str(script))
            test.assertEqual(done.returncode, 0, done.stdout)
    test.assertEqual({name for name in written if "sbin" in name}, scripts_of(role))
    check_settings(test, written, role, cloud)
    check_secrets(test, text, written)
    for program, *_ in document["runcmd"]:
        test.assertIn(program, written)


def scripts_of(role):
    """Gateways have no data disk."""
    return SCRIPTS - ({"/usr/local/sbin/dstnode-prepare-disk"} if role == "gateway" else set())


def check_settings(test, written, role, cloud):
    env = written["/etc/dstnode/dstnode.env.new"]
    settings = dict(
        line.split("=", 1) for line in env.splitlines() if line and not line.startswith("#")
    )
    test.assertEqual(settings["NODE_TYPE"], role)
    test.assertEqual(settings["DISCOVERY_METHOD"], cloud)
    test.assertEqual(settings["LIFECYCLE"], cloud)
    test.assertEqual(settings["ZONE"], "auto")
    test.assertEqual("FORM_CLUSTER" in settings, role == "coordinator")
    test.assertNotEqual(settings.get("FORM_CLUSTER"), "auto")


def check_secrets(test, text, written):
    """References only; and what is fetched is what the service reads."""
    test.assertNotRegex(text, r"(?i)BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}")
    test.assertNotRegex(written["/etc/dstnode/dstnode.env.new"], SECRET_SETTINGS)
    # Nothing as long as a key: the only such text is the package's checksum.
    for found in re.findall(r"\b[0-9a-f]{40,}\b", text):
        test.assertIn(found, text.split("runcmd:")[1])
    names = []
    for line in written["/etc/dstnode/secrets"].splitlines():
        name, reference = line.split()
        test.assertRegex(reference, rf"^{REFERENCE.pattern}$")
        names.append(name)
    dropin = written["/etc/systemd/system/dstnode.service.d/cloud.conf"]
    loaded = re.findall(r"(?m)^LoadCredential=(.*)$", dropin)
    test.assertEqual(loaded, ["", *(f"{name}:/run/dstnode-secrets/{name}" for name in names)])
