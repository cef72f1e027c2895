"""Threads sleep early on a busy machine, and only where the user has not decided."""

from __future__ import annotations

import pytest

from netdesc.cli.waiting import BUSY, SHORT_SPIN, load_average, wait_for_the_load


def test_an_idle_machine_is_left_alone():
    environment: dict[str, str] = {}
    wait_for_the_load(environment, BUSY - 0.01)
    assert environment == {}


def test_a_busy_machine_waits_asleep():
    environment = {"PATH": "/bin"}
    wait_for_the_load(environment, BUSY)
    assert environment == {"PATH": "/bin", "GOMP_SPINCOUNT": SHORT_SPIN}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_the_user_decides(name):
    environment = {name: "active"}
    wait_for_the_load(environment, 100.0)
    assert environment == {name: "active"}


def test_the_load_is_a_number():
    assert load_average() >= 0.0
