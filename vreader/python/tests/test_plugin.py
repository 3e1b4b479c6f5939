"""The plug-in as pytest loads it after `pip install`, and the order of things in one process."""

from __future__ import annotations

import subprocess
import sys

import pytest

USES_PCSC_ON_IMPORT = """
    from smartcard.System import readers
    try:
        seen = readers()
    except Exception:
        seen = None

    def test_here(vreader_here):
        assert len(readers()) == 1
"""


def test_a_test_needs_no_more_than_the_name_of_the_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_world(vreader_world):
            assert len(vreader_world.list()) == 1

        def test_worlds(vreader_worlds):
            assert vreader_worlds().socket != vreader_worlds(empty=2).socket
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=2)


def test_a_process_that_used_other_readers_before_is_told_what_to_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USES_PCSC_ON_IMPORT)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TooLate: *a PC/SC call was made before*vreader_in_process = true*"])


def test_the_world_can_come_before_the_test_modules(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USES_PCSC_ON_IMPORT + "        assert seen == []\n")
    pytester.makeini("[pytest]\nvreader_in_process = true")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_the_program_the_early_world_is_one_sentence(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VREADER", "/none")
    pytester.makeini("[pytest]\nvreader_in_process = true")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: vreader_in_process: the variable VREADER names /none*cargo install*"])


def test_what_a_fixture_cannot_do_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.vreader(auto_power_off="off")
        def test_here(vreader_here):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*auto_power_off: vreader_here takes cards, empty, pin_pad, readers*"])


def test_the_report_of_a_failure_tells_what_happened_to_the_card(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_login(vreader_world):
            vreader_world.run(["pkcs11-tool", "--login", "--pin", "999999", "-O"])
            vreader_world.remove()
            assert False

        def test_ended(vreader_world):
            vreader_world.close()
            assert False
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- vreader: <World at *",
            "*pkcs11-tool*VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left)*",
            "*vreader 00 00*removed*",
            "*- vreader: <World at *",
            "no world listens at *",
        ]
    )
    assert "393939393939" not in result.stdout.str()


def test_a_process_has_one_world_for_its_own_calls() -> None:
    script = """
import vreader
with vreader.World() as first, vreader.World() as second:
    first.use_in_this_process()
    first.use_in_this_process()
    try:
        second.use_in_this_process()
    except vreader.TooLate as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert "uses the world at" in done.stdout and "World.run()" in done.stdout
