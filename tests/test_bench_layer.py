"""``netdesc bench layer``: programs that are there, missing or broken, and one input for all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bench_peers
import numba
import numpy as np
import pytest
from cli_process import Netdesc

from netdesc.bench import programs, tables
from netdesc.bench.layer import Comparison, Figures, Size, compare
from netdesc.bench.peers import PEERS, itself
from netdesc.bench.peers.measure import Layer
from netdesc.bench.peers.work import Work, checksum
from netdesc.bench.programs import BenchUsageError, Interpreters, named

SMALL = Size(inputs=24, neurons=8, steps=20, batch=2, rate=0.2)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """A layer with one peer that is there, one that is not, and one that is broken."""
    folder = tmp_path_factory.mktemp("peers")
    bench_peers.package(folder, "snntorch", bench_peers.SNNTORCH)
    bench_peers.package(folder, "norse.torch", bench_peers.BROKEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        peers = ("snntorch", "spikingjelly", "norse")
        yield compare(SMALL, peers, Interpreters.of([]), repeats=2, input_gradient=True)


def by_name(compared: Comparison) -> dict[str, Figures]:
    return {each.name: each for each in compared.programs}


def test_every_program_has_its_figures(compared: Comparison) -> None:
    found = by_name(compared)
    assert list(found) == ["netdesc", "snntorch", "spikingjelly", "norse"]
    for name in ("netdesc", "snntorch"):
        each = found[name]
        assert each.status == "done"
        assert each.low_ms <= each.median_ms <= each.high_ms
        assert 0 < each.spike_rate < 1
        assert each.repeats >= 2
        assert each.peak_units == pytest.approx(each.peak_bytes / (4 * 20 * 2 * 8))
        assert {"python", "torch"} <= set(each.versions)
        assert each.device == "cpu"
        assert each.threads >= 1
    assert found["netdesc"].ratio == 1
    assert found["netdesc"].path in ("events", "product")
    assert found["snntorch"].ratio == pytest.approx(
        found["snntorch"].median_ms / found["netdesc"].median_ms
    )
    assert "snntorch.Synaptic" in found["snntorch"].what


def test_all_are_given_the_same_input(compared: Comparison) -> None:
    done = [each.input_sha256 for each in compared.programs if each.status == "done"]
    assert done == [compared.input_sha256] * 2
    work = SMALL.work("cpu", 1)
    assert checksum({**work.spikes, **work.numbers}) == compared.input_sha256


def test_who_is_missing_or_fails_is_named(compared: Comparison) -> None:
    found = by_name(compared)
    assert (found["spikingjelly"].status, found["norse"].status) == ("missing", "failed")
    assert found["norse"].reason == "OSError: libspike.so.3: cannot open shared object file"
    lines = list(tables.layer_lines(compared))
    assert any(line.startswith("spikingjelly: missing: not installed for ") for line in lines)
    assert "norse: failed: OSError: libspike.so.3: cannot open shared object file" in lines
    assert "gradient of the weights and input" in "".join(lines)
    assert {*tables.not_measured(compared)} < {*lines}


def test_tables_hold_who_was_measured(compared: Comparison) -> None:
    rows = tables.layer_rows(compared.programs)
    assert [row[0] for row in rows] == ["netdesc 0.1.0", "snntorch"]
    head, rule, *lines = tables.markdown(compared)
    assert head.count("|") == rule.count("|") == lines[0].count("|") == len(tables.LAYER) + 1
    assert len(lines) == 2


def test_the_record_is_json(compared: Comparison) -> None:
    record = json.loads(json.dumps(compared.record(), allow_nan=False))
    assert record["size"] == {
        "inputs": 24, "neurons": 8, "steps": 20, "batch": 2, "rate": 0.2, "seed": 0
    }  # fmt: skip
    assert record["machine"]["cores"] >= 1
    assert [each["status"] for each in record["programs"]] == ["done", "done", "missing", "failed"]


def answer_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: dict[str, Any]) -> None:
    """Every program's result is ``result``, netdesc's own, too, so that a command takes no time."""
    python = bench_peers.interpreter(tmp_path / "python", json.dumps(result))
    monkeypatch.setattr(sys, "executable", str(python))


FIGURES = {
    "status": "done",
    "what": "a made-up layer",
    "versions": {"python": "3.11"},
    "device": "cpu",
    "threads": 1,
    "seconds": [0.25, 0.5, 0.75],
    "spike_rate": 0.04,
    "peak_bytes": 4000,
    "path": None,
}


def test_the_command_gives_one_object(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = Size(inputs=9, neurons=5, steps=10, batch=2).work("cpu", 20)
    given = checksum({**work.spikes, **work.numbers})
    answer_with(monkeypatch, tmp_path, FIGURES | {"input_sha256": given})
    sizes = ("--inputs", "9", "--neurons", "5", "--steps", "10", "--batch", "2")
    outcome = netdesc("bench", "layer", *sizes, "--against", "norse,spyx", "--json")
    assert outcome.code == 0
    assert [each["median_ms"] for each in outcome.record["programs"]] == [500.0] * 3
    assert outcome.record["programs"][0]["peak_units"] == 10
    assert outcome.err.splitlines().count("  500.00 ms") == 3
    shown = netdesc("bench", "layer", *sizes, "--quiet")
    assert "500.00" in shown.out
    assert "forward and backward pass of the layer" in shown.out
    rows = netdesc("bench", "layer", *sizes, "--markdown", "--quiet").out.splitlines()
    assert rows[2].startswith("| netdesc | 500.00 |")


def test_a_program_with_another_input_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = bench_peers.interpreter(
        tmp_path / "python", json.dumps(FIGURES | {"input_sha256": "another"})
    )
    answer = programs.run("norse", SMALL.work("cpu", 1), str(python))
    assert (answer.status, answer.reason) == ("failed", "it was not given the same input")


def test_programs_that_say_nothing_or_nonsense(tmp_path: Path) -> None:
    for text in ("", "[1]", "nonsense", "{}"):
        python = bench_peers.interpreter(tmp_path / "python", text)
        answer = programs.run("norse", SMALL.work("cpu", 1), str(python))
        assert answer.status == "failed"
        assert "without a word" in answer.reason
    not_a_program = tmp_path / "data"
    not_a_program.write_text("")
    assert programs.run("norse", SMALL.work("cpu", 1), str(not_a_program)).status == "failed"


def test_each_piece_of_work_has_its_answer() -> None:
    """In their order: each answer tells the input that it is of, and its own memory."""
    # So large that it hardly matters how many threads have come in time to take part.
    large = replace(SMALL, neurons=512, inputs=1000, steps=1000)
    works = [size.work("cpu", 2, loss="training") for size in (large, SMALL, large)]
    first, small, again = (Figures.of(a, large) for a in programs.run_itself(*works))
    assert small.input_sha256 != first.input_sha256 == again.input_sha256
    if first.peak_bytes is not None:
        assert again.peak_bytes == pytest.approx(first.peak_bytes, rel=0.5)
        assert small.peak_bytes < first.peak_bytes


def test_a_compilers_memory_is_not_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that of a kernel that is loaded: whatever a step calls has been called before."""
    new = numba.njit(lambda value: value + 1)
    compiled: list[int] = []

    def growth(step: Callable[[], None]) -> int:
        compiled.append(len(new.overloads))
        step()
        compiled.append(len(new.overloads))
        return 0

    made = itself._made

    def with_new_kernel(work: Work) -> Layer:
        return replace(made(work), loss_step=lambda: new(1))

    monkeypatch.setattr(itself, "_made", with_new_kernel)
    monkeypatch.setattr(itself, "host_growth", growth)
    layer = itself.layer(SMALL.work("cpu", 1, loss="training"))
    assert layer.loss_step is not None
    assert layer.growth(layer.loss_step) == 0
    assert compiled == [1, 1]


