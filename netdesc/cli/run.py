"""``netdesc run``."""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.api.run import Arithmetic
    from netdesc.api.run_result import Result


@click.command(epilog="Example: netdesc run runs/first data/oxford/input.bs1 -o runs/output.bs1")
@click.argument("network", metavar="RUN|FILE.json|FILE.net|FILE.nir", type=options.PATH)
@click.argument("input", metavar="INPUT", type=options.PATH)
@options.output_path(
    "OUT", "File for the output spikes. In .npy it has the values of graded outputs, too."
)
@click.option(
    "--arithmetic",
    type=click.Choice(["float", "integer"]),
    default="float",
    help="float, as in training, or the 24-bit integers of the device.",
)
@click.option(
    "--timing",
    type=click.Choice(["training", "lava"]),
    default="training",
    help="lava: biases act before the input reaches a layer, as on Lava. For integers only.",
)
@click.option(
    "--reset-interval",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Set all states to 0 whenever a sample of so many steps begins, as netx does. Spikes that "
    "a layer delays, or that a recurrent layer reads, still reach the next sample, and a bias acts "
    "only after its layer's reset, so that samples that are run alone can differ. For integers "
    "only.",
)
@click.option(
    "--reset-offset",
    type=int,
    metavar="STEPS",
    help="The number reset_offset of netx, less than the interval. Default: states are 0 when a "
    "sample begins.",
)
@options.json_and_quiet
def run(
    output: Output,
    network: Path,
    input: Path,
    target: Path | None,
    arithmetic: "Arithmetic",
    **device: Any,
) -> None:
    """Run a network on the file INPUT and count the spikes of each layer.

    INPUT holds events, or an array in .npy or .npz. An array of the shape of a sample of the
    network's data is encoded as those are, such as an image by its rates. Other arrays are the
    input itself: [steps, neurons], [steps, *shape], or one value for each neuron, held for all
    steps. An .npy of 3 to 5 columns holds events. If any value of an array is no multiple of
    1/4096, all values are rounded to multiples of 1/64, as those of data are.

    The network is a run with its best weights, a document, or a .net or .nir file. If the document
    has a target or a label for INPUT, the output is compared with it. A network file sets the
    number and the length of the steps. If it has neither, a step takes 1 ms, and the run ends one
    step for each layer after the last event of INPUT.
    """
    from netdesc.api import run as inference
    from netdesc.events import DroppedEvents
    from netdesc.hardware import Resets

    if arithmetic == "float" and (device["timing"] != "training" or device["reset_interval"]):
        raise click.UsageError("--timing and --reset-interval need --arithmetic integer")
    try:
        Resets(device["reset_interval"], device["reset_offset"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if target is not None and target.exists():
        refuse_used("-o", target, network, input)
    with warnings.catch_warnings(action="ignore", category=DroppedEvents):  # printed below
        result = inference.run(network, input, arithmetic, **device)
    output.warn(*result.warnings)
    if target is not None:
        _write(target, result)
    if output.as_json:
        output.print_json(
            arithmetic=arithmetic,
            steps=result.steps,
            layers=[asdict(layer) for layer in result.layers],
            comparison=result.comparison and asdict(result.comparison),
            classification=result.classification and asdict(result.classification),
            output=target and str(target),
            warnings=result.warnings,
        )
        return
    _print(output, result)
    if target is not None:
        output.info(f"wrote {target}")


def refuse_used(option: str, target: Path, network: Path, input: Path | None = None) -> None:
    """UsageError if the file to write is INPUT, or one that the network's document names."""
    from netdesc.description import load
    from netdesc.description.file_references import file_references
    from netdesc.description.source import is_network_file
    from netdesc.runs.folder import lock_of

    if input is not None and input.exists() and target.samefile(input):
        raise click.UsageError(f"{option} names INPUT, which it would overwrite")
    if is_network_file(network) or not (network.is_dir() or network.is_file()):
        return  # such a file names no others; a pipe can be read only once
    description = load(lock_of(network) if network.is_dir() else network)
    for reference in file_references(description.document):
        file = description.resolve(reference.path)
        is_in_folder = file.is_dir() and target.resolve().is_relative_to(file.resolve())
        if is_in_folder or (file.exists() and target.samefile(file)):
            raise click.UsageError(f"{option} names a file of {network}, which it would overwrite")


def _write(target: Path, result: "Result") -> None:
    from netdesc.events import Event, from_index, write_events

    graph = result.graph
    event = from_index(result.output_index, graph.output_shape, graph.output_step_ms)
    write_events(target, Event(event.x, event.y, event.p, event.t, result.output_values))


def _print(output: Output, result: "Result") -> None:
    output.print(f"{result.steps:,} steps of {result.graph.step_ms:g} ms")
    rows = [(layer.layer, layer.neurons, layer.spikes) for layer in result.layers]
    output.print_table(("layer", "neurons", "spikes"), rows)
    if result.comparison is not None:
        comparison = result.comparison
        output.print(
            f"compared with the target: loss {comparison.loss:,.6g}, "
            f"{comparison.met:,} of {comparison.target_spikes:,} spikes in the same step"
        )
    if (classes := result.classification) is not None:
        prediction, label = classes.prediction, classes.label
        text = "no class: the output is silent" if prediction is None else f"class {prediction}"
        verdict = "right" if prediction == label else "wrong"
        output.print(text if label is None else f"{text}; the label is {label}: {verdict}")
