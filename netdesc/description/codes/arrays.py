"""Entries of ND309 to ND321 and ND324 to ND326: the arrays of an .npz file."""

from __future__ import annotations

from netdesc.description.codes.code import Entry
from netdesc.description.files.array_memory import MAX_INPUT_BYTES
from netdesc.description.files.array_source import MAX_ARRAY_BYTES
from netdesc.description.files.array_values import MAX_CHECKED_BYTES
from netdesc.description.files.npz import (
    MAX_BYTES_AT_ANY_RATIO,
    MAX_LARGE_ARRAY_RATIO,
)

_LARGE = (
    f"Only training looks at the values of an array of more than {MAX_CHECKED_BYTES >> 20} MiB; "
    "validate then says that it did not."
)

ENTRIES = (
    Entry(
        code="ND309",
        title="arrays that cannot be read",
        cause=(
            "The file is not an .npz file (a ZIP archive of .npy files), it is cut off, damaged or "
            "encrypted, it is compressed with a method that numpy does not use, or an array has "
            f"more than {MAX_ARRAY_BYTES >> 30} GiB."
        ),
        fix="Restore the file, or save it again with numpy.savez or numpy.savez_compressed.",
        at="/data/path",
        wrong='"cut.npz"',
        right='"samples.npz"',
        data="labels",
    ),
    Entry(
        code="ND310",
        title="an array is missing",
        cause=(
            "The .npz file has no array of this name, which is in the document or is the default."
        ),
        fix="Write the name of an array in the file. The message lists them.",
        at="/data/labels",
        wrong='"lables"',
        right='"labels"',
        data="labels",
    ),
    Entry(
        code="ND311",
        title="an array of pickled objects",
        cause=(
            "numpy stores Python objects as pickles. Loading a pickle can run any program, so "
            "netdesc never loads one."
        ),
        fix=(
            "Convert the array to numbers, for example with array.astype(float), and save it again."
        ),
        at="/data/inputs",
        wrong='"pickled"',
        right='"inputs"',
        data="labels",
    ),
    Entry(
        code="ND312",
        title="an array of the wrong type",
        cause=(
            "Inputs and targets must be integers, floats or booleans. Labels must be integers "
            "from 0 on. The entries of a split must be integers: 0 for training, 1 for "
            "validation, 2 for testing. Floats must have 2, 4 or 8 bytes."
        ),
        fix="Convert the array with array.astype(…) and save it again.",
        at="/data/labels",
        wrong='"labels_as_floats"',
        right='"labels"',
        data="labels",
    ),
    Entry(
        code="ND313",
        title="inputs of the wrong shape",
        cause=(
            "An array of spikes or of a series must have the shape [samples, steps, *input.shape], "
            "with at most time.steps steps. For other encodings, an array of values must have the "
            "shape [samples, *input.shape]."
        ),
        fix="Correct input.shape or time.steps, or reshape the array.",
        at="/input",
        wrong='{"shape": [5]}',
        right='{"shape": [4]}',
        data="labels",
    ),
    Entry(
        code="ND314",
        title="values without an encoding, or spikes with one",
        cause=(
            "If an array has one value per input, it needs an encoding: rate or latency, which "
            "turn values into spikes, or constant, which repeats values. If it has one value per "
            "input and step, the values are spikes, or those of a series."
        ),
        fix=(
            "For values, set the type of data.encoding to rate, latency or constant. For values of "
            "steps, set it to series. For spikes, remove it."
        ),
        at="/data/encoding",
        wrong='{"type": "spikes"}',
        right='{"type": "rate"}',
        data="labels",
    ),
    Entry(
        code="ND315",
        title="labels that do not fit the samples",
        cause=(
            "The array must have one label per sample. If the loss and the classifier have a "
            "moving window, it may have one label per step of each sample instead."
        ),
        fix="Check that inputs and labels belong together.",
        at="/data/labels",
        wrong='"labels_of_others"',
        right='"labels"',
        data="labels",
    ),
    Entry(
        code="ND316",
        title="labels beyond the outputs",
        cause=(
            "A label is the index of an output neuron, counted from 0. Some labels are negative, "
            "or the last layer has too few neurons for them."
        ),
        fix="Give the last layer one unit per class, or count the labels from 0.",
        at="/data/labels",
        wrong='"labels_from_1"',
        right='"labels"',
        data="labels",
    ),
    Entry(
        code="ND317",
        title="no samples to train on",
        cause="The array of inputs is empty, or the split has no 0, which marks training samples.",
        fix="Mark the training samples with 0, or set data.split to null.",
        at="/data/split",
        wrong='"split_without_0"',
        right='"split"',
        data="labels",
    ),
    Entry(
        code="ND318",
        title="a split of the wrong shape or with other numbers",
        cause=(
            "A split must have one entry per sample: 0 for training, 1 for validation, 2 for "
            "testing."
        ),
        fix="Correct the array.",
        at="/data/split",
        wrong='"split_with_3"',
        right='"split"',
        data="labels",
    ),
    Entry(
        code="ND319",
        title="a split with training samples only",
        cause=(
            "The split marks all samples for training, so none is left for validation or testing."
        ),
        fix="Mark some samples with 1 or 2, or replace the split by training.validation_split.",
        severity="warning",
        at="/data/split",
        wrong='"split_of_0"',
        right='"split"',
        data="labels",
    ),
    Entry(
        code="ND320",
        title="values outside data.range",
        cause=(
            "data.range is [low, high]: the value low becomes 0, and the value high becomes 1. "
            "Some values lie outside the range, or they are NaN or infinite. Real-valued inputs "
            "(constant and series) are cut off at ±512, with a warning. " + _LARGE
        ),
        fix="Write the smallest and the largest value into data.range, or correct the values.",
        at="/data/inputs",
        wrong='"inputs_to_16"',
        right='"inputs"',
        data="labels",
    ),
    Entry(
        code="ND321",
        title="spikes that are neither 0 nor 1",
        cause=(
            "Without an encoding the inputs are spikes: 1 means a spike in this step, and 0 means "
            "none. Some values are neither 0 nor 1. " + _LARGE
        ),
        fix="Correct the array, or add data.encoding if its values should become spikes.",
        at="/data",
        wrong='{"type": "arrays", "path": "samples.npz", "inputs": "spikes_of_2", "split": null}',
        right='{"type": "arrays", "path": "samples.npz", "inputs": "spikes", "split": null}',
        data="labels",
    ),
    Entry(
        code="ND324",
        title="arrays that need too much memory",
        cause=(
            f"Either an array of more than {MAX_BYTES_AT_ANY_RATIO >> 20} MiB is over "
            f"{MAX_LARGE_ARRAY_RATIO} times as large as its compressed form, so a small file would "
            "fill the memory. Or the inputs, in memory and as one batch with all its steps, need "
            f"more than {MAX_INPUT_BYTES >> 30} GiB."
        ),
        fix=(
            "Use a smaller training.batch_size or fewer samples. Save an array that is almost all "
            "zeros with numpy.savez, which does not compress it."
        ),
        at="/data/path",
        wrong='"tight.npz"',
        right='"samples.npz"',
        data="labels",
    ),
    Entry(
        code="ND325",
        title="a split that is not used",
        cause=(
            "The file has an array split, and data.split is missing. So the samples that the array "
            "marks for validation and testing are trained on as well."
        ),
        fix="Set data.split to the name of the array, or to null if all samples are for training.",
        severity="warning",
        at="/data",
        wrong='{"type": "arrays", "path": "samples.npz", "encoding": {"type": "rate"}}',
        right=(
            '{"type": "arrays", "path": "samples.npz", "split": "split",\n'
            ' "encoding": {"type": "rate"}}'
        ),
        data="labels",
    ),
    Entry(
        code="ND326",
        title="targets that do not fit",
        cause=(
            "The array must have one target for each sample, of the shape of the output, or one "
            "for each step of a sample, if the loss compares every step. Targets must be numbers, "
            "not NaN or infinite."
        ),
        fix="Check that inputs and targets belong together.",
        at="/data/targets",
        wrong='"targets_of_others"',
        right='"targets"',
        data="values",
    ),
)
