"""Links lead somewhere, and every page can be found."""

import pytest
from docs_text import DOCS, ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page):
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_index_has_every_page():
    listed = {link.partition("#")[0] for link in links(DOCS / "README.md")}

    assert set() == {page.name for page in DOCS.glob("*.md")} - {"README.md"} - listed
