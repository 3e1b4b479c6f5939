"""A private PC/SC world: readers and cards for programs that a test starts."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Optional, Union

from . import control, in_process
from .errors import NothingSeen
from .events import FIELDS, KINDS, Event, Kind, known_fields
from .process import ServeProcess
from .program import PathName, find

# A card file, or the name of a profile for a new card in memory.
CardName = Union[str, "os.PathLike[str]"]

# What a loss of power leaves of the word or page that was being written.
Tear = Literal["torn", "half", "clean"]

# How a reader gives cards their power.
Interface = Literal["contact", "contactless"]

# How long one order waits for events at most; longer waits take several orders.
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class Reader:
    """A reader as it is at one moment.

    ``slot`` is ``card``, ``mute_card`` (a card that does not answer to reset), ``empty``, or ``taken_out`` (empty, and the
    card that was in it can be put back). ``atr`` is in hex, empty without a card; ``events`` counts insertions and
    removals; ``handles`` is how many connections programs have, ``exclusive`` whether the one is exclusive; ``interface`` is ``contact`` or ``contactless``;
    ``waits_for_touch`` is whether the card waits for a finger.
    """

    name: str
    slot: str
    atr: str
    events: int
    handles: int
    exclusive: bool
    interface: Interface
    waits_for_touch: bool


# Their names are free of the class, in which `list` is a method.
Readers = list[Reader]
Events = list[Event]
Strings = list[str]


class World:
    """Readers and cards that exist for the programs that are told of them, until ``close`` or the end of a ``with``.

    A card is the name of a profile (``"piv"``: a new sample card in memory) or a card file; without any, and without
    ``empty``, there is one ``"piv"`` card. Where a method takes a ``reader``, it is its name, a part of it, or its number;
    it can be left out when there is only one. The options are those of ``vreader serve --help``.
    """

    def __init__(
        self,
        cards: Sequence[CardName] = (),
        *,
        empty: int = 0,
        readers: Sequence[str] = (),
        pin_pad: Optional[str] = None,
        contactless: bool = False,
        touch: Optional[str] = None,
        auto_power_off: Optional[str] = None,
        slots: Optional[int] = None,
        seed: Optional[int] = None,
        trace_file: Optional[PathName] = None,
        program: Optional[PathName] = None,
    ) -> None:
        words = [find(program), "serve", *["--empty"] * empty, *["--contactless"] * contactless]
        for card in cards:
            words += ["--card", _card(card)]
        for name in readers:
            words += ["--reader", name]
        options = {
            "--pinpad": pin_pad,
            "--touch": touch,
            "--auto-power-off": auto_power_off,
            "--slots": slots,
            "--seed": seed,
            "--trace": trace_file,
        }
        for option, value in options.items():
            if value is not None:
                words += [option, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
        self._process = ServeProcess(words)
        # The number of the newest event that was ever told: what is asked for again need not be told again.
        self._newest = 0

    def close(self) -> None:
        """Ends the world: its readers are gone, and its folder. A second time it does nothing."""
        self._process.close()

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        where: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<World at {self.socket}>"

    # Programs in the world

    @property
    def socket(self) -> Path:
        """The PC/SC socket."""
        return self._process.socket

    @property
    def process_id(self) -> int:
        """The number of the process ``vreader serve``."""
        return self._process.id

    @property
    def environ(self) -> dict[str, str]:
        """The environment for a program in this world: that of this process, and the one variable."""
        return {**os.environ, in_process.VARIABLE: str(self.socket)}

    def run(self, command: Sequence[PathName], **options: Any) -> subprocess.CompletedProcess[Any]:
        """``subprocess.run`` in this world; an ``env`` of yours is kept, with the variable added."""
        env = {**(options.pop("env", None) or os.environ), in_process.VARIABLE: str(self.socket)}
        return subprocess.run(command, env=env, **options)

    def use_in_this_process(self) -> None:
        """Makes PC/SC calls of this very process, such as pyscard's, use this world, to the end of the process.

        Raises ``TooLate`` if this process has used other readers before.
        """
        in_process.pin(self.socket)

    # Readers and cards

    def list(self) -> Readers:
        """All readers, as they are now."""
        return self._order("list")

    def insert(self, reader: Optional[str] = None, card: Optional[CardName] = None) -> None:
        """Puts a card into an empty reader: this one, or else the one that was taken out."""
        self._order("insert", reader=reader, card=None if card is None else _card(card))

    def remove(self, reader: Optional[str] = None) -> None:
        """Takes the card out."""
        self._order("remove", reader=reader)

    def swap(self, card: CardName, reader: Optional[str] = None) -> None:
        """Puts in another card; the one that is in the reader is gone."""
        self._order("swap", reader=reader, card=_card(card))

    def reset(self, reader: Optional[str] = None) -> None:
        """Resets the card, as another program could."""
        self._order("reset", reader=reader)

    def set_interface(self, interface: Interface, reader: Optional[str] = None) -> None:
        """Turns the card over, to its contacts or its antenna: programs see one card leave and another come."""
        self._order("interface", reader=reader, interface=interface)

    def tear(self, reader: Optional[str] = None, *, after: int = 0, kind: Tear = "torn") -> None:
        """Lets the card lose its power in its next write, or ``after`` words and pages later.

        The command gets no answer, and the card is dead until a program connects to it, or it is reset or put in again;
        then it holds all of the change or nothing of it. ``kind`` is what is left of the word: ``torn``, some of the bits
        have changed; ``half``, its first half; ``clean``, nothing.
        """
        self._order("tear", reader=reader, after=after, kind=kind)

    def touch(
        self, reader: Optional[str] = None, *, wait: float = 10.0, wrong_finger: bool = False
    ) -> None:
        """Touches the card, as its holder would with a finger, in a world with ``touch="wait"``.

        A touch counts only while the card waits for it; if it does not yet, this waits for that, ``wait`` seconds and at most
        a minute. ``wrong_finger`` is for a YubiKey Bio, which can tell.
        """
        self._order(
            "touch",
            reader=reader,
            wait_ms=int(wait * 1000),
            wrong_finger=wrong_finger,
            patience=wait,
        )

    def add_reader(
        self,
        name: str = "vreader",
        card: Optional[CardName] = None,
        pin_pad: Optional[str] = None,
        interface: Interface = "contact",
    ) -> Reader:
        """Plugs in a reader, empty without a card; ``pin_pad`` is the PIN that is entered at its key-pad."""
        before = {reader.name for reader in self.list()}
        file = None if card is None else _card(card)
        after = self._order("add_reader", name=name, card=file, pin_pad=pin_pad, interface=interface)
        return next(reader for reader in after if reader.name not in before)

    def remove_reader(self, reader: Optional[str] = None) -> None:
        """Unplugs a reader, with its card."""
        self._order("remove_reader", reader=reader)

    # What happened

    def trace(self, after: int = 0) -> Events:
        """The events so far, as far as they are kept: the last few thousand.

        ``after`` leaves out those up to this number, such as ``mark()`` gives.
        """
        return self._events(after, 0.0)

    def mark(self) -> int:
        """The number of the last event: what comes now is ``trace(after=mark)``."""
        self._events(self._newest, 0.0)
        return self._newest

    def commands(self, *, client: Optional[str] = None, after: int = 0) -> Strings:
        """What the commands to cards meant, such as ``"VERIFY PIV PIN"``, in order; of one program if it is named."""
        wanted = {"kind": "command"} if client is None else {"kind": "command", "client": client}
        return [event.meaning or event.command or "" for event in self.trace(after) if event.has(wanted)]

    def wait_for(self, kind: Kind, *, after: int = 0, timeout: float = 10.0, **wanted: Any) -> Event:
        """The first event of this kind with these fields, such as ``wait_for("command", meaning="VERIFY PIV PIN")``.

        It may have happened already, unless ``after`` leaves it out. Raises ``NothingSeen`` after ``timeout`` seconds.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind of event {kind!r}; there is {', '.join(sorted(KINDS))}")
        wanted = {"kind": kind, **wanted}
        unknown = wanted.keys() - FIELDS
        if unknown:
            raise TypeError(f"events have no {', '.join(sorted(unknown))}; they have {', '.join(sorted(FIELDS))}")
        end = time.monotonic() + timeout
        seen: Events = []
        while True:
            left = end - time.monotonic()
            got = self._events(seen[-1].number if seen else after, min(max(left, 0.0), _LONGEST_WAIT))
            for event in got:
                if event.has(wanted):
                    return event
            seen += got
            if left <= 0:
                lines = "".join(f"\n{event}" for event in seen[-20:]) or " nothing"
                raise NothingSeen(f"no event with {wanted} in {timeout:g} s; the last that happened:{lines}")

    def _events(self, after: int, wait: float) -> Events:
        order = {"do": "trace", "after": after, "wait_ms": int(wait * 1000)}
        told = control.send(self._control, order, control.PATIENCE + wait)["trace"]
        events = [Event.from_json(event) for event in told]
        if events:
            self._newest = max(self._newest, events[-1].number)
        return events

    def _order(self, do: str, patience: float = 0.0, **fields: Union[str, int, None]) -> Readers:
        readers = control.send(self._control, {"do": do, **fields}, control.PATIENCE + patience)["done"]
        return [Reader(**known_fields(Reader, reader)) for reader in readers]

    @property
    def _control(self) -> Path:
        return self.socket.with_name(control.NAME)


def _card(name: CardName) -> str:
    """A card as the world can find it, which stays in the folder in which it was started.

    A plain word may be a profile, and is left as it is.
    """
    path = os.fspath(name)
    is_file = isinstance(name, os.PathLike) or os.sep in path or "." in path
    return os.path.abspath(path) if is_file else path
