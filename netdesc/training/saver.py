"""Decides when checkpoints are written, collects what they hold, and restores a run from them."""

import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netdesc.runs.checkpoint import read_state_file, write_state, write_weights
from netdesc.runs.errors import RunError
from netdesc.runs.folder import BEST, INITIAL, LAST, STATE, restart_hint
from netdesc.runs.run_record import Count
from netdesc.runs.state import SavedProgress
from netdesc.training.activity_recorder import ActivityRecorder
from netdesc.training.optimizer import load_optimizer_tensors, optimizer_tensors
from netdesc.training.ranks import ALONE, Ranks
from netdesc.training.schedule import Plateaus, Stopping

STATE_FORMAT = 3
"""Since 3 a checkpoint may be in the middle of an epoch. Older ones are read, too."""
MAX_SAVE_SHARE = 0.02
"""Largest share of the run's time that saving may take."""
FIRST_S = 5.0
"""Largest time in seconds until the first checkpoint after a start or resume, so that an early kill
loses little work."""


@dataclass
class Progress:
    """The progress of a run, stored in ``last.state``."""

    epoch: Count = 0
    """The number of complete epochs, which is also the index of the next epoch."""
    batch: Count = 0
    """The number of complete batches of the next epoch, which is also the index of the next batch.
    If it is ``batches``, the epoch only lacks its validation."""
    batches: Count = 0
    """The number of batches of an epoch; 0 in a checkpoint of an older netdesc."""
    row: dict[str, Any] = field(default_factory=dict)
    """The fields of the epoch's line that are known before validation; empty before that."""
    epoch_seconds: float = 0.0
    """Time spent in these batches, also before the run was resumed."""
    seconds: float = 0.0
    """Time spent in the complete epochs, also before the run was resumed."""
    best: dict[str, Any] = field(default_factory=dict)
    """The best epoch's line of ``metrics.jsonl``; empty before the first epoch."""
    plateaus: Plateaus = field(default_factory=Plateaus)
    last: dict[str, Any] = field(default_factory=dict)
    """The last epoch's line of ``metrics.jsonl``."""
    best_epoch: InitVar[Count | None] = None
    best_loss: InitVar[float] = math.inf
    """What a checkpoint of an older netdesc holds in the place of ``best``."""

    def __post_init__(self, best_epoch: int | None, best_loss: float) -> None:
        if best_epoch is not None:
            metric = "validation_loss" if "validation_loss" in self.last else "loss"
            self.best = {"epoch": best_epoch, metric: best_loss}

    @property
    def saved(self) -> SavedProgress:
        """What a checkpoint of now is said to hold."""
        return SavedProgress(self.epoch, self.batch, self.batches)


@dataclass
class StateNotes:
    """The metadata of ``last.state``. ``metrics_bytes`` is the length of ``metrics.jsonl``."""

    format: int
    lock_sha256: str
    metrics_bytes: Count
    progress: Progress
    stopping: Stopping

    def __post_init__(self) -> None:
        if self.progress.epoch > 0 and "epoch" not in self.progress.best:
            raise ValueError("it names no best epoch")
        if self.format > STATE_FORMAT or self.progress.batch > self.progress.batches:
            raise ValueError("it holds what this netdesc does not know")


class BestWeights:
    """A copy of the best weights so far, on the network's device."""

    def __init__(self, network: nn.Module) -> None:
        self._live = dict(network.state_dict())
        self.copy_weights()
        self._saved = self.tensors

    def copy_weights(self) -> None:
        """Copies the network's weights. An interrupt leaves either the old or the new copy."""
        self.tensors = {name: tensor.clone() for name, tensor in self._live.items()}

    @property
    def is_saved(self) -> bool:
        return self._saved is self.tensors

    def save(self, path: Path) -> None:
        """Writes the copy to a file, unless this was done before. StorageError if writing fails."""
        if not self.is_saved:
            write_weights(path, self.tensors)
            self._saved = self.tensors


