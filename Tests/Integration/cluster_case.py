"""What the test classes share: a cluster per class, whose logs stay when a test failed."""

import unittest


class ClusterCase(unittest.TestCase):
    """Subclasses say how to make the cluster."""

    cluster = None
    failed = False

    @classmethod
    def make_cluster(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.make_cluster()
        try:
            cls.cluster.start()
        except BaseException:
            cls.cluster.close(keep=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close(keep=cls.failed)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        answer = super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return answer

    def bucket(self, name=None):
        """A fresh bucket for this test."""
        name = name or self.id().split(".")[-1].replace("_", "-").lower()[:60].strip("-")
        self.cluster.s3().create_bucket(Bucket=name)
        return name
