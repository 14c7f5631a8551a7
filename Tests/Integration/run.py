#!/usr/bin/env python3
"""Runs the integration tests: `run.py [part of a name]`.

Each test is bounded in time by a watchdog that ends this process, so that a hang is a failure with
a traceback and not a stuck machine.
"""

import faulthandler
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

TEST_SECONDS_MAX = 600


class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        faulthandler.dump_traceback_later(TEST_SECONDS_MAX, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        self.stream.writeln(f"      {time.monotonic() - self._began:.1f} s")
        super().stopTest(test)

    def getDescription(self, test):
        return test.shortDescription() or str(test)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()

    def keep(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                keep(test)
            elif wanted in test.id():
                suite.addTest(test)

    keep(loader.discover(str(HERE), pattern="test_*.py"))
    if suite.countTestCases() == 0:
        print(f"no integration test has '{wanted}' in its name", file=sys.stderr)
        return 2
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=2)
    return 0 if runner.run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
