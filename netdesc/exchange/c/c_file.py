"""Writes a network as a C file and its header, with a test of a sample."""

import math
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc import __version__
from netdesc.exchange.c.c_layers import EMITTERS, copy_output
from netdesc.exchange.c.c_neurons import ascii_name
from netdesc.exchange.c.c_program import (
    UNIT,
    CProgram,
    LayerJob,
    Source,
    constant_array,
    fill,
    integer_type,
)
from netdesc.exchange.errors import NetFileError, explain_layer
from netdesc.exchange.export_options import ExportOptions
from netdesc.exchange.net_writer import write_content
from netdesc.graph import INPUT, Graph
from netdesc.hardware import FoldedModel, IntegerNetwork, Weights

MAX_INPUT = (1 << 31) - 1
"""The largest magnitude of an input value, in units of 1/4096."""

MAX_EVENTS = 20_000
"""The test has as many steps as have so many events, but at least one."""

RANDOM_STEPS, RANDOM_RATE = 100, 0.2
"""Random spikes take the place of a sample if there is none."""


def write_c(model: FoldedModel, path: str | Path, options: ExportOptions) -> list[str]:
    """Writes ``model`` as ``path``, and a header beside it, whose name ends in ``.h``.

    ``options.note`` gets the sizes. Returns warnings; there are none. NetFileError if C cannot hold
    a layer, or if a file cannot be written.
    """
    path = Path(path)
    header = path.with_suffix(".h")
    if re.search(r'[\x00-\x1f"\\]', header.name):
        way = "choose one without quotes, backslashes and control characters"
        raise NetFileError(path, f"C cannot name the header of a file with this name: {way}")
    texts, program = _texts(model, path, options)
    write_content(header, fill("header", **texts).encode() + b"\n")
    write_content(path, fill("source", HEADER=header.name, **texts).encode() + b"\n")
    tables, state = program.table_bytes, program.state_bytes()
    sizes = f"tables of {tables:,} bytes, and a state of {state:,} bytes in RAM"
    options.note(f"{path}: {_code_size(path)}{sizes}")
    return []


