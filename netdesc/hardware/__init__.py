"""Simulates the hardware: runs networks in exact integers, as the device computes them."""

from netdesc.hardware.clocks import Resets as Resets
from netdesc.hardware.clocks import Timing as Timing
from netdesc.hardware.integers import FoldedModel as FoldedModel
from netdesc.hardware.integers import HardwareError as HardwareError
from netdesc.hardware.integers import LayerIntegers as LayerIntegers
from netdesc.hardware.integers import Weights as Weights
from netdesc.hardware.integers import layer_integers as layer_integers
from netdesc.hardware.network import IntegerNetwork as IntegerNetwork
from netdesc.hardware.network import LayerCounts as LayerCounts
