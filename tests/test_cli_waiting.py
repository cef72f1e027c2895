"""Threads sleep early on a busy machine, and only where the user has not decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdesc.cli.waiting import SHORT_SPIN, others_running, wait_for_the_load


def test_an_idle_machine_is_left_alone():
    environment: dict[str, str] = {}
    wait_for_the_load(environment, 0)
    assert environment == {}


def test_a_busy_machine_waits_asleep():
    environment = {"PATH": "/bin"}
    wait_for_the_load(environment, 1)
    assert environment == {"PATH": "/bin", "GOMP_SPINCOUNT": SHORT_SPIN}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_the_user_decides(name: str):
    environment = {name: "active"}
    wait_for_the_load(environment, 100)
    assert environment == {name: "active"}


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("0.20 0.18 0.12 1/80 11206\n", 0),
        ("3.20 0.18 0.12 4/80 11206\n", 3),
        ("0.00 0.00 0.00 0/80 11206\n", 0),
        ("", 0),
        ("0.20 0.18 0.12 what\n", 0),
    ],
)
def test_others_are_those_beside_ourselves(text: str, others: int, tmp_path: Path):
    source = tmp_path / "loadavg"
    source.write_text(text)
    assert others_running(source) == others


def test_a_system_that_does_not_say_counts_as_idle(tmp_path: Path):
    assert others_running(tmp_path / "absent") == 0
