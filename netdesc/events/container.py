"""The container for spike events."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.event_files import MAX_TIME_MS

if TYPE_CHECKING:
    import torch

    from netdesc.events.binning import Duplicates, Rounding

Integers = NDArray[np.signedinteger]


class DroppedEvents(UserWarning):
    """Some events lay outside a tensor and are not in it; the message says how many.

    ``warnings.simplefilter("error", DroppedEvents)`` makes it an error.
    """


@dataclass(frozen=True, eq=False)
class Event:
    """Spike events in the order in which a file or a caller gave them.

    ``x`` is the neuron's number, or the column where ``y`` is given; ``y`` is the row, or None for
    events that carry a plain neuron number; ``p`` is the polarity (the channel); ``t`` is the time
    in milliseconds. All are one-dimensional and of one length; otherwise ValueError.
    """

    x: Integers
    y: Integers | None
    p: Integers
    t: NDArray[np.float64]

    def __post_init__(self) -> None:
        columns = [self.x, self.p, self.t] if self.y is None else [self.x, self.y, self.p, self.t]
        if any(column.ndim != 1 or len(column) != len(self.t) for column in columns):
            shapes = ", ".join(str(column.shape) for column in columns)
            raise ValueError(
                f"event columns must be one-dimensional and equally long, not {shapes}"
            )

    def __len__(self) -> int:
        return len(self.t)

    def microseconds(self) -> NDArray[np.int64]:
        """Times in whole microseconds (nearest). Beyond ±46 days they stop at ±46 days.

        The limit keeps later integer arithmetic inside 64 bits; NaN becomes the lower limit.
        """
        times_ms = np.clip(np.nan_to_num(self.t, nan=-MAX_TIME_MS), -MAX_TIME_MS, MAX_TIME_MS)
        return np.rint(times_ms * 1000.0).astype(np.int64)

    # Tensors. Torch and the binning are imported inside: files need no torch, and the binning is
    # defined on top of this class.

    def to_tensor(
        self,
        shape: tuple[int, ...],
        steps: int,
        step_ms: float = 1.0,
        *,
        rounding: Rounding = "nearest",
        duplicates: Duplicates = "or",
    ) -> torch.Tensor:
        """The events as a float32 tensor ``[steps, *shape]``, binned as ``events.to_dense``.

        Events outside it are left out with a warning, ``DroppedEvents``. ValueError where the
        events do not fit the kind of shape.
        """
        import torch

        from netdesc.events.binning import to_dense

        dense, dropped = to_dense(self, shape, steps, step_ms, rounding, duplicates)
        self._warn_of(dropped, (steps, *shape))
        return torch.from_numpy(dense)

    def fill(
        self,
        tensor: torch.Tensor,
        step_ms: float = 1.0,
        *,
        rounding: Rounding = "nearest",
        duplicates: Duplicates = "or",
    ) -> torch.Tensor:
        """Puts the events into ``tensor``, ``[steps, *shape]`` of any kind, and returns it.

        With ``or`` a cell that is 0 becomes 1 where there are events; with ``sum`` their number is
        added to the cell. Every other cell stays as it is. Events outside are left out with a
        warning, ``DroppedEvents``. ValueError as ``to_tensor``, and, before anything is changed,
        where the tensor's dtype cannot hold a sum exactly.
        """
        import torch

        from netdesc.events.binning import Duplicates, cells, require_choice

        require_choice(duplicates, Duplicates)
        if not tensor.ndim:
            raise ValueError("a tensor to fill has the shape [steps, *shape], not []")
        size = tuple(tensor.shape)
        flat, dropped = cells(self, size[1:], size[0], step_ms, rounding)
        self._warn_of(dropped, size)
        if not len(flat):
            return tensor
        cell, count = np.unique(flat, return_counts=True)
        # Indices by axis, not by a flat view, because the tensor may be a slice of another.
        place = tuple(
            torch.from_numpy(axis).to(tensor.device) for axis in np.unravel_index(cell, size)
        )
        present, added = tensor[place], torch.from_numpy(count).to(tensor.device)
        if duplicates == "or":
            tensor[place] = torch.where(present == 0, torch.ones_like(present), present)
            return tensor
        largest = _largest_whole(tensor.dtype)
        if (present > largest - added).any():
            raise ValueError(f"{tensor.dtype} holds whole numbers to {largest}; a sum is larger")
        tensor[place] = (present + added).to(tensor.dtype)
        return tensor

    @staticmethod
    def from_tensor(
        tensor: torch.Tensor, step_ms: float = 1.0, *, duplicates: Duplicates = "or"
    ) -> Event:
        """The events of a tensor ``[steps, *shape]``, places and times as ``events.from_dense``.

        With ``or`` there is one event for every nonzero cell; with ``sum`` a cell's value is the
        number of its events, and ValueError where that is no whole number from 0 on. There is no
        axis for a batch: give one sample, ``tensor[:, 0]``. ValueError where the tensor is sparse
        or complex, or has no axis of steps.
        """
        import torch

        from netdesc.events.binning import from_dense

        if tensor.layout != torch.strided or tensor.is_quantized:
            raise ValueError("a plain tensor is needed, not a sparse or quantized one: .to_dense()")
        if tensor.is_complex() or not tensor.ndim:
            what = f"{tensor.dtype} of shape {list(tensor.shape)}"
            raise ValueError(f"a tensor [steps, *shape] of real numbers is needed, not {what}")
        dense = tensor.detach().cpu()
        if dense.dtype.is_floating_point and dense.dtype.itemsize < 4:
            dense = dense.to(torch.float32)  # numpy does not have all the short ones
        return from_dense(dense.numpy(), step_ms, duplicates)

    def _warn_of(self, dropped: int, size: tuple[int, ...]) -> None:
        if dropped:
            warnings.warn(
                f"{dropped:,} of {len(self):,} events lie outside the tensor {list(size)} "
                "and are not in it",
                DroppedEvents,
                stacklevel=3,
            )


def _largest_whole(dtype: torch.dtype) -> int:
    """The number up to which ``dtype`` holds every whole number."""
    import torch

    if dtype == torch.bool:
        return 1
    return int(2 / torch.finfo(dtype).eps) if dtype.is_floating_point else torch.iinfo(dtype).max
