"""The image under test: the release program, built into the runtime stage of docker/Dockerfile."""

import atexit
import functools
import os

from engine import CHECKOUT, docker, run


@functools.cache
def image():
    """Its tag. DST_TEST_IMAGE names one that is there already; else DSTNODE goes into a new one."""
    given = os.environ.get("DST_TEST_IMAGE")
    if given:
        docker("image", "inspect", given)
        return given
    program = os.environ.get("DSTNODE")
    if not program:
        raise AssertionError("DSTNODE must name the release program: use scripts/test --compose")
    tag = f"dstorage-test:{os.getpid()}"
    run(CHECKOUT / "docker" / "build", "--program", program, tag, seconds=900)
    _remove_at_exit(tag)
    return tag


@functools.cache
def balancer_image():
    """The tag that compose gives the load balancer's image when it builds it."""
    tag = f"dstorage-test-load-balancer:{os.getpid()}"
    _remove_at_exit(tag)
    return tag


def _remove_at_exit(tag):
    # The layers below stay, for the next run.
    remove = ("docker", "image", "rm", "--force", "--no-prune", tag)
    atexit.register(run, *remove, check=False)
