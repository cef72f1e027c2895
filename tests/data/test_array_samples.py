"""Samples of ``.npz`` files: valid files are read, invalid ones raise one message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.data.array_samples import ArrayFile
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.samples import SampleSpec
from netdesc.description.models import Arrays, LatencyEncoding

SPEC = SampleSpec(steps=6, step_ms=1.0, input_shape=(2, 3), output_shape=(4,), classes=4)
BY_STEP = replace(SPEC, labels_by_step=True)
SAMPLES = 8


def good(**changes: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "inputs": rng.integers(0, 17, (SAMPLES, 2, 3)).astype(np.uint8),
        "labels": np.arange(SAMPLES) % 4,
        "split": np.array([0, 0, 1, 0, 2, 0, 1, 0]),
    } | changes


def read(path: Path, spec: SampleSpec = SPEC, warn: Any = lambda text: None, **data: Any):
    settings = {"encoding": {"type": "latency"}, "range": (0, 16), "split": "split"} | data
    section = Arrays.model_validate({"type": "arrays", "path": path.name, **settings})
    return ArrayFile(path, section, spec, warn=warn).read()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def fails(path: Path, message: str, spec: SampleSpec = SPEC, **data: Any) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(path, spec, **data)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("largest", "data", "told"),
    [
        (16, {}, ""),
        (1.01, {}, ""),
        (1, {}, "goes up to 1, and data.range to 16: its values hardly cause a spike"),
        (1, {"range": (0, 1)}, ""),
        (0, {"range": (-1, 1), "encoding": {"type": "rate"}}, ""),
        (-1, {"range": (-1, 1), "encoding": {"type": "rate"}}, "goes up to -1, and data.range to"),
    ],
)
def test_values_that_hardly_cause_a_spike_give_a_warning(
    largest: float, data: dict[str, Any], told: str, file: Path
) -> None:
    """For example values from 0 to 1 in the range 0 to 255. They are still read."""
    inputs = np.full((SAMPLES, 2, 3), data.get("range", (0, 16))[0], np.float32)
    inputs[3, 1, 2] = largest
    np.savez(file, **good(inputs=inputs))
    warned: list[str] = []
    assert len(read(file, warn=warned.append, **data)["train"]) == 5
    assert len(warned) == bool(told)
    assert all(line.startswith(f'{file}: the array "inputs" {told}') for line in warned)


@pytest.mark.parametrize("spikes", [0, 1])
def test_inputs_without_spikes_give_a_warning(spikes: int, file: Path) -> None:
    inputs = np.zeros((SAMPLES, 6, 2, 3), np.uint8)
    inputs[7, 5, 1, 2] = spikes
    np.savez(file, **good(inputs=inputs))
    warned: list[str] = []
    read(file, warn=warned.append, encoding={"type": "spikes"})
    assert warned == [f'{file}: the array "inputs" holds no spike'] * (1 - spikes)


@pytest.mark.parametrize(
    ("data", "is_cut"),
    [
        ({"range": (0, 16), "to": (-4, 3.96875)}, False),
        ({"range": (0, 16), "to": (-4, 4)}, True),
        ({"range": (0, 16), "to": (3, -5)}, True),
        ({"range": (0, 16), "to": (-4, 4), "encoding": {"type": "latency"}}, False),
    ],
)
def test_inputs_beyond_the_grid_of_a_layer_give_a_warning(file: Path, data, is_cut: bool) -> None:
    np.savez(file, **good())
    for limits in (None, (-4.0, 254 / 64)):
        warned: list[str] = []
        data = {"encoding": {"type": "constant"}} | data
        read(file, replace(SPEC, limits=limits), warned.append, **data)
        assert len(warned) == (is_cut and limits is not None)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_samples_go_to_their_splits(file: Path, save: Any) -> None:
    arrays = good()
    save(file, **arrays)
    parts = read(file)
    for number, part in enumerate(("train", "validation", "test")):
        which = arrays["split"] == number
        spikes, labels = parts[part].dense(np.random.default_rng(0))
        assert spikes.shape == (6, which.sum(), 2, 3)
        assert labels.tolist() == arrays["labels"][which].tolist()
        values = arrays["inputs"][which]
        assert np.array_equal(spikes.any(0), values > 0)
        assert np.array_equal(spikes[0] == 1, np.rint((16 - values) * 5 / 16) == 0)


def test_without_a_split_all_is_for_training(file: Path) -> None:
    np.savez(file, **good())
    parts = read(file, split=None)
    assert [len(parts[name]) for name in ("train", "validation", "test")] == [SAMPLES, 0, 0]


def test_spikes_may_have_fewer_steps_and_a_warning_says_so(file: Path) -> None:
    values = np.zeros((SAMPLES, 4, 2, 3), np.uint8)
    values[5, 3, 1, 2] = 1
    np.savez(file, **good(inputs=values))
    warned: list[str] = []
    samples = read(file, warn=warned.append, encoding={"type": "spikes"}, split=None)["train"]
    assert [f"{file}: " in each and "has 4 steps" in each for each in warned] == [True]
    spikes, _ = samples.dense(np.random.default_rng(0))
    assert spikes.shape == (6, SAMPLES, 2, 3)
    assert spikes.sum() == spikes[3, 5, 1, 2] == 1


def test_labels_by_step(file: Path) -> None:
    labels = np.arange(SAMPLES * 6).reshape(SAMPLES, 6) % 4
    np.savez(file, **good(labels=labels))
    samples = read(file, BY_STEP, split=None)["train"]
    _, found = samples.dense(np.random.default_rng(0))
    assert np.array_equal(found, labels.T)
    assert found.flags.c_contiguous
    fails(file, "take a label a step")
    np.savez(file, **good(labels=labels[:, :5]))
    fails(file, "has 5 labels a sample; the output has 6 steps", BY_STEP)


def test_targets_are_spikes_of_the_output_or_the_inputs(file: Path) -> None:
    spec = replace(SPEC, classes=None, learns_from="target spikes")
    spikes = np.random.default_rng(0).integers(0, 3, (SAMPLES, 6, 4))
    np.savez(file, **good(targets=spikes))
    found = read(file, spec, split=None, targets="targets")["train"]
    assert found.labels is None
    _, targets = found[[5, 2]].dense(np.random.default_rng(0))
    assert np.array_equal(targets, spikes[[5, 2]].swapaxes(0, 1))
    mirror = replace(spec, output_shape=spec.input_shape)
    inputs, targets = read(file, mirror, targets="inputs")["train"].dense(np.random.default_rng(0))
    assert targets is inputs
    fails(file, r"outputs \[6, 4\] of the network", spec, targets="inputs")
    for sample, value in ((3, -1), (4, 0.5)):
        wrong = spikes.astype(float)
        wrong[sample, 2, 1] = value
        np.savez(file, **good(targets=wrong))
        fails(
            file, f"other values than numbers of spikes in sample {sample}", spec, targets="targets"
        )
    np.savez(file, **good(targets=spikes * (np.arange(SAMPLES) != 6)[:, None, None]))
    fails(file, "no spike to learn in sample 6", spec, targets="targets")
    np.savez(file, **good(targets=spikes[:, 0]))
    fails(file, r"has the shape \[8, 4\]; expected: \[8, 6, 4\]", spec, targets="targets")


def test_a_long_array_is_checked_and_compressed_in_chunks(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = good()
    np.savez(file, **arrays)
    whole = read(file)["train"].inputs
    monkeypatch.setattr("netdesc.data.array_samples._CHUNK_VALUES", 13)
    assert np.array_equal(read(file)["train"].inputs, whole)
    arrays["inputs"][7, 1, 2] = 17
    np.savez(file, **arrays)
    fails(file, "has 17 in sample 7")


WRONG = [
    ({"inputs": np.zeros((SAMPLES, 6))}, r'"inputs" has shape \[8, 6\]; \[samples, 2, 3\]'),
    ({"inputs": np.zeros((0, 2, 3))}, '"inputs" holds no samples'),
    ({"inputs": np.zeros(())}, r'"inputs" has shape \[\]'),
    ({"inputs": np.full((SAMPLES, 2, 3), np.nan)}, '"inputs" has nan in sample 0, not numbers'),
    ({"inputs": np.full((SAMPLES, 2, 3), 17)}, "has 17 in sample 0, not numbers from 0 to 16"),
    ({"inputs": np.full((SAMPLES, 2, 3), -1)}, "has -1 in sample 0"),
    ({"inputs": np.zeros((SAMPLES, 2, 3), complex)}, 'holds no numbers in its array "inputs"'),
    ({"inputs": np.full((SAMPLES, 2, 3), "a")}, 'holds no numbers in its array "inputs"'),
    ({"labels": np.arange(SAMPLES)}, '"labels" has 4 for sample 4; the classes are 0 to 3'),
    ({"labels": np.arange(SAMPLES) - 1}, '"labels" has -1 for sample 0'),
    ({"labels": np.zeros(7, int)}, r'"labels" has shape \[7\]; the inputs have 8 samples'),
    ({"labels": np.zeros((8, 1, 1), int)}, '"labels" has shape'),
    ({"labels": np.zeros(SAMPLES)}, '"labels" holds float64; whole numbers'),
    ({"split": np.ones(SAMPLES, int)}, '"split" leaves none of the 8 samples to train on'),
    ({"split": np.full(SAMPLES, 3)}, '"split" has 3 for sample 0; 0 is training, 1 validation'),
    ({"split": np.zeros(7, int)}, r'"split" has type int64 and shape \[7\]; .* \[8\] are needed'),
    ({"split": np.zeros(SAMPLES)}, '"split" has type float64'),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message for _, message in WRONG])
def test_arrays_that_do_not_fit(file: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(file, **good(**changes))
    fails(file, message)


def test_spikes_that_do_not_fit(file: Path) -> None:
    np.savez(file, **good(inputs=np.zeros((SAMPLES, 7, 2, 3), bool)))
    fails(file, "has 7 steps a sample; the network runs 6", encoding={"type": "spikes"})
    np.savez(file, **good(inputs=np.full((SAMPLES, 6, 2, 3), 2)))
    fails(file, "has 2 in sample 0, not 0 and 1", encoding={"type": "spikes"})
    np.savez(file, **good())
    fails(file, r'\[samples, steps, 2, 3\] is needed for encoding "spikes"', encoding={
        "type": "spikes"
    })  # fmt: skip
    np.savez(file, **good(inputs=np.zeros((SAMPLES, 2, 3, 6), bool)))
    fails(file, r"inputs\.transpose\(0, 3, 1, 2\)", encoding={"type": "spikes"})


def test_a_missing_array_is_named_with_those_of_the_file(file: Path) -> None:
    np.savez(file, **good())
    fails(file, 'has no array "images"; its arrays: inputs, labels, split', inputs="images")


def test_pickles_are_never_loaded(file: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (file.with_name("exploded"),))

    for name in ("inputs", "labels", "split"):
        np.savez(file, **good(**{name: np.array([Bomb()] * SAMPLES, dtype=object)}))
        fails(file, f'holds pickled Python objects in its array "{name}", which netdesc never')
    assert not file.with_name("exploded").exists()


def test_files_that_are_missing_or_changed(file: Path) -> None:
    with pytest.raises(MissingDataError, match="cannot read this file: no such"):
        read(file)
    np.savez(file, **good())
    fails(file, "the file has changed", sha256="0" * 64)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no zip at all", b"\x93NUMPY\x01\x00" + b"v" * 50]
)
def test_files_that_are_no_npz(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    fails(file, r"is not an \.npz file, or it is cut off or damaged")


@pytest.mark.parametrize("name", ["inputs", "labels", "split"])
def test_an_array_that_is_packed_too_tightly_is_not_unpacked(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("netdesc.description.files.npz.MAX_BYTES_AT_ANY_RATIO", 10**5)
    read_array = np.lib.format.read_array

    def read_small(*arguments: Any, **options: Any) -> np.ndarray:
        array = read_array(*arguments, **options)
        assert array.nbytes < 10**5, "an array was unpacked"
        return array

    monkeypatch.setattr(np.lib.format, "read_array", read_small)
    np.savez_compressed(file, **good(**{name: np.zeros(10**6, np.uint8)}))
    fails(file, f'compresses 1,000,128 bytes to 1,.* in its array "{name}"')


def test_inputs_larger_than_the_memory_are_not_read(file: Path) -> None:
    """Of 8 samples 5 are trained on: 6 cells of 4 bytes a step each."""
    np.savez(file, **good())
    spec = replace(SPEC, steps=200_000_000)
    message = "needs 22.4 GiB in training: .* 22.4 for a batch of 5 samples of 200,000,000 steps"
    fails(file, message, spec)
    section = Arrays.model_validate({"type": "arrays", "path": "data.npz", "range": (0, 16)})
    section = section.model_copy(update={"encoding": LatencyEncoding(type="latency")})
    with pytest.raises(
        DataError, match=r"for a batch of 8 samples .* use a smaller training\.batch_size"
    ):
        ArrayFile(file, section, spec).read()
    assert len(ArrayFile(file, section, spec, 2).read()["train"]) == 8


@given(st.data())
def test_a_damaged_file_is_read_correctly_or_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A damaged file either gives its original samples or raises DataError."""
    file = tmp_path_factory.mktemp("damage") / "data.npz"
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(file, **good())
    before = read(file)["train"]
    content = bytearray(file.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "splice"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[place:]
    else:
        content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    file.write_bytes(content)
    problem = ""
    try:
        after = read(file)["train"]
    except DataError as error:
        problem = str(error)
    if problem:
        assert problem.startswith(str(file))
    else:
        assert np.array_equal(after.inputs, before.inputs)
        assert np.array_equal(after.labels, before.labels)
