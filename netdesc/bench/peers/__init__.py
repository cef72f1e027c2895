"""The programs that can be measured, and what runs in their processes.

A program's process may be of another interpreter, Python 3.9 or newer, that has the program and
numpy, but not what netdesc needs. So these files import nothing else; only ``itself``, netdesc's
own side, does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """``side`` is the file in this folder that measures it, ``module`` what it imports first.

    ``packages`` are the distributions whose versions are told, the program's own first.
    """

    side: str
    module: str
    packages: tuple[str, ...]


ITSELF = "netdesc"

PROGRAMS: dict[str, Program] = {
    ITSELF: Program("itself", "netdesc", ("torch", "numba", "numpy")),
    "lava-dl": Program("lava_dl", "lava.lib.dl.slayer", ("lava-dl", "lava-nc", "torch", "numpy")),
    "snntorch": Program("snntorch", "snntorch", ("snntorch", "torch", "numpy")),
    "spikingjelly": Program(
        "spikingjelly", "spikingjelly.activation_based", ("spikingjelly", "torch", "numpy")
    ),
    "norse": Program("norse", "norse.torch", ("norse", "torch", "numpy")),
    "spyx": Program("spyx", "spyx", ("spyx", "jax", "jaxlib", "flax", "numpy")),
}

PEERS = tuple(name for name in PROGRAMS if name != ITSELF)
