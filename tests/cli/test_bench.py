"""``netdesc bench`` without a command, and what it hands on to one."""

from __future__ import annotations

import pytest
from support.cli_process import Netdesc

from netdesc.cli.bench import layer, neurons, oxford, sweep


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Commands that measure nothing: their names and devices, as they are called."""
    calls = list[tuple[str, str]]()
    for command in (oxford, layer, neurons, sweep):
        name = str(command.name)
        monkeypatch.setattr(
            command, "callback", lambda name=name, **given: calls.append((name, given["device"]))
        )
    return calls


def test_without_a_command_all_are_run_on_the_device(
    netdesc: Netdesc, called: list[tuple[str, str]]
) -> None:
    assert netdesc("bench", "--device", "cuda").code == 0
    assert called == [(name, "cuda") for name in ("oxford", "layer", "neurons", "sweep")]


def test_a_command_takes_the_device_unless_it_has_its_own(
    netdesc: Netdesc, called: list[tuple[str, str]]
) -> None:
    assert netdesc("bench", "--device", "cuda", "layer").code == 0
    assert netdesc("bench", "--device", "cuda", "layer", "--device", "cpu").code == 0
    assert netdesc("bench", "sweep").code == 0
    assert called == [("layer", "cuda"), ("layer", "cpu"), ("sweep", "cpu")]
