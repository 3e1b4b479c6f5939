"""What the tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

PATIENCE = 30.0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which worlds put theirs: what is left behind would be seen. Short, for the sockets' sake."""
    folder = tempfile.mkdtemp(prefix="vr-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    yield Path(folder)
    shutil.rmtree(folder)


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Looks often, and gives up after a long while."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE:g} s in vain until {what}"
        time.sleep(0.005)


def runs(process: int) -> bool:
    """Whether the process runs; one that has ended and is still listed does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def need(program: str) -> str:
    """A missing client is a failure: a test that did not run proves nothing."""
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed: run tools/install-clients"
    return found


def folders(runtime: Path) -> list[str]:
    """The folders of worlds."""
    return sorted(os.listdir(runtime))
