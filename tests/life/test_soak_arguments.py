"""What `make soak` is told, and how long it goes on then."""

import pytest

from tests.life.__main__ import STEPS, parsed


@pytest.mark.parametrize(
    ("told", "steps", "minutes"),
    [
        ([], STEPS, None),
        (["--steps", "100000"], 100_000, None),
        (["--minutes", "60"], None, 60),
        (["--steps", "0", "--minutes", "60"], 0, 60),
    ],
)
def test_a_soak_goes_on_for_as_long_as_one_likes(told: list[str], steps: int | None, minutes: float | None) -> None:
    arguments = parsed(told)
    assert (arguments.steps, arguments.minutes) == (steps, minutes)


def test_an_operation_that_there_is_not_can_not_be_left_out() -> None:
    assert parsed(["--without", "crash", "--without", "reboot"]).without == ["crash", "reboot"]
    with pytest.raises(SystemExit):
        parsed(["--without", "crsh"])
