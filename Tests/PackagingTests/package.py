"""The Debian packages under test, made once from the program in DSTNODE."""

import functools
import tempfile
from pathlib import Path

from cluster import DSTNODE
from guide import ROOT
from machines import call

OLD, NEW = "0.0.1~test", "0.0.2~test"


@functools.cache
def package(version=OLD):
    """The path of the package; `DSTNODE` is a release build with the Swift runtime in it."""
    output = Path(tempfile.mkdtemp(prefix="dst-package-"))
    call(
        str(ROOT / "packaging/build-deb"), "--binary", DSTNODE, "--version", version, "--output",
        str(output), seconds=600,
    )
    (path,) = output.glob("*.deb")
    return path
