"""The pytest fixtures; they are there when the package is installed.

| fixture | gives |
|---|---|
| ``vreader_world`` | a world for programs that the test starts; each test has its own |
| ``vreader_worlds`` | a function that makes such worlds, for tests with several |
| ``vreader_here`` | fresh readers and cards for PC/SC calls of the test's own process, such as pyscard's |

The marker ``vreader`` says what is in the world: ``@pytest.mark.vreader(cards=["piv", "my.card"], empty=1)``. When a test
fails, its report has a section with what happened in its worlds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from .errors import VreaderError
from .world import World

# Starts the world of this process before any test module is imported.
_EARLY = "vreader_in_process"

_here = pytest.StashKey[World]()
_watched = pytest.StashKey["list[tuple[World, int]]"]()

# What a marker can say about vreader_here; the rest is settled for the whole process.
_FRESH = {"cards", "empty", "readers", "pin_pad"}

# Lines in the report of a test that failed.
_LAST_EVENTS = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        _EARLY,
        "start a PC/SC world for this process before test modules are imported, for programs that use PC/SC on import",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "vreader(cards=[...], empty=0, readers=[...], pin_pad=None, ...): the options of the test's World"
    )
    if config.getini(_EARLY):
        try:
            _world_here(config)
        except VreaderError as error:
            raise pytest.UsageError(f"{_EARLY}: {error}") from error


def pytest_unconfigure(config: pytest.Config) -> None:
    world = config.stash.get(_here, None)
    if world is not None:
        world.close()


@pytest.fixture
def vreader_worlds(request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """A function with the arguments of ``World``; its worlds end with the test."""
    with contextlib.ExitStack() as worlds:

        def start(*arguments: Any, **options: Any) -> World:
            world = worlds.enter_context(World(*arguments, **options))
            _watch(request, world, 0)
            return world

        yield start


@pytest.fixture
def vreader_world(request: pytest.FixtureRequest, vreader_worlds: Callable[..., World]) -> World:
    """A world for programs that the test starts."""
    return vreader_worlds(**_options(request))


@pytest.fixture
def vreader_here(request: pytest.FixtureRequest) -> Iterator[World]:
    """Fresh readers and cards for PC/SC calls in this process. The world around them stays to the end of the process."""
    options = _options(request)
    fixed = ", ".join(sorted(options.keys() - _FRESH))
    if fixed:
        raise pytest.UsageError(f"{fixed}: vreader_here takes {', '.join(sorted(_FRESH))}; use vreader_world for the rest")
    world = _world_here(request.config)
    _watch(request, world, world.mark())
    try:
        _plug_in(world, **options)
        yield world
    finally:
        _unplug_all(world)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("vreader")
    return dict(marker.kwargs) if marker else {}


def _world_here(config: pytest.Config) -> World:
    world = config.stash.get(_here, None)
    if world is None:
        world = World(empty=1)
        try:
            world.use_in_this_process()
            _unplug_all(world)
        except BaseException:
            world.close()
            raise
        config.stash[_here] = world
    return world


def _plug_in(
    world: World, cards: Any = (), empty: int = 0, readers: Any = (), pin_pad: Any = None
) -> None:
    """As ``vreader serve`` with these options does."""
    if not cards and not empty:
        cards = ["piv"]
    names = list(readers) or ["vreader"]
    for number, card in enumerate([*cards, *[None] * empty]):
        world.add_reader(names[min(number, len(names) - 1)], card, pin_pad)


def _unplug_all(world: World) -> None:
    for reader in world.list():
        world.remove_reader(reader.name)


def _watch(request: pytest.FixtureRequest, world: World, after: int) -> None:
    request.node.stash.setdefault(_watched, []).append((world, after))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report: pytest.TestReport = yield
    if report.failed and report.when == "call":
        for world, mark in item.stash.get(_watched, []):
            try:
                events = world.trace(after=mark)
            except VreaderError as error:
                # The test may have ended it, which is worth knowing, too.
                report.sections.append((f"vreader: {world}", str(error)))
                continue
            lines = [str(event) for event in events[-_LAST_EVENTS:]] or ["nothing happened"]
            report.sections.append((f"vreader: {world}", "\n".join(lines)))
    return report
