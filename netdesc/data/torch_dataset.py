"""Reads the samples of a torch ``Dataset`` or ``DataLoader`` into two arrays."""

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
_SAMPLERS = {"SequentialSampler", "RandomSampler", "BatchSampler", "NoneType"}
"""The samplers with which a loader yields each sample of the dataset once."""


def is_dataset(value: object) -> bool:
    """Whether ``value`` is a torch dataset or loader, or another object with a length and items."""
    if isinstance(value, torch_data.DataLoader | torch_data.Dataset):
        return True
    is_plain = isinstance(value, tuple | list | str | bytes | Mapping) or hasattr(value, "dtype")
    return not is_plain and hasattr(value, "__getitem__") and hasattr(value, "__len__")


@dataclass(frozen=True)
class DatasetReader:
    """Reads datasets of pairs (input, label) or (input, target) into arrays.

    ``free_bytes`` returns the memory that they may take, None if unknown. ``warn`` is called with
    what of a loader is not used, ``show`` with the progress. ``batch_size`` is that of training:
    None means all samples, and 0 that it is not compared with a loader's.
    """

    free_bytes: Callable[[], int | None] = lambda: None
    warn: Callable[[str], None] = lambda text: None
    show: Callable[[str, int, int], None] = lambda text, number, limit: None
    batch_size: int | None = 0

    def read(self, part: str, dataset: Any) -> tuple[NDArray, NDArray]:
        """Returns the inputs [samples, …] and the labels or targets [samples, …] of a part.

        DataError, which names the sample, if samples are no pairs of numbers or differ in shape,
        if there are none or too many. What the dataset raises gets a note that names the sample.
        """
        if isinstance(dataset, torch_data.DataLoader):
            self._warn_of_loader(part, dataset)
            dataset = dataset.dataset
        pairs, shown = list[tuple[NDArray, NDArray]](), time.monotonic()
        length = len(dataset) if hasattr(dataset, "__len__") else None
        for count, pair in enumerate(_pairs(part, dataset, length), 1):
            pairs.append(pair)
            shape, first = ([list(array.shape) for array in one] for one in (pair, pairs[0]))
            if shape != first:
                raise DataError(
                    f'data["{part}"][{count - 1}]: input and label or target have the shapes '
                    f"{shape}, and those of sample 0 {first}: pad or cut them in the dataset"
                )
            if count & (count - 1) == 0:  # 1, 2, 4, …: streams do not tell how many follow
                self._require_memory(part, pairs[0], length or 2 * count)
            if time.monotonic() - shown >= SHOW_INTERVAL_S:
                shown, limit = time.monotonic(), length or MAX_STREAM_SAMPLES
                self.show(f'reading data["{part}"]: sample', count, limit)
        if not pairs:
            raise DataError(f'data["{part}"]: the dataset is empty')
        inputs, targets = (np.stack(column) for column in zip(*pairs, strict=True))
        return inputs, targets

    def _require_memory(self, part: str, pair: tuple[NDArray, NDArray], samples: int) -> None:
        needed = 2 * samples * sum(array.nbytes for array in pair)  # in parts, and joined
        free = self.free_bytes()
        if free is not None and needed > free:
            raise DataError(
                f'data["{part}"]: {samples:,} samples with {list(pair[0].shape)} values of '
                f"{pair[0].dtype} take {format_bytes(needed)} of memory, and {format_bytes(free)} "
                "are free; pass a torch.utils.data.Subset, or a document with data in .npy files"
            )

    def _warn_of_loader(self, part: str, loader: torch_data.DataLoader[Any]) -> None:
        unused: list[str] = []
        is_compared = self.batch_size != 0 and part == "train"
        if is_compared and loader.batch_size not in (None, self.batch_size):
            size = "null, all samples" if self.batch_size is None else self.batch_size
            unused.append(f"its batch_size {loader.batch_size} (training.batch_size is {size})")
        is_stream = isinstance(loader.dataset, torch_data.IterableDataset)
        samplers = {type(sampler).__name__ for sampler in (loader.sampler, loader.batch_sampler)}
        if not is_stream and not samplers <= _SAMPLERS:
            unused.append("its sampler (a torch.utils.data.Subset chooses samples)")
        if loader.collate_fn not in (torch_data.default_collate, torch_data.default_convert):
            unused.append("its collate_fn")
        if unused:
            rest = f"not used: {', '.join(unused)}"
            self.warn(f'data["{part}"]: of a DataLoader only the dataset is read; {rest}')


def _pairs(part: str, dataset: Any, length: int | None) -> Iterator[tuple[NDArray, NDArray]]:
    is_stream = isinstance(dataset, torch_data.IterableDataset)
    if length is None and not is_stream:
        raise DataError(f'data["{part}"]: {type(dataset).__name__} needs __len__')
    items = iter(dataset) if is_stream else (dataset[index] for index in range(length or 0))
    index = 0
    while length is not None or index < MAX_STREAM_SAMPLES:
        place = f'data["{part}"][{index}]'
        try:
            item = next(items)
        except StopIteration:
            return
        except Exception as error:
            error.add_note(f"This happened while {place} was read.")
            raise
        if not isinstance(item, tuple | list) or len(item) != 2:
            kind = type(item).__name__
            kind += f" of {amount(len(item), 'item')}" if isinstance(item, tuple | list) else ""
            raise DataError(f"{place} is a {kind}; a sample is a pair (input, label)")
        value = _array(item[0], f"{place}: the input")
        if value.dtype.kind == "f" and ((value == 0) | (value == 1)).all():
            value = value.astype(np.uint8)  # spikes take a byte each, not four or eight
        target = _array(item[1], f"{place}: the label or target")
        if not target.ndim and target.dtype.kind not in "iu":
            way = "labels are numbers of classes, targets have the shape of the network's output"
            raise DataError(f"{place}: the label {target.item()!r} is no integer; {way}")
        yield value, target
        index += 1
    way = "give it an end, or __len__"
    raise DataError(f'data["{part}"]: the dataset did not end after {index:,} samples; {way}')


def _array(value: object, subject: str) -> NDArray:
    """Returns a copy, as a dataset may write all samples into one array."""
    if any(kind.__module__.partition(".")[0] == "PIL" for kind in type(value).__mro__):
        way = "transform=torchvision.transforms.ToTensor() makes a tensor of it"
        raise DataError(f"{subject} is a PIL image, and no array; {way}")
    try:
        return number_array(value).copy()
    except ValueError as error:
        raise DataError(f"{subject}: {error}") from error
