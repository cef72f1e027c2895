"""``netdesc evaluate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.api.evaluate import Evaluation, Part
    from netdesc.training.confusion_counter import Score

WIDEST_MATRIX = 20
"""Classes whose confusion matrix a terminal can show."""


@click.command(epilog="Example: netdesc evaluate runs/digits --part train")
@click.argument("network", metavar="RUN|FILE.json", type=click.Path(path_type=Path))
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    help="The samples to measure on; by default test, else validation, else train.",
)
@options.as_json
@click.pass_obj
def evaluate(output: Output, network: Path, part: Part | None) -> None:
    """Measure a network on a part of its data: loss, accuracy, confusion matrix, spike rates.

    The network is a run (with its best weights) or a document (with the weights that it names, or
    untrained ones).
    """
    from netdesc.api import evaluate as evaluation

    result = evaluation.evaluate(network, part)
    for warning in result.warnings:
        output.complain(f"warning: {warning}")
    if output.as_json:
        output.give(_record(network, result))
        return
    samples = "1 sample" if result.samples == 1 else f"{result.samples:,} samples"
    output.say(f"{network}: {result.part}, {samples}")
    output.say(", ".join(_figures(result)))
    if result.score is not None:
        _print_matrix(output, result.score)
    output.table(
        ("layer", "neurons", "spikes a neuron a step"),
        [(each.layer, each.neurons, f"{each.rate:.4f}") for each in result.layers],
    )


def _record(network: Path, result: Evaluation) -> dict[str, Any]:
    record = {"network": str(network), **asdict(result)}
    return record | (record.pop("score") or {})


def _figures(result: Evaluation) -> list[str]:
    figures = [_loss(result)]
    if result.score is not None:
        of_steps = result.judged == "steps"
        window, of = result.window_steps, " of the steps" if of_steps else ""
        by = "spike rate" if window is None else f"spikes of the last {window} steps"
        figures.append(f"accuracy {result.score.accuracy:.2%}{of} by {by}")
        if result.score.undecided:
            what = ("step " if result.score.undecided == 1 else "steps ") if of_steps else ""
            figures.append(f"{result.score.undecided:,} {what}without a prediction (silent output)")
    if result.matched is not None:
        figures.append(
            f"{result.matched.met:,} of {result.matched.target_spikes:,} target spikes in the "
            "same step"
        )
    return figures


def _loss(result: Evaluation) -> str:
    """As training tells it: a sample, where it is a sum over several."""
    if not result.summed or result.samples == 1:
        return f"loss {result.loss:,.6g}"
    return f"loss {result.loss / result.samples:,.6g} a sample ({result.loss:,.6g} in all)"


def _print_matrix(output: Output, score: Score) -> None:
    """Labels as rows, predictions as columns; the last column is for none, where there are any."""
    confusion, undecided = score.confusion, score.undecided_by_label
    if confusion is None or undecided is None:
        return
    if len(confusion) > WIDEST_MATRIX:
        output.say(f"confusion matrix of {len(confusion)} classes: see --json")
        return
    classes = range(len(confusion))
    headings = ["label", *(f"→ {each}" for each in classes)]
    rows = [[label, *confusion[label]] for label in classes]
    if any(undecided):
        headings.append("none")
        rows = [[*row, count] for row, count in zip(rows, undecided, strict=True)]
    output.table(headings, rows)
