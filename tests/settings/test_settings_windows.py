"""Windows as people write them: what cron means by it, and clocks that are put forward or back."""

from datetime import UTC, datetime, timedelta

import pytest
from settings_stage import changed, loaded, problems

from rotator.pacing import Opening
from rotator.settings.windows import CronWindow, pauses

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(cron="0 2 * * sat", duration=4 * HOUR, zone="Europe/Berlin"):
    return CronWindow(cron, duration, zone)


def opens(moment, **what):
    return window(**what).opening(utc(moment)).opens


def with_windows(text, rotate="{before_expiry: 8d}", more=""):
    windows = text and f"\n    windows: {text}"
    policy = f"rotate: {rotate}{windows}{more}"
    return changed(("rotate: {before_expiry: 7d}", policy))


# --- when they open ---


def test_a_window_is_open_from_its_beginning_to_its_end():
    opening = Opening(utc("2026-11-28 01:00"), utc("2026-11-28 05:00"))

    for moment in ("2026-11-21 05:00", "2026-11-28 01:00", "2026-11-28 04:59:59.999999"):
        assert opening == window().opening(utc(moment))
    assert utc("2026-12-05 01:00") == opens("2026-11-28 05:00")


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 2 * * 0", "2026-11-29"),
        ("0 2 * * 7", "2026-11-29"),
        ("0 2 * * SUN", "2026-11-29"),
        ("0 2 * * 1", "2026-11-30"),
        ("0 2 1 * *", "2026-12-01"),
        ("0 2 L * *", "2026-11-30"),
        ("0 2 * * mon#1", "2026-12-07"),
        ("0 2 29 2 *", "2028-02-29"),
    ],
)
def test_days_are_counted_as_cron_counts_them(cron, expected):
    assert utc(f"{expected} 02:00") == opens("2026-11-23 08:00", cron=cron, zone="UTC")


def test_a_window_longer_than_its_period_is_always_open():
    assert utc("2026-11-23 07:00") == opens("2026-11-23 08:30", cron="0 * * * *", duration=2 * HOUR)


def test_one_that_never_opens_has_no_opening():
    assert None is window("0 2 LW * */7").opening(utc("2026-11-23"))


# --- when clocks are put forward: 02:00 becomes 03:00 on 2027-03-28 ---


def test_what_would_open_in_the_hour_that_is_left_out_opens_right_after_it():
    assert utc("2027-03-28 01:00") == opens("2027-03-27 12:00", cron="30 2 * * *", duration=HOUR)
    assert utc("2027-03-29 00:30") == opens("2027-03-28 02:00", cron="30 2 * * *", duration=HOUR)


def test_a_window_is_as_long_as_on_any_other_day():
    for night in ("2027-03-28", "2027-10-31", "2026-11-28"):
        opening = window("0 1 * * *").opening(utc(f"{night} 00:30"))

        assert 4 * HOUR == opening.closes - opening.opens


# --- when clocks are put back: 03:00 becomes 02:00 on 2027-10-31 ---


@pytest.mark.parametrize("minutes", range(0, 180, 15))
def test_what_would_open_in_the_hour_that_comes_twice_opens_in_the_first(minutes):
    moment = utc("2027-10-30 23:30") + minutes * MINUTE
    opening = window("30 2 * * *", duration=10 * MINUTE).opening(moment)

    in_time = moment < utc("2027-10-31 00:40")
    assert utc("2027-10-31 00:30" if in_time else "2027-11-01 01:30") == opening.opens


def test_what_opens_every_hour_opens_in_both():
    found, moment = [], utc("2027-10-30 23:45")
    for _ in range(3):
        opening = window("30 * * * *", duration=MINUTE).opening(moment)
        found.append(opening.opens)
        moment = opening.closes

    assert [utc(f"2027-10-31 0{hour}:30") for hour in range(3)] == found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 */3 * * *", "15 1 * * sun"])
def test_openings_come_one_after_the_other_through_a_whole_year(zone, cron):
    moment = utc("2027-01-01")
    for _ in range(400):
        opening = window(cron, HOUR, zone).opening(moment)

        assert opening.closes > moment
        assert opening == window(cron, HOUR, zone).opening(opening.closes - SECOND)
        moment = opening.closes


