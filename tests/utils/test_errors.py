"""What an error says, to a person and to a program."""

from utils.errors import BadRouterOutput, NetPilotError, RouterAuthFailed, RouterError, RouterTimeout, ValidationFailed


def test_the_docstring_is_the_message_unless_there_is_a_better_one() -> None:
    assert RouterTimeout().message == "The router did not finish its answer in time."
    assert RouterTimeout("Too slow.").message == "Too slow."
    assert str(RouterTimeout("Too slow.")) == "Too slow."


def test_a_message_is_one_line_however_its_docstring_is_wrapped() -> None:
    class Wrapped(NetPilotError):
        """One sentence
        on two lines."""

    assert Wrapped().message == "One sentence on two lines."


def test_details_are_kept_apart_from_the_caller_and_none_where_empty() -> None:
    details: dict[str, object] = {"page": "too small"}
    error = ValidationFailed(details=details)
    details.clear()

    assert error.details == {"page": "too small"}
    assert ValidationFailed(details={}).details is None


def test_every_error_of_a_router_can_be_caught_as_one() -> None:
    assert issubclass(BadRouterOutput, RouterError)
    assert issubclass(RouterError, NetPilotError)


def test_what_only_a_person_can_mend_is_permanent() -> None:
    assert RouterAuthFailed.permanent
    assert not RouterTimeout.permanent
