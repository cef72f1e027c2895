"""``netdesc bench layer`` with installed, missing and broken programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import bench_peers
from support.cli_process import Netdesc

from netdesc.bench import programs, tables
from netdesc.bench.layer import (
    ConvSize,
    LayerComparison,
    LayerSize,
    Measurement,
    RecurrentSize,
    compare,
)
from netdesc.bench.peers import PEERS, itself
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import BenchError, BenchUsageError, parse_interpreters, parse_peers
from netdesc.kernels.engine import use_engine

SMALL = LayerSize(inputs=24, neurons=8, steps=20, batch=2, rate=0.2)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LayerComparison]:
    """A layer with one installed peer, one missing peer and one broken peer."""
    folder = tmp_path_factory.mktemp("peers")
    bench_peers.package(folder, "snntorch", bench_peers.SNNTORCH)
    bench_peers.package(folder, "norse.torch", bench_peers.BROKEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        peers = ("snntorch", "spikingjelly", "norse")
        yield compare(SMALL, peers, parse_interpreters([]), repeats=2, input_gradient=True)


def by_name(compared: LayerComparison) -> dict[str, Measurement]:
    return {each.name: each for each in compared.programs}


def test_every_program_is_measured(compared: LayerComparison) -> None:
    found = by_name(compared)
    assert list(found) == ["netdesc", "snntorch", "spikingjelly", "norse"]
    for each in (found["netdesc"], found["snntorch"]):
        assert each.status == "done"
        assert each.low_ms <= each.median_ms <= each.high_ms
        assert 0 < each.spike_rate < 1
        assert each.repeats >= 2
        assert each.peak_units == pytest.approx(each.peak_bytes / (4 * 20 * 2 * 8))
        assert {"python", "torch"} <= set(each.versions)
        assert each.device == "cpu"
    assert found["netdesc"].path in ("events", "product")
    assert found["snntorch"].ratio == pytest.approx(
        found["snntorch"].median_ms / found["netdesc"].median_ms
    )
    assert "snntorch.Synaptic" in found["snntorch"].what


def test_missing_and_failed_programs_are_named(compared: LayerComparison) -> None:
    found = by_name(compared)
    assert (found["spikingjelly"].status, found["norse"].status) == ("missing", "failed")
    lines = list(tables.layer_lines(compared))
    assert any(line.startswith("spikingjelly: missing: not installed for ") for line in lines)
    assert "norse: failed: OSError: libspike.so.3: cannot open shared object file" in lines
    assert "gradient of the weights and input" in "".join(lines)


def test_tables_and_record_list_the_programs(compared: LayerComparison) -> None:
    rows = tables.layer_rows(compared.programs)
    assert [row[0] for row in rows] == ["netdesc 0.1.0", "snntorch"]
    record = json.loads(json.dumps(compared.record(), allow_nan=False))
    assert record["size"]["neurons"] == 8
    assert record["machine"]["cores"] >= 1
    assert [each["status"] for each in record["programs"]] == ["done", "done", "missing", "failed"]


def test_the_command_prints_tables_or_one_object(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The results of all programs, also of netdesc, are fake, so that nothing is measured."""
    python = bench_peers.interpreter(tmp_path / "python", bench_peers.RESULT)
    monkeypatch.setattr(sys, "executable", str(python))
    sizes = ("--inputs", "9", "--neurons", "5", "--steps", "10", "--batch", "2")
    peers = ("--against", "norse,spyx", "--peer-python", python)
    outcome = netdesc("bench", "layer", *sizes, *peers, "--json")
    assert outcome.code == 0
    assert [each["median_ms"] for each in outcome.record["programs"]] == [500.0] * 3
    assert outcome.record["programs"][0]["peak_units"] == 10
    assert outcome.err.splitlines().count("  500.00 ms") == 3
    shown = netdesc("bench", "layer", *sizes, "--quiet")
    assert "500.00" in shown.out
    assert "forward and backward pass of the layer" in shown.out


