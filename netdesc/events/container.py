"""The container for spike events, and its conversion to and from dense arrays and tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdesc.caller import warn
from netdesc.events import binning
from netdesc.events.animation import FORMATS as ANIMATION_FORMATS
from netdesc.events.animation import NotebookAnimation, write_animation
from netdesc.events.columns import EventColumns
from netdesc.events.numbers import number_array, shape_sizes, within_limits
from netdesc.events.pictures import FORMATS, NotebookPicture, make_picture, save_picture

if TYPE_CHECKING:
    import torch


class DroppedEvents(UserWarning):
    """The warning that events outside a tensor are left out. The message gives their number.

    ``warnings.simplefilter("error", DroppedEvents)`` turns the warning into an error.
    """


class Event(EventColumns):
    """Spike events as columns, in the order of the file or of the caller.

    Lists become arrays. ``x`` and ``t`` suffice: ``y`` is None by default, and all ``p`` are 0.
    ValueError if the columns are not one-dimensional and equally long, or if they do not hold whole
    numbers and finite times; TypeError without ``t``.

    >>> Event(x=[3, 5, 3], t=[0.0, 1.5, 2.0]).to_tensor((8,), steps=4).nonzero().tolist()
    [[0, 3], [2, 3], [2, 5]]
    """

    def show(
        self,
        *,
        against: Event | None = None,
        names: Sequence[str] = (),
        step_ms: float = 1.0,
        neurons: int | None = None,
        until_ms: float | None = None,
    ) -> NotebookPicture:
        """Draws the events as a raster, or as an image if they have x and y.

        A notebook displays the result; its ``save`` writes a PNG, SVG or PDF file. ``against`` is a
        second recording, drawn in other colours. ``names`` are the names of the recordings in title
        and legend. ``neurons`` and ``until_ms`` are the numbers of neurons and of milliseconds on
        the axes, by default all. PictureError, a ValueError, if there is nothing to draw;
        ValueError if a number is beyond the limits of ``netdesc events show``.

        >>> picture = Event(x=[3, 5, 3], t=[0.0, 1.5, 2.0]).show()
        >>> picture.png[1:4]
        b'PNG'
        """
        view = within_limits(step_ms=step_ms, neurons=neurons, until_ms=until_ms)
        recordings = [self] if against is None else [self, against]
        defaults = [""] if against is None else ["first", "second"]
        names = [*names, *defaults[len(names) :]][: len(recordings)]
        drawn = make_picture(recordings, names, **view)
        return NotebookPicture(lambda path: save_picture(path, drawn), FORMATS)

    def animate(
        self, *, step_ms: float | None = None, frames: int | None = None, fps: float = 20.0
    ) -> NotebookAnimation:
        """Draws the events as an animation with a frame per ``step_ms``, or with ``frames`` frames.

        A notebook displays the result; its ``save`` writes a GIF, MP4 or HTML file. ``fps`` is the
        number of frames shown per second. PictureError, a ValueError, if there is nothing to draw
        or there would be too many frames; ValueError if a number is beyond the limits of
        ``netdesc events animate``.

        >>> animation = Event(x=[3, 5, 3], t=[0.0, 1.5, 2.0]).animate(step_ms=1)
        >>> animation.gif[:3]
        b'GIF'
        """
        timing = within_limits(step_ms=step_ms, frames=frames, fps=fps)
        write = partial(write_animation, event=self, **timing)
        animation = NotebookAnimation(write, ANIMATION_FORMATS)
        _ = animation.gif  # drawn here, so that errors are raised here
        return animation

    # Torch is imported inside the functions, because reading and writing files does not need it.

    def to_tensor(
        self,
        shape: tuple[int, ...],
        steps: int,
        step_ms: float = 1.0,
        *,
        rounding: binning.Rounding = "nearest",
        duplicates: binning.Duplicates = "or",
    ) -> torch.Tensor:
        """Bins the events into a float32 tensor ``[steps, *shape]``, as ``events.to_dense`` does.

        Events outside the tensor are left out with the warning ``DroppedEvents``. ValueError under
        the conditions of ``events.to_dense``.
        """
        import torch

        dense, dropped = to_dense(self, shape, steps, step_ms, rounding, duplicates)
        self._warn_of(dropped, (steps, *shape))
        return torch.from_numpy(dense)

    def fill(
        self,
        tensor: torch.Tensor,
        step_ms: float = 1.0,
        *,
        rounding: binning.Rounding = "nearest",
        duplicates: binning.Duplicates = "or",
    ) -> torch.Tensor:
        """Bins the events into the given ``tensor``, [steps, *shape] of any dtype, and returns it.

        With ``or``, a cell with events becomes 1, or their last payload, if it is 0, and keeps its
        value otherwise. With ``sum``, the number of events, or their payloads, are added to it.
        Events outside the tensor are left out with the warning ``DroppedEvents``. ValueError under
        the conditions of ``to_tensor``, and if the dtype cannot hold a sum or a payload exactly;
        the tensor then stays unchanged.
        """
        import torch

        if not tensor.ndim:
            raise ValueError("a tensor to fill has the shape [steps, *shape], not []")
        size = tuple(tensor.shape)
        cell, value, dropped = self.binned(size[1:], size[0], step_ms, rounding, duplicates)
        self._warn_of(dropped, size)
        if not len(cell):
            return tensor
        if self.payload is not None and not tensor.dtype.is_floating_point:
            raise ValueError(f"{tensor.dtype} holds no payloads, which are real numbers")
        # One index per axis: a slice of another tensor may have no flat view.
        indices = map(torch.from_numpy, np.unravel_index(cell, size))
        place = tuple(axis.to(tensor.device) for axis in indices)
        numbers = value.astype(np.int64) if self.payload is None else value
        present, added = tensor[place], torch.from_numpy(numbers).to(tensor.device)
        if duplicates == "or":
            tensor[place] = torch.where(present == 0, added.to(tensor.dtype), present)
            return tensor
        # The largest number n such that the dtype holds each of the integers 0 to n.
        if tensor.dtype.is_floating_point:
            largest = int(2 / torch.finfo(tensor.dtype).eps)
        else:
            largest = 1 if tensor.dtype == torch.bool else torch.iinfo(tensor.dtype).max
        if (present > largest - added).any():
            raise ValueError(f"{tensor.dtype} holds whole numbers to {largest}; a sum is larger")
        tensor[place] = (present + added).to(tensor.dtype)
        return tensor

    @staticmethod
    def from_tensor(
        tensor: torch.Tensor, step_ms: float = 1.0, *, duplicates: binning.Duplicates = "or"
    ) -> Event:
        """Converts a tensor ``[steps, *shape]`` to events, as ``events.from_dense`` does.

        The tensor must not have a batch axis: pass one sample, such as ``tensor[:, 0]``. ValueError
        under the conditions of ``events.from_dense``.
        """
        return from_dense(tensor, step_ms, duplicates)

    def _warn_of(self, dropped: int, size: tuple[int, ...]) -> None:
        if dropped:
            text = f"{dropped:,} of {len(self):,} events lie outside the tensor {list(size)}"
            warn(f"{text} and are not in it", DroppedEvents)


def to_dense(
    event: Event,
    shape: tuple[int, ...],
    steps: int,
    step_ms: float,
    rounding: binning.Rounding = "nearest",
    duplicates: binning.Duplicates = "or",
) -> tuple[NDArray[np.float32], int]:
    """Bins events into a float32 array ``[steps, *shape]``.

    The step of an event is ``t / step_ms``, rounded to the nearest (half to even) or down. Its cell
    in ``shape`` is the row-major index ``x`` or, if the event has ``y``, ``[p, y, x]`` in the shape
    [channels, height, width]. A cell with several events becomes 1 (``or``) or their number
    (``sum``); of events with payloads, the last payload or the sum, as a multiple of 1/64 of at
    most ±512.

    Returns the array and the number of events outside it. ValueError if events with ``y`` do not
    index the shape, if ``step_ms`` is not above 0 and at most 1e6, if there are more than a million
    steps, or if the array needs more memory than there is.
    """
    steps, shape = within_limits(steps=steps)["steps"], shape_sizes(shape)
    try:
        dense = np.zeros(steps * math.prod(shape), dtype=np.float32)
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"an array {[steps, *shape]} needs more memory than there is") from error
    index, value, dropped = event.binned(shape, steps, step_ms, rounding, duplicates)
    dense[index] = value
    return dense.reshape(steps, *shape), dropped


def from_dense(
    spikes_TN: object, step_ms: float = 1.0, duplicates: binning.Duplicates = "or"
) -> Event:
    """Converts an array or a tensor ``[steps, *shape]`` to events, sorted by step and then by cell.

    With ``or``, each nonzero cell is one event. With ``sum``, the value of a cell is its number of
    events. ValueError if it is negative or not a whole number, if there is no axis of steps, or if
    a tensor is sparse, quantised or complex.

    For a shape [channels, height, width], events have x, y and p. For other shapes, ``x`` is the
    row-major index of the cell, ``y`` is None and ``p`` is 0. The time of an event is the first
    whole microsecond of its step. If steps are at least 2 µs long, ``to_dense`` bins the event into
    the same step again.
    """
    binning.require_choice(duplicates, binning.Duplicates)
    spikes_TN = number_array(spikes_TN)
    if spikes_TN.ndim == 0:
        raise ValueError("spikes need an axis of steps: [steps, *shape]")
    flat_TN = spikes_TN.reshape(len(spikes_TN), math.prod(spikes_TN.shape[1:]))
    index = np.flatnonzero(flat_TN)
    if duplicates == "sum":
        index = index.repeat(binning.event_counts(flat_TN.reshape(-1)[index]))
    return from_index(index, spikes_TN.shape[1:], step_ms)


def from_index(index: NDArray[np.int64], shape: tuple[int, ...], step_ms: float) -> Event:
    """Converts indices in ``[steps, *shape]`` to events, as ``from_dense`` does."""
    step, cell = np.divmod(index, max(1, math.prod(shape)))
    t = binning.step_starts_us(step, step_ms) / 1000.0
    if len(shape) != 3:
        return Event(cell.astype(np.int32), None, np.zeros(len(cell), np.int32), t)
    p, y, x = (axis.astype(np.int32) for axis in np.unravel_index(cell, shape))
    return Event(x, y, p, t)
