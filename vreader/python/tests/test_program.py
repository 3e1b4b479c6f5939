"""How the program is found, and what is said when it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vreader import ProgramMissing, StartFailed, World
from vreader.program import find


def make(path: Path, text: str = "exit 0") -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VREADER", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_argument_variable_and_search_path_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = make(tmp_path / "vreader")
    assert find() == on_path
    in_variable = make(tmp_path / "b")
    monkeypatch.setenv("VREADER", in_variable)
    assert find() == in_variable
    argument = make(tmp_path / "a")
    assert find(argument) == find(Path(argument)) == find("a") == argument
    monkeypatch.chdir(tmp_path)
    assert find("./a") == argument


def test_a_missing_program_is_told_with_what_was_tried_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProgramMissing) as missing:
        World()
    for word in (str(tmp_path), "VREADER is not set", "cargo install --path vreader"):
        assert word in str(missing.value)
    make(tmp_path / "vreader")
    monkeypatch.setenv("VREADER", "/none")
    with pytest.raises(ProgramMissing, match="the variable VREADER names /none"):
        World()
    with pytest.raises(ProgramMissing, match="the argument program names .*none"):
        World(program=tmp_path / "none")


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo what? >&2; exit 3", "what?"), ("exit 0", "without a word"), ("echo hello", "without a word")],
)
def test_a_program_that_is_no_vreader_is_told(tmp_path: Path, script: str, said: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StartFailed, match=said):
        World(program=make(tmp_path / "other", script))
    assert len(os.listdir("/proc/self/fd")) == before
