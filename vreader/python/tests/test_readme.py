"""The examples of the README do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vreader.program import find

from .conftest import need

README = Path(__file__).parent.parent / "README.md"


def examples() -> list[str]:
    """The Python code in the README, in order."""
    blocks = README.read_text().split("```python\n")[1:]
    return [block.partition("```")[0] for block in blocks]


def test_the_examples_for_pytest_pass(pytester: pytest.Pytester) -> None:
    need("pkcs11-tool")
    login, _, pyscard, _ = examples()
    pytester.makepyfile(test_login=login, test_pyscard=pyscard)
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_the_marker_takes_what_the_example_gives_it(pytester: pytest.Pytester) -> None:
    _, marker, _, _ = examples()
    subprocess.run([find(), "card", "new", "my.card"], cwd=pytester.path, check=True, stdout=subprocess.DEVNULL)
    pytester.makepyfile("import pytest\n\n" + marker.replace("...", "assert len(vreader_world.list()) == 3"))
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)


def test_the_example_without_pytest_runs() -> None:
    need("opensc-tool")
    *_, plain = examples()
    done = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, timeout=60, check=True)
    assert "Desk 00 00" in done.stdout and "plugged in" in done.stdout
