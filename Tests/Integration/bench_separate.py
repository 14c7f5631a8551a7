"""Runs `dstnode bench` against ten separate processes: bench_separate.py DSTNODE [ARGUMENT…]."""

import os
import subprocess
import sys

os.environ["DSTNODE"] = sys.argv[1]

from cluster import Cluster  # noqa: E402  (reads DSTNODE when imported)


def main():
    cluster = Cluster("bench", capacity="20GB")
    try:
        cluster.start()
        pids = ",".join(str(node.pid) for node in cluster.nodes)
        command = [sys.argv[1], "bench", "--endpoint", cluster.endpoint, "--pids", pids]
        return subprocess.run(
            command + sys.argv[2:], env=cluster.client_environment()
        ).returncode
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
