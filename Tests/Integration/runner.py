"""Runs the tests of a directory, or those whose name contains some text.

Each test is bounded in time by a watchdog that ends this process, so that a hang is a failure with
a traceback and not a stuck machine.
"""

import faulthandler
import sys
import time
import unittest

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

    # At once, not at the end: the watchdog, or whoever loses patience, may come before.

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.stream.writeln(self.errors[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            kind = self.failures if issubclass(error[0], test.failureException) else self.errors
            self.stream.writeln(kind[-1][1])

    def printErrors(self):
        names = [test.id() for test, _ in self.failures + self.errors]
        if names:
            self.stream.writeln("failed: " + ", ".join(names))

    def getDescription(self, test):
        return test.shortDescription() or str(test)


def main(directory, wanted=""):
    """The exit code: 0 where all passed, 2 where no test has such a name."""
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()

    def keep(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                keep(test)
            elif wanted in test.id():
                suite.addTest(test)

    keep(loader.discover(str(directory), pattern="test_*.py"))
    if suite.countTestCases() == 0:
        print(f"no test in {directory} has '{wanted}' in its name", file=sys.stderr)
        return 2
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=2)
    return 0 if runner.run(suite).wasSuccessful() else 1
