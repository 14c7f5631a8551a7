#!/usr/bin/env python3
"""Runs the tests of one directory: `run.py DIRECTORY [part of a name]`."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "common"))


def main(directory, part=""):
    loader = unittest.TestLoader()
    if part:
        loader.testNamePatterns = [f"*{part}*"]
    tests = loader.discover(directory, top_level_dir=directory)
    if not tests.countTestCases():
        # A directory without tests is a mistake; a filter that fits none of this directory is not.
        return 0 if part else 1
    return not unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
