"""Threads that wait for others give their cores away soon, unless the user has decided."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netdesc.kernels.waiting import SPIN_COUNT, briefly, is_brief


@pytest.mark.parametrize("own", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_waiting_is_set_only_while_something_loads(own):
    environment = {"PATH": "/bin", **own}
    with briefly(environment):
        assert environment == {"PATH": "/bin", **(own or {"GOMP_SPINCOUNT": SPIN_COUNT})}
    assert environment == {"PATH": "/bin", **own}


def test_what_the_user_set_is_taken_as_it_is():
    assert is_brief({"GOMP_SPINCOUNT": "300000"})
    assert is_brief({"OMP_WAIT_POLICY": "active"})


WORK = """
import os, threading
import torch
from netdesc.kernels.cpu import threads, weights
from netdesc.kernels.waiting import is_brief
if torch.get_num_threads() < 2:
    torch.set_num_threads(2)
for _ in range(2):
    threads.on_threads(weights.integer_vectors)(torch.zeros(64, 64), 8)
print(is_brief(os.environ), sum(t.name == threads.CROWD for t in threading.enumerate()))
assert "GOMP_SPINCOUNT" not in os.environ
"""


CALLED = f"False {int(sys.platform == 'linux')}"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("from netdesc.kernels.waiting import load_torch; load_torch()", "True 0"),
        ("import netdesc; netdesc.train", "True 0"),
        ("import torch", CALLED),
        ("import torch; from netdesc.kernels.waiting import load_torch; load_torch()", CALLED),
        ("import netdesc; netdesc.load; import torch", CALLED),
    ],
)
def test_a_crowd_is_called_where_torch_was_loaded_without_a_word(before, expected, monkeypatch):
    """A third thread on two cores makes GNU OpenMP cut its waiting short."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    result = subprocess.run(
        [sys.executable, "-c", f"{before}\n{WORK}"], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == expected


@pytest.mark.parametrize("command", ["train", "evaluate", "bench oxford"])
def test_commands_say_how_threads_wait_before_torch_is_loaded(command):
    code = f"""
import sys
from netdesc.kernels import waiting
seen = []
def load_torch():
    seen.append("torch" in sys.modules)
    raise ValueError("told")
waiting.load_torch = load_torch
from netdesc.cli import main
try:
    main({[*command.split(), "examples/oxford.json"]})
finally:
    print(seen)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip().splitlines()[-1] == "[False]", result.stderr
