"""From a configuration to services that work together."""

import json

import yaml

from rotator.keys import Scope
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.server import serving
from rotator.settings import load
from rotator.wiring import connected


def configured(folder, url, **rules):
    """The management key lies in the store."""
    document = {
        "arize": {"base_url": url, "api_key": {"vault": {"path": "own", "field": "api_key"}}},
        "files": {"directory": str(folder / "store")},
        "policies": [
            {
                "name": "ci",
                "key": {"id": "k1"},
                "rotate": {"max_age": "30d"},
                "deliver": {"path": "ci", "field": "api_key"},
                **rules,
            }
        ],
    }
    file = folder / "rotator.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load([file], {})


async def test_a_management_key_from_the_store_is_hidden_like_one_from_a_file(tmp_path):
    arize, hidden = live_state(), {}
    place = tmp_path / "store" / "secrets" / "own.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"version": 1, "data": {"api_key": arize.management_key}}))

    async with serving(arize_app(arize)) as served:
        settings = configured(tmp_path, served.url)

        def hide(secret, source):
            hidden[source] = secret.reveal()

        async with connected(settings, lambda *_, **__: None, hide=hide) as services:
            await services.listings.get(Scope())

    assert {settings.arize.api_key: arize.management_key} == hidden


async def test_a_file_that_hangs_is_known_to_the_next_configuration_as_well(tmp_path):
    ours, theirs = (
        configured(
            tmp_path, "http://127.0.0.1:9", write={"file": str(tmp_path / "f"), "mode": mode}
        )
        for mode in ("0600", "0640")
    )
    async with connected(ours, lambda *_, **__: None) as services:
        (before,) = services.world.sinks["ci"]
        services.configure(theirs)
        (after,) = services.world.sinks["ci"]

    assert (0o600, 0o640) == (before.mode, after.mode)
    assert before.threads is after.threads
