"""Idle OpenMP threads exist while cores are contended, and end afterwards."""

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
from support.grids import grid

from netdesc.kernels.cpu.runtime import openmp_contention
from netdesc.kernels.cpu.runtime.openmp_contention import THREAD_NAME, ContentionGuard, team_sizes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about GNU OpenMP")


@dataclass
class Machine:
    """What a poll reads: the time, and how long the calling thread had to wait for a core."""

    now: float = 100.0
    delay: float | None = 7.0

    def run(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.delay += share * seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def guard(machine: Machine) -> Iterator[ContentionGuard]:
    guard = ContentionGuard(lambda: [3], lambda: machine.delay, lambda: machine.now)
    yield guard
    if guard._stop is not None:
        guard._stop.set()
    wait_for(0)


def idle_teams() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


def wait_for(number: int) -> None:
    until = time.monotonic() + 60
    while idle_teams() != number:
        assert time.monotonic() < until, f"{idle_teams()} instead of {number}"
        time.sleep(0.01)


def test_idle_threads_exist_on_contended_cores(machine: Machine, guard: ContentionGuard) -> None:
    for _ in range(100):
        machine.run(0.11, share=0.1)
        guard.poll()
    assert idle_teams() == 0
    for _ in range(3):
        machine.run(0.11, share=0.3)
        guard.poll()
        assert idle_teams() == 1
    for _ in range(100):  # one calm second does not end them
        machine.run(1.0, share=0.0)
        guard.poll()
        machine.run(0.11, share=0.3)
        guard.poll()
        assert idle_teams() == 1
    machine.run(2.5, share=0.0)
    guard.poll()
    wait_for(0)
    machine.run(0.11, share=0.3)
    guard.poll()
    assert idle_teams() == 1


def test_delays_of_other_threads_are_not_compared(machine: Machine, guard: ContentionGuard) -> None:
    guard.poll()
    machine.run(1.0, share=0.0)
    machine.delay += 50
    thread = threading.Thread(target=guard.poll)
    thread.start()
    thread.join()
    machine.delay -= 50
    guard.poll()
    assert idle_teams() == 0


def test_idle_threads_stay_if_delays_are_unknown(machine: Machine, guard: ContentionGuard) -> None:
    machine.delay = None
    guard.poll()
    wait_for(1)
    machine.now += 1000
    machine.delay = 0.0
    guard.poll()
    machine.now += 1000
    guard.poll()
    assert idle_teams() == 1


def test_delay_is_read_from_schedstat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tmp_path / "schedstat"
    monkeypatch.setattr(openmp_contention, "_SCHEDSTAT", counts)
    assert openmp_contention.delay_s() is None
    for text in ("0 0 0\n", "", "1 2", "1 2 3 4", "a b c"):  # Linux does not count
        counts.write_text(text)
        assert openmp_contention.delay_s() is None
    counts.write_text("9000000 1500000000 4\n")
    assert openmp_contention.delay_s() == 1.5
    counts.write_text("0 0 1\n")  # a thread that has just begun
    assert openmp_contention.delay_s() == 0.0


@given(st.integers(1, 300), st.integers(1, 300), st.integers(2, 300))
def test_teams_have_a_thread_more_than_cores(cores: int, computing: int, max_threads: int) -> None:
    sizes = team_sizes(cores, computing, max_threads)
    assert all(2 <= size <= max_threads for size in sizes)
    assert computing + sum(size - 1 for size in sizes) == max(cores, computing) + 1
    assert len(sizes) == 1 or sizes[0] == max_threads


SCRIPT = """
import os, threading, time
import numpy as np
import torch
from netdesc.kernels.cpu.runtime import openmp_contention, threads
from netdesc.kernels.cpu.synapses import weights

if torch.get_num_threads() < 2:
    torch.set_num_threads(2)
delay = [0.0]
openmp_contention.ContentionGuard.__init__.__defaults__ = (lambda: delay[0], time.monotonic)
compute = lambda: threads.on_threads(weights.integer_vectors)(np.zeros((64, 64), np.float32))
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
print("idle threads started and ended")
"""


@pytest.mark.parametrize(
    "decided", grid([{}, {"OMP_WAIT_POLICY": "passive"}, {"GOMP_SPINCOUNT": "5000"}], [{}])
)
def test_kernels_poll_unless_the_user_has_decided(decided: dict[str, str]) -> None:
    others = {
        name: value for name, value in os.environ.items() if name not in openmp_contention._SETTINGS
    }
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("< end", "< end - 58") if decided else SCRIPT],
        env={**others, **decided, "NUMBA_NUM_THREADS": "2"},  # also where there is one core
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if decided:
        assert result.stderr.splitlines()[-1].startswith("AssertionError")
    else:
        assert result.stdout == "idle threads started and ended\n", result.stderr
