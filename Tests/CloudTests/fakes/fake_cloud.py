#!/usr/bin/env python3
"""A cloud on this machine: `fake_cloud.py --cloud aws --port 0` prints the port that it serves.

The state at the start may be given as JSON: `--state '{"instances": […]}'`.
"""

import argparse
import json
import os
import sys
import threading

import fake_aws
import fake_azure
import fake_gcp
import fake_server

CLOUDS = {"aws": fake_aws.FakeAWS, "gcp": fake_gcp.FakeGCP, "azure": fake_azure.FakeAzure}


def wait_for_end():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", required=True, choices=sorted(CLOUDS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", default="{}", help="JSON that replaces parts of the state")
    parser.add_argument("--until-input-ends", action="store_true",
                        help="end with whoever started this")
    arguments = parser.parse_args()
    if arguments.until_input_ends:
        threading.Thread(target=wait_for_end, daemon=True).start()
    fake = CLOUDS[arguments.cloud]()
    fake.state.update(json.loads(arguments.state))
    try:
        fake_server.serve(fake, arguments.host, arguments.port)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
