"""Worlds for programs that a test starts: what they see, how cards and readers move, what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

import vreader
from vreader import Refused, StartFailed, World
from vreader.program import find

from .conftest import folders, need


def says(world: World, *command: str) -> str:
    done = world.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return str(done.stdout)


def slots(world: World) -> list[tuple[str, str]]:
    return [(reader.name, reader.slot) for reader in world.list()]


def new_card(folder: Path, name: str, *options: str) -> Path:
    subprocess.run([find(), "card", "new", name, *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / name


def serial(world: World) -> str:
    return says(world, need("opensc-tool"), "--serial")


def test_a_program_sees_the_reader_and_the_card(vreader_world: World) -> None:
    assert "vreader 00 00" in says(vreader_world, need("opensc-tool"), "--list-readers")
    assert "CKR_PIN_INCORRECT" in says(vreader_world, need("pkcs11-tool"), "--login", "--pin", "999999", "-O")
    assert "Certificate for PIV Authentication" in says(
        vreader_world, "pkcs11-tool", "--login", "--pin", "123456", "-O"
    )


def test_worlds_side_by_side_know_nothing_of_each_other(vreader_worlds: Callable[..., World]) -> None:
    need("opensc-tool")
    desk = vreader_worlds(readers=["Desk"], seed=1)
    door = vreader_worlds(readers=["Door"], seed=2)
    running = [
        subprocess.Popen(["opensc-tool", "--list-readers"], env=world.environ, stdout=subprocess.PIPE, text=True)
        for world in (desk, door)
    ]
    seen = [process.communicate(timeout=60)[0] for process in running]
    assert "Desk 00 00" in seen[0] and "Door" not in seen[0]
    assert "Door 00 00" in seen[1] and "Desk" not in seen[1]
    desk.remove()
    assert slots(desk) == [("Desk 00 00", "taken_out")]
    assert slots(door) == [("Door 00 00", "card")]


def test_cards_come_and_go(vreader_world: World) -> None:
    need("opensc-tool")
    card = vreader_world.list()[0]
    assert (card.slot, card.events, card.handles, card.exclusive) == ("card", 0, 0, False)
    assert card.atr.startswith("3B")
    assert card.atr in says(vreader_world, "opensc-tool", "--atr").replace(":", "").upper()
    vreader_world.remove()
    assert vreader_world.list()[0] == vreader.Reader("vreader 00 00", "taken_out", "", 1, 0, False, "contact", False)
    assert "Card not present" in says(vreader_world, "opensc-tool", "--atr")
    first = None
    for _ in range(2):
        vreader_world.insert()
        assert first in (None, serial(vreader_world)), "the same card comes back"
        first = serial(vreader_world)
        vreader_world.remove()
    vreader_world.insert()
    vreader_world.swap("piv")
    assert serial(vreader_world) != first
    vreader_world.reset()
    assert slots(vreader_world) == [("vreader 00 00", "card")]


def test_a_card_is_turned_over(vreader_world: World) -> None:
    contact = vreader_world.list()[0]
    vreader_world.set_interface("contactless")
    antenna = vreader_world.list()[0]
    assert (contact.interface, antenna.interface) == ("contact", "contactless")
    assert antenna.atr.startswith("3B8") and antenna.atr != contact.atr
    assert antenna.events == contact.events + 2
    with pytest.raises(Refused, match="no reader"):
        vreader_world.set_interface("contact", "Gate")


def test_a_card_that_loses_its_power_in_a_write_is_whole_afterwards(vreader_world: World) -> None:
    need("pkcs11-tool")
    for kind in ("torn", "half", "clean"):
        before = vreader_world.mark()
        vreader_world.tear(kind=kind)
        said = says(vreader_world, "pkcs11-tool", "--login", "--pin", "999999", "-O")
        assert "CKR_PIN_INCORRECT" not in said
        torn = vreader_world.wait_for("torn", after=before)
        assert vreader_world.trace(after=before)[torn.number - before - 2].answer is None
        assert "Certificate for PIV Authentication" in says(
            vreader_world, "pkcs11-tool", "--login", "--pin", "123456", "-O"
        )
    with pytest.raises(Refused, match="no reader"):
        vreader_world.tear("Gate", after=3)


def test_a_touch_counts_only_while_a_card_waits_for_it(vreader_worlds: Callable[..., World]) -> None:
    world = vreader_worlds(["yubikey5", "piv"], touch="wait")
    assert [reader.waits_for_touch for reader in world.list()] == [False, False]
    with pytest.raises(Refused, match="does not wait for a touch"):
        world.touch("Yubi", wait=0)
    with pytest.raises(Refused, match="no sensor"):
        world.touch("1")
    with pytest.raises(Refused, match="start the world with --touch wait"):
        vreader_worlds(["yubikey5"], touch="never=0.5").touch()


def test_readers_come_and_go(vreader_worlds: Callable[..., World]) -> None:
    world = vreader_worlds(empty=1, readers=["Desk"])
    door = world.add_reader("Door", card="piv", pin_pad="123456")
    assert (door.name, door.slot) == ("Door 01 00", "card")
    assert world.add_reader().name == "vreader 02 00"
    world.remove("Door")
    world.insert("0", card="piv")
    assert slots(world) == [("Desk 00 00", "card"), ("Door 01 00", "taken_out"), ("vreader 02 00", "empty")]
    world.remove_reader("Desk")
    assert world.add_reader("Gate").name == "Gate 00 00", "the new one is found wherever it is in the list"
    for reader in world.list():
        world.remove_reader(reader.name)
    assert world.list() == []


@pytest.mark.vreader(cards=["piv", "piv"], empty=1, readers=["Desk", "Door"], slots=48, auto_power_off="off")
def test_the_marker_says_what_is_in_the_world(vreader_world: World) -> None:
    assert slots(vreader_world) == [("Desk 00 00", "card"), ("Door 01 00", "card"), ("Door 02 00", "empty")]


def test_a_key_pad_asks_no_pin(vreader_worlds: Callable[..., World]) -> None:
    need("pkcs11-tool")
    assert "PIN pad present" in says(vreader_worlds(pin_pad="123456"), "pkcs11-tool", "--list-slots")
    assert "PIN pad present" not in says(vreader_worlds(), "pkcs11-tool", "--list-slots")


def test_a_seed_repeats_the_card(vreader_worlds: Callable[..., World]) -> None:
    numbers = [serial(vreader_worlds(seed=seed)) for seed in (5, 5, 6)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_card_files_are_found_from_where_the_test_is(
    vreader_worlds: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = new_card(tmp_path, "a.card", "--seed", "1")
    other = new_card(tmp_path, "other", "--seed", "2")
    with_file = vreader_worlds([file])
    first = serial(with_file)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="in use"):
        with_file.swap("a.card")
    with_file.swap(other)
    assert serial(with_file) != first
    with_file.swap("a.card")
    assert serial(with_file) == first


def test_what_cannot_be_done_is_told_in_the_words_of_the_world(vreader_worlds: Callable[..., World]) -> None:
    world = vreader_worlds(["piv"], empty=1)
    refused_orders: list[tuple[Callable[[], None], str]] = [
        (lambda: world.remove(), 'say which reader: 0 "vreader 00 00", 1 "vreader 01 00"'),
        (lambda: world.remove("Gate"), 'there is no reader "Gate"'),
        (lambda: world.insert("0"), 'a card in "vreader 00 00" already'),
        (lambda: world.insert("1"), "say which card"),
        (lambda: world.remove("1"), 'no card in "vreader 01 00"'),
        (lambda: world.swap("none.card", "0"), "none.card"),
        (lambda: world.swap("unknown-profile", "0"), "unknown-profile"),
    ]
    for order, sentence in refused_orders:
        with pytest.raises(Refused) as refused:
            order()
        assert sentence in str(refused.value)
    assert slots(world) == [("vreader 00 00", "card"), ("vreader 01 00", "empty")]


def test_the_environment_of_a_program_is_kept(vreader_world: World) -> None:
    before = dict(os.environ)
    script = ["sh", "-c", "echo $MINE $PCSCLITE_CSOCK_NAME"]
    mine = {"MINE": "yes", "PATH": os.environ["PATH"], "PCSCLITE_CSOCK_NAME": "/elsewhere"}
    done = vreader_world.run(script, env=mine, capture_output=True, text=True, check=True)
    assert done.stdout == f"yes {vreader_world.socket}\n"
    assert mine["PCSCLITE_CSOCK_NAME"] == "/elsewhere" and os.environ == before
    assert vreader_world.environ == {**before, "PCSCLITE_CSOCK_NAME": str(vreader_world.socket)}
    with pytest.raises(subprocess.CalledProcessError):
        vreader_world.run(["false"], check=True)


def test_a_folder_with_an_odd_name(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = runtime / "it's $HOME"
    odd.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(odd))
    with World() as world:
        assert world.socket.parent.parent == odd and world.socket.is_socket()
        assert len(world.list()) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"cards": ["none.card"]}, "none.card"),
        ({"auto_power_off": "1h"}, "600ms"),
        ({"slots": 17}, "16"),
        ({"readers": ["x" * 200]}, "x" * 100),
    ],
)
def test_a_world_that_cannot_be_is_told_and_leaves_nothing(
    runtime: Path, options: dict[str, object], word: str
) -> None:
    with pytest.raises(StartFailed) as failed:
        World(**options)  # type: ignore[arg-type]
    assert word in str(failed.value) and "serve" in str(failed.value)
    assert folders(runtime) == []
