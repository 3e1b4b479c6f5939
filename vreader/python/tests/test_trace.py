"""What happened, for assertions."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from vreader import Event, NothingSeen, World

from .conftest import need


def login(world: World, pin: str) -> None:
    command = [need("pkcs11-tool"), "--login", "--pin", pin, "--list-objects"]
    world.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def test_a_login_is_seen_and_its_pin_is_not(vreader_world: World) -> None:
    login(vreader_world, "999999")
    wrong = vreader_world.wait_for("command", meaning="VERIFY PIV PIN", answer="63C2")
    assert wrong.command == "0020008008" + 8 * "**"
    assert (wrong.reader, wrong.client) == ("vreader 00 00", "pkcs11-tool")
    assert wrong.status == "63C2 (verification failed, 2 tries left)"
    assert wrong.process is not None and wrong.took_us is not None and "SP 800-73-5" in (wrong.rule or "")
    login(vreader_world, "123456")
    right = vreader_world.wait_for("command", meaning="VERIFY PIV PIN", answer="9000", after=wrong.number)
    assert right.rule is None
    assert "VERIFY PIV PIN" in vreader_world.commands(client="pkcs11-tool")
    assert vreader_world.commands(client="opensc-tool") == []
    assert not any("393939" in str(event) for event in vreader_world.trace())


def test_what_is_done_to_readers_and_cards_is_told_in_order(vreader_worlds: Callable[..., World]) -> None:
    world = vreader_worlds(empty=1)
    mark = world.mark()
    world.insert(card="piv")
    world.reset()
    world.remove()
    world.remove_reader()
    kinds = [event.kind for event in world.trace(after=mark)]
    assert [kind for kind in kinds if not kind.startswith("power")] == ["inserted", "reset", "removed", "unplugged"]
    numbers = [event.number for event in world.trace()]
    assert numbers == sorted(set(numbers)) and numbers[0] >= 1
    reset = world.wait_for("reset", reader="vreader 00 00")
    assert reset.atr is not None and reset.atr.startswith("3B")
    assert world.trace(after=world.mark()) == []


def test_what_comes_later_is_waited_for(vreader_world: World) -> None:
    later = threading.Timer(0.2, vreader_world.remove)
    later.start()
    assert vreader_world.wait_for("removed", timeout=30).reader == "vreader 00 00"
    later.join()


def test_what_does_not_come_is_told_with_what_came(vreader_world: World) -> None:
    vreader_world.remove()
    with pytest.raises(NothingSeen) as nothing:
        vreader_world.wait_for("inserted", after=vreader_world.mark(), timeout=0.1)
    assert "'kind': 'inserted'" in str(nothing.value) and "nothing" in str(nothing.value)
    with pytest.raises(TimeoutError, match="removed"):
        vreader_world.wait_for("command", meaning="VERIFY PIV PIN", timeout=0)
    with pytest.raises(TypeError, match="events have no colour; they have .*meaning"):
        vreader_world.wait_for("command", colour="red")
    with pytest.raises(ValueError, match="no kind of event 'insert'; there is .*inserted"):
        vreader_world.wait_for("insert")  # type: ignore[arg-type]


def test_many_events_are_kept(vreader_world: World) -> None:
    for _ in range(150):
        vreader_world.remove()
        vreader_world.insert()
    kinds = [event.kind for event in vreader_world.trace()]
    assert kinds.count("removed") == 150
    events = vreader_world.list()[0].events
    assert events == 300


def test_a_trace_file_is_kept(vreader_worlds: Callable[..., World], tmp_path: Path) -> None:
    world = vreader_worlds(trace_file=tmp_path / "trace.jsonl")
    world.remove()
    world.close()
    assert '"event":"removed"' in (tmp_path / "trace.jsonl").read_text()


def test_an_event_of_a_later_version_is_read() -> None:
    value = {"number": 1, "at_us": 1_500_000, "event": "removed", "reader": "Desk 00 00", "colour": 1}
    event = Event.from_json(value)
    assert event == Event(1, 1_500_000, "Desk 00 00", "removed")


def test_events_are_lines_for_people() -> None:
    def line(kind: str, **fields: Any) -> str:
        return str(Event(1, 1_500_000, "Desk 00 00", kind, **fields))

    assert line("transaction_began") == "    1.500000  Desk 00 00  transaction began"
    assert line("connected", client="ssh", process=7) == "    1.500000  Desk 00 00  ssh[7]  connected"
    assert line("reset", atr="3B80").endswith("reset: 3B80") and line("reset", atr="").endswith("it does not answer")
    verify = {"meaning": "VERIFY PIV PIN", "status": "63C2 (verification failed, 2 tries left)", "rule": "a rule"}
    assert line("command", **verify).endswith(
        "VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); rule: a rule"
    )
    assert line("command", meaning="SELECT PIV").endswith("SELECT PIV -> no answer")
