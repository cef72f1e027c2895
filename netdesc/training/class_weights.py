"""Finds class weights that a document leaves to the numbers of its training samples."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from netdesc.description import Description
from netdesc.description.json.tree import Parts
from netdesc.description.models.loss import LabelLoss
from netdesc.graph import build_graph


def fill_class_weights(
    description: Description, read_labels: Callable[[], NDArray | None], warn: Callable[[str], None]
) -> Description:
    """Returns the description with numbers in the place of each "balanced" of ``class_weights``.

    ``read_labels`` returns the labels of the training samples, [samples] or [samples, steps], and
    is called only if they are needed. Without labels, the description stays unchanged.

    A class has the weight ``Σ counts / (classes with samples · count)``, 1 without samples, as in
    scikit-learn's "balanced" (King and Zeng, Logistic Regression in Rare Events Data, 2001).
    """
    document = description.document
    is_list = isinstance(document.loss, tuple)
    places: dict[Parts, LabelLoss] = {
        ("loss", index, "class_weights") if is_list else ("loss", "class_weights"): loss
        for index, loss in enumerate(document.losses)
        if isinstance(loss, LabelLoss) and loss.class_weights == "balanced"
    }
    labels, classes = read_labels() if places else None, build_graph(document).classes
    if labels is None or classes is None:
        return description
    values: dict[Parts, tuple[float, ...]] = {}
    for path, loss in places.items():
        counted = labels[:, loss.skip_steps :] if labels.ndim == 2 else labels
        counts = np.bincount(counted.ravel(), minlength=classes)
        total, present = int(counts.sum()), int(np.count_nonzero(counts))
        values[path] = tuple(total / (present * n) if n else 1.0 for n in counts.tolist())
        if absent := ", ".join(map(str, np.flatnonzero(counts == 0)[:5])):
            warn(f"class_weights: no training sample has the label {absent}; its weight is 1")
    return description.with_values(values, "found")
