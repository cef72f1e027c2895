"""The programs that can be measured, and the code that runs in their processes.

The interpreter of such a process (Python 3.9 or newer) may lack the packages that netdesc needs.
Therefore these files import only numpy, the program and its packages, except ``itself``, which
measures netdesc.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program that can be measured.

    ``adapter`` is the module in this folder that measures it, ``module`` is the program's main
    module. ``packages`` are the distributions whose versions are reported. ``neurons`` are those of
    netdesc to which the program has a similar one, ``kinds`` those of layers.
    """

    adapter: str
    module: str
    packages: tuple[str, ...]
    neurons: tuple[str, ...] = ("cuba",)
    kinds: tuple[str, ...] = ("dense", "conv")


ITSELF = "netdesc"

PROGRAMS: dict[str, Program] = {
    ITSELF: Program(
        "itself", "netdesc", ("torch", "numba", "numpy"), kinds=("dense", "recurrent", "conv")
    ),
    "lava-dl": Program("lava_dl", "lava.lib.dl.slayer", ("lava-dl", "lava-nc", "torch", "numpy")),
    "snntorch": Program("snntorch", "snntorch", ("snntorch", "torch", "numpy"), ("cuba", "lif")),
    "spikingjelly": Program(
        "spikingjelly",
        "spikingjelly.activation_based",
        ("spikingjelly", "torch", "numpy"),
        ("cuba", "lif"),
    ),
    "norse": Program("norse", "norse.torch", ("norse", "torch", "numpy"), ("cuba", "lif", "alif")),
    "spyx": Program(
        "spyx",
        "spyx",
        ("spyx", "jax", "jaxlib", "flax", "numpy"),
        ("cuba", "lif", "alif"),
        ("dense",),
    ),
}

PEERS = tuple(name for name in PROGRAMS if name != ITSELF)
