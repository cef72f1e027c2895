"""Reads the samples of a torch ``Dataset`` or ``DataLoader`` into two arrays."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils import data as torch_data

from netdesc.data.data_errors import DataError
from netdesc.description.diagnostics.wording import amount
from netdesc.events.numbers import number_array
from netdesc.graph.memory import format_bytes

MAX_STREAM_SAMPLES = 1 << 20
"""The largest number of samples of a dataset that does not tell its length."""

SHOW_INTERVAL_S = 2.0


def is_dataset(value: object) -> bool:
    """Whether ``value`` is a torch dataset or loader, or another object with a length and items."""
    if isinstance(value, torch_data.DataLoader | torch_data.Dataset):
        return True
    is_plain = isinstance(value, tuple | list | str | bytes | Mapping) or hasattr(value, "dtype")
    return not is_plain and hasattr(value, "__getitem__") and hasattr(value, "__len__")


@dataclass(frozen=True)
class DatasetReader:
    """Reads datasets of pairs (input, label) or (input, target) into arrays, sample by sample.

    ``free_bytes`` returns how much memory the arrays may take, or None if it is unknown. ``show``
    is called with the progress, ``warn`` with what of a loader is not used. A loader's batch size
    is compared with ``batch_size`` (None: all samples) if ``is_training``.
    """

    free_bytes: Callable[[], int | None] = lambda: None
    show: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    is_training: bool = False
    batch_size: int | None = None

    def read(self, part: str, dataset: Any) -> tuple[NDArray, NDArray]:
        """Returns the inputs [samples, …] and the labels or targets [samples, …] of a part.

        DataError, which names the sample, if samples are no pairs of numbers or differ in shape,
        if there are none or too many. What the dataset raises gets a note that names the sample.
        """
        if isinstance(dataset, torch_data.DataLoader):
            self._warn_of_loader(part, dataset)
            dataset = dataset.dataset
        is_stream = isinstance(dataset, torch_data.IterableDataset)
        length = len(dataset) if hasattr(dataset, "__len__") else None
        if length is None and not is_stream:
            kind = type(dataset).__name__
            raise DataError(f'data["{part}"]: a dataset needs __len__, and {kind} has none')
        count, columns, shown = 0, list[_Column](), time.monotonic()
        for count, (place, pair) in enumerate(_pairs(part, dataset, length, is_stream), 1):
            if not columns:
                columns = [_Column(part, length or 1, self.free_bytes) for _ in pair]
            for column, name, value in zip(
                columns, ("input", "label or target"), pair, strict=True
            ):
                column.put(count - 1, value, f"{place}: the {name}")
            if time.monotonic() - shown >= SHOW_INTERVAL_S:
                shown, of_all = time.monotonic(), "" if length is None else f" of {length:,}"
                self.show(f'reading data["{part}"]: {count:,}{of_all} samples')
        if not count:
            raise DataError(f'data["{part}"]: the dataset is empty')
        inputs, targets = (column.values[:count] for column in columns)
        return inputs, targets

    def _warn_of_loader(self, part: str, loader: torch_data.DataLoader[Any]) -> None:
        unused: list[str] = []
        is_compared = self.is_training and part == "train" and loader.batch_size is not None
        if is_compared and loader.batch_size != self.batch_size:
            size = "null, all samples" if self.batch_size is None else self.batch_size
            unused.append(f"its batch_size {loader.batch_size} (training.batch_size is {size})")
        samplers = {type(loader.sampler), type(loader.batch_sampler)}
        is_stream = isinstance(loader.dataset, torch_data.IterableDataset)
        if not is_stream and samplers - {*_SAMPLERS}:
            unused.append("its sampler (a torch.utils.data.Subset chooses samples)")
        if loader.collate_fn not in (torch_data.default_collate, torch_data.default_convert):
            unused.append("its collate_fn")
        if unused:
            are = "is" if len(unused) == 1 else "are"
            self.warn(
                f'data["{part}"]: of a DataLoader only the dataset is read; {", ".join(unused)} '
                f"{are} not used"
            )


_SAMPLERS = (
    torch_data.SequentialSampler,
    torch_data.RandomSampler,
    torch_data.BatchSampler,
    type(None),
)
"""The samplers with which a loader yields each sample of the dataset once."""


class _Column:
    """Joins the inputs, or the labels or targets, of the samples to ``values`` [samples, …]."""

    values: NDArray

    def __init__(self, part: str, length: int, free_bytes: Callable[[], int | None]) -> None:
        self._part, self._length, self._free_bytes = part, length, free_bytes

    def put(self, index: int, value: NDArray, subject: str) -> None:
        """Writes the value of a sample. DataError if its shape differs from the first one's."""
        if not index:
            self.values = np.empty((0, *value.shape), value.dtype)
        shape = self.values.shape[1:]
        if value.shape != shape:
            raise DataError(
                f"{subject} has the shape {list(value.shape)}, and that of the sample 0 "
                f"{list(shape)}: pad or cut the samples in the dataset"
            )
        dtype = np.result_type(self.values.dtype, value.dtype)
        if index == len(self.values):
            self._resize(max(self._length, 2 * index), dtype)
        elif dtype != self.values.dtype:
            self._resize(len(self.values), dtype)
        self.values[index] = value

    def _resize(self, length: int, dtype: np.dtype) -> None:
        shape, free = self.values.shape[1:], self._free_bytes()
        needed = length * math.prod(shape) * dtype.itemsize
        if free is not None and needed > free:
            raise DataError(
                f'data["{self._part}"]: {length:,} samples with {list(shape)} values of {dtype} '
                f"take {format_bytes(needed)} of memory, and {format_bytes(free)} are free; pass "
                'a torch.utils.data.Subset, or a document whose data are in .npy files ("arrays")'
            )
        values = np.empty((length, *shape), dtype)
        values[: len(self.values)] = self.values
        self.values = values


