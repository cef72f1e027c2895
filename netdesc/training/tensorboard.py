"""Writes the metrics of each epoch as event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdesc.runs.errors import storing
from netdesc.training.errors import MissingPackageError

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

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
    wrote before it was killed, TensorBoard shows the new ones instead. MissingPackageError if
    TensorBoard is not installed; calls raise StorageError if a file cannot be written.

    >>> log = TensorBoardLog("runs/first/tensorboard")
    >>> run = netdesc.train("mine.json", run_dir="runs/first", callbacks=[log])
    >>> log.close()
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401  (only to see whether it is installed)
        except ImportError as error:
            raise MissingPackageError(
                "TensorBoard is not installed: pip install tensorboard"
            ) from error
        self._folder = Path(folder).absolute()  # another callback may change the directory
        self._writer: SummaryWriter | None = None

    def __call__(self, metrics: dict[str, Any]) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        epoch = metrics["epoch"]
        with storing(self._folder):
            if self._writer is None:
                self._writer = SummaryWriter(
                    str(self._folder), purge_step=epoch, flush_secs=FLUSH_S
                )
            for tag, value in _scalars(metrics):
                self._writer.add_scalar(tag, value, epoch)

    def close(self) -> None:
        """Writes what is left. StorageError if it cannot be written."""
        if self._writer is not None:
            with storing(self._folder):
                self._writer.close()


def _scalars(metrics: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yields tag and value of each metric that TensorBoard shows."""
    for name, tag in _TAGS.items():
        value = metrics.get(name)
        if isinstance(value, dict):
            yield from ((f"{tag}/{layer}", each) for layer, each in value.items())
        elif value is not None:
            yield tag, value
