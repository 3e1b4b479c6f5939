"""The process ``vreader serve``, which never outlives the Python process that started it.

A pipe holds it: nothing is ever written to it, and its other end is watched by a shell beside ``vreader serve``. When
Python closes the pipe, or ends in whatever way (also by SIGKILL, which runs no clean-up), the shell sends SIGTERM to its
process group, and ``vreader serve`` cleans up and ends. The group holds these two processes only, so that Ctrl-C in a
terminal does not end a world before its test.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path

from .errors import StartFailed

# `read` returns at the end of the pipe. `kill 0` names no process but the group: no number that may be another's by then.
_HELD = 'exec 3<&0 </dev/null; { read -r _ <&3; kill 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@"'

_START_PATIENCE = 120.0
_END_PATIENCE = 20.0


class ServeProcess:
    """A ``vreader serve`` that runs, until ``close``."""

    def __init__(self, command: Sequence[str]) -> None:
        # A file, not a pipe: it never fills up, and nobody has to read it.
        self._complaints = tempfile.TemporaryFile()
        # So that nothing is ended that was never started.
        self._owner = False
        self._process = subprocess.Popen(
            ["sh", "-c", _HELD, "sh", *command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,
        )
        self._owner = True
        _running.add(self)
        try:
            self.socket = self._first_line(command)
        except BaseException:
            self.close()
            raise

    @property
    def id(self) -> int:
        """The number of the process."""
        return self._process.pid

    def close(self) -> None:
        """Ends the process and waits for the end. In a forked child, and a second time, it does nothing."""
        if not self._owner:
            return
        self._owner = False
        self._let_go()
        try:
            self._process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        complaints = self._said()
        if complaints and sys.exc_info()[0] is None:
            print(complaints, file=sys.stderr)
        self._complaints.close()

    def __del__(self) -> None:
        # At the end of the interpreter the pipe closes by itself.
        if self._owner and not sys.is_finalizing():
            self.close()
            warnings.warn("a vreader world was left to the garbage collector: close it", ResourceWarning, source=self)

    def let_go_in_child(self) -> None:
        """After a fork, the child must not hold the world, nor end it."""
        self._owner = False
        self._let_go()

    def _let_go(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _first_line(self, command: Sequence[str]) -> Path:
        """The socket, from the line that is meant for a shell."""
        assert self._process.stdout is not None, "it was asked for"
        # Not `select`, which knows no descriptor above 1023.
        output = select.poll()
        output.register(self._process.stdout, select.POLLIN)
        if not output.poll(_START_PATIENCE * 1000):
            raise StartFailed(f"{shlex.join(command)}: no world in {_START_PATIENCE:g} s; it said: {self._said()}")
        words = shlex.split(self._process.stdout.readline().decode())
        if len(words) == 2 and words[0] == "export":
            return Path(words[1].partition("=")[2])
        raise StartFailed(f"{shlex.join(command)}: {self._said() or 'it ended without a word'}")

    def _said(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip()


_running: weakref.WeakSet[ServeProcess] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for process in list(_running):
        process.let_go_in_child()


os.register_at_fork(after_in_child=_let_go_in_child)