def _pairs(
    part: str, dataset: Any, length: int | None, is_stream: bool
) -> Iterator[tuple[str, tuple[NDArray, NDArray]]]:
    """Yields the samples of a dataset as arrays, each after its place for messages."""
    items = iter(dataset) if is_stream else (dataset[index] for index in range(length or 0))
    for index in itertools.count():
        place = f'data["{part}"][{index}]'
        try:
            item = next(items)
        except StopIteration:
            return
        except Exception as error:
            error.add_note(f"This happened while {place} was read.")
            raise
        if length is None and index == MAX_STREAM_SAMPLES:
            raise DataError(
                f'data["{part}"]: the dataset has no length, and did not end after {index:,} '
                "samples; give it an end, or __len__"
            )
        if not isinstance(item, tuple | list) or len(item) != 2:
            kind = type(item).__name__
            if isinstance(item, tuple | list):
                kind += f" of {amount(len(item), 'item')}"
            raise DataError(f"{place} is a {kind}; a sample is a pair (input, label)")
        value = _array(item[0], f"{place}: the input")
        if value.dtype.kind == "f" and ((value == 0) | (value == 1)).all():
            value = value.astype(np.uint8)  # spikes take a byte each, not four or eight
        target = _array(item[1], f"{place}: the label or target")
        if not target.ndim and target.dtype.kind not in "iu":
            raise DataError(
                f"{place}: the label {target.item()!r} is no integer; a label is the number of a "
                "class, and a target is an array of the shape of the network's output"
            )
        yield place, (value, target)


def _array(value: object, subject: str) -> NDArray:
    if any(kind.__module__.partition(".")[0] == "PIL" for kind in type(value).__mro__):
        way = "transform=torchvision.transforms.ToTensor() makes a tensor of it"
        raise DataError(f"{subject} is a PIL image, and no array; {way}")
    try:
        return number_array(value)
    except ValueError as error:
        raise DataError(f"{subject}: {error}") from error
