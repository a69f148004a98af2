"""Leaks, planted: ``python canary_leaks.py ARGUMENT...`` is rotator with all of them.

Each leaks the key of the policy of its name. It is a mistake that somebody could make between the
provider's answer and the store, with the raw key at hand. They go past the masked types on purpose;
some go past the scrubber too, with a piece of a key that no pattern knows. Those of :data:`SHOWN`
are for who asks: in what a command prints, and on the pages of a daemon.
"""

import asyncio
import base64
import logging
import multiprocessing.resource_tracker
import os
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from dataclasses import replace
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import httpx

from rotator import outlook, standing
from rotator.adapters.spool import SealedSpool
from rotator.adapters.spool_keys import KeyPair
from rotator.cli import main
from rotator.delivery import Deliverer
from rotator.errors import ConfigError, Rejected
from rotator.events import Event
from rotator.model import Target

LEAKS, SHOWN = {}, {}
#: Seconds that a file is there, which nobody finds afterwards.
_MOMENT = 0.5
#: What is opened or started here lives as long as the program.
_KEPT = []


def leak(function):
    LEAKS[function.__name__] = function
    return function


def shown(function):
    SHOWN[function.__name__] = function
    return function


def piece(raw):
    return raw[5:17]


# --- on the terminal ---


@leak
def printed(raw, _):
    print(raw)  # noqa: T201


@leak
def printed_as_an_error(raw, _):
    print(f"got {raw!r}", file=sys.stderr)  # noqa: T201


@leak
def printed_in_base64(raw, _):
    print(base64.b64encode(f"key={raw}".encode()).decode(), file=sys.stderr)  # noqa: T201


@leak
def printed_in_hex(raw, _):
    print(raw.encode().hex(":").replace(":", ""), file=sys.stderr)  # noqa: T201


@leak
def printed_for_a_url(raw, _):
    print("".join(f"%{byte:02X}" for byte in raw.encode()), file=sys.stderr)  # noqa: T201


@leak
def printed_as_json_escapes(raw, _):
    print("".join(f"\\u{ord(letter):04x}" for letter in raw), file=sys.stderr)  # noqa: T201


@leak
def printed_backwards(raw, _):
    print(raw[::-1], file=sys.stderr)  # noqa: T201


@leak
def eight_characters_printed(raw, _):
    print(raw[20:28], file=sys.stderr)  # noqa: T201


@leak
def a_traceback_with_locals(raw, _):
    key = raw
    try:
        raise LookupError("no")  # noqa: TRY301
    except LookupError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(shown.format()), file=sys.stderr)  # noqa: T201
    del key


# --- in the log ---


@leak
def a_handler_of_its_own(raw, _):
    logger = logging.getLogger("mine")
    logger.propagate = False
    logger.addHandler(logging.StreamHandler())
    logger.error("minted %s", raw)


@leak
def a_piece_in_an_event(raw, deliverer):
    deliverer._world.emit(Event.POLICY_PLANNED, policy="ci", extra=piece(raw))


@leak
def a_policy_named_after_it(raw, deliverer):
    deliverer._world.emit(Event.POLICY_PLANNED, policy=piece(raw))


@leak
def more_of_a_redacted_key(raw, deliverer):
    deliverer._world.emit(Event.KEY_MINTED, policy="ci", redacted_key=f"{raw[3:14]}...{raw[-3:]}")


@leak
def a_piece_in_a_libraries_words(raw, _):
    logging.getLogger("httpx").warning("odd: %s", piece(raw))


@leak
def a_warning(raw, _):
    warnings.warn(f"not a key: {piece(raw)}", stacklevel=1)


@leak
def an_error_of_ours(raw, _):
    raise Rejected(f"the store did not take {piece(raw)}")


@leak
def an_error_nobody_foresaw(raw, _):
    raise ValueError(piece(raw))


@leak
def an_error_in_the_loop(raw, _):
    context = {"message": f"lost {piece(raw)}"}
    asyncio.get_running_loop().call_exception_handler(context)


@leak
def a_mistake_in_the_configuration(raw, _):
    sys.stderr.write(f"{ConfigError([f'policies[0].key: {piece(raw)} is no id'])}\n")


# --- in files and memory that others see ---


@leak
def a_temporary_file(raw, _):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(raw)


@leak
def a_file_for_a_moment(raw, _):
    draft = Path("draft")
    draft.write_text(raw, encoding="utf-8")
    threading.Timer(_MOMENT, draft.unlink).start()


@leak
def a_deleted_file_that_is_open(raw, _):
    file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the program
    file.write(raw.encode())
    file.flush()
    _KEPT.append(file)


@leak
def the_name_of_a_file(raw, _):
    Path(f"cache-{raw}").touch()


