"""netdesc compiles a JSON description of a spiking network into a trained network."""

from typing import Any

__version__ = "0.1.0"
