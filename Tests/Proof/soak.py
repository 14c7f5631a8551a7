"""Trials with ever new seeds, one line of a record for each; see `scripts/soak`."""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# To start, to heal and to verify.
MORE_SECONDS_MAX = 600


class Stopped(Exception):
    pass


def trial(seed, seconds, logs):
    """Nemeses and operations in one line, and the verdict."""
    with tempfile.NamedTemporaryFile("r") as summary, open(logs / f"{seed}.log", "wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, HERE / "trial.py", "--seed", str(seed), "--seconds", str(seconds),
                "--summary", summary.name,
            ],
            env={**os.environ, "DST_TEST_LOGS": str(logs)},
            stdout=log,
            stderr=log,
            # Of its own, so that an interrupt from the keyboard reaches us alone.
            start_new_session=True,
        )
        late = False
        try:
            process.wait(seconds + MORE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            end(process)
        if process.returncode == 0:
            return summary.read(), "ok"
    if late:
        return "\t", f"failed: not done after {seconds + MORE_SECONDS_MAX} s"
    lines = (logs / f"{seed}.log").read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith(f"seed {seed} failed")] or lines[-1:]
    return "\t", (told or [f"failed: {process.returncode}"])[0][:300]


def end(process):
    """It ends what it has started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of nemeses in each trial")
    parser.add_argument("--runs", type=int, help="stop after so many trials")
    parser.add_argument("--seed", type=int, help="this one, once")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--commit", default="")
    arguments = parser.parse_args()
    arguments.record.parent.mkdir(parents=True, exist_ok=True)
    logs = arguments.record.parent

    def stop(*_):
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    runs = 1 if arguments.seed is not None else arguments.runs
    done = failed = 0
    try:
        while runs is None or done < runs:
            seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1 << 31)
            began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            summary, verdict = trial(seed, arguments.seconds, logs)
            nemeses, operations = summary.split("\t")
            line = "\t".join(
                [began, arguments.commit, str(seed), nemeses, operations, verdict]
            )
            with open(arguments.record, "a") as record:
                record.write(line + "\n")
            print(line, flush=True)
            done += 1
            if verdict == "ok":
                (logs / f"{seed}.log").unlink()
            else:
                failed += 1
    except Stopped:
        pass
    print(f"{done} trials, {failed} failed; {arguments.record}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
