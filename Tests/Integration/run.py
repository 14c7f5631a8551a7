#!/usr/bin/env python3
"""Runs the integration tests: `run.py [--in DIRECTORY] [part of a name]`.

DIRECTORY holds other tests that are run in the same way.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from runner import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    directory = HERE
    if arguments[:1] == ["--in"]:
        directory = Path(arguments[1]).resolve()
        sys.path.insert(0, str(directory))
        arguments = arguments[2:]
    sys.exit(main(directory, *arguments[:1]))
