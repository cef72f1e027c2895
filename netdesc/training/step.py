"""A training step in two halves: from a batch to gradients, and from gradients to new weights.

Between the halves the loop reads the metrics and keeps the weights that they belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn.utils import clip_grads_with_norm_

from netdesc.kernels.engine import engine_name
from netdesc.training.batches import Batch
from netdesc.training.cuda_graph import CudaGraphs, Graphs, Replayed
from netdesc.training.metrics import Figures
from netdesc.training.optimizer import is_capturable
from netdesc.training.setup import Setup


class Step(Protocol):
    def compute_gradients(self, batch: Batch) -> None:
        """Computes the gradients of the batch's loss, and adds its metrics to the figures."""
        ...

    def update(self) -> None:
        """Updates the weights with the gradients of the last batch."""
        ...


def build_step(setup: Setup, figures: Figures, say: Callable[[str], None]) -> Step:
    """The step of a run, captured as CUDA graphs on a GPU where that is possible.

    On a GPU ``say`` receives one message, whether steps are captured or why not.
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
    """Forward pass, loss, backward pass and optimizer, none of which waits for the device."""

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
        # Notes are read here: with forward hooks, layers would not be computed together.
        steps, size = batch.input_TBN.shape[:2]
        for name, block in self._blocks:
            assert block.notes is not None, "the network has run"
            figures.note(name, block.notes, steps * size * len(block.synapse.weight))
        loss.backward()
        loss_weight = batch.loss_weight(setup.graph.loss.reduction, self._samples)
        figures.add(loss, batch.size / self._samples, loss_weight)

    def update(self) -> None:
        setup, clip = self._setup, self._setup.training.gradient_clip
        if clip is not None:
            clip_grads_with_norm_(self._parameters, clip, self._figures.gradient_norm())
        setup.optimizer.step()
        if self._learns_decays:
            setup.network.project()


class CapturedStep:
    """A step whose halves are CUDA graphs, for batches of the shape of the first one.

    The graphs read the tensors of the first batch; every other batch of its shape is copied into
    them. For batches of another shape, like the last one of an epoch, the step runs without graphs
    and allocates new gradients: those of the graphs stay in memory that belongs to them.
    """

    def __init__(self, step: Step, graphs: Graphs, say: Callable[[str], None]) -> None:
        self._step, self._say = step, say
        self._captured_batch: list[Batch] = []  # one, from the first step on
        self._fits = True
        self._has_reported = False
        captured = self._captured_batch  # capturing ``self`` would keep the graphs alive
        self._gradient_graph = Replayed(lambda: step.compute_gradients(captured[0]), graphs)
        self._update_graph = Replayed(step.update, graphs)

    def compute_gradients(self, batch: Batch) -> None:
        if not self._captured_batch:
            self._captured_batch.append(batch)
        (captured,) = self._captured_batch
        self._fits = _shapes(batch) == _shapes(captured)
        if not self._fits:
            self._step.compute_gradients(batch)
            return
        if batch is not captured:
            captured.input_TBN.copy_(batch.input_TBN)
            captured.target.copy_(batch.target)
        self._gradient_graph()
        self._report_capture()

    def update(self) -> None:
        if not self._fits:
            self._step.update()
            return
        obstacle = self._gradient_graph.obstacle
        if obstacle is not None:  # without a graph, gradients move with every backward pass
            self._update_graph.give_up(obstacle)
        self._update_graph()
        self._report_capture()

    def _report_capture(self) -> None:
        obstacle = self._gradient_graph.obstacle or self._update_graph.obstacle
        if not self._has_reported and (obstacle or self._update_graph.is_captured):
            self._has_reported = True
            captured = "training steps are captured as CUDA graphs"
            self._say(captured if obstacle is None else _not_captured(obstacle))


def _shapes(batch: Batch) -> tuple[torch.Size, torch.Size]:
    return batch.input_TBN.shape, batch.target.shape
