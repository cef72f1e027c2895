"""Computes a training step: loss and gradients of a batch, then the update of the weights.

The way of a step, with the files that it enters on the CPU::

    compute_gradients(batch)
      Network.signals              modules/network      the prepared calls that fit, or new ones
        PreparedNetwork.run        modules/prepared     layers in order: segments, other layers
          PreparedSegment.run                           weights, and parameters if they changed
            prepared_segment       operators/layers     what autograd saves for the backward pass
              segment              cpu/segment          spikes packed, listed as events
                forward_by_events  cpu/walk             one kernel a layer, of its own equations
      TotalLoss.terms              losses               spike_time: the loss with its gradient
      backward
        segment_backward           cpu/segment          the last layer first
          backward_to_current      cpu/walk             the adjoint, then by cpu/synapses or gemm
                                                        the gradients of weights
      EpochMetricsSum.add_batch    training/metrics     norms of gradients, counts of spikes
    update()                                            torch's optimizer; learnt values clamped

What does not change from step to step is found out before: a prepared call holds the order of
layers, engine, programs and checks; plans in ``cpu/walk`` hold kernels, shapes and sizes of memory.

``compute_gradients`` takes the shards of a batch that this process computes. Several shards take
this way one after another, and are added up in ``ShardedStep`` before metrics and update.

The gradients and the update are two calls. At the end of an epoch, the loop reads the metrics
between these calls, and copies the weights to which the metrics belong.
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_

from netdesc.data.batches import Batch
from netdesc.data.randomness import seed_shard
from netdesc.graph import Graph
from netdesc.kernels import cache_folder
from netdesc.kernels.engines import engine_for, engine_name
from netdesc.losses.total import add_up
from netdesc.modules import build
from netdesc.training.cuda_graph import CudaGraphs, ReplayedWork
from netdesc.training.interrupt import StopRequest
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.progress import Display
from netdesc.training.setup import Setup
from netdesc.training.shard_rows import ShardRows

NOTICE = (
    "compiling kernels for networks like this one: once, 10 s, or 20 to 30 s on a busy machine …"
)

SHARED_KERNELS = 10
"""Kernels that a step calls whatever its neurons are, most networks not all of them: of spikes and
event lists (3), of weights (3), of their gradient (2), of products and of filtered spikes.
"""


def build_step(
    setup: Setup, epoch_sum: EpochMetricsSum, report: Callable[[str], None]
) -> "EagerStep | CapturedStep":
    """Builds the step of a run. On a GPU, it is captured as CUDA graphs if possible.

    ``report`` is then called with a message that it is, or why it is not.
    """
    shards, engine = setup.training.shards, engine_name(setup.device)
    step = EagerStep(setup, epoch_sum) if shards == 1 else ShardedStep(setup, epoch_sum)
    if setup.device.type != "cuda":
        return step
    if shards > 1:
        obstacle = f"each batch is computed in {shards} shards"
    elif setup.loss.replacement is not None:  # its Python code would run only once
        obstacle = "a loss of a Python program is called in each step"
    elif engine != "cuda":
        obstacle = f"engine '{engine}' waits for the device"
    else:
        return CapturedStep(step, CudaGraphs(setup.device), report)
    report(_not_captured(obstacle))
    return step


def _not_captured(obstacle: str) -> str:
    return f"training steps are not captured as CUDA graphs: {obstacle}"


class EagerStep:
    """Computes forward pass, loss, backward pass and update, without waiting for the device."""

    def __init__(self, setup: Setup, epoch_sum: EpochMetricsSum) -> None:
        self._setup, self._epoch_sum = setup, epoch_sum
        self._parameters = list(setup.network.parameters())
        self._samples = len(setup.train.samples)
        self._reduction = setup.graph.loss.reduction
        self._blocks = list(setup.network.blocks())
        self._learning = [block.neuron for _, block in self._blocks if block.neuron.learns]

    def compute_gradients(self, shards: Sequence[Batch]) -> None:
        """Computes the batch's loss and gradients, and adds its metrics to the epoch's sums."""
        (batch,) = shards
        setup, epoch_sum = self._setup, self._epoch_sum
        for parameter in self._parameters:
            parameter.grad = None
        signals = setup.network.signals(batch.input_TBN)
        terms = setup.loss.terms(signals, batch.target)
        if epoch_sum.counter is not None:
            epoch_sum.counter.add(signals[epoch_sum.counter.signal], batch.target)
        # Not in forward hooks, because a layer with hooks is not computed together with others.
        size = batch.input_TBN.shape[1]
        for name, block in self._blocks:
            assert block.counts is not None, "the forward pass sets them"
            epoch_sum.set_counts(name, block.counts, size * block.cells)
        add_up(terms).backward()
        loss_weight = batch.loss_weight(self._reduction, self._samples)
        epoch_sum.add_batch(terms, size / self._samples, loss_weight)

    def update(self) -> None:
        """Updates the weights with the gradients of the last batch."""
        setup, clip = self._setup, self._setup.training.gradient_clip
        if clip is not None:
            clip_grads_with_norm_(self._parameters, clip, self._epoch_sum.gradient_norm())
        setup.optimizer.step()
        for neuron in self._learning:
            neuron.project()


class ShardedStep(EagerStep):
    """Computes a batch in shards, in turn here and at the same time in other processes.

    Each shard's loss counts by the shard's share of the batch. The sums over shards do not depend
    on who computes which shard. A step waits for the device once, which tells the shards' sizes.
    """

    def __init__(self, setup: Setup, epoch_sum: EpochMetricsSum) -> None:
        super().__init__(setup, epoch_sum)
        self._own = setup.ranks.own(setup.training.shards)
        self._rows = ShardRows(setup, epoch_sum.counter)
        self._sizes = [parameter.numel() for parameter in self._parameters]
        self._no_gradient = self._parameters[0].new_zeros(sum(self._sizes)).detach()
        self._has_gradient: list[bool] | None = None
        """Whether a parameter has a gradient in some shard; the optimizer skips others."""

    def compute_gradients(self, shards: Sequence[Batch]) -> None:
        epoch_sum, ranks = self._epoch_sum, self._setup.ranks
        empty = self._no_gradient, self._rows.empty
        computed = {shard.shard: self._compute_shard(shard) for shard in shards}
        gradients, rows = zip(*(computed.get(number, empty) for number in self._own), strict=True)
        if self._has_gradient is None:
            has_gradient = [float(parameter.grad is not None) for parameter in self._parameters]
            flags = ranks.gather(torch.tensor(has_gradient, device=self._no_gradient.device))
            self._has_gradient = torch.stack(flags).bool().any(0).tolist()
        parts = ranks.sum(gradients).split(self._sizes)
        for parameter, part, has in zip(self._parameters, parts, self._has_gradient, strict=True):
            parameter.grad = part.view_as(parameter) if has else None
        size, terms = self._rows.join(rows)
        for name, block in self._blocks:
            assert block.counts is not None, "joining sets them"
            epoch_sum.set_counts(name, block.counts, size * block.cells)
        share = size / self._samples
        epoch_sum.add_batch(terms, share, share if self._reduction == "mean" else 1.0)

    def _compute_shard(self, shard: Batch) -> tuple[Tensor, Tensor]:
        """Returns the gradients of a shard's loss, one after another, and its row."""
        setup, counter = self._setup, self._epoch_sum.counter
        for parameter in self._parameters:
            parameter.grad = None
        seed_shard(setup.training.seed, shard.epoch, shard.number, shard.shard, setup.device)
        signals = setup.network.signals(shard.input_TBN)
        terms = self._weighted(setup.loss.terms(signals, shard.target), shard.share)
        counts = None
        if counter is not None:
            counts = counter.count(signals[counter.signal], shard.target)
        add_up(terms).backward()
        row = self._rows.build(shard.size, terms, counts)
        gradients = [
            torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten()
            for p in self._parameters
        ]
        return torch.cat(gradients).detach(), row

    def _weighted(self, terms: Sequence[Tensor], share: float) -> list[Tensor]:
        """Weights means over the shard's samples, and regularizers, by the shard's share."""
        sums = 0 if self._reduction == "mean" else len(self._setup.graph.losses)
        return [*terms[:sums], *(term * share for term in terms[sums:])]


