"""Links lead somewhere, and every page can be found."""

import pytest
from docs_text import DOCS, ROOT, anchors, headings, links, pages

#: Each release of a changelog may have these.
_CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


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


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_heading_is_there_twice(page):
    found = [heading for heading in headings(page) if heading not in _CHANGES]

    assert [] == sorted({heading for heading in found if found.count(heading) > 1})


def test_the_index_has_every_page_once():
    listed = [link for link in links(DOCS / "README.md") if "/" not in link]

    assert sorted({page.name for page in DOCS.glob("*.md")} - {"README.md"}) == sorted(listed)
