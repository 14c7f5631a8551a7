"""What the test classes share: a cluster per class, whose logs stay when a test failed."""

import unittest

from load import Load
from project import Project, wait_until


class ComposeCase(unittest.TestCase):
    """Subclasses say how to make the cluster."""

    cluster = None

    @classmethod
    def make_cluster(cls):
        return Project(cls.__name__.lower())

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.make_cluster()
        try:
            seconds = cls.cluster.start()
            print(f"{cls.cluster.name}: ready {seconds:.1f} s after up", flush=True)
        except BaseException:
            cls.cluster.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        answer = super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.cluster.keep()
        return answer

    def bucket(self, kind="load"):
        """A fresh bucket for this test."""
        name = self.id().split(".")[-1].replace("_", "-").lower()[:50] + f"-{kind}"
        self.cluster.s3(attempts=10).create_bucket(Bucket=name)
        return name

    def load(self, gateways=(0, 1), bucket=None, **options):
        """Clients of a fresh bucket; `with` runs them."""
        clients = [
            self.cluster.s3(gateway=gateway, attempts=1, read_timeout=20) for gateway in gateways
        ]
        return Load(clients, bucket or self.bucket(), **options)

    def wait_until(self, *arguments, **options):
        return wait_until(*arguments, **options)
