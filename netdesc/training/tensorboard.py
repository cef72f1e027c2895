"""Writes the metrics of each epoch as event files for TensorBoard."""

from pathlib import Path
from typing import Any

from torch.utils.tensorboard.writer import SummaryWriter

from netdesc.runs.errors import storing

FLUSH_S = 10
"""The longest time until a metric is in the file, where TensorBoard finds it."""

_TAGS = {
    "loss": "loss/train",
    "validation_loss": "loss/validation",
    "accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "confidence": "confidence/train",
    "validation_confidence": "confidence/validation",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
    "gradient_norms": "gradient_norm",
    "spike_rates": "spike_rate",
}
"""Metric -> its tag in TensorBoard. A metric by layer has a tag for each, ``spike_rate/hidden``."""


class TensorBoardLog:
    """A callback of ``netdesc.train`` that writes metrics into ``folder``; steps are epochs from 1.

    The folder is made after the first epoch. If it has events of this or later epochs, which a run
    wrote before it was killed, TensorBoard shows the new ones instead. Calls raise StorageError if
    a file cannot be written. Importing this module raises ModuleNotFoundError if TensorBoard is not
    installed.

    >>> log = TensorBoardLog("runs/first/tensorboard")
    >>> run = netdesc.train("mine.json", run_dir="runs/first", callbacks=[log])
    >>> log.close()
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).absolute()  # another callback may change the directory
        self._writer: SummaryWriter | None = None

    def __call__(self, metrics: dict[str, Any]) -> None:
        epoch, folder = metrics["epoch"], self._folder
        with storing(folder):
            writer = self._writer
            if writer is None:
                writer = SummaryWriter(str(folder), purge_step=epoch, flush_secs=FLUSH_S)
                self._writer = writer
            for name, tag in _TAGS.items():
                value = metrics.get(name)
                if isinstance(value, dict):
                    for layer, number in value.items():
                        writer.add_scalar(f"{tag}/{layer}", number, epoch)
                elif value is not None:
                    writer.add_scalar(tag, value, epoch)

    def close(self) -> None:
        """Writes what is left. StorageError if it cannot be written."""
        if self._writer is not None:
            with storing(self._folder):
                self._writer.close()
