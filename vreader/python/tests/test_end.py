"""How worlds end: nothing is left of them, whatever becomes of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

from vreader import World, WorldEnded

from .conftest import folders, runs, wait_until

# A program with a world, which tells where it is and waits.
WAITS = """
import sys, vreader
world = vreader.World()
print(world.process_id, flush=True)
sys.stdin.read()
"""


class Program:
    """Another Python process."""

    def __init__(self, script: str, new_session: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=new_session,
        )
        assert self.process.stdout is not None
        self.world = int(self.process.stdout.readline())

    def end(self, by: Optional[signal.Signals] = None) -> None:
        if by is not None:
            self.process.send_signal(by)
        self.process.communicate(timeout=60)


def is_gone(process: int, runtime: Path) -> None:
    wait_until("the world has ended", lambda: not runs(process))
    assert folders(runtime) == []


def test_the_end_of_a_block_is_the_end_of_its_world(runtime: Path) -> None:
    with World() as world:
        assert folders(runtime) == [world.socket.parent.name]
    assert not runs(world.process_id) and folders(runtime) == []
    world.close()
    with pytest.raises(WorldEnded, match="start another one"):
        world.list()


def test_an_exception_passes_through_and_ends_the_world(runtime: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with World() as world:
            world.remove()
            1 / 0
    assert not runs(world.process_id) and folders(runtime) == []


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_a_world_does_not_outlive_its_process(runtime: Path, by: Optional[signal.Signals]) -> None:
    program = Program(WAITS)
    assert runs(program.world) and len(folders(runtime)) == 1
    program.end(by)
    is_gone(program.world, runtime)


def test_a_world_ends_with_its_process_although_a_child_lives_on(runtime: Path) -> None:
    program = Program(
        """
import os, sys, time, vreader
world = vreader.World()
went_on, child_went_on = os.pipe()
if os.fork() == 0:
    world.close()
    os.write(child_went_on, b".")
    os.closerange(0, 3)
    time.sleep(600)
os.read(went_on, 1)
print(world.process_id, flush=True)
sys.stdin.read()
""",
        new_session=True,
    )
    assert runs(program.world), "the child's close is not the world's"
    try:
        program.end(signal.SIGKILL)
        is_gone(program.world, runtime)
    finally:
        os.killpg(program.process.pid, signal.SIGKILL)


def test_a_world_that_is_forgotten_ends(runtime: Path) -> None:
    world = World()
    process = world.process_id
    with pytest.warns(ResourceWarning):
        del world
    is_gone(process, runtime)


def test_ctrl_c_ends_the_test_before_its_world(runtime: Path) -> None:
    program = Program(
        """
import signal, sys, vreader
# A shell that starts the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
with vreader.World() as world:
    try:
        print(world.process_id, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("still", len(world.list()), flush=True)
""",
        new_session=True,
    )
    os.killpg(program.process.pid, signal.SIGINT)
    assert program.process.communicate(timeout=60)[0] == "still 1\n"
    is_gone(program.world, runtime)


def test_a_world_that_was_killed_is_missed(runtime: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with World() as world:
        os.kill(world.process_id, signal.SIGKILL)
        wait_until("it has ended", lambda: not runs(world.process_id))
        with pytest.raises(WorldEnded):
            world.list()
    with World():
        assert len(folders(runtime)) == 1, "the next world sweeps"
    assert folders(runtime) == []
