"""A training step in two halves: from a batch to gradients, and from gradients to new weights.

Between them the loop reads figures and keeps weights: those that the figures belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn.utils import clip_grads_with_norm_

from netdesc.kernels.engine import engine_name
from netdesc.training.data import Batch
from netdesc.training.direct import DirectStep, direct_wiring
from netdesc.training.job import Job
from netdesc.training.measure import Judge, by_network, loss_share
from netdesc.training.metrics import Figures
from netdesc.training.one_way import DirectJudge
from netdesc.training.optimizer import is_capturable
from netdesc.training.replayed import CudaGraphs, Graphs, Replayed


class Step(Protocol):
    def differentiate(self, batch: Batch) -> None:
        """Leaves the gradients of the batch's loss in the parameters, and adds up its figures."""
        ...

    def update(self) -> None:
        """Changes the weights along the gradients of the last batch."""
        ...


def build_step(job: Job, figures: Figures, say: Callable[[str], None]) -> Step:
    """The step of a run: captured on a GPU where that can be, one operation at a time elsewhere.

    ``say`` is told once which of them it is on a GPU, and why.
    """
    plain = PlainStep(job, figures)
    if job.device.type != "cuda":
        wiring = direct_wiring(job.graph, job.device)
        return plain if wiring is None else DirectStep(job, figures, wiring, plain.update)
    obstacle = capture_obstacle(job)
    if obstacle is None:
        return CapturedStep(plain, CudaGraphs(job.device), say)
    say(_not_captured(obstacle))
    return plain


def build_judge(job: Job) -> Judge:
    """What measures a batch that is not trained on, in the way that the steps go."""
    wiring = direct_wiring(job.graph, job.device)
    if wiring is None:
        return by_network(job.network, job.loss)
    return DirectJudge(job.network, job.loss, wiring)


def capture_obstacle(job: Job) -> str | None:
    """Why the steps of a run on a GPU cannot be captured, or None."""
    engine = engine_name(job.device)
    if engine != "cuda":
        return f"engine '{engine}' waits for the device"
    if not is_capturable(job.optimizer):
        return "the optimizer keeps numbers off the device"
    return None


def _not_captured(obstacle: str) -> str:
    return f"training steps are not captured as CUDA graphs: {obstacle}"


class PlainStep:
    """A step, one operation after the other. Nothing in it waits for the device."""

    def __init__(self, job: Job, figures: Figures) -> None:
        self._job, self._figures = job, figures
        self._parameters = list(job.network.parameters())
        self._samples = len(job.train.samples)
        decays = [each for _, block in job.network.blocks() for each in block.neuron.parameters()]
        self._learns_decays = bool(decays)

    def differentiate(self, batch: Batch) -> None:
        job, figures = self._job, self._figures
        job.optimizer.zero_grad()
        output_TBN = job.network(batch.input_TBN)
        loss = job.loss(output_TBN, batch.target)
        if figures.tally is not None:
            figures.tally.add(output_TBN, batch.target)
        del output_TBN  # the backward pass takes its memory
        loss.backward()
        share = batch.size / self._samples
        figures.add(loss, share, loss_share(job.graph, batch, self._samples))

    def update(self) -> None:
        job, clip = self._job, self._job.training.gradient_clip
        if clip is not None:
            clip_grads_with_norm_(self._parameters, clip, self._figures.gradient_norm())
        job.optimizer.step()
        if self._learns_decays:
            job.network.project()


class CapturedStep:
    """A step whose halves are CUDA graphs, for batches of the shape of the first one.

    Its tensors are where the graphs read; every other batch of the shape is copied there. Batches
    of another shape, as the last one of an epoch often is, take the plain step, with gradients of
    their own: a graph goes on to write and read those that it was captured with, in memory that is
    its own as long as it lives.
    """

    def __init__(self, plain: Step, graphs: Graphs, say: Callable[[str], None]) -> None:
        self._plain, self._say = plain, say
        self._place: list[Batch] = []  # one, from the first step on
        self._fits = True
        self._told = False
        place = self._place  # or the work would keep this object alive, and with it the graphs
        self._first = Replayed(lambda: plain.differentiate(place[0]), graphs)
        self._second = Replayed(plain.update, graphs)

    def differentiate(self, batch: Batch) -> None:
        if not self._place:
            self._place.append(batch)
        (place,) = self._place
        self._fits = _form(batch) == _form(place)
        if not self._fits:
            self._plain.differentiate(batch)
            return
        if batch is not place:
            place.input_TBN.copy_(batch.input_TBN)
            place.target.copy_(batch.target)
        self._first()
        self._tell()

    def update(self) -> None:
        if not self._fits:
            self._plain.update()
            return
        if self._first.obstacle is not None:  # the gradients are elsewhere after every pass
            self._second.give_up(self._first.obstacle)
        self._second()
        self._tell()

    def _tell(self) -> None:
        obstacle = self._first.obstacle or self._second.obstacle
        if not self._told and (obstacle or self._second.is_captured):
            self._told = True
            captured = "training steps are captured as CUDA graphs"
            self._say(captured if obstacle is None else _not_captured(obstacle))


def _form(batch: Batch) -> tuple[torch.Size, torch.Size]:
    return batch.input_TBN.shape, batch.target.shape