# --- how rarely they open ---


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([window(zone="UTC")], (7 * DAY, 7 * DAY)),
        ([window()], (7 * DAY - HOUR, 7 * DAY + HOUR)),
        ([window(zone="UTC"), window("0 2 * * wed", zone="UTC")], (3 * DAY, 4 * DAY)),
        ([window("0 2 1 * *", zone="UTC")], (28 * DAY, 31 * DAY)),
        ([window("0 2 29 2 *", zone="UTC")], (1461 * DAY, 1461 * DAY)),
        ([window("*/10 2 * * *", zone="UTC")], (23 * HOUR + 10 * MINUTE, 23 * HOUR + 10 * MINUTE)),
        ([window("0 * * * *")], (0 * DAY, 0 * DAY)),
    ],
)
def test_the_pauses_between_two_openings(windows, expected):
    assert expected == pauses(tuple(windows))


# --- written ---


def test_windows_become_part_of_the_policy():
    text = "[{cron: 0 2 * * sat, duration: 4h, time_zone: Europe/Berlin}]"

    assert (window(),) == loaded(with_windows(text)).policies[0].windows


def test_the_time_zone_is_utc_and_one_window_needs_no_list():
    settings = loaded(with_windows("{cron: 0 2 * * sat, duration: 4h}"))

    assert (window(zone="UTC"),) == settings.policies[0].windows
    assert () == settings.warnings


def test_jitter_and_suspension_become_part_of_the_policy():
    policy = loaded(with_windows("", "{before_expiry: 7d, jitter: 2h}", "\n    suspend: true"))

    assert (2 * HOUR, True, ()) == (
        policy.policies[0].jitter,
        policy.policies[0].suspend,
        policy.policies[0].windows,
    )


FIVE = "is not an expression of cron's five fields"
HOW = "write minute, hour, day of month, month and day of week, as in `0 2 * * sat`"


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (
            "cron: 0 2 * *, duration: 4h",
            ".cron",
            f"{FIVE}; {HOW}",
        ),
        (
            "cron: '@daily', duration: 4h",
            ".cron",
            f"{FIVE}; {HOW}",
        ),
        (
            "cron: 0 0 2 * * *, duration: 4h",
            ".cron",
            f"{FIVE}; {HOW}",
        ),
        (
            "cron: 0 25 * * *, duration: 4h",
            ".cron",
            f"cron does not know this hour, or it never comes; {HOW}",
        ),
        (
            "cron: 0 2 * * foo, duration: 4h",
            ".cron",
            f"cron does not know this day-of-week, or it never comes; {HOW}",
        ),
        (
            "cron: 0 2 30 2 *, duration: 4h",
            ".cron",
            f"cron does not know this day-of-month, or it never comes; {HOW}",
        ),
        (
            "cron: 0 2 LW * */7, duration: 4h",
            ".cron",
            "never opens: no such day ever comes; correct day and month",
        ),
        (
            "cron: 0 2 * * 6, duration: 4h, time_zone: Europe/Bonn",
            ".time_zone",
            "is not a time zone; write one like Europe/Berlin, or UTC",
        ),
        (
            "cron: 0 2 * * 6, duration: 4h, time_zone: ../../etc/passwd",
            ".time_zone",
            "is not a time zone; write one like Europe/Berlin, or UTC",
        ),
        ("cron: 0 2 * * 6", ".duration", "is missing; add it"),
    ],
)
def test_a_mistake_in_a_window_is_one_line(text, name, words):
    assert [f"rotator.yaml:10: policies[0].windows{name}: {words}"] == problems(
        with_windows(f"{{{text}}}")
    )


def apart(text):
    return f"the {text} that a rotation can wait (`before_expiry` less the grace)"


