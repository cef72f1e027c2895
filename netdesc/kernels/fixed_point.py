"""The fixed-point formats in which neurons compute, shared by every engine.

Weights are even integers with unit 1/64, states are integers with unit 1/4096 of a threshold unit,
decays are integers 0..4096. Loihi-style neurons have these formats; lava-dl's ``slayer`` trains
them in the same formats. This module does not import torch.
"""

WEIGHT_UNIT = 64
"""The integer weight or threshold that stands for 1.0."""

STATE_UNIT = 4096
"""The integer state that stands for 1.0."""

MAX_BIAS = 4.0
"""Largest magnitude of a bias in threshold units. Its unit on the device is 1/64."""

DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
"""An integer decay of 4096 sets the state to 0 in one step."""

STATE_LIMIT = 1 << 29
"""States saturate at this magnitude in training, on every engine, so that 32 bits always suffice.

The sum of a decayed current, an input and a bias of this size fits in 32 bits. The range of the
device is 64 times smaller. Training reports a state beyond that range, long before it saturates.
"""

DEVICE_STATE_LIMIT = (1 << 23) - 1
"""The largest magnitude that the device's 24-bit states hold."""

DEVICE_BITS = 8
"""Bits of the device's weights."""

BIAS_BITS = 8
"""Bits of means of norms and of drives of winners, which the device stores as biases."""


def weight_limits(bits: int) -> tuple[int, int]:
    """Returns the smallest and largest integer weight of ``bits`` bits (8 bits: −256 and 254).

    Integer weights are even, so the range is twice the range of a signed integer of ``bits`` bits.
    """
    return -(1 << bits), (1 << bits) - 2


def threshold_mantissa(threshold: float) -> int:
    """Returns ``vThMant``: the threshold in weight units, rounded toward zero as on the device."""
    return int(WEIGHT_UNIT * threshold)
