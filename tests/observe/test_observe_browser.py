"""The page in a real browser: chromium, without a window. Skipped, loudly, where there is none."""

import base64
import json
from dataclasses import replace

import pytest
from browser import DESKTOP, PHONE, PROGRAM, browsing
from observe_stage import look, page_site
from pictures import aged, story
from pure_builders import DAY, MINUTE, NOW, lease

from rotator.observe.web.port import serving
from rotator.observe.web.site import Access, Site
from rotator.secrets import Secret

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: chromium is not on PATH"),
    pytest.mark.xdist_group("browser"),
]
TOKEN = "canary-token-0123456789"


@pytest.fixture(scope="module")
def browser():
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def known():
    known = story()
    name = "a-policy-with-quite-a-long-name-indeed"
    known.keep([*(row.policy for row in known.rows), name, "crowded"])
    look(known, crowded())
    return known


def crowded():
    """With something in every column."""
    s = aged("crowded", every=30 * DAY, since=22 * MINUTE, life=90 * DAY, holding="two")
    held = lease("ci-7f9c-rotator-5d8c6b7f4-x2v9k", until=NOW + 30 * DAY)
    return replace(s, journal=s.journal.model_copy(update={"lease": held}))


@pytest.fixture(scope="module")
def url(known):
    with serving(page_site(known), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}/"


sizes = pytest.mark.parametrize(
    "size", [PHONE, (768, 1024), (1000, 700), (1120, 800), DESKTOP], ids=str
)


@sizes
def test_it_is_shown_without_a_complaint_and_asks_for_nothing_else(browser, url, size):
    browser.open(url, size=size)

    assert [] == browser.complaints
    assert {url} == {one for one in browser.requested if not one.startswith("data:")}
    assert "rotator" == browser.value("document.title")


@sizes
def test_it_fits_the_window(browser, url, size):
    browser.open(url, size=size)

    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    # Also where something is wider than its box, and would be cut off or laid over its neighbour.
    assert [] == browser.value(
        "[...document.querySelectorAll('td, dd, p, li')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )


def test_the_style_sheet_is_obeyed_and_the_most_urgent_stands_on_top(browser, url):
    browser.open(url)

    rows = browser.value(
        "[...document.querySelectorAll('td[data-label=policy]')].map(e=>e.textContent)"
    )
    assert ["a-policy-with-quite-a-long-name-indeed", "ingest", "batch"] == rows[:3]
    assert "rgb(251, 251, 250)" == browser.value("getComputedStyle(document.body).backgroundColor")


def luminance(colour):
    """Of ``rgb(r, g, b)``, as WCAG 2.2 defines it."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    r, g, b = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_or_dark_every_text_can_be_read(browser, url, dark):
    browser.open(url, dark=dark)

    ground = luminance(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert (ground < 0.05) == dark
    raised = luminance(
        browser.value("getComputedStyle(document.querySelector('table')).backgroundColor")
    )
    colours = browser.value(
        "[...new Set([...document.querySelectorAll('body *')]"
        ".filter(e => e.textContent && !e.closest('svg')).map(e => getComputedStyle(e).color))]"
    )
    assert 4 < len(colours)
    for text in map(luminance, colours):
        for behind in (ground, raised):
            light, deep = max(text, behind), min(text, behind)
            assert (light + 0.05) / (deep + 0.05) >= 4.5


def test_every_cell_stands_below_its_title(browser, url):
    browser.open(url)

    assert [] == browser.value(
        "[...document.querySelectorAll('.policies td[data-label]')].filter("
        "e => e.dataset.label != document.querySelectorAll('.policies th')[e.cellIndex].textContent"
        ").map(e => e.textContent)"
    )


def test_on_a_phone_a_row_becomes_a_card(browser, url):
    cell, row = "document.querySelector('td')", ".parentNode"
    browser.open(url, size=PHONE)
    narrow = [browser.value(f"getComputedStyle({one}).display") for one in (cell, cell + row)]
    browser.open(url)
    wide = [browser.value(f"getComputedStyle({one}).display") for one in (cell, cell + row)]

    assert (["flex", "block"], ["table-cell", "table-row"]) == (narrow, wide)


def test_a_script_that_got_into_it_would_not_run(browser, known):
    class Pierced(Site):
        def answer(self, request):
            answer = super().answer(request)
            hole = b"<script>document.title='pierced'</script><img src=/livez onerror=alert(1)>"
            return answer._replace(body=answer.body.replace(b"</main>", hole + b"</main>"))

    made = page_site(known)
    with serving(Pierced(made._access, made._checks, made._pages), "127.0.0.1", 0) as port:
        browser.open(f"http://127.0.0.1:{port}/")

    assert "rotator" == browser.value("document.title")
    assert 2 <= len(browser.complaints)


def test_with_a_password_a_browser_gets_in(browser, known):
    access = Access(is_local=False, token=lambda: Secret(TOKEN))
    header = f"Basic {base64.b64encode(f'any:{TOKEN}'.encode()).decode()}"
    with serving(page_site(known, access), "127.0.0.1", 0) as port:
        browser.open(f"http://127.0.0.1:{port}/", headers={"Authorization": header})
        assert "rotator" == browser.value("document.title")
        browser.open(f"http://127.0.0.1:{port}/livez", headers={"Authorization": header})
        assert json.loads(browser.value("document.body.textContent"))["alive"] is True
