"""Where the program ``vreader`` is: what the caller names, else the variable ``VREADER``, else the search path."""

from __future__ import annotations

import os
import shutil
from typing import Optional, Union

from .errors import ProgramMissing

VARIABLE = "VREADER"
NAME = "vreader"

PathName = Union[str, "os.PathLike[str]"]


def find(named: Optional[PathName] = None) -> str:
    """The program's file. A place that was named and is wrong is an error: no other program is run instead."""
    if named is not None:
        return _at(os.fspath(named), "the argument program")
    in_variable = os.environ.get(VARIABLE)
    if in_variable:
        return _at(in_variable, f"the variable {VARIABLE}")
    found = shutil.which(NAME)
    if found is None:
        raise _missing(f"no program {NAME} in PATH ({os.environ.get('PATH', '')}), and {VARIABLE} is not set")
    return found


def _at(path: str, who: str) -> str:
    # A bare name is looked up like a command; a path is taken as it is.
    found = shutil.which(path)
    if found is None:
        raise _missing(f"{who} names {path}, and there is no program there")
    return os.path.abspath(found)


def _missing(what: str) -> ProgramMissing:
    return ProgramMissing(
        f"{what}; install it with `cargo install --path vreader` in the sources of vreader, "
        f"or set {VARIABLE} to the program's file"
    )
