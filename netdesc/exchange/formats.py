"""The formats of network files: who reads and writes them, by the suffixes of their names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.c.c_file import write_c
from netdesc.exchange.errors import NetFileError, NetFileNameError
from netdesc.exchange.export import export_net
from netdesc.exchange.export_options import PLAIN, ExportOptions
from netdesc.exchange.importer import ImportedNetwork, import_net, read_weights
from netdesc.exchange.nir.nir_export import write_nir
from netdesc.exchange.nir.nir_import import import_nir, read_nir_weights
from netdesc.exchange.nir.peers import TOOLS
from netdesc.exchange.torch_file.torch_writer import write_torch
from netdesc.graph import Graph
from netdesc.hardware import FoldedModel

Writer = Callable[[FoldedModel, Path, ExportOptions], list[str]]
"""Writes a model as a file, and returns warnings. NetFileError if the format cannot hold it."""

WeightReader = Callable[[Path, Graph, Callable[[str], None]], dict[str, NDArray[np.float32]]]
"""Reads a file as initial weights of a graph, by their names in the state dict. It warns if the
file is of another network."""


class Format(NamedTuple):
    """A format. ``name`` says in messages whose it is.

    ``read`` and ``read_weights`` are None if netdesc does not do that. ``read`` takes a path and
    the keywords of ``import_net``, and those that ``read_options`` names. ``targets`` are the
    values of ``ExportOptions.target``. ``wants_sample`` is True if ``write`` uses
    ``ExportOptions.sample``, which costs a run.
    """

    name: str
    write: Writer
    read: Callable[..., ImportedNetwork] | None = None
    read_weights: WeightReader | None = None
    read_options: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    wants_sample: bool = False
    shows_netx: bool = False
    """Whether ``netdesc show`` says what netx makes of such a file."""


FORMATS: dict[str, Format] = {
    ".net": Format(
        name="lava-dl",
        write=lambda model, path, _: export_net(model, path),
        read=import_net,
        read_weights=read_weights,
        shows_netx=True,
    ),
    ".py": Format(name="torch", write=write_torch, wants_sample=True),
    ".c": Format(name="C99 for microcontrollers", write=write_c, wants_sample=True),
    ".nir": Format(
        name="NIR",
        write=write_nir,
        read=import_nir,
        read_weights=read_nir_weights,
        read_options=("dt", "reset", "bits"),
        targets=tuple(TOOLS),
        wants_sample=True,
    ),
}
"""Suffix in lower case -> the format of files whose names end so."""


def format_to_write(path: str | Path, options: ExportOptions = PLAIN) -> Format:
    """Returns the format of a file to write, by its name.

    NetFileNameError if no format has this suffix, or if the format does not have the options.
    """
    path = Path(path)
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        formats = [f"{suffix} ({other.name})" for suffix, other in FORMATS.items()]
        name = f"{path.stem or 'network'}.net"
        problem = f"netdesc exports {', '.join(formats)}; use a name such as {name}"
        raise NetFileNameError(path, problem)
    if options.target is not None and options.target not in format.targets:
        fitting = [suffix for suffix, other in FORMATS.items() if options.target in other.targets]
        way = f"{options.target} reads {fitting[0]} files" if fitting else "leave it out"
        raise NetFileNameError(path, f"no {path.suffix} file is for {options.target}: {way}")
    return format


def write_network(
    model: FoldedModel, path: str | Path, options: ExportOptions = PLAIN
) -> list[str]:
    """Writes a model in the format that the name of the file says, and returns warnings.

    The errors of ``format_to_write``; NetFileError if the format cannot hold the model, or if the
    file cannot be written.
    """
    return format_to_write(path, options).write(model, Path(path), options)


def format_to_read(path: str | Path) -> tuple[str, Format]:
    """Returns the suffix and the format of a file to read, by its name.

    A file with a suffix of no format is read as ``.net``. NetFileError if netdesc does not read the
    format.
    """
    suffix = Path(path).suffix.lower()
    suffix = suffix if suffix in FORMATS else ".net"
    if FORMATS[suffix].read is None:
        readable = ", ".join(name for name, format in FORMATS.items() if format.read is not None)
        raise NetFileError(path, f"netdesc only writes {suffix} files; it reads {readable}")
    return suffix, FORMATS[suffix]


def read_network(path: str | Path, **options: Any) -> ImportedNetwork:
    """Reads a network file in the format of ``format_to_read``.

    ``options`` are keywords of the format's reader. An option that is None keeps its default.
    NetFileError if the file cannot be read, ValueError if an option is not one of the format.
    """
    suffix, format = format_to_read(path)
    used = {name: value for name, value in options.items() if value is not None}
    for name in used.keys() - {"name", "steps", "step_ms", *format.read_options}:
        raise ValueError(f"{path}: {name} is not an option of {suffix} files")
    assert format.read is not None
    return format.read(path, **used)
