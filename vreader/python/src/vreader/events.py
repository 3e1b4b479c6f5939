"""What happened in a world, as its trace tells it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Optional, get_args

Kind = Literal[
    "command",
    "plugged_in",
    "unplugged",
    "inserted",
    "removed",
    "powered_on",
    "powered_off",
    "reset",
    "connected",
    "disconnected",
    "transaction_began",
    "transaction_ended",
    "torn",
    "broken",
]


@dataclass(frozen=True)
class Event:
    """One event. ``None`` stands for what an event of this kind does not have.

    ``kind`` is one of ``Kind``, or what a later vreader adds. ``command``, ``answer`` and ``atr`` are in hex; PINs and
    keys are ``**``, one for each byte. ``meaning`` and ``status`` say command and answer in words, ``rule`` why the card
    refused.
    """

    number: int
    at_us: int
    reader: str
    kind: str
    client: Optional[str] = None
    process: Optional[int] = None
    command: Optional[str] = None
    answer: Optional[str] = None
    took_us: Optional[int] = None
    meaning: Optional[str] = None
    status: Optional[str] = None
    rule: Optional[str] = None
    atr: Optional[str] = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Event:
        """An event of the trace."""
        return cls(kind=value["event"], **known_fields(cls, value))

    def has(self, wanted: dict[str, Any]) -> bool:
        """Whether each of these fields has this value."""
        return all(getattr(self, field) == value for field, value in wanted.items())

    def __str__(self) -> str:
        """One line for people, as ``vreader ctl trace`` prints it."""
        words = [f"{self.at_us / 1_000_000:12.6f}", self.reader]
        if self.client is not None:
            words.append(f"{self.client}[{self.process}]")
        return "  ".join([*words, self._what()])

    def _what(self) -> str:
        if self.kind != "command":
            what = self.kind.replace("_", " ")
            return what if self.atr is None else f"{what}: {self.atr or 'it does not answer'}"
        told = f"{self.meaning} -> {self.status or 'no answer'}"
        return told if self.rule is None else f"{told}; rule: {self.rule}"


KINDS = frozenset(get_args(Kind))
FIELDS = frozenset(field.name for field in dataclasses.fields(Event))


def known_fields(of: type, value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object without what a later version of vreader adds to it."""
    return {field.name: value[field.name] for field in dataclasses.fields(of) if field.name in value}