@pytest.fixture
def runner_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Has the second of several pieces of work do something else."""

    def make(does: str) -> None:
        text, place = programs._RUNNER.read_text(), str(programs._RUNNER)
        begin = text.index("    side = load(name)\n    if side is None")
        instead = f"    if path.name == 'work1.npz':\n        {does}\n"
        runner = tmp_path / "runner.py"
        changed = text[:begin] + instead + text[begin:]
        runner.write_text(changed.replace("__file__", repr(place)))
        monkeypatch.setattr(programs, "_RUNNER", runner)

    return make


only_forked = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere each piece has a program of its own"
)
KILLED = "the system ended it, as it does where memory runs out"


@only_forked
@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("raise ValueError('no more')", "ValueError: no more"),
        ("os.kill(os.getpid(), 9)", KILLED),
    ],
)
def test_a_piece_of_work_that_fails_fails_all(
    does: str, reason: str, runner_that: Callable[[str], None]
) -> None:
    runner_that(does)
    with pytest.raises(programs.BenchError, match=reason):
        programs.run_itself(*[SMALL.work("cpu", 1)] * 3)


@only_forked
def test_who_measures_ends_with_who_asked(
    runner_that: Callable[[str], None], tmp_path: Path
) -> None:
    survived = tmp_path / "survived"
    runner_that(
        "import time; os.kill(os.getppid(), 9); time.sleep(10); "
        f"Path({str(survived)!r}).write_text('')"
    )
    with pytest.raises(programs.BenchError, match=KILLED):
        programs.run_itself(*[SMALL.work("cpu", 1)] * 2)
    assert not survived.exists()


def test_netdesc_itself_must_not_fail(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer_with(monkeypatch, tmp_path, {})
    outcome = netdesc("bench", "layer", "--steps", "4")
    assert outcome.code == 3
    assert "error: measuring netdesc failed: " in outcome.err


def test_names_and_interpreters(tmp_path: Path) -> None:
    assert named(None) == ()
    assert named("all") == PEERS
    assert named("norse, Norse,lava-dl") == ("norse", "lava-dl")
    assert named("norse,ALL", ("lava-dl",)) == ("lava-dl",)
    with pytest.raises(BenchUsageError, match='unknown program "bindsnet"; known are lava-dl, '):
        named("bindsnet")
    python = tmp_path / "python"
    python.touch()
    pythons = Interpreters.of([f"lava-dl={python}"])
    assert pythons.of_program("lava-dl") == str(python)
    assert pythons.of_program("norse") == sys.executable
    assert Interpreters.of([str(python)]).of_program("norse") == str(python)
    assert Interpreters.of([str(python)]).of_program("netdesc") == sys.executable
    with pytest.raises(BenchUsageError, match="there is no Python interpreter at /nowhere"):
        Interpreters.of(["spyx=/nowhere"])
    with pytest.raises(BenchUsageError, match='unknown program "lava"'):
        Interpreters.of([f"lava={python}"])


@pytest.mark.parametrize("command", ["layer", "sweep", "oxford"])
def test_no_card_is_one_message(netdesc: Netdesc, command: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    outcome = netdesc("bench", command, "--device", "cuda", "--quiet")
    assert outcome.code == 3
    assert outcome.err.count("\n") == 1
    assert '"cuda" is not available' in outcome.err


def test_wrong_words_are_a_matter_of_usage(netdesc: Netdesc) -> None:
    assert netdesc("bench", "layer", "--against", "nothing").code == 2
    assert netdesc("bench", "layer", "--rate", "0").code == 2
    assert netdesc("bench", "layer", "--peer-python", "/nowhere").code == 2


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--rate", "nan", "a share above 0"), ("--inputs", "9" * 20, "more than 4 TB")],
)
def test_sizes_that_no_machine_can_measure_are_told(
    netdesc: Netdesc, option: str, value: str, said: str
) -> None:
    outcome = netdesc("bench", "layer", option, value)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_work_comes_back_as_it_was_written(tmp_path: Path) -> None:
    work = SMALL.work("cpu", 3, loss="training")
    work.write(tmp_path / "work.npz")
    again = Work.read(tmp_path / "work.npz")
    assert again.settings == work.settings
    assert np.array_equal(again.spikes["input"], work.spikes["input"])
    assert np.array_equal(again.numbers["weight_OI"], work.numbers["weight_OI"])
    cut = again.cut(steps=3)
    assert cut.spikes["input"].shape == (3, 2, 23)
    assert cut.numbers["weight_OI"].shape == (8, 23)
    one = replace(SMALL, inputs=1).work("cpu", 1).cut(steps=3)
    assert one.spikes["input"].shape == (3, 2, 1)
    assert again.upstream().shape == (20, 2, 8)
    assert work.spikes["input"].mean() == pytest.approx(0.2, abs=0.05)
