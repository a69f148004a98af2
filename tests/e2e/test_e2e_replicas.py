"""Three processes and a few keys; ``make replicas`` has a thousand."""

from e2e_stage import staged
from replicas import add_due, faults, rotate


def test_each_key_is_rotated_by_one_of_three(tmp_path):
    with staged(tmp_path) as stage:
        stage.timeout, stage.run_section = "10s", {"lease": "30s"}
        add_due(stage, 12)

        codes, rotations = rotate(stage, replicas=3)

        assert 12 == rotations.total()
        assert [] == list(faults(stage, codes, rotations))
