"""What must not be together outside the policies, or between them and a service."""

import pytest
from settings_stage import VALID, changed, loaded, problems, wrote


@pytest.mark.parametrize(
    ("path", "place"),
    [("rotator/ci", "10"), ("rotator", "10"), ("/rotator/ci", "10"), ("rotator/ci/x", "10")],
)
def test_no_key_is_delivered_into_the_journal(path, place):
    assert [
        (
            f"rotator.yaml:{place}: policies[0].deliver.path: lies in the journal; deliver"
            " elsewhere, or rename vault.journal"
        )
    ] == problems(changed(("path: apps/ci/arize", f"path: {path}")))


@pytest.mark.parametrize(
    "pairs",
    [
        [("path: apps/ci/arize", "path: rotator2/ci")],
        [("path: apps/ci/arize", "path: rotator/ci, mount: other")],
        [("path: apps/ci/arize", "path: rotator/ci"), ("vault:\n", "vault:\n  journal: a/b/\n")],
    ],
)
def test_beside_the_journal_a_key_may_be_delivered(pairs):
    assert () == loaded(changed(*pairs)).warnings


def test_the_journal_may_be_deep_and_on_another_mount():
    text = changed(
        ("vault:\n", "vault:\n  mount: kv/\n  journal: /a/b/\n"), ("apps/ci/arize", "a/b/c")
    )

    assert 1 == len(problems(text))


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("eu-west-1", "is not a region of Arize; did you mean eu-west-1a?"),
        (
            "moon",
            (
                "is not a region of Arize; use one of us-central-1a, us-east-1b, eu-west-1a,"
                " ca-central-1a"
            ),
        ),
    ],
)
def test_a_region_is_one_that_arize_has(region, words):
    text = changed(("arize:\n", f"arize:\n  region: {region}\n"))

    assert [f"rotator.yaml:2: arize.region: {words}"] == problems(text)


def test_a_region_goes_without_an_address():
    text = changed(("arize:\n", "arize:\n  base_url: https://a.example\n  region: eu-west-1a\n"))

    assert [
        "rotator.yaml:3: arize.region: there is `base_url` as well; keep one of them"
    ] == problems(text)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("api.arize.com", "is not an address; write it like https://host:port"),
        ("ftp://a.example", "is not an address; write it like https://host:port"),
        ("https://", "is not an address; write it like https://host:port"),
        ("https://a:port", "is not an address; write it like https://host:port"),
        ("https://[::1", "is not an address; write it like https://host:port"),
        ("''", "is not an address; write it like https://host:port"),
        (
            "https://me:pass@a.example",
            "must not hold a user or a password; credentials have their own settings",
        ),
        (
            "http://a.example",
            "would send keys unencrypted; use https (http is for loopback only)",
        ),
        (
            "http://10.0.0.1:80",
            "would send keys unencrypted; use https (http is for loopback only)",
        ),
        (
            "http://localhost.example",
            "would send keys unencrypted; use https (http is for loopback only)",
        ),
    ],
)
@pytest.mark.parametrize("place", ["2: arize.base_url", "4: vault.address"])
def test_an_address_is_encrypted_or_on_loopback(url, words, place):
    old, new = ("arize:\n", f"arize:\n  base_url: {url}\n")
    if "vault" in place:
        old, new = ("https://vault:8200", url)

    assert [f"rotator.yaml:{place}: {words}"] == problems(changed((old, new)))


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "127.1.2.3:9", "[::1]:80", "a.localhost"]
)
def test_loopback_needs_no_encryption(host):
    text = changed(
        ("arize:\n", f"arize:\n  base_url: http://{host}/\n"), ("https://v", "https://v")
    )

    assert f"http://{host}" == loaded(text).arize.url


@pytest.mark.parametrize(
    ("given", "missing"), [("client_cert", "client_key"), ("client_key", "client_cert")]
)
def test_a_client_certificate_has_two_files(given, missing):
    wrote("", "x.pem")

    assert [
        f"rotator.yaml:3: vault: a client certificate needs both of its files; add `{missing}`"
    ] == problems(changed(("vault:\n", f"vault:\n  {given}: x.pem\n")))


@pytest.mark.parametrize(
    ("section", "name", "line"),
    [
        ("arize", "ca_cert", 2),
        ("vault", "ca_cert", 4),
        ("vault", "client_cert", 4),
        ("vault", "client_key", 4),
    ],
)
def test_a_file_that_a_service_is_reached_with_can_be_read(section, name, line):
    wrote("", "there.pem")
    pair = {"client_cert": "client_key", "client_key": "client_cert"}.get(name)
    lines = f"  {name}: nowhere.pem\n" + (f"  {pair}: there.pem\n" if pair else "")

    assert [
        (
            f"rotator.yaml:{line}: {section}.{name}: the file cannot be read: No such file or"
            " directory; name the right one, or allow it"
        )
    ] == problems(changed((f"{section}:\n", f"{section}:\n{lines}")))


