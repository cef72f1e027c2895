"""Normalisation of the argument of ``norm(…)`` in the equations of neurons."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netdesc.kernels import operators
from netdesc.kernels.fixed_point import BIAS_BITS, MAX_BIAS, WEIGHT_UNIT
from netdesc.neurons.models.fields import MAX_LEVEL

MOMENTUM = 0.1
"""Weight of a batch's statistics when the running ones are updated."""

MAX_EXPONENT = 3
"""Largest magnitude of the exponent of two by which ``mean_variance`` divides."""

EPSILON = 1e-5
"""Added to a variance, so that its logarithm is finite."""


def round_bias(bias: Tensor, unit: int) -> Tensor:
    """Returns a learnt bias [channels] in steps of 1/``unit``, with a straight-through gradient."""
    bias = bias.clamp(-MAX_BIAS, MAX_BIAS)
    rounded = torch.round(bias.detach() * unit) / unit
    return bias + (rounded - bias.detach())  # exact: the two are near each other


class MeanNorm(nn.Module):
    """Subtracts each neuron's mean over batch and time.

    In training, the batch's mean is subtracted; otherwise the running mean, which the device
    applies as a bias. This is mean-only batch normalisation of Salimans & Kingma (2016), section 3.
    """

    running_mean: Tensor
    is_bias = True
    """Whether it is a bias outside training, and nothing else."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.postponed: dict[str, Tensor] | None = None
        """None, or the statistics of the last batch by the names of their buffers: the batch then
        leaves the running statistics as they are, and the caller calls ``update``."""

    def update(self, name: str, statistic: Tensor) -> None:
        """Moves a running statistic toward that of a batch."""
        getattr(self, name).lerp_(statistic, MOMENTUM)

    def _take(self, name: str, statistic: Tensor) -> None:
        if self.postponed is None:
            self.update(name, statistic)
        else:
            self.postponed[name] = statistic

    def bias(self, mean: Tensor, learnt_bias: Tensor) -> Tensor:
        """Returns what is added in place of a ``mean`` [channels] that is subtracted.

        ``learnt_bias``, [] or [channels], is a part of it.
        """
        total = learnt_bias - operators.quantize_weight(mean, BIAS_BITS)
        return total.clamp(-MAX_BIAS, MAX_BIAS)

    def forward(self, values_TBC: Tensor, learnt_bias: Tensor) -> Tensor:
        """Normalises a batch [steps, batch, …, channels]; in training, updates the running mean.

        ``learnt_bias`` is as in ``bias``.
        """
        if not self.training:
            return values_TBC + self.bias(self.running_mean, learnt_bias)
        mean = values_TBC.mean(dim=tuple(range(values_TBC.dim() - 1)))
        self._take("running_mean", mean.detach())
        return values_TBC + self.bias(mean, learnt_bias)


class MeanVarianceNorm(MeanNorm):
    """Subtracts each neuron's mean, and divides by a power of two near the deviation of all.

    The exponent is that of the deviation, rounded up and clamped to ±``MAX_EXPONENT``. It is one
    number for the layer, without gradient. The source is ``WgtScaleBatchNorm`` of lava-dl's slayer.

    Outside training, the power of two is that of the running variance, and there is no division:
    ``fold`` says what is multiplied instead, as on the device and in ``.net`` files. States and
    thresholds are then in the device's scale.
    """

    running_var: Tensor
    is_bias = False

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("running_var", torch.zeros(()))

    @torch.no_grad()
    def divisor(self, variance: Tensor) -> Tensor:
        """Returns what values with this variance [] are divided by, a power of two."""
        # Comparisons are exact; a logarithm would depend on who computes it.
        divisor = torch.full_like(variance, 2.0**-MAX_EXPONENT)
        for exponent in range(-MAX_EXPONENT, MAX_EXPONENT):
            divisor = divisor * (1.0 + (variance + EPSILON > 4.0**exponent))
        return divisor

    @torch.no_grad()
    def fold(self, thresholds: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns factors [] of thresholds, and of bias and inputs, that replace the division.

        ``thresholds`` are [] or [units] each; none if the neurons hand on what is divided. The
        thresholds take the division over if all of them stay on the grid of the device; else the
        inputs do (see ``hardware.integers.fold_scale``).
        """
        divisor = self.divisor(self.running_var)
        fits = torch.full_like(divisor, bool(thresholds), dtype=torch.bool)
        for threshold in thresholds:
            scaled = torch.trunc(threshold * WEIGHT_UNIT) * divisor
            is_held = (scaled == torch.trunc(scaled)) & (scaled <= MAX_LEVEL * WEIGHT_UNIT)
            fits = fits & is_held.all()
        one = torch.ones_like(divisor)
        return torch.where(fits, divisor, one), torch.where(fits, one, 1 / divisor)

    def fold_parameters(
        self, known: dict[str, Tensor], thresholds: Sequence[str]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Returns parameters that take over the division, and the factor of inputs (``fold``)."""
        scale, input_scale = self.fold([known[name].detach() for name in thresholds])
        folded = {"bias": known["bias"] * input_scale}
        for name in thresholds:
            # The device scales the threshold that it holds. The gradient passes straight through.
            held = torch.trunc(known[name].detach() * WEIGHT_UNIT) / WEIGHT_UNIT
            folded[name] = (known[name] + (held - known[name].detach())) * scale
        if "peak" in known:
            folded |= {"peak": known["peak"] / scale, "width": known["width"] * scale}
        return known | folded, input_scale

    def forward(self, values_TBC: Tensor, learnt_bias: Tensor) -> Tensor:
        """Normalises a batch as ``MeanNorm`` does; in training, it updates the statistics.

        The bias is divided, too.
        """
        centred_TBC = super().forward(values_TBC, learnt_bias)
        variance = self.running_var
        if self.training:
            variance = values_TBC.detach().var(correction=0)
            count = math.prod(values_TBC.shape[:-1])
            self._take("running_var", variance * (count / (count + 1)))
        return centred_TBC / self.divisor(variance)


NORMS: dict[str, type[MeanNorm]] = {"mean": MeanNorm, "mean_variance": MeanVarianceNorm}
"""Value of the field ``norm`` -> its module."""
