from datetime import timedelta

import pytest

from rotator import errors
from rotator.errors import (
    Ambiguous,
    ConfigError,
    NotFound,
    NotPermitted,
    Permanent,
    Rejected,
    RotatorError,
    Temporary,
    Unauthenticated,
    Unavailable,
    Unreadable,
)


@pytest.mark.parametrize("kind", [RotatorError, Temporary])
def test_an_error_is_its_message(kind):
    assert "it broke" == str(kind("it broke"))
    assert f"{kind.__name__}('it broke')" == repr(kind("it broke"))


def test_a_remedy_follows_in_brackets():
    assert "it broke (mend it)" == str(RotatorError("it broke", remedy="mend it"))


def test_the_message_is_had_without_the_remedy():
    error = Rejected("it broke", remedy="mend it")

    assert ("it broke", "mend it") == (error.message, error.remedy)


def test_an_error_is_told_apart_by_its_code():
    assert "unauthenticated" == Unauthenticated("no").code


def test_no_two_kinds_of_error_share_a_code():
    kinds = [kind for kind in vars(errors).values() if _is_error(kind)]

    assert len(kinds) == len({kind.__name__.lower() for kind in kinds})


def test_a_configuration_error_has_a_line_for_each_mistake():
    error = ConfigError(["a.yaml:1: one", "a.yaml:2: two"])

    assert "a.yaml:1: one\na.yaml:2: two" == str(error)
    assert ["a.yaml:1: one", "a.yaml:2: two"] == error.problems


def test_a_temporary_error_says_when_to_try_again():
    assert timedelta(seconds=7) == Unavailable("down", delay=timedelta(seconds=7)).delay


def test_a_temporary_error_need_not_say_when():
    error = Temporary("down", remedy="wait")

    assert None is error.delay
    assert "down (wait)" == str(error)


@pytest.mark.parametrize("kind", [Unauthenticated, NotPermitted, NotFound, Rejected, Unreadable])
def test_a_refusal_is_permanent(kind: type[RotatorError]):
    assert issubclass(kind, Permanent)


@pytest.mark.parametrize("kind", [Temporary, Permanent])
def test_an_ambiguous_answer_is_neither_temporary_nor_permanent(kind: type[RotatorError]):
    assert not issubclass(Ambiguous, kind)


def test_the_tree_in_the_docstring_names_every_error():
    kinds = [kind.__name__ for kind in vars(errors).values() if _is_error(kind)]

    assert [] == [name for name in kinds if name not in (errors.__doc__ or "")]


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, RotatorError)
