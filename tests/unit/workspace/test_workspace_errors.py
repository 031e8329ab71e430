"""The text of an error is what a user reads; its parts are what another process gets."""

from __future__ import annotations

import pytest

from local_workspace import errors


def test_text_has_every_part_once() -> None:
    """Guards that value, allowed values, consequence and next step all reach the user, as sentences."""
    error = errors.InputError(
        "No such mode", got="x", allowed="a, b", consequence="nothing was done", next_step="Use a"
    )
    assert str(error) == "No such mode (got x; allowed: a, b). Nothing was done. Use a."
    assert str(errors.EngineError("It died")) == "It died."


@pytest.mark.parametrize(
    "kind",
    [
        errors.ConfigurationError, errors.InputError, errors.PipelineCodeError, errors.EngineError, errors.DataFault,
        errors.WorkspaceBusy, errors.LocalWorkspaceError,
    ],
)  # fmt: skip
def test_another_process_gets_the_same_error(kind: type[errors.LocalWorkspaceError]) -> None:
    """Guards that an error of the daemon arrives at the command with its class and every part."""
    error = kind("It failed", got=3, allowed="1", consequence="Stopped", next_step="Try again")
    again = errors.LocalWorkspaceError.from_dict(error.to_dict())
    assert type(again) is kind
    assert (str(again), again.to_dict()) == (str(error), error.to_dict())


def test_not_supported_names_the_thing_and_the_way_out() -> None:
    """Guards that a refusal says what is refused and what to do instead, also after it crossed a process."""
    error = errors.NotSupported("PIVOT", "Use CASE expressions", got="SELECT .. PIVOT")
    assert "PIVOT is not supported" in str(error)
    assert "Use CASE expressions." in str(error)
    again = errors.LocalWorkspaceError.from_dict(error.to_dict())
    assert isinstance(again, errors.NotSupported)
    assert str(again) == str(error)