class CapturedStep:
    """Replays a step as two CUDA graphs, for batches that have the shape of the first batch.

    The graphs read the tensors of the first batch, so later batches of its shape are copied to
    these tensors. A batch of another shape, such as the last batch of an epoch, runs without graphs
    and allocates new gradients, because the memory of the captured gradients belongs to the graphs.
    """

    def __init__(self, step: EagerStep, graphs: CudaGraphs, report: Callable[[str], None]) -> None:
        self._step, self._report = step, report
        self._captured_batch: list[Batch] = []  # holds one batch after the first step
        self._fits = True
        self._has_reported = False
        captured = self._captured_batch  # a lambda that held ``self`` would keep graphs alive
        self._gradient_graph = ReplayedWork(lambda: step.compute_gradients(captured), graphs)
        self._update_graph = ReplayedWork(step.update, graphs)

    def compute_gradients(self, shards: Sequence[Batch]) -> None:
        (batch,) = shards
        if not self._captured_batch:
            self._captured_batch.append(batch)
        (captured,) = self._captured_batch
        self._fits = _shapes(batch) == _shapes(captured)
        if not self._fits:
            self._step.compute_gradients(shards)
            return
        if batch.input_TBN is not captured.input_TBN:
            captured.input_TBN.copy_(batch.input_TBN)
            captured.target.copy_(batch.target)
        self._gradient_graph()
        self._report_capture()

    def update(self) -> None:
        if not self._fits:
            self._step.update()
            return
        obstacle = self._gradient_graph.obstacle
        if obstacle is not None:  # each backward pass allocates new gradients at other addresses
            self._update_graph.obstacle = obstacle
        self._update_graph()
        self._report_capture()

    def _report_capture(self) -> None:
        obstacle = self._gradient_graph.obstacle or self._update_graph.obstacle
        if not self._has_reported and (obstacle or self._update_graph.is_captured):
            self._has_reported = True
            success = "training steps are captured as CUDA graphs"
            self._report(success if obstacle is None else _not_captured(obstacle))


