"""``netdesc show --target``: what a network needs on a device."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cli_process import Netdesc
from support.report_samples import HIDDEN, INPUTS, write_run

from netdesc.resources import shipped

Show = Any


@pytest.fixture
def show(netdesc: Netdesc) -> Show:
    return partial(netdesc, "show")


def test_operations_are_those_that_a_run_counted(show: Show, tmp_path: Path) -> None:
    arrays = {"operations_hidden": np.array([2.5, 30, 0]), "operations_output": [3.0, 4, 10]}
    run = write_run(tmp_path / "run", arrays=arrays)
    target = json.loads(show(run, "--target", "loihi2", "--json").out)["target"]
    hidden, output = target["layers"]
    assert (hidden["events"], hidden["operations"], output["operations"]) == (2.5, 30, 14)
    assert [hidden["fan_in"], output["fan_in"]] == [INPUTS, HIDDEN]
    assert target["total"]["energy_pj"] == pytest.approx(0.9 * 44 + 3.7 * 10)
    assert (target["total"]["cores"], target["problems"]) == (2, [])
    assert "does not fit" not in show(run, "--target", "loihi2").out
    older = write_run(tmp_path / "older/run")
    target = json.loads(show(older, "--target", "loihi2", "--json").out)["target"]
    assert target["total"]["operations"] is None


def test_flash_and_ram_are_those_of_c(show: Show, netdesc: Netdesc, tmp_path: Path) -> None:
    source = tmp_path / "d.json"
    content = json.loads(shipped("examples/digits_conv.json").read_text()) | {"data": None}
    source.write_text(json.dumps(content))
    exported = json.loads(netdesc("export", source, "-o", tmp_path / "net.c", "--json").out)
    sizes = [f"{size:,} bytes" for size in (21_792, 39_320)]
    assert all(size in exported["notes"][0] for size in sizes)
    for flash, ram, count in ((22, 39, 0), (21, 39, 1), (21, 38, 2)):
        options = ("--target", "microcontroller", "--flash", flash, "--ram", ram)
        target = json.loads(show(source, *options, "--json").out)["target"]
        assert list(target["sizes"].values()) == [21_792, 39_320]
        assert len(target["problems"]) == count
        assert ("does not fit" in show(source, *options).out) == bool(count)


def test_a_chip_has_limits(show: Show) -> None:
    changes = ("--set", "layers.hidden.units=700000", "--set", "layers.hidden.quantization=null")
    outcome = show(shipped("examples/oxford.json"), *changes, "--target", "loihi2", "--json")
    target = json.loads(outcome.out)["target"]
    assert (target["total"]["cores"], len(target["problems"])) == (87, 2)


def test_flash_needs_a_microcontroller(show: Show) -> None:
    for target in ((), ("--target", "loihi2")):
        assert show(shipped("examples/oxford.json"), *target, "--flash", 64).code == 2