@pytest.mark.parametrize("text", ["", "[1]", "nonsense", "{}", '{"status": "done"}\n{}'])
def test_programs_with_invalid_output_have_failed(
    text: str, netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = bench_peers.interpreter(tmp_path / "python", text)
    answer = programs.run("norse", SMALL.work("cpu", 1), str(python))
    assert (answer.status, answer.reason) == (
        "failed", "it ended with exit code 0 and no message",
    )  # fmt: skip
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(BenchError, match="measuring netdesc failed: it ended"):
        programs.run_itself(SMALL.work("cpu", 1))
    outcome = netdesc("bench", "layer", "--steps", "4")
    assert outcome.code == 3
    assert "error: measuring netdesc failed: " in outcome.err


def test_a_file_that_is_no_program_has_failed(tmp_path: Path) -> None:
    not_a_program = tmp_path / "data"
    not_a_program.write_text("")
    assert programs.run("norse", SMALL.work("cpu", 1), str(not_a_program)).status == "failed"


def test_names_and_interpreters(tmp_path: Path) -> None:
    assert parse_peers(None) == ()
    assert parse_peers("all") == PEERS
    assert parse_peers("norse, Norse,lava-dl") == ("norse", "lava-dl")
    assert parse_peers("norse,ALL", ("lava-dl",)) == ("lava-dl",)
    with pytest.raises(BenchUsageError, match='unknown program "bindsnet"; known are lava-dl, '):
        parse_peers("bindsnet")
    python = tmp_path / "python"
    python.touch()
    pythons = parse_interpreters([f"lava-dl={python}"])
    assert (pythons["lava-dl"], pythons["norse"]) == (str(python), sys.executable)
    assert parse_interpreters([str(python)])["norse"] == str(python)
    with pytest.raises(BenchUsageError, match="there is no Python interpreter at /nowhere"):
        parse_interpreters(["spyx=/nowhere"])
    with pytest.raises(BenchUsageError, match='unknown program "lava"'):
        parse_interpreters([f"lava={python}"])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--against", "nothing", "unknown program"),
        ("--rate", "0", "0"),
        ("--rate", "nan", "'nan'"),
        ("--inputs", "9" * 20, "not in the range"),
        ("--peer-python", "/nowhere", "no Python interpreter"),
    ],
)
def test_invalid_options_are_usage_errors(
    netdesc: Netdesc, option: str, value: str, message: str
) -> None:
    outcome = netdesc("bench", "layer", option, value)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_work_survives_writing_and_reading(tmp_path: Path) -> None:
    work = SMALL.work("cpu", 3)
    work.write(tmp_path / "work.npz")
    again = Work.read(tmp_path / "work.npz")
    assert again.settings == work.settings
    assert np.array_equal(again.spikes["input"], work.spikes["input"])
    assert np.array_equal(again.numbers["weight"], work.numbers["weight"])
    assert again.upstream().shape == (20, 2, 8)
    assert work.spikes["input"].mean() == pytest.approx(0.2, abs=0.05)


@use_engine("reference")
def test_a_recurrent_layer_has_more_weights_than_it_is_given() -> None:
    work = RecurrentSize(steps=3, batch=2, inputs=6, neurons=4, rate=0.5).work("cpu", 1)
    timed = itself.layer(work)
    timed.step()
    assert "recurrent" in timed.what


def test_a_convolution_has_the_shape_of_its_weights() -> None:
    size = ConvSize(steps=3, batch=2, rate=0.5, shape=(2, 6, 5), channels=4, kernel=3)
    work = size.work("cpu", 1)
    assert work.numbers["weight"].shape == (4, 2, 3, 3)
    assert work.spikes["input"].shape == (3, 2, 60)
    timed = itself.layer(work)
    timed.step()
    assert work.upstream().shape == (3, 2, 4 * 4 * 3)
    assert timed.path() == "product"
    assert "conv layer 2×6×5 to 4 channels 3×3" in size.text
