"""The commands of docs/DEPLOYING-VMS.md, by the names that stand before their blocks."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "DEPLOYING-VMS.md"
BLOCK = re.compile(r"^<!-- run: (\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    return dict(BLOCK.findall(GUIDE.read_text()))


def block(name):
    """A block of the guide, word for word."""
    return blocks()[name]
