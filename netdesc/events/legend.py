"""Draws the legend of a picture below its plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_MAX_LINE_CHARACTERS = 80
"""If all names together have more characters, each name stands in a line of its own."""


def add_legend(axes: Axes, handles: Sequence[Artist] | None = None, **settings: Any) -> None:
    """Adds a legend of ``handles``, by default of all artists with a label.

    ``settings`` are further arguments of matplotlib's ``Axes.legend``.
    """
    handles = handles or axes.get_legend_handles_labels()[0]
    length = sum(len(str(handle.get_label())) for handle in handles)
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=len(handles) if length <= _MAX_LINE_CHARACTERS else 1,
        frameon=False,
        **settings,
    )
