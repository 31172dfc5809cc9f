"""Tests of the progress bar, which is on standard error, and only on a terminal."""

import io
import sys

import pytest

from rsis.machine.progress import shown


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("wanted", [False, True])
def test_the_bar_is_on_a_terminal_behind_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool, wanted: bool
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(errors, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", errors)
    assert list(shown(iter("abc"), "letters", 3, wanted=wanted)) == ["a", "b", "c"]
    assert ("letters" in errors.getvalue()) == (terminal and wanted)
    assert capsys.readouterr().out == ""