@dataclass
class Saver:
    """Writes and restores the checkpoints of one run.

    ``every_s`` is the shortest time between two checkpoints in seconds. On a slow disk the time is
    longer, so that writing takes at most the share ``MAX_SAVE_SHARE`` of the run's time. Only the
    first of ``ranks`` reads and writes files.
    """

    folder: Path
    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: BestWeights
    activity: ActivityRecorder
    lock_sha256: str
    every_s: float
    ranks: Ranks = ALONE
    stopping: Stopping = field(default_factory=Stopping)
    saved: SavedProgress | None = None
    """The progress at the newest checkpoint; None if there is no checkpoint."""
    epoch_sums: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """The sums of the metrics of the epoch that a restored checkpoint broke off."""
    _due: float = math.inf

    def is_due(self, now: float) -> bool:
        """Whether the next checkpoint is due at ``now``, a time of ``time.perf_counter()``."""
        return now >= self._due

    def save(
        self, progress: Progress, metrics_bytes: int, epoch_sums: Mapping[str, torch.Tensor]
    ) -> None:
        """Writes ``last.state``, then the files of weights and ``activity.npz``.

        The first checkpoint of a run also holds the initial weights. ``metrics_bytes`` is the
        length of ``metrics.jsonl``, ``epoch_sums`` are the sums over the batches of an epoch that
        is not complete. StorageError if a file cannot be written; the file then keeps its old
        content.
        """
        start = time.perf_counter()
        if not self.ranks.is_first:
            self.saved = progress.saved
            return
        if self.saved is None:
            write_weights(self.folder / INITIAL, self.network.state_dict())
        notes = StateNotes(STATE_FORMAT, self.lock_sha256, metrics_bytes, progress, self.stopping)
        write_state(self.folder / STATE, notes, self._tensors(epoch_sums))
        self.saved = progress.saved
        write_weights(self.folder / LAST, self.network.state_dict())
        self.save_best(progress)
        now = time.perf_counter()
        pause = min(self.every_s, FIRST_S)  # also if the files' first writing is slow
        if not progress.saved.is_start:
            pause = max(self.every_s, (now - start) / MAX_SAVE_SHARE)
        self._due = now + pause

    def save_best(self, progress: Progress) -> None:
        """Writes ``activity.npz`` and the best weights, unless the files are up to date."""
        if not self.ranks.is_first:
            return
        if self.activity.changed or not self.best.is_saved:
            self.activity.save(self.best.tensors, progress.best.get("epoch"))
        self.best.save(self.folder / BEST)

    def restore(self, has_trained: bool, locks: Collection[str]) -> tuple[Progress, int]:
        """Restores the run from ``last.state``, which must belong to one of ``locks`` (SHA-256).

        Returns the progress, and the length of ``metrics.jsonl`` in bytes. A run that was stopped
        before its first checkpoint starts at epoch 0; ``has_trained`` says that it has complete
        epochs, so that it had a checkpoint. RunError if ``last.state`` is damaged, was removed, or
        belongs to another ``network.lock.json``.
        """
        self._due = time.perf_counter() + min(self.every_s, FIRST_S)
        path, way = self.folder / STATE, restart_hint(self.folder.parent)
        stored, is_first = None, self.ranks.is_first  # other machines may not see the folder
        if is_first and path.exists():
            stored = read_state_file(path, StateNotes)
        elif is_first and (has_trained or any((self.folder / n).exists() for n in (LAST, BEST))):
            raise RunError(f"{path}: this checkpoint is gone; {way}")
        stored = self.ranks.broadcast(stored)
        if stored is None:
            return Progress(), 0
        notes, tensors = stored
        if notes.lock_sha256 not in locks:
            problem = "network.lock.json is not the one that this checkpoint was trained with"
            raise RunError(f"{path}: {problem}")
        try:
            self._load_tensors(tensors, notes.progress.epoch)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(f"{path}: this checkpoint does not fit the network; {way}") from error
        self.stopping = notes.stopping
        self.saved = notes.progress.saved
        return notes.progress, notes.metrics_bytes

    def _tensors(self, epoch_sums: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        random = {"cpu": torch.get_rng_state()}
        device = next(self.network.parameters()).device
        if device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(device)
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "model": self.network.state_dict(),
            "best": self.best.tensors,
            "optimizer": optimizer_tensors(self.optimizer, self.network),
            "random": random,
            "frames": self.activity.frame_tensors() or {},
            "epoch": epoch_sums,
        }
        return {f"{part}.{name}": t for part, named in parts.items() for name, t in named.items()}

    def _load_tensors(self, tensors: dict[str, torch.Tensor], epoch: int) -> None:
        parts: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = tensor
        self._load_weights(parts["best"])
        self.best.copy_weights()
        self._load_weights(parts["model"])
        load_optimizer_tensors(self.optimizer, self.network, parts["optimizer"])
        # A checkpoint of an older netdesc has none.
        self.activity.restore_frames(parts["frames"], epoch)
        torch.set_rng_state(parts["random"]["cpu"])
        if "cuda" in parts["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(parts["random"]["cuda"])
        self.epoch_sums = parts["epoch"]

    def _load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copies weights into the network. ValueError or RuntimeError if one does not fit."""
        for name, own in self.network.state_dict().items():
            if tensors[name].dtype != own.dtype:
                raise ValueError(f"{name} is {tensors[name].dtype}, not {own.dtype}")
        self.network.load_state_dict(tensors)
