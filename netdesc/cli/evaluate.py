"""``netdesc evaluate``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.run import refuse_used

if TYPE_CHECKING:
    from netdesc.api.evaluate import Evaluation, Part
    from netdesc.training.evaluate import Score

MAX_PRINTED_CLASSES = 20
"""With more classes, the confusion matrix is not printed as a table but only with ``--json``."""


@click.command(epilog="Example: netdesc evaluate runs/digits --part train")
@click.argument("network", metavar="RUN|FILE.json", type=options.PATH)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    help="The samples to measure. Default: test; if it has no samples, validation, then train.",
)
@click.option(
    "--predictions",
    metavar="FILE",
    type=options.PATH,
    help="Write the outputs, classes and labels of all samples to FILE: arrays in .npz, or a table "
    "in .csv. Samples have their numbers in the data, from 0; -1 is the class of a silent output.",
)
@options.json_and_quiet
def evaluate(output: Output, network: Path, part: "Part | None", predictions: Path | None) -> None:
    """Measure a network on its data: loss, accuracy, confusion matrix and spike rates.

    The network is a run with its best weights, or a document. A document has the weights of the
    file that it names, or untrained weights. Rates count values other than 0 as spikes. With
    --json, "neurobench" has NeuroBench's metrics of a mean sample.
    """
    from netdesc.api import evaluate as evaluation
    from netdesc.description.diagnostics.wording import amount

    if predictions is not None and predictions.exists():
        refuse_used("--predictions", predictions, network)
    result = evaluation.evaluate(network, part, predictions=predictions, neurobench=output.as_json)
    output.warn(*result.warnings)
    if output.as_json:
        record: dict[str, Any] = {"network": str(network), **asdict(result)}
        record |= {} if predictions is None else {"predictions": str(predictions)}
        output.print_json(record | (record.pop("score") or {}))
        return
    output.print(f"{network}: {result.part}, {amount(result.samples, 'sample')}")
    output.print(", ".join(_format_metrics(result)))
    if result.score is not None:
        _print_confusion_matrix(output, result.score)
    rows = [(each.layer, each.neurons, f"{each.rate:.4f}") for each in result.layers]
    output.print_table(("layer", "neurons", "spikes a neuron a step"), rows)
    if predictions is not None:
        output.info(f"wrote {predictions}")


def _format_metrics(result: "Evaluation") -> list[str]:
    from netdesc.description.diagnostics.wording import amount

    unit = " per sample" if result.summed and result.samples > 1 else ""  # as training prints it
    metrics = [f"loss {result.loss:,.6g}{unit}"]
    if result.score is not None:
        has_step_labels = result.judged == "steps"
        of = " of the steps" if has_step_labels else ""
        by = f"by {result.measure}" if result.measure else "(all labels right)"
        if result.classifier == "moving_window" and not has_step_labels:
            by = "by the most frequent prediction of the steps"
        metrics.append(f"accuracy {result.score.accuracy:.2%}{of} {by}")
        if result.score.top_k_accuracy is not None:
            metrics.append(f"top-{result.score.top_k} accuracy {result.score.top_k_accuracy:.2%}")
        if result.score.macro_f1 is not None:
            metrics.append(f"macro F1 {result.score.macro_f1:.4f}")
        metrics.append(f"mean confidence {result.score.confidence:.2%}")
        if result.score.undecided:
            undecided = amount(result.score.undecided, "step" if has_step_labels else "sample")
            metrics.append(f"{undecided} without a prediction (all 0)")
    if result.matched is not None:
        met, spikes = result.matched.met, result.matched.target_spikes
        metrics.append(f"{met:,} of {spikes:,} target spikes in the same step")
    if result.errors is not None:
        metrics.append(f"root mean squared error {result.errors.root_mean_squared_error:.4g}")
        metrics.append(f"sMAPE {result.errors.smape:.4g}")
    return metrics


def _print_confusion_matrix(output: Output, score: "Score") -> None:
    """Prints a table with labels as rows, predictions as columns, and silent outputs at the end."""
    confusion, undecided = score.confusion, score.undecided_by_label
    if confusion is None or undecided is None:
        return
    if len(confusion) > MAX_PRINTED_CLASSES:
        output.print(f"confusion matrix of {len(confusion)} classes: see --json")
        return
    classes = range(len(confusion))
    headings = ["label", *(f"→ {each}" for each in classes)]
    rows = [[label, *confusion[label]] for label in classes]
    if any(undecided):
        headings.append("none")
        rows = [[*row, count] for row, count in zip(rows, undecided, strict=True)]
    output.print_table(headings, rows)
