"""Layers that hand on the same values in another shape."""

from __future__ import annotations

import math
from typing import Literal

from netdesc.description.models.layers.base import LayerSection, Shape
from netdesc.sections import field


class Flatten(LayerSection):
    """Turns an input with several axes into one axis; the last axis varies fastest."""

    type: Literal["flatten"] = field(
        "Turns an input with several axes into one axis; the last axis varies fastest."
    )

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)
