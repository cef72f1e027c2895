"""Threads that wait for others give their cores away soon while others want them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu.runtime import openmp_contention as crowd
from netdesc.kernels.cpu.runtime.openmp_contention import CROWD, Crowd, is_decided

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about GNU OpenMP")


@dataclass
class Machine:
    """What a look sees: the time, and how long the calling thread was kept from its core."""

    now: float = 100.0
    delay: float | None = 7.0

    def run(self, seconds: float, share: float) -> None:
        assert self.delay is not None
        self.now += seconds
        self.delay += share * seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def many(machine: Machine) -> Iterator[Crowd]:
    made = Crowd(lambda: [3], lambda: machine.delay, lambda: machine.now)
    yield made
    if made._go_home is not None:
        made._go_home.set()
    wait_for(0)


def present() -> int:
    return sum(thread.name == CROWD for thread in threading.enumerate())


def wait_for(number: int) -> None:
    until = time.monotonic() + 60
    while present() != number:
        assert time.monotonic() < until, f"{present()} instead of {number}"
        time.sleep(0.01)


def test_a_crowd_is_called_while_others_want_the_cores(machine: Machine, many: Crowd) -> None:
    for _ in range(100):
        machine.run(0.11, share=0.1)
        many.look()
    assert present() == 0
    for _ in range(3):
        machine.run(0.11, share=0.3)
        many.look()
        assert present() == 1
    for _ in range(100):  # not for one quiet moment
        machine.run(1.0, share=0.0)
        many.look()
        machine.run(0.11, share=0.3)
        many.look()
        assert present() == 1
    machine.run(2.5, share=0.0)
    many.look()
    wait_for(0)
    machine.run(0.11, share=0.3)
    many.look()
    assert present() == 1


def test_looks_are_seldom(machine: Machine) -> None:
    read = []

    def delay_s() -> float:
        read.append(machine.now)
        return 0.0

    watcher = Crowd(lambda: [2], delay_s, lambda: machine.now)
    for _ in range(1000):
        machine.run(0.001, share=0.0)
        watcher.look()
    assert 8 <= len(read) <= 11


def test_each_thread_sees_its_own_delay(machine: Machine, many: Crowd) -> None:
    """The total of another thread is larger or smaller by anything, and says nothing."""
    many.look()
    machine.run(1.0, share=0.0)
    assert machine.delay is not None
    machine.delay += 50
    thread = threading.Thread(target=many.look)
    thread.start()
    thread.join()
    machine.delay -= 50
    many.look()
    assert present() == 0


def test_where_nobody_counts_the_crowd_stays(machine: Machine, many: Crowd) -> None:
    machine.delay = None
    many.look()
    wait_for(1)
    machine.now += 1000
    machine.delay = 0.0
    many.look()
    machine.now += 1000
    many.look()
    assert present() == 1


def test_delays_are_read_from_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tmp_path / "schedstat"
    monkeypatch.setattr(crowd, "_DELAYS", counts)
    assert crowd.delay_s() is None
    for text in ("0 0 0\n", "", "1 2", "1 2 3 4", "a b c"):  # the kernel does not count
        counts.write_text(text)
        assert crowd.delay_s() is None
    counts.write_text("9000000 1500000000 4\n")
    assert crowd.delay_s() == 1.5
    counts.write_text("0 0 1\n")  # a thread that has just begun
    assert crowd.delay_s() == 0.0


@given(st.integers(1, 300), st.integers(1, 300), st.integers(2, 300))
def test_a_crowd_makes_more_threads_than_there_are_cores(
    cores: int, computing: int, most: int
) -> None:
    called = crowd.teams(cores, computing, most)
    assert all(2 <= size <= most for size in called)
    assert computing + sum(size - 1 for size in called) == max(cores, computing) + 1
    assert len(called) == 1 or called[0] == most


def test_one_thread_waits_for_nobody() -> None:
    assert crowd.teams(16, 1, 1) == []


def test_what_the_user_set_is_taken_as_it_is() -> None:
    assert is_decided({"GOMP_SPINCOUNT": "300000"})
    assert is_decided({"OMP_WAIT_POLICY": "active"})
    assert not is_decided({"OMP_NUM_THREADS": "2"})


REAL = """
import os, threading, time
import numpy as np
import torch
from netdesc.kernels.cpu.runtime import openmp_contention as crowd, threads
from netdesc.kernels.cpu.synapses import weights

if torch.get_num_threads() < 2:
    torch.set_num_threads(2)
delay = [0.0]
crowd.Crowd.__init__.__defaults__ = (lambda: delay[0], time.monotonic)
compute = lambda: threads.on_threads(weights.integer_vectors)(np.zeros((64, 64), np.float32), 8)
tasks = lambda: len(os.listdir("/proc/self/task"))

def until(reached):
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end, tasks()
        time.sleep(0.01)

compute()
alone = tasks()
time.sleep(0.11)
delay[0] += 50
compute()
until(lambda: tasks() >= alone + 2)
time.sleep(2.1)
compute()
until(lambda: tasks() == alone)
print("they came and went")
"""


@pytest.mark.parametrize(
    "decided", [{}, {"OMP_WAIT_POLICY": "passive"}, {"GOMP_SPINCOUNT": "5000"}]
)
def test_kernels_look_unless_the_user_has_decided(decided: dict[str, str]) -> None:
    """A third thread on two cores makes GNU OpenMP cut its waiting short."""
    kept = {name: value for name, value in os.environ.items() if name not in crowd._SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", REAL.replace("< end", "< end - 58") if decided else REAL],
        env={**kept, **decided, "NUMBA_NUM_THREADS": "2"},  # also where there is one core
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if decided:
        assert result.stderr.splitlines()[-1].startswith("AssertionError")
    else:
        assert result.stdout == "they came and went\n", result.stderr