@pytest.mark.parametrize(
    ("windows", "rotate", "path", "words"),
    [
        (
            "{cron: 0 2 * * *, duration: 6h1s}",
            "{before_expiry: 7h}",
            "windows.duration",
            (
                f"can never open in time, being longer than {apart('6h')}; shorten it, or lengthen"
                " `before_expiry`"
            ),
        ),
        (
            "[{cron: 0 2 * * *, duration: 1h}, {cron: 0 2 * * *, duration: 7h}]",
            "{before_expiry: 7h}",
            "windows[1].duration",
            (
                f"can never open in time, being longer than {apart('6h')}; shorten it, or lengthen"
                " `before_expiry`"
            ),
        ),
        (
            "{cron: 0 2 * * *, duration: 1h}",
            "{before_expiry: 1h}",
            "windows.duration",
            (
                f"can never open in time, being longer than {apart('0s')}; shorten it, or lengthen"
                " `before_expiry`"
            ),
        ),
        (
            "{cron: 0 2 1 1 *, duration: 4h}",
            "{before_expiry: 7d}",
            "windows",
            (
                "open too rarely: they are 365d apart, and most rotations could not wait for one,"
                f" with {apart('6d23h')}; lengthen `rotate.before_expiry` to 365d1h, or add windows"
            ),
        ),
        (
            "{cron: 0 2 1 1 *, duration: 4h}",
            "{max_age: 30d}",
            "windows",
            "open too rarely: they are 365d apart, beyond `max_age`; add some",
        ),
        (
            "",
            "{before_expiry: 7h, jitter: 3h1s}",
            "rotate.jitter",
            f"must be at most half of {apart('6h')}; shorten it, or lengthen `before_expiry`",
        ),
        (
            "",
            "{max_age: 3h, jitter: 3h}",
            "rotate.jitter",
            "must be shorter than `max_age`; shorten it",
        ),
    ],
)
def test_what_could_never_work_is_refused(windows, rotate, path, words):
    line = 9 if path.startswith("rotate") else 10

    assert [f"rotator.yaml:{line}: policies[0].{path}: {words}"] == problems(
        with_windows(windows, rotate)
    )


@pytest.mark.parametrize(
    ("windows", "rotate"),
    [
        ("{cron: 0 2 * * *, duration: 6h}", "{before_expiry: 25h}"),
        ("{cron: 0 2 * * *, duration: 1h}", "{before_expiry: 27h, jitter: 2h}"),
        ("{cron: 0 2 1 1 *, duration: 4h}", "{before_expiry: 366d1h}"),
        ("{cron: 0 2 1 1 *, duration: 4h}", "{max_age: 365d}"),
        ("{cron: 0 * * * *, duration: 1h}", "{before_expiry: 2h, grace_period: 1h}"),
        ("", "{before_expiry: 7h, jitter: 3h}"),
        ("", "{max_age: 3h, jitter: 2h59m}"),
    ],
)
def test_what_always_works_is_taken_without_a_word(windows, rotate):
    assert () == loaded(with_windows(windows, rotate)).warnings


@pytest.mark.parametrize(
    ("windows", "rotate", "words"),
    [
        (
            "{cron: 0 2 * * sat, duration: 4h}",
            "{before_expiry: 7d}",
            (
                f"are up to 7d apart, which is longer than {apart('6d23h')}: some rotations will be"
                " begun outside of them; lengthen `rotate.before_expiry` to 7d1h, or add windows"
            ),
        ),
        (
            "{cron: 0 2 * * *, duration: 1h}",
            "{before_expiry: 26h, jitter: 90m}",
            (
                f"are up to 1d apart, which is longer than {apart('1d1h')}, less the jitter: some"
                " rotations will be begun outside of them; lengthen `rotate.before_expiry` to 1d3h,"
                " or add windows"
            ),
        ),
    ],
)
def test_windows_that_are_missed_now_and_then_are_warned_of(windows, rotate, words):
    settings = loaded(with_windows(windows, rotate))

    assert (f"rotator.yaml:10: policies[0].windows: {words}",) == settings.warnings


def test_without_a_sound_run_section_windows_are_checked_all_the_same():
    text = with_windows("{cron: 0 2 1 1 *, duration: 4h}", "{before_expiry: 7d}")

    assert 2 == len(problems(f"{text}run: {{lease: x}}\n"))
