"""What many histories must have met, read from the code wherever the code has a name for it."""

import ast
import inspect

from sim_network import FAULTS

from rotator import (
    by_hand,
    completion,
    daemon,
    decide,
    delivery,
    drift,
    flight,
    neighbours,
    notices,
    retirement,
    rotation,
    runner,
    strategy,
    suspension,
    views,
)
from rotator.events import Event
from rotator.notify import notifier

FAULT_KINDS = sorted(f"{kind}: {fault}" for kind, faults in FAULTS.items() for fault in faults)
#: What people do by hand, and how processes end.
DONE = (
    "revoke",
    "refresh",
    "roll_back",
    "scribble",
    "undo",
    "empty",
    "put back",
    "demand",
    "suspend",
    "absent",
    "targets",
    "SIGTERM, ended in time",
    "SIGTERM, killed after its grace",
)

_DECIDING = (
    decide,
    drift,
    flight,
    neighbours,
    notices,
    retirement,
    strategy,
    suspension,
    views,
)
#: Of a rotation that is carried on: what it was carried on for, and how.
_RESUMED = tuple(
    f"{code} by {way}"
    for code in ("mint_left_no_trace", "raw_key_was_lost")
    for way in ("refresh", "reissue")
)
_TELLING = (by_hand, completion, daemon, delivery, notifier, rotation, runner)
#: Waited for in the middle of a look, which goes on to something else.
_PASSING = {"mint_is_settling"}
#: Nobody adopts a key here; and to give up a hook breaks an invariant.
_UNTOLD = {Event.KEY_ADOPTED, Event.NOTIFY_GIVEN_UP}


def _nodes(modules, kind):
    trees = (ast.parse(inspect.getsource(module)) for module in modules)
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, kind)]


def _decisions():
    """The codes of all reasons that the checks can give."""
    found = set()
    for module in _DECIDING:
        calls = (call for call in _nodes((module,), ast.Call) if call.args)
        given = [call.args[0] for call in calls if getattr(call.func, "id", "") == "Reason"]
        found |= {one.value for one in given if isinstance(one, ast.Constant)}
        # Some are constants of the module. What else has a name is another reason's code.
        names = {one.id for one in given if isinstance(one, ast.Name)}
        found |= {vars(module)[name] for name in names & vars(module).keys()}
    return found - _PASSING


def _events():
    """All that is told of by what is played here."""
    found = _nodes(_TELLING, ast.Attribute)
    names = {one.attr for one in found if getattr(one.value, "id", "") == "Event"}
    return {Event[name] for name in names} - _UNTOLD


#: A key on a disk may be refused after it was decided to deliver it.
DECISIONS = sorted({*_decisions(), *_RESUMED, "spooled_key_is_refused"})
EVENTS = sorted(_events())