@pytest.mark.parametrize(("path", "words"), [(".", "Is a directory"), ('"\\0"', "not the path")])
def test_what_is_no_file_is_no_certificate(path, words):
    (found,) = problems(changed(("vault:\n", f"vault:\n  ca_cert: {path}\n")))

    assert words in found


@pytest.mark.parametrize(("section", "line"), [("arize", 2), ("vault", 4)])
@pytest.mark.parametrize("proxy", ["nonsense", "proxy:3128", "http://", "http://proxy:port"])
def test_a_proxy_has_an_address(section, line, proxy):
    assert [
        (
            f"rotator.yaml:{line}: {section}.proxy: is not the address of a proxy; write it like"
            " http://proxy:3128"
        )
    ] == problems(changed((f"{section}:\n", f"{section}:\n  proxy: {proxy}\n")))


@pytest.mark.parametrize(
    ("place", "line", "section"),
    [
        (("arize:\n", "arize:\n  base_url: http://localhost:1\n"), 2, "arize"),
        (("https://vault:8200", "http://localhost:1"), 4, "vault"),
    ],
)
def test_a_proxy_elsewhere_is_sent_no_key_in_the_clear(place, line, section):
    def through(proxy):
        return changed(place, (f"{section}:\n", f"{section}:\n  proxy: {proxy}\n"))

    words = "would be sent keys unencrypted; remove it, or use https behind it"

    assert [f"rotator.yaml:{line}: {section}.proxy: {words}"] == problems(through("http://p:3128"))
    assert loaded(through("http://127.0.0.1:3128"))


@pytest.mark.parametrize("rest", ["?x=1", "#top", "/base?x"])
def test_an_address_is_not_followed_by_a_query(rest):
    assert [
        (
            "rotator.yaml:4: vault.address: is followed by more than a path; end it before the ?"
            " or the #"
        )
    ] == problems(changed(("https://vault:8200", f'"https://vault:8200{rest}"')))


def test_keys_live_in_one_store():
    assert [
        "rotator.yaml:11: files: there is `vault` as well; keys live in one of them, keep one"
    ] == problems(f"{VALID}files: {{directory: keys}}\n")


@pytest.mark.parametrize(
    ("more", "where", "slowest"),
    [
        ("run: {lease: 29s}", "11: run.lease", "10s"),
        ("run: {relist: 1m}", "11: run.lease", "11s"),
    ],
)
def test_a_lease_outlasts_three_requests(more, where, slowest):
    text = VALID + more + "\n"
    if slowest == "11s":
        text = text.replace("vault:\n", "vault:\n  timeout: 11s\n").replace("\n\n", "\n")
        where = where.replace("11:", "12:")

    assert [
        (
            f"rotator.yaml:{where}: must be at least three times the longest timeout ({slowest});"
            " lengthen it, or shorten the timeout"
        )
    ] == problems(text)


def test_an_unchecked_certificate_is_warned_of():
    assert (
        (
            "rotator.yaml:4: vault.skip_verify: Vault's certificate is not checked: anybody on the"
            " way can take the keys; set ca_cert instead"
        ),
    ) == loaded(changed(("vault:\n", "vault:\n  skip_verify: true\n"))).warnings


def test_no_store_at_all_is_warned_of():
    text = VALID.replace(VALID[VALID.index("vault:") : VALID.index("policies:")], "")

    assert (
        (
            "rotator.yaml:1: neither `vault` nor `files` is set: keys go to /var/lib/rotator; set"
            " one of them"
        ),
    ) == loaded(text).warnings


# --- the rate of requests ---


def limited(text):
    return changed(("  api_key:", f"  rate_limit: {text}\n  api_key:"))


def test_a_rate_has_a_burst_also_where_none_is_given():
    limit = loaded(limited("{per_second: 0.5}")).arize.rate_limit

    assert (0.5, 10) == (limit.per_second, limit.burst)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("{per_second: 0.09}", "per_second", "must be at least 0.1"),
        ("{per_second: many}", "per_second", "must be a number"),
        ("{per_second: [1]}", "per_second", "must be a number"),
        ("{per_second: 2000}", "per_second", "must be at most 1000"),
        ("{per_second: 1, burst: 0}", "burst", "must be at least 1"),
        ("{burst: 1}", "per_second", "is missing; add it"),
    ],
)
def test_a_rate_that_is_none_is_refused(text, path, words):
    assert [f"rotator.yaml:2: arize.rate_limit.{path}: {words}"] == problems(limited(text))
