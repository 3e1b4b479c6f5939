"""A world for PC/SC calls in this very process, as pyscard makes them.

libpcsclite looks at the environment once in the life of a process, at the first call, and keeps to what it found. So
there can be one such world in a process, and it must be there before the first call. ``pin`` makes that call itself: then
it is known which readers the library keeps to, and whether it was too late.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from pathlib import Path
from typing import Optional

from .errors import TooLate, VreaderError

VARIABLE = "PCSCLITE_CSOCK_NAME"

_LIBRARY = "libpcsclite.so.1"
_SCOPE_SYSTEM = 2

_pinned: Optional[Path] = None


def pin(world: Path) -> None:
    """Makes this process use the readers behind this socket, from now to its end."""
    global _pinned
    if _pinned not in (None, world):
        raise TooLate(
            f"this process uses the world at {_pinned} already, and libpcsclite cannot change to {world}: "
            "use that one for all calls in this process, or make the calls in another process, with World.run()"
        )
    os.environ[VARIABLE] = str(world)
    for library in _loaded() or [_LIBRARY]:
        _pin_library(library, world)
    _pinned = world


def _pin_library(name: str, world: Path) -> None:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise VreaderError(f"{error}; PC/SC programs need it: install libpcsclite1 (Debian) or pcsc-lite") from error
    context = ctypes.c_long()
    establish = library.SCardEstablishContext
    establish.argtypes = [ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_long)]
    establish.restype = ctypes.c_long
    library.SCardReleaseContext.argtypes = [ctypes.c_long]
    result = establish(_SCOPE_SYSTEM, None, None, ctypes.byref(context))
    if result != 0:
        raise _too_late(world, f"SCardEstablishContext answers {result & 0xFFFFFFFF:08X}")
    try:
        if str(world) not in _connected_to():
            raise _too_late(world, "the call went to another socket")
    finally:
        library.SCardReleaseContext(context)


def _too_late(world: Path, why: str) -> TooLate:
    return TooLate(
        f"this process cannot use the world at {world} ({why}): a PC/SC call was made before, and libpcsclite keeps to the "
        "readers that it used first; let the world come first: with pytest, set `vreader_in_process = true` in its "
        "configuration; without, call World.use_in_this_process() before anything else, or use World.run()"
    )


def _loaded() -> list[str]:
    """The files of libpcsclite in this process; some Python packages bring one of their own."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        files = {line.split(maxsplit=5)[-1].rstrip("\n") for line in maps}
    return sorted(file for file in files if os.path.basename(file).startswith("libpcsclite") and ".so" in file)


def _connected_to() -> set[str]:
    """The Unix sockets that this process is connected to."""
    peers = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            copy = os.dup(int(number))
        except OSError:
            # The listing's own, or one that another thread has just closed.
            continue
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            continue
        with socket.socket(fileno=copy) as peer:
            try:
                name = peer.getpeername()
            except OSError:
                continue
        if isinstance(name, str):
            peers.add(name)
    return peers
