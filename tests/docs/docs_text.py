"""What the Markdown of this repository says: headings, anchors, links, codes."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(file):
    """The text without its fenced blocks."""
    return _FENCE.sub("", file.read_text(encoding="utf-8"))


def headings(file):
    return [heading.strip() for heading in _HEADING.findall(prose(file))]


def anchors(file):
    """What a forge makes of the headings."""
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings(file)}


def links(file):
    return _LINK.findall(prose(file))


def pages():
    """All Markdown that people read on a forge."""
    folders = (ROOT, DOCS, ROOT / "deploy")
    return sorted(page for folder in folders for page in folder.glob("*.md"))


def fences(file, language):
    """The blocks of a language, without what they are indented by."""
    text = file.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]
