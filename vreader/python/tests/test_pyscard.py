"""pyscard in the test's own process, with fresh readers and cards for each test."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver
from smartcard.System import readers
from smartcard.util import toHexString

from vreader import World

from .conftest import PATIENCE

SELECT_PIV = bytes.fromhex("00A404000BA000000308000010000100")


def send(connection: Any, hexadecimal: str) -> str:
    """A command to the card; its status word."""
    _, sw1, sw2 = connection.transmit(list(bytes.fromhex(hexadecimal)))
    return f"{sw1:02X}{sw2:02X}"


def connected() -> Any:
    connection = readers()[0].createConnection()
    connection.connect()
    assert send(connection, SELECT_PIV.hex()) == "9000"
    return connection


def verify(pin: str) -> str:
    """VERIFY (SP 800-73-5 part 2, 3.2.1), the PIN padded to 8 bytes."""
    return "0020008008" + pin.encode().ljust(8, b"\xff").hex()


def test_pyscard_sees_the_reader_and_its_card(vreader_here: World) -> None:
    assert [str(reader) for reader in readers()] == ["vreader 00 00"]
    connection = connected()
    assert toHexString(connection.getATR()).replace(" ", "") == vreader_here.list()[0].atr
    assert vreader_here.list()[0].handles == 1
    connection.disconnect()
    connection.release()


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_a_fresh_card(vreader_here: World, _: int) -> None:
    connection = connected()
    assert [send(connection, verify("999999")) for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert send(connection, verify("123456")) == "6983"
    connection.release()


def test_a_wrong_and_a_right_pin_and_what_the_trace_tells(vreader_here: World) -> None:
    mark = vreader_here.mark()
    connection = connected()
    assert send(connection, verify("654321")) == "63C2"
    assert send(connection, verify("123456")) == "9000"
    connection.disconnect()
    connection.release()
    tried = [event for event in vreader_here.trace(after=mark) if event.meaning == "VERIFY PIV PIN"]
    assert [event.answer for event in tried] == ["63C2", "9000"]
    assert [event.command for event in tried] == ["0020008008" + 8 * "**"] * 2
    assert tried[0].status == "63C2 (verification failed, 2 tries left)"
    assert "SP 800-73-5" in (tried[0].rule or "") and tried[1].rule is None


@pytest.mark.vreader(empty=2, readers=["Desk", "Door"])
def test_the_marker_says_what_is_plugged_in(vreader_here: World) -> None:
    assert [str(reader) for reader in readers()] == ["Desk 00 00", "Door 01 00"]
    with pytest.raises(NoCardException):
        readers()[0].createConnection().connect()


def test_a_card_that_is_pulled_out_ends_the_connection(vreader_here: World) -> None:
    connection = connected()
    vreader_here.remove()
    with pytest.raises(CardConnectionException):
        send(connection, "00CB3FFF055C035FC10200")
    connection.release()


class Watcher(CardObserver, ReaderObserver):  # type: ignore[misc]
    """Keeps what a monitor of pyscard tells."""

    def __init__(self) -> None:
        super().__init__()
        self.told: queue.Queue[tuple[list[Any], list[Any]]] = queue.Queue()

    def update(self, _: object, changes: tuple[list[Any], list[Any]]) -> None:
        if changes != ([], []):
            self.told.put(changes)

    def next(self) -> tuple[list[str], list[str]]:
        """The readers of what came, and of what went."""
        added, removed = self.told.get(timeout=PATIENCE)
        return [name(what) for what in added], [name(what) for what in removed]


def name(what: Any) -> str:
    return str(getattr(what, "reader", what))


@pytest.fixture
def card_watcher(vreader_here: World) -> Iterator[Watcher]:
    monitor, watcher = CardMonitor(), Watcher()
    monitor.addObserver(watcher)
    yield watcher
    monitor.deleteObserver(watcher)
    # pyscard's thread waits for an event before it sees that it is to end.
    thread = monitor.rmthread
    thread.stop()
    vreader_here.add_reader("the end")
    thread.join(PATIENCE)


@pytest.mark.vreader(empty=1)
def test_the_card_monitor_sees_cards_come_and_go(vreader_here: World, card_watcher: Watcher) -> None:
    vreader_here.insert(card="piv")
    assert card_watcher.next() == (["vreader 00 00"], [])
    vreader_here.remove()
    assert card_watcher.next() == ([], ["vreader 00 00"])
    vreader_here.insert()
    assert card_watcher.next() == (["vreader 00 00"], [])


def test_the_reader_monitor_sees_readers_come_and_go(vreader_here: World) -> None:
    monitor, watcher = ReaderMonitor(period=0.05), Watcher()
    monitor.addObserver(watcher)
    try:
        assert watcher.next() == (["vreader 00 00"], [])
        vreader_here.add_reader("Door")
        assert watcher.next() == (["Door 01 00"], [])
        vreader_here.remove_reader("Door")
        assert watcher.next() == ([], ["Door 01 00"])
    finally:
        monitor.deleteObserver(watcher)