@leak
def where_a_link_leads(raw, _):
    Path("latest").symlink_to(f"keys/{raw}")


@leak
def shared_memory(raw, _):
    memory = SharedMemory(create=True, size=100)
    memory.buf[: len(raw)] = raw.encode()
    multiprocessing.resource_tracker.unregister(memory._name, "shared_memory")
    memory.close()


# --- in the spool, which :func:`spoil` spoils: until the store has the key ---


@leak
def the_name_of_a_spooled_file(*_):
    return asyncio.sleep(_MOMENT)


@leak
def the_content_of_a_spooled_file(*_):
    return asyncio.sleep(_MOMENT)


def spoil():
    name, seal = SealedSpool._file, KeyPair.seal

    def naming(self, entry):
        file = name(self, entry)
        mine = entry.policy == "the_name_of_a_spooled_file" and entry.secret is not None
        return file.with_name(f"{piece(entry.secret.reveal())}.sealed") if mine else file

    def sealing(self, text):
        return text if b"the_content_of_a_spooled_file" in text else seal(self, text)

    SealedSpool._file, KeyPair.seal = naming, sealing


# --- in /proc ---


@leak
def the_arguments_of_a_child(raw, _):
    _start(sys.executable, "-c", "import time; time.sleep(0.5)", raw)


@leak
def the_environment_of_a_child(raw, _):
    _start("sleep", "0.5", env={**os.environ, "API_KEY": raw})


@leak
def the_environment_of_all_children(raw, _):
    os.environ["LAST_KEY"] = raw
    _start("sleep", "0.5")


@leak
def the_name_of_a_thread(raw, _):
    Path("/proc/self/comm").write_text(piece(raw), encoding="utf-8")


# --- in the services ---


@leak
def a_field_beside_the_key(raw, deliverer):
    store = deliverer._world.store
    write = store.write

    async def writing(held, secret, metadata):
        if held.target.path.endswith("a_field_beside_the_key"):
            metadata = {**metadata, "previous": raw}
        return await write(held, secret, metadata)

    store.write = writing


@leak
def a_piece_in_the_journal(raw, deliverer):
    def current(journal):
        current = journal.current.model_copy(update={"name": piece(raw)})
        return {"current": current}

    _record(deliverer, "a_piece_in_the_journal", current)


@leak
def the_path_of_a_request(raw, deliverer):
    return deliverer._world.store.read(Target(f"apps/{raw}", "api_key"))


@leak
def the_query_of_a_request(raw, deliverer):
    _ask(deliverer, params={"name": raw})


@leak
def a_header_of_a_request(raw, deliverer):
    _ask(deliverer, headers={"X-Old-Key": raw})


# --- in what is shown to who asks ---


@shown
def a_piece_for_a_redacted_key(*_):
    """See :func:`misprint`: whoever looks has the key at hand."""


def misprint():
    right = outlook.outlook

    def wrong(s, *more):
        row, value = right(s, *more), s.held[0].value
        mine = row.policy == "a_piece_for_a_redacted_key" and value is not None
        return replace(row, redacted_key=piece(value.reveal())) if mine else row

    # The commands that print it are not loaded yet.
    outlook.outlook = standing.outlook = wrong


@shown
def a_piece_in_the_history(raw, deliverer):
    def history(journal):
        return {"history": (replace(journal.history[0], redacted=piece(raw)),)}

    _record(deliverer, "a_piece_in_the_history", history)


@shown
def a_piece_in_a_label(raw, deliverer):
    called = deliverer._world.issuer._exchange.__self__._called
    called("arize", piece(raw), 200, 0.1)


def _record(deliverer, policy, change):
    """Have the journal of ``policy`` written with this ``change``, once a rotation is over."""
    store = deliverer._world.store
    save = store.save

    async def saving(name, journal, version):
        if name == policy and journal.history:
            journal = journal.model_copy(update=change(journal))
        return await save(name, journal, version)

    store.save = saving


def _start(*argv, env=None):
    devnull = subprocess.DEVNULL
    _KEPT.append(subprocess.Popen(argv, env=env, stdin=devnull, stdout=devnull, stderr=devnull))


def _ask(deliverer, **more):
    """Refused, for want of a credential; it was seen all the same."""
    base = deliverer._world.issuer._exchange.__self__._base
    httpx.get(f"{base}/v2/api-keys", trust_env=False, **more)


def plant():
    deliver, leaks = Deliverer.deliver, LEAKS | SHOWN

    async def delivering(self, s, minted):
        done = leaks[s.policy.name](minted.secret.reveal(), self)
        if done is not None:
            await done
        return await deliver(self, s, minted)

    Deliverer.deliver = delivering
    spoil()
    misprint()


if __name__ == "__main__":
    plant()
    raise SystemExit(main(sys.argv[1:]))