def _shapes(batch: Batch) -> tuple[torch.Size, torch.Size]:
    return batch.input_TBN.shape, batch.target.shape


def compile_kernels(
    setup: Setup, display: Display, stop: StopRequest, *, is_trial: bool = False
) -> None:
    """Computes a step of a network like that of ``setup``, with the first batch, on the CPU engine.

    Numba compiles the kernels that its cache lacks. Triton compiles those of the CUDA engine in
    the first epoch. EngineError if Numba cannot be loaded, KeyboardInterrupt if ``stop`` is
    requested, which is looked up between the passes of the compiler. Says so if kernels cannot be
    kept. Of trials with the same kinds of neurons, only the first one does it.
    """
    stop.check()
    kinds = frozenset(kinds_of_passes(setup.graph))
    if engine_name(setup.device) == "cpu" and not (is_trial and kinds in _compiled):
        _compile_for_cpu(setup, display, stop)
        _compiled.add(kinds)
    if problem := cache_folder.problem():
        display.warn(problem)


def _compile_for_cpu(setup: Setup, display: Display, stop: StopRequest) -> None:
    engine_for(setup.device)  # raises EngineError if Numba cannot be loaded
    from netdesc.kernels.cpu.runtime.numba_internals import call_while_compiling

    notices, limit = iter([NOTICE]), kernel_limit(setup.graph)

    def look_up(started: int) -> None:
        for notice in notices:  # only the first time
            display.info(notice)
        display.show_count("compiling kernel", started, limit)
        stop.check()

    network, batch = build(setup.graph, seed=0), setup.train.example()
    with (
        call_while_compiling(look_up),
        torch.random.fork_rng(devices=[]),  # dropout of training draws the same numbers as without
        warnings.catch_warnings(action="ignore"),  # training itself warns
    ):
        setup.loss(network.signals(batch.input_TBN), batch.target).backward()
    stop.check()


_compiled: set[frozenset[tuple[object, ...]]] = set()
"""The ``kinds_of_passes`` whose kernels this process has compiled."""


def kinds_of_passes(graph: Graph) -> set[tuple[object, ...]]:
    """Returns what distinguishes the forward and backward passes of neurons.

    Each kind of neurons has both, each in other kernels if convolutions or recurrent layers use it,
    or a norm divides it.
    """
    return {
        (layer.neuron.definition().to_text(), bool(layer.learnt_shapes), type(layer.section), part)
        for layer in graph.neuron_layers
        for part in range(1 if layer.neuron.norm is None else 2)
    }


def kernel_limit(graph: Graph) -> int:
    """Returns the largest number of kernels that the CPU engine compiles for a step.

    Convolutions have two kernels of their own.
    """
    layers, passes = graph.neuron_layers, kinds_of_passes(graph)
    has_convolutions = any(len(layer.weight_shape) > 2 for layer in layers)
    return SHARED_KERNELS + 2 * len(passes) + 2 * has_convolutions
