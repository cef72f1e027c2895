"""``netdesc verify``."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.exchange.verification import Verification


@click.command(
    epilog="\b\nExamples:\n  netdesc verify runs/first\n"
    "  netdesc verify runs/oxford.net --input data/oxford/input.bs1"
)
@click.argument("network", metavar="RUN|FILE.json|FILE.net|FILE.nir", type=options.PATH)
@click.option(
    "--input",
    metavar="INPUT",
    type=options.PATH,
    help="Events or an array, as in netdesc run. Default: the first sample of the validation, test "
    "or training data, or random spikes, for which the output is not that for silence.",
)
@options.json_and_quiet
def verify(output: Output, network: Path, input: Path | None) -> int:
    """Prove that the network that was trained is the one that is exported.

    The network runs in floats, as in training, in the integers of the device, and as "netdesc
    import" reads it from its exported file. The exit code is 0 if all layers give the same outputs
    in every step, otherwise 1. In this case, the first step, layer and neuron in which two runs
    differ are printed, with the reason. The proof is empty, which is a warning (ND405) and "empty"
    in JSON, if the output is the same without any input.
    """
    from netdesc.api import verify as verification
    from netdesc.events import DroppedEvents

    with warnings.catch_warnings(action="ignore", category=DroppedEvents):  # printed below
        found = verification.verify(network, input)
    output.warn(*found.warnings)
    if output.as_json:
        output.print_json({"network": str(network), **found.record})
    else:
        _print(output, network, found)
    return 0 if found.is_identical else 1


def _print(output: Output, network: Path, found: "Verification") -> None:
    output.print(f"{network}: {found.input}, {found.steps:,} steps; outputs that are not 0:")
    exported = [] if found.export_problem else ["exported"]
    headings = ("layer", "neurons", "float", "integer", *exported)
    rows = [[getattr(layer, heading) for heading in headings] for layer in found.layers]
    output.print_table(headings, rows)
    output.print("")
    if found.export_problem:
        output.print(f"There is no export to compare: {found.export_problem}")
    verdict = "identical" if found.is_identical else "different"
    output.print(f"{verdict}: {found.summary}")
