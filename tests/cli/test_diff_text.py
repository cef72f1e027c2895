"""What people read of ``netdesc diff``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from support.cli_process import Netdesc, write_json
from support.report_samples import four_layers, write_run


def test_text_shows_a_difference_on_one_line_or_on_two(netdesc: Netdesc) -> None:
    long = "Quite long, so that two of it fill more than one line of a hundred."
    data = four_layers(description=long)
    data["layers"][3]["units"] = 7
    del data["layers"][2]
    write_json("a.json", four_layers(description="x" * 60))
    write_json("b.json", data)
    assert (
        netdesc("diff", "a.json", "b.json").out
        == f"""\
- a.json (document)
+ b.json (document)

document
  description
    - "{"x" * 60}" (file)
    + "{long}" (file)
  layers.output.units: 6 (file) → 7 (file)

layers
  third
    - dense, 8 to 6, 60 parameters
  output.output_shape: 6 → 7
  output.parameters: 48 → 56

network
  output_shape: 6 → 7
  parameters: 268 → 216
  synapses: 256 → 216
"""
    )


@pytest.mark.parametrize("colour", [True, False])
def test_a_narrow_terminal_gets_short_lines(
    colour: bool, netdesc: Netdesc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"epoch": 29, "loss": 3.25, "accuracy": 0.5}
    a, b = (write_run(tmp_path / name, best=figures, final=figures) for name in "ab")
    file = b / "network.lock.json"
    lock = json.loads(file.read_text())
    lock["time"]["steps"], lock["loss"]["filter_order"] = 61, 2
    file.write_text(json.dumps(lock))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "" if colour else "1")
    out = netdesc("diff", a.name, b.name).out
    assert ("\x1b[31m" in out) == colour
    plain = re.sub(r"\x1b\[\d*m", "", out)
    assert max(map(len, plain.splitlines())) <= 40
    assert "  time.steps: 60 (file) → 61 (file)" in plain
    assert "  loss.filter_order\n    - 1 (default)\n    + 2 (default)" in plain


def test_a_value_cannot_drive_the_terminal_and_a_long_one_is_cut(netdesc: Netdesc) -> None:
    write_json("a.json", four_layers(description="\x9b31m"))
    write_json("b.json", four_layers(description="x" * 5000))
    out = netdesc("diff", "a.json", "b.json").out
    assert '"\\u009b31m"' in out
    assert max(map(len, out.splitlines())) < 1100
    assert "all of it with --json" in out
