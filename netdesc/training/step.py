"""A training step in two halves: from a batch to gradients, and from gradients to new weights.

Between them the loop reads figures and keeps weights: those that the figures belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn.utils import clip_grads_with_norm_

from netdesc.kernels.engine import engine_name
from netdesc.training.batches import Batch
from netdesc.training.cuda_graph import CudaGraphs, Graphs, Replayed
from netdesc.training.measure import loss_weight
from netdesc.training.metrics import Figures
from netdesc.training.optimizer import is_capturable
from netdesc.training.setup import Setup


class Step(Protocol):
    def compute_gradients(self, batch: Batch) -> None:
        """Leaves the gradients of the batch's loss in the parameters, and adds up its figures."""
        ...

    def update(self) -> None:
        """Changes the weights along the gradients of the last batch."""
        ...


def build_step(setup: Setup, figures: Figures, say: Callable[[str], None]) -> Step:
    """The step of a run, captured as CUDA graphs on a GPU where that is possible.

    On a GPU ``say`` is told once whether steps are captured, and why not.
    """
    step = TrainingStep(setup, figures)
    if setup.device.type != "cuda":
        return step
    obstacle = capture_obstacle(setup)
    if obstacle is None:
        return CapturedStep(step, CudaGraphs(setup.device), say)
    say(_not_captured(obstacle))
    return step


def capture_obstacle(setup: Setup) -> str | None:
    """Why the steps of a run on a GPU cannot be captured, or None."""
    engine = engine_name(setup.device)
    if engine != "cuda":
        return f"engine '{engine}' waits for the device"
    if not is_capturable(setup.optimizer):
        return "the optimizer keeps numbers off the device"
    return None


def _not_captured(obstacle: str) -> str:
    return f"training steps are not captured as CUDA graphs: {obstacle}"


class TrainingStep:
    """Forward pass, loss, backward pass and optimizer. Nothing in it waits for the device."""

    def __init__(self, setup: Setup, figures: Figures) -> None:
        self._setup, self._figures = setup, figures
        self._parameters = list(setup.network.parameters())
        self._samples = len(setup.train.samples)
        self._blocks = list(setup.network.blocks())
        neurons = (block.neuron for _, block in self._blocks)
        self._learns_decays = any(list(neuron.parameters()) for neuron in neurons)

    def compute_gradients(self, batch: Batch) -> None:
        setup, figures = self._setup, self._figures
        setup.optimizer.zero_grad()
        output_TBN = setup.network(batch.input_TBN)
        loss = setup.loss(output_TBN, batch.target)
        if figures.counter is not None:
            figures.counter.add(output_TBN, batch.target)
        # A forward hook would keep layers from being computed together.
        steps, size = batch.input_TBN.shape[:2]
        for name, block in self._blocks:
            assert block.notes is not None, "the network has run"
            figures.note(name, block.notes, steps * size * len(block.synapse.weight))
        loss.backward()
        share = batch.size / self._samples
        figures.add(loss, share, loss_weight(setup.graph, batch, self._samples))

    def update(self) -> None:
        setup, clip = self._setup, self._setup.training.gradient_clip
        if clip is not None:
            clip_grads_with_norm_(self._parameters, clip, self._figures.gradient_norm())
        setup.optimizer.step()
        if self._learns_decays:
            setup.network.project()


class CapturedStep:
    """A step whose halves are CUDA graphs, for batches of the shape of the first one.

    The first batch's tensors are where the graphs read; every other batch of that shape is copied
    there. Batches of another shape, as the last one of an epoch often is, take the step that is not
    captured, with gradients of their own: a graph goes on to write and read the gradients that it
    was captured with, in memory that belongs to the graph as long as it lives.
    """

    def __init__(self, step: Step, graphs: Graphs, say: Callable[[str], None]) -> None:
        self._step, self._say = step, say
        self._place: list[Batch] = []  # one, from the first step on
        self._fits = True
        self._told = False
        place = self._place  # or the work would keep this object alive, and with it the graphs
        self._first = Replayed(lambda: step.compute_gradients(place[0]), graphs)
        self._second = Replayed(step.update, graphs)

    def compute_gradients(self, batch: Batch) -> None:
        if not self._place:
            self._place.append(batch)
        (place,) = self._place
        self._fits = _shapes(batch) == _shapes(place)
        if not self._fits:
            self._step.compute_gradients(batch)
            return
        if batch is not place:
            place.input_TBN.copy_(batch.input_TBN)
            place.target.copy_(batch.target)
        self._first()
        self._tell()

    def update(self) -> None:
        if not self._fits:
            self._step.update()
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


def _shapes(batch: Batch) -> tuple[torch.Size, torch.Size]:
    return batch.input_TBN.shape, batch.target.shape
