"""The operator ``class_labels``: checks labels, also in code that torch has compiled."""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels.registration import fake, operator


@operator
def class_labels(labels: Tensor, classes: int) -> Tensor:
    """Returns integer labels as int64. Raises ValueError unless all are 0 to ``classes`` − 1."""
    labels = labels.to(torch.int64, copy=True)  # a small type may not hold ``classes``
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.numel():
        raise ValueError(
            f"a label is {wrong[0].item()}; with {classes} classes, labels are 0 to {classes - 1}"
        )
    return labels


@fake("class_labels")
def _(labels: Tensor, classes: int) -> Tensor:
    return labels.new_empty(labels.shape, dtype=torch.int64)
