"""What ``netdesc explain`` says of ND309 and on: the arrays of an .npz file."""

from __future__ import annotations

from netdesc.description.codes.code import Entry
from netdesc.description.files.array_memory import MOST_ROOM
from netdesc.description.files.npz import FREE_BYTES, MAX_UNPACKED, TIGHT_RATIO

ENTRIES = (
    Entry(
        code="ND309",
        title="arrays that cannot be read",
        cause=(
            "The file is no .npz file (a ZIP archive of .npy files), it is cut off, damaged or "
            "encrypted, it packs its arrays in a way that numpy does not use, or an array has "
            f"more than {MAX_UNPACKED >> 30} GiB."
        ),
        fix="Restore the file, or write it again with numpy.savez or numpy.savez_compressed.",
        at="/data/path",
        wrong='"cut.npz"',
        right='"samples.npz"',
        is_labelled=True,
    ),
    Entry(
        code="ND310",
        title="an array is missing",
        cause="The .npz file has no array of the name in the document, given there or by default.",
        fix="Write the name of one of its arrays: the message lists them.",
        at="/data/labels",
        wrong='"lables"',
        right='"labels"',
        is_labelled=True,
    ),
    Entry(
        code="ND311",
        title="an array of pickled objects",
        cause=(
            "numpy stores Python objects as pickles, and loading one runs whatever program it "
            "holds. netdesc never does."
        ),
        fix="Save the array as numbers, such as array.astype(float).",
        at="/data/inputs",
        wrong='"pickled"',
        right='"inputs"',
        is_labelled=True,
    ),
    Entry(
        code="ND312",
        title="an array of another type",
        cause=(
            "Inputs are integers, floats, or true and false. Labels are integers, counted from 0. "
            "So are the entries of a split: 0 for training, 1 for validation, 2 for testing. "
            "Floats have 2, 4 or 8 bytes."
        ),
        fix="Convert the array with array.astype(…) and save it again.",
        at="/data/labels",
        wrong='"labels_as_floats"',
        right='"labels"',
        is_labelled=True,
    ),
    Entry(
        code="ND313",
        title="inputs of another shape",
        cause=(
            "The array of inputs has the shape [samples, steps, *input.shape] where it holds "
            "spikes, with at most time.steps steps, and [samples, *input.shape] where its values "
            "become spikes."
        ),
        fix="Correct input.shape or time.steps, or reshape the array.",
        at="/input",
        wrong='{"shape": [5]}',
        right='{"shape": [4]}',
        is_labelled=True,
    ),
    Entry(
        code="ND314",
        title="values without an encoding, or spikes with one",
        cause=(
            "An array with one value for each input needs an encoding that makes spikes of it: "
            "rate or latency. One with a value for each step holds the spikes themselves."
        ),
        fix="Give data.encoding, or leave it out.",
        at="/data/encoding",
        wrong='{"type": "spikes"}',
        right='{"type": "rate"}',
        is_labelled=True,
    ),
    Entry(
        code="ND315",
        title="labels that do not fit the samples",
        cause=(
            "There is one label for each sample or, for a loss and a classifier with a moving "
            "window, one for each step of time.steps."
        ),
        fix="Check which arrays belong together.",
        at="/data/labels",
        wrong='"labels_of_others"',
        right='"labels"',
        is_labelled=True,
    ),
    Entry(
        code="ND316",
        title="labels beyond the outputs",
        cause=(
            "A label is the number of an output neuron, counted from 0. Some labels are negative, "
            "or the last layer has fewer neurons."
        ),
        fix="Give the last layer a unit for each class, or count the labels from 0.",
        at="/data/labels",
        wrong='"labels_from_1"',
        right='"labels"',
        is_labelled=True,
    ),
    Entry(
        code="ND317",
        title="no samples to train on",
        cause="The array of inputs is empty, or the split marks no sample with 0, for training.",
        fix="Mark the samples to train on with 0, or leave data.split out.",
        at="/data/split",
        wrong='"split_without_0"',
        right='"split"',
        is_labelled=True,
    ),
    Entry(
        code="ND318",
        title="a split of the wrong form",
        cause=(
            "A split has one entry for each sample: 0 for training, 1 for validation, 2 for "
            "testing."
        ),
        fix="Correct the array.",
        at="/data/split",
        wrong='"split_with_3"',
        right='"split"',
        is_labelled=True,
    ),
    Entry(
        code="ND319",
        title="a split that sets nothing aside",
        cause="The split marks all samples with 0, for training: there is nothing to measure on.",
        fix="Mark some samples with 1 or 2, or use training.validation_split.",
        severity="warning",
        at="/data/split",
        wrong='"split_of_0"',
        right='"split"',
        is_labelled=True,
    ),
    Entry(
        code="ND320",
        title="values outside the range",
        cause=(
            "data.range says which values become 0 and 1. Some values lie outside, or are NaN or "
            "infinite."
        ),
        fix="Give data.range the ends that the values have, or mend the values.",
        at="/data/inputs",
        wrong='"inputs_to_16"',
        right='"inputs"',
        is_labelled=True,
    ),
    Entry(
        code="ND321",
        title="spikes that are neither 0 nor 1",
        cause=(
            "Without an encoding the inputs are spikes: 1 where there is one in a step, else 0. "
            "Some values are neither."
        ),
        fix="Correct the array, or give data.encoding where its values are to become spikes.",
        at="/data",
        wrong='{"type": "arrays", "path": "samples.npz", "inputs": "spikes_of_2"}',
        right='{"type": "arrays", "path": "samples.npz", "inputs": "spikes"}',
        is_labelled=True,
    ),
    Entry(
        code="ND324",
        title="arrays that would fill the memory",
        cause=(
            f"An array of more than {FREE_BYTES >> 20} MiB is over {TIGHT_RATIO} times as large as "
            "it is packed, so that a small file would fill the memory; or the inputs, as they are "
            f"kept, and a batch of them with all its steps take more than {MOST_ROOM >> 30} GiB."
        ),
        fix=(
            "Give a smaller training.batch_size, or fewer samples; write an array that holds "
            "little but zeros with numpy.savez, which does not pack it."
        ),
        at="/data/path",
        wrong='"tight.npz"',
        right='"samples.npz"',
        is_labelled=True,
    ),
)