def _code_size(path: Path) -> str:
    """Returns the size of the code here, without tables; nothing if no compiler says it soon."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = f"{folder}/network.o"
        try:
            command = ["cc", "-std=c99", "-Os", "-c", str(path.absolute()), "-o", compiled]
            subprocess.run(command, check=True, capture_output=True, timeout=10)
            listed = subprocess.check_output(["size", "-A", compiled], text=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return ""
    rows = [line.split() for line in listed.splitlines() if line.startswith(".text")]
    return f"code of {sum(int(row[1]) for row in rows):,} bytes (cc -Os, here), "


def c_sizes(model: FoldedModel, options: ExportOptions) -> tuple[int, int]:
    """Returns the bytes of tables and of state that ``model`` has in C; errors as ``write_c``."""
    _, program = _texts(model, Path("network.c"), options)
    return program.table_bytes, program.state_bytes()


def _texts(
    model: FoldedModel, path: Path, options: ExportOptions
) -> tuple[dict[str, Any], CProgram]:
    """Returns the values of the two templates."""
    graph, weights, name = model.graph, model.folded_state(), ascii_name(path.stem)
    shapes = [graph.input_shape, *(layer.output_shape for layer in graph.layers)]
    prefix = name if name[:1].isalpha() else f"net_{name}".strip("_")
    program = CProgram(prefix, max(map(math.prod, shapes)) - 1)
    inputs, outputs = math.prod(shapes[0]), math.prod(shapes[-1])
    input_TN = np.random.default_rng(0).random((RANDOM_STEPS * graph.decimation, inputs))
    input_TN = (input_TN < RANDOM_RATE).astype(np.float32)
    if options.sample is not None:
        input_TN = options.sample.input_TN.reshape(-1, inputs)
    takes_values = graph.input_limits is not None or not _are_spikes(input_TN)
    source = Source("input", takes_values, MAX_INPUT if takes_values else inputs, inputs, False)
    steps, output = _write_layers(program, graph, weights, path, source)
    output_TN = IntegerNetwork(graph, weights).run_all(input_TN)
    later_TN = np.zeros((len(input_TN), outputs), output_TN.dtype)
    ends = slice(graph.decimation - 1, None, graph.decimation)
    later_TN[ends] = output_TN[: len(later_TN[ends])]
    events = np.cumsum(np.count_nonzero(input_TN, axis=1) + np.count_nonzero(later_TN, axis=1))
    length = max(1, int(np.searchsorted(events, MAX_EVENTS, side="right")))
    type, numbers = program.value_type, _stream(input_TN[:length], takes_values)
    tests = [constant_array(type, f"{prefix}_test_input", numbers)]
    numbers = _stream(later_TN[:length], output.graded)
    tests.append(constant_array(type, f"{prefix}_test_output", numbers))
    values = "values in units of 1/4096"
    return {
        "NAME": re.sub(r"[^\w.-]", "_", graph.name, flags=re.ASCII), "VERSION": __version__,
        "DOCUMENT": f", document {options.document_sha256}" if options.document_sha256 else "",
        "P": prefix, "GUARD": prefix.upper(), "INPUTS": inputs, "OUTPUTS": outputs,
        "TAKES": values if takes_values else "spikes: an index may occur several times",
        "GIVES": values if output.graded else "spikes",
        "GAP": "" if graph.decimation == 1 else ", or 0 if this step has none",
        "STATE": program.state_bytes(), "INDEX": program.index_type, "VALUE": type,
        "FIELDS": program.declarations(), "TABLES": program.tables.values(),
        "FUNCTIONS": program.functions.values(), "STEPS": steps,
        "ADD": fill("add_value" if takes_values else "add_spikes", P=prefix, VALUE=type),
        "OUTPUT_VALUE": "output->value[k]" if output.graded else 1, "LENGTH": length,
        "TEST_TABLES": tests,
    }, program  # fmt: skip


def _are_spikes(input_TN: NDArray[np.float32]) -> bool:
    """Whether these are numbers of spikes, in each step no more than there are inputs."""
    is_number = (input_TN >= 0) & (input_TN == np.trunc(input_TN))
    return bool(is_number.all() and (input_TN.sum(axis=1) <= input_TN.shape[1]).all())


def _stream(values_TN: NDArray[np.generic], graded: bool) -> list[str]:
    """Returns, for each step, the number of events, and for each its index and its value: a
    multiple of 1/4096 or, if they are not graded, the number of spikes."""
    numbers: list[int] = []
    for values in values_TN:
        (index,) = np.nonzero(values)
        scaled = values[index].astype(np.float64) * (UNIT if graded else 1)
        pairs = np.stack([index, scaled.astype(np.int64)], axis=1)
        numbers += [len(index), *pairs.reshape(-1).tolist()]
    return [*map(str, numbers)]


def _write_layers(
    program: CProgram, graph: Graph, weights: Weights, path: Path, source: Source
) -> tuple[list[str], Source]:
    """Writes the layers that the output depends on, with a function for each. Returns the
    statements that call them in a step of the input, and the list of its output."""
    texts, needed, prefix = list[str](), {graph.layers[-1].name}, program.prefix
    for layer in reversed(graph.layers):
        needed |= {*layer.inputs} if layer.name in needed else set()
    signals: dict[str, tuple[Source, ...]] = {INPUT: (source,)}
    shapes, ready = {INPUT: graph.input_shape}, {INPUT: ""}

    def call(job: LayerJob, condition: str) -> None:
        views = "".join(f", {source.view}" for source in job.sources)
        events, result = f"{prefix}_events", f"{prefix}_{job.tag}(s{views});"
        text = f"const {events} {job.tag} = {result}"
        if condition:
            text = f"{events} {job.tag} = {{0, 0, 0}};\nif ({condition}) {job.tag} = {result}"
        texts.append(text)

    for number, layer in enumerate(graph.layers):
        if layer.name not in needed:
            continue
        tag, condition = f"l{number}_{ascii_name(layer.name)}", ready[layer.inputs[0]]
        inputs = [(shapes[name], signals[name]) for name in layer.inputs]
        job = LayerJob(program, tag, layer, weights, inputs)
        with explain_layer(path, layer.name, "ND408"):
            signals[layer.name] = EMITTERS[type(layer.section)](job)
            most = (signal.most for signal in signals[layer.name])
            program.most_value = max(program.most_value, *most)
            integer_type(program.most_value)
        if tag in program.functions:
            call(job, condition)
        shapes[layer.name], ready[layer.name] = layer.output_shape, condition
        if layer.section.decimation != 1:
            both = f"{condition} && " * bool(condition)
            texts.append(f"const int {tag}_ready = {both}s->{tag}_steps == 0;")
            ready[layer.name] = f"{tag}_ready"
    last = graph.layers[-1]
    (output, *others), condition = signals[last.name], ready[last.name]
    if others or output.maps or output is source:
        job = LayerJob(program, "output_list", last, weights, [((), signals[last.name])])
        output = copy_output(job)
        call(job, condition)
    result = f"{condition} ? &s->output : 0" if condition else "&s->output"
    return [*texts, f"s->output = {output.view[1:]};", f"return {result};"], output
