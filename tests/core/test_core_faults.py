"""Faults at the requests of a rotation, and then others come by.

Here every eighth; `make exhaust` plays them all, and their pairs if asked to.
"""

import pytest
import sim_exhaust


@pytest.mark.parametrize("case", sim_exhaust.CASES)
def test_whatever_goes_wrong_at_whichever_request_no_key_is_lost(case):
    failures = []
    troubles = sim_exhaust.singles(case)[::8]
    for trouble in troubles:
        try:
            sim_exhaust.play(case, trouble)
        except AssertionError as error:
            failures.append(f"{trouble}: {error}")

    assert len(troubles) > 12
    assert [] == failures
