"""Files: unreadable, malformedand many."""

import os
from pathlib import Path

import pytest
from settings_stage import (
    ENVIRON,
    OTHER,
    POLICY,
    SERVICES,
    VALID,
    changed,
    problems,
    problems_of,
    wrote,
)

from rotator.settings import load

CORRECT = "; correct it"
MERGING = "expected a mapping or list of mappings for merging, but found scalar"


# --- unreadable ---


def test_a_file_that_is_not_there_is_a_mistake():
    assert ["no.yaml: there is no such file; name one with --config"] == problems_of(
        [Path("no.yaml")]
    )


def test_without_a_name_it_is_rotator_yaml_that_is_not_there():
    assert ["rotator.yaml: there is no such file; name one with --config"] == problems_of([])


def test_without_a_name_it_is_rotator_yaml_that_is_read():
    wrote(VALID)

    assert "ci" == load([], ENVIRON).policies[0].name


def test_a_file_below_a_file_cannot_be_read():
    file = wrote(VALID) / "more.yaml"

    assert [
        f"{file}: cannot be read: Not a directory; allow it, or name another one"
    ] == problems_of([file])


def test_a_path_that_no_system_takes_cannot_be_read():
    path = Path("c" * 5000)

    assert [
        f"{path}: cannot be read: File name too long; allow it, or name another one"
    ] == problems_of([path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_closed_to_us_cannot_be_read():
    file = wrote(VALID)
    file.chmod(0)

    assert [
        "rotator.yaml: cannot be read: Permission denied; allow it, or name another one"
    ] == problems_of([file])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_is_closed_to_us_is_not_an_empty_one():
    folder = wrote(VALID, "closed/rotator.yaml").parent
    folder.chmod(0)

    try:
        found = problems_of([folder])
    finally:
        folder.chmod(0o700)

    assert ["closed: cannot be read: Permission denied; allow it, or name another one"] == found


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"a: \xe9", b"\x80"])
def test_a_file_that_is_not_text_is_a_mistake(content):
    assert ["rotator.yaml: cannot be read: it is not UTF-8 text; save it as that"] == problems(
        content
    )


@pytest.mark.parametrize("text", ["", "\n", "# all of it\n", "---\n", "{}", "''", "null"])
def test_a_file_with_nothing_in_it_is_a_mistake(text):
    words = "is empty; write `arize` and `policies` into it"
    if text == "null":
        words = "must be a mapping with `arize` and `policies`"

    assert [f"rotator.yaml:1: {words}"] == problems(text)


@pytest.mark.parametrize("text", ["- a", "a", "5", "\n\n[a]"])
def test_a_file_is_a_mapping(text):
    line = 1 + text.count("\n")

    assert [f"rotator.yaml:{line}: must be a mapping with `arize` and `policies`"] == problems(text)


# --- malformed ---


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("arize:\n  a: b: c\n", 2, "mapping values are not allowed in this context"),
        ("arize:\n\tx: 1\n", 2, "found character that cannot start any token"),
        ("arize: {a: 1\n", 2, "did not find expected ',' or '}'"),
        ("arize: 'x\n", 2, "found unexpected end of stream"),
        ("arize: *nowhere\n", 1, "found undefined alias"),
        ("arize: !no!tag x\n", 1, "found undefined tag handle"),
        ("arize: 1\n---\narize: 2\n", 2, "but found another document"),
        ("a: 1\nb: \x01\n", 2, "control characters are not allowed"),
        (
            "a: &x 1\n<<: *x\n",
            1,
            MERGING,
        ),
        ("a: &a [*a]\n", 1, "it is nested too deeply, or has too many aliases"),
        ("[" * 900, 1, "it is nested too deeply, or has too many aliases"),
        ("- " * 200_000, 1, "it is nested too deeply, or has too many aliases"),
        ("a: [", 2, "did not find expected node content"),
    ],
)
def test_a_malformed_file_is_one_mistake_with_its_line(text, line, words):
    (found,) = problems(text)

    assert f"rotator.yaml:{line}: not readable as YAML: {words}{CORRECT}" == found


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "? " * 200_000])
def test_a_file_deeper_than_any_parser_goes_is_one_mistake_and_no_crash(text):
    # Newer parsers have a bound of their own, in their own words.
    (found,) = problems(text)

    assert found.startswith("rotator.yaml:1: not readable as YAML: ")
    assert "nest" in found


