"""Reads the data that a Python program passes, and shows the progress."""

from collections.abc import Callable, Mapping
from typing import Any

from netdesc.data.memory_data import MemoryData
from netdesc.data.torch_dataset import DatasetReader
from netdesc.description.models import Training
from netdesc.kernels import machine
from netdesc.training.progress import Style, build_display


def read_memory_data(
    data: Mapping[str, Any],
    warn: Callable[[str], None],
    progress: Style = "auto",
    training: Training | None = None,
) -> MemoryData:
    """Converts arrays, and reads datasets sample by sample (see ``MemoryData.of``).

    ``warn`` is called with what of a DataLoader is not used; ``training`` has the batch size that
    is used in the place of the loader's.
    """
    with build_display(progress) as display:
        reader = DatasetReader(
            lambda: machine.memory().free,
            (lambda text: None) if progress == "quiet" else display.render,
            warn,
            training is not None,
            training and training.batch_size,
        )
        return MemoryData.of(data, reader)
