"""The page as text: what it tells, and that it is safe to show."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from observe_stage import EVIL, FAILED, ROTATED, SOON, board, drifted, leaving, look, well
from pure_builders import (
    DAY,
    MINUTE,
    NOW,
    endless,
    in_flight,
    key,
    lease,
    lineage,
    policy,
    record,
    snapshot,
)

from rotator.events import Event
from rotator.observe.web import page


class Seen(HTMLParser):
    """Tags with their attributes, and the text of each row of a table."""

    def __init__(self, known):
        super().__init__()
        self.tags, self.rows, self.text = [], [], ""
        self._hidden = self._in_table = False
        self.feed(page.render(known).decode())
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._hidden = tag in {"style", "title"}
        self._in_table = self._in_table or tag == "table"
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        self._hidden = False
        self._in_table = self._in_table and tag != "table"

    def handle_data(self, data):
        if not self._hidden:
            self.text += data
            if self._in_table:
                self.rows[-1].append(data)

    def row(self, name):
        """Of the policy, as text."""
        return next("|".join(row) for row in self.rows if row and row[0] == name)

    def classes(self, tag):
        return [found["class"] for kind, found in self.tags if kind == tag and "class" in found]


def moved(known, by):
    known.clocks.at += by
    return known


# --- what it tells ---


def test_a_policy_that_is_well_is_one_row():
    seen = Seen(look(board(), well()))

    shown = str(key().redacted)
    assert f"ci-key|well|{shown}|10d| in 80d|reissue in 66d|completed 10d ago" == seen.row("ci-key")
    assert "ready" in seen.text


def test_before_the_first_look_it_says_so():
    assert "ci-key|not looked at yet" == Seen(board()).row("ci-key")


def test_a_policy_that_fails_says_for_how_long_why_and_what_to_do():
    known = look(board(), well())
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED)
    seen = Seen(moved(known, 5 * MINUTE))

    assert seen.row("ci-key").startswith("ci-key|failing|")
    assert "for 5m: Vault is sealed. unseal it" in seen.text
    assert "not ready" in seen.text


def test_what_is_most_urgent_stands_on_top():
    known = board("a", "b", "c", "d")
    for name, s in (("a", well("a")), ("b", drifted("b")), ("d", well("d"))):
        assert s.policy.name == name
        look(known, s)
    known.heard(Event.DELIVERY_FAILED, policy="d", grace_deadline=SOON, **FAILED)
    rows = [row[0] for row in Seen(known).rows if row and row[0] in {"a", "b", "c", "d"}]

    assert ["d", "c", "b", "a"] == rows[:4]


@pytest.mark.parametrize(
    ("deadline", "left"),
    [
        (NOW + 5 * MINUTE, "; the old one works for 5m more"),
        (NOW - MINUTE, "; the old one does not work any more"),
        (None, ""),
    ],
)
def test_an_undelivered_key_is_told_with_what_to_do_before_anything_else(deadline, left):
    known = look(board(), snapshot(key(), holding=(None,)))
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED)
    known.heard(Event.DELIVERY_FAILED, policy="ci-key", grace_deadline=deadline, **FAILED)
    seen = Seen(known)

    said = "a new key is minted, and the store does not take it"
    assert f"{said}{left}. bring the store back, and do not end this process" in seen.text
    assert "the next rotation puts one there" not in seen.text


def test_what_a_suspension_stops_is_told_with_what_ends_it():
    rules = policy(suspend=True, max_age=30 * DAY)
    seen = Seen(look(board(), snapshot(key(created_at=NOW - 40 * DAY), policy=rules)))

    shown = str(key().redacted)
    assert f"ci-key|suspended|{shown}|40d| in 80d|overdue 10d" == seen.row("ci-key")
    assert "suspended, and overdue since 2026-11-13 08:31 UTC: remove `suspend`, or" in seen.text


def test_drift_is_told_with_its_verdict():
    seen = Seen(look(board(), drifted()))

    assert "|drifted" in seen.row("ci-key")
    assert "holds a key that the provider does not list" in seen.text


def test_old_keys_are_told_with_what_is_left_of_them():
    assert "|ak-ret...ret| 1h left|" in Seen(look(board(), leaving())).row("ci-key")


def test_an_old_key_that_cannot_be_revoked_is_told():
    seen = Seen(look(board(), leaving(failures=3)))

    assert " cannot be revoked, 3 times" in seen.text


def test_who_holds_the_lease_is_told_until_it_is_over():
    journal = in_flight().model_copy(update={"lease": lease("pod-7")})
    known = look(board(), snapshot(key(), journal=journal))

    assert "pod-7" in Seen(known).text
    assert "pod-7|" not in Seen(moved(known, MINUTE)).row("ci-key")


def test_a_rotation_in_flight_is_told_in_place_of_the_last_one():
    s = snapshot(key(), journal=in_flight().model_copy(update={"history": (record(),)}))

    assert "begun 1m ago, try 1" in Seen(look(board(), s)).row("ci-key")


def test_a_key_without_expiry_and_an_expired_one():
    endless_policy = policy(max_age=30 * DAY)

    assert "never" in Seen(look(board(), snapshot(endless(), policy=endless_policy))).text
    assert "1m ago" in Seen(moved(look(board(), well()), 80 * DAY + MINUTE)).text


def test_services_the_token_and_the_clock_are_told():
    known = board()
    assert 2 == Seen(known).text.count("not asked yet")
    assert ["unknown", "unknown"] == Seen(known).classes("dd")
    known.called("vault", "read", 200, 0.1)
    known.called("arize", "list", None, 10.0)
    known.heard(Event.VAULT_LOGIN, ttl_seconds=3600)
    known.heard(Event.CLOCK_SKEWED, skew_seconds=3.2)
    text = Seen(known).text

    assert ["arize", "down", "vault", "up", "1h left", "+3 s"] == re.findall(
        r"arize(?=down)|down|vault(?=up)|up|1h left|\+3 s", text[: text.index("Policies")]
    )


def test_without_policies_there_is_no_time_line():
    known = board()
    known.keep([])

    assert "0 policies" in Seen(known).text
    assert "Time line" not in Seen(known).text


def test_a_page_of_thousands_is_cut_off_and_says_so():
    known = board(*(f"p{number}" for number in range(502)))

    assert "and 2 more: see rotator status" in Seen(known).text


# --- the time line ---


def test_each_rotation_is_a_mark_by_its_outcome():
    ends = [("completed", 40), ("repaired", 30), ("failed", 20)]
    history = tuple(record(outcome=outcome, finished_at=NOW - days * DAY) for outcome, days in ends)
    seen = Seen(look(board(), snapshot(key(), journal=lineage(history=history))))

    assert ["completed", "repaired", "coming"] == seen.classes("circle")
    assert ["failed"] == [one for one in seen.classes("svg") if one == "failed"]
    assert 3 == len([row for row in seen.rows if "reissue" in row and "refresh" not in row])


def test_a_rollback_has_a_mark_in_the_legend_and_a_name_for_people():
    history = (record(outcome="rolled_back", finished_at=NOW - DAY),)
    seen = Seen(look(board(), snapshot(key(), journal=lineage(history=history))))

    assert "rolled_back" in seen.classes("circle")
    assert "rolled_back" in seen.classes("li")
    assert "rolled back 1d ago" in seen.row("ci-key")
    assert 1 == len([row for row in seen.rows if row[3:4] == ["rolled back"]])
    assert "circle.rolled_back {" in page.render(board()).decode()


def test_a_rotation_of_milliseconds_did_not_take_no_time():
    began = NOW - DAY
    history = (record(started_at=began, finished_at=began + MINUTE / 1000, danger_seconds=0.0087),)
    seen = Seen(look(board(), snapshot(key(), journal=lineage(history=history))))

    (row,) = (row for row in seen.rows if "in memory" not in row and "8.7\xa0ms" in row)
    assert "60.0\xa0ms" in row


def test_a_grace_is_a_bar_and_a_life_too():
    history = (record(finished_at=NOW - MINUTE, old_valid_until=NOW + DAY),)
    seen = Seen(look(board(), snapshot(key(), journal=lineage(history=history))))

    assert {"life", "grace", "expiry"} <= set(seen.classes("rect"))


def test_what_lies_outside_of_what_is_shown_is_not_drawn():
    long_ago = record(finished_at=NOW - 400 * DAY, old_valid_until=NOW - 399 * DAY)
    far_away = key(expires_at=NOW + 900 * DAY)
    seen = Seen(look(board(), snapshot(far_away, journal=lineage(history=(long_ago,)))))

    assert [] == seen.classes("circle")
    assert not {"grace", "expiry"} & set(seen.classes("rect"))


def test_positions_lie_within_the_drawing():
    history = (record(finished_at=NOW - 400 * DAY), record(finished_at=NOW - DAY))
    seen = Seen(look(board(), snapshot(key(), journal=lineage(history=history))))
    shares = [
        float(found[name][:-1])
        for tag, found in seen.tags
        for name in ("x", "cx", "x1", "width")
        if tag in {"rect", "circle", "line"} and found.get(name, "").endswith("%")
    ]

    assert shares
    assert all(0 <= share <= 100 for share in shares)


# --- safety ---


def everywhere_evil():
    """Whatever others can put into a text is ugly."""
    known = board(EVIL)
    s = snapshot(
        key(name=EVIL, id=EVIL),
        policy=policy(name=EVIL),
        journal=lineage(history=(record(reason=EVIL, redacted=EVIL, old_redacted=EVIL),)),
    )
    look(known, s)
    known.heard(
        Event.POLICY_FAILED,
        policy=EVIL,
        retry_at=None,
        error=EVIL,
        error_code=EVIL,
        remedy=EVIL,
    )
    return known


def test_no_text_becomes_markup():
    seen = Seen(everywhere_evil())

    assert set() == {tag for tag, _ in seen.tags} & {"script", "b", "iframe", "object", "form"}
    assert seen.text.count(EVIL) >= 4
    assert all(not name.startswith("on") for _, found in seen.tags for name in found)


def test_no_style_stands_outside_of_the_style_sheet():
    assert all("style" not in found for _, found in Seen(everywhere_evil()).tags)


def test_nothing_is_loaded_from_elsewhere():
    text = page.render(everywhere_evil()).decode()
    links = [found.get("href") or found.get("src") for _, found in Seen(everywhere_evil()).tags]

    assert ["data:,"] == [link for link in links if link]
    assert [] == re.findall(r"https?://|url\(|@import", text)


def test_the_policy_knows_the_style_sheet_by_its_hash():
    text = page.render(board()).decode()
    style = re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in page.security_policy()
    assert page.security_policy().startswith("default-src 'none'; ")
    assert "unsafe" not in page.security_policy()


@pytest.mark.parametrize("place", ["error", "remedy"])
def test_every_text_is_cleaned_once_more(place):
    known = board(clean=lambda text: text.replace("canary", "[masked]"))
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED | {place: "a canary"})
    look(known, snapshot(key(), journal=lineage(history=(record(reason="canary"),))))

    assert b"canary" not in page.render(known)


def test_no_raw_key_is_on_it():
    known = look(board(), leaving())
    known.heard(Event.ROTATION_COMPLETED, **ROTATED)

    assert b"0000" not in page.render(known)