def test_mistakes_in_one_file_do_not_hide_those_in_another():
    paths = [
        wrote(changed(("7d", "7")), "a.yaml"),
        wrote("x: y: z", "b.yaml"),
        Path("no.yaml"),
        wrote("", "c.yaml"),
    ]

    assert [
        (
            "a.yaml:9: policies[0].rotate.before_expiry: a number has no unit; write a length of"
            " time like 90s, 1h30m, 7d or 2w"
        ),
        (
            "b.yaml:1: not readable as YAML: mapping values are not allowed in this context;"
            " correct it"
        ),
        "c.yaml:1: is empty; write `arize` and `policies` into it",
        "no.yaml: there is no such file; name one with --config",
    ] == problems_of(paths)


# --- duplicates ---


def test_a_key_given_twice_is_a_mistake():
    text = changed(("{id: k1}", "{id: k1, id: k2}"))

    assert [
        "rotator.yaml:8: policies[0].key.id: given twice; keep one, the first is at rotator.yaml:8"
    ] == problems(text)


def test_a_section_given_twice_is_a_mistake():
    assert [
        "rotator.yaml:11: arize: given twice; keep one, the first is at rotator.yaml:1"
    ] == problems(f"{VALID}arize: {{api_key: {{env: ARIZE_API_KEY}}}}\n")


# --- several files ---


def test_policies_of_several_files_add_up():
    paths = [wrote(VALID, "a.yaml"), wrote(OTHER, "b.yaml")]

    assert ["ci", "other"] == [policy.name for policy in load(paths, ENVIRON).policies]


def test_a_directory_is_all_its_yaml_files_in_their_order():
    wrote(OTHER, "d/20.yaml")
    wrote(VALID, "d/10.yaml")
    wrote("not: read", "d/README.md")
    wrote("not: read", "d/..data/10.yaml")
    wrote("not: read", "d/.hidden.yaml")

    assert ["ci", "other"] == [policy.name for policy in load([Path("d")], ENVIRON).policies]


def test_files_and_directories_go_together():
    wrote(POLICY, "d/a.yaml")
    paths = [wrote(SERVICES, "services.yaml"), Path("d"), wrote(OTHER, "other.yaml")]

    assert ["ci", "other"] == [policy.name for policy in load(paths, ENVIRON).policies]


def test_a_directory_without_yaml_is_a_mistake():
    wrote("x", "d/x.yml")

    assert ["d: there is no *.yaml in this directory; put one there"] == problems_of([Path("d")])


def test_a_mistake_between_files_names_the_line_in_its_own():
    paths = [wrote(VALID, "a.yaml"), wrote(POLICY.replace("name: ci", "name: x"), "b.yaml")]

    assert [
        (
            "b.yaml:3: policies[1].key: this key is rotated by policy 'ci' already; let one policy"
            " deliver it to both"
        ),
        (
            "b.yaml:5: policies[1].deliver.field: this field of this path is written by policy 'ci'"
            " already; choose another field"
        ),
    ] == problems_of(paths)


def test_what_is_missing_in_all_files_is_missing_in_the_first():
    paths = [wrote(POLICY, "a.yaml"), wrote(OTHER, "b.yaml")]

    assert ["a.yaml:1: arize: is missing; add it"] == problems_of(paths)


def test_a_section_may_be_said_twice_alike():
    paths = [wrote(VALID, "a.yaml"), wrote(SERVICES, "b.yaml")]

    assert () == load(paths, ENVIRON).warnings


def test_a_section_may_not_be_said_otherwise_in_another_file():
    other = SERVICES.replace("vault:8200", "vault:8201")
    paths = [wrote(VALID, "a.yaml"), wrote(other, "b.yaml")]

    assert ["b.yaml:3: vault: said otherwise at a.yaml:3; keep one of them"] == problems_of(paths)


@pytest.mark.parametrize("odd", ["5", "x", "{a: 1}"])
def test_policies_that_are_no_list_do_not_hinder_those_that_are(odd):
    paths = [wrote(f"policies: {odd}\n", "a.yaml"), wrote(VALID, "b.yaml")]

    assert [
        "a.yaml:1: policies: must be a list",
        "b.yaml:6: policies: said otherwise at a.yaml:1; keep one of them",
    ] == problems_of(paths)
