"""Tables on a terminal and in a pipe."""

import io
import re
import sys

import pytest

from rsis.cli.console import print_table

ROWS = [["plants", "12", "[bold] :warning: " + "word " * 40 + "."], ["cvppp_500", "7", ""]]


def test_in_a_pipe_a_row_is_a_plain_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(["data set", "n", ""], ROWS)
    assert capsys.readouterr() == ("\n".join(["data set   n", f"plants     12  {ROWS[0][2]}", "cvppp_500  7\n"]), "")


def test_numbers_are_flush_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["data set", "n"], [row[:2] for row in ROWS], numbers=True, err=True)
    assert capsys.readouterr() == ("", "data set    n\nplants     12\ncvppp_500   7\n")


def test_on_a_terminal_long_cells_are_folded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    print_table(["data set", "n", ""], ROWS)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())  # without bold
    assert all(len(line) <= 60 for line in shown.splitlines())
    assert shown.count("word") == 40
    assert "[bold] :warning:" in shown
