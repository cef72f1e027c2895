"""Builds the data of the report's page, and renders it to a single HTML file."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from netdesc import __version__
from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph
from netdesc.report import tables, training_plots
from netdesc.report.coincidence import coincidences
from netdesc.report.commands import Command, next_steps, run_commands
from netdesc.report.confusion_matrix import ConfusionMatrix, confusion_matrix
from netdesc.report.format import duration, number, percent
from netdesc.report.neuron_section import NeuronView, neuron_views
from netdesc.report.plots import Plot
from netdesc.report.run import RunData, layer_rates
from netdesc.report.tables import Table
from netdesc.report.traces import Traces, traces
from netdesc.report.verdict import RunStatus, headline, loss_notes, run_status
from netdesc.report.viewer import EpochSlider, SampleView, epoch_slider, sample_views
from netdesc.report.weights import WeightChange, weight_change

MAX_LOCK_CHARACTERS = 400_000
MAX_DESCRIPTION_CHARACTERS = 2000


@dataclass(frozen=True)
class Page:
    """The data of the templates. A figure or table is None if the run has no data for it."""

    name: str
    description: str
    status: RunStatus
    headline: str
    notes: list[str]
    facts: dict[str, str]
    """Values at the top of the page, by name."""
    damage: list[str]
    missing: str
    part: str
    slider: EpochSlider | None
    samples: list[SampleView]
    traces: Traces | None
    coincidences: Table | None
    training: list[Plot]
    confusion: ConfusionMatrix | None
    network: Table
    verification: Table | None
    neurons: list[NeuronView]
    rates: Table | None
    rate_plot: Plot | None
    rate_histograms: list[Plot]
    weight_change: WeightChange
    gradients: Plot | None
    layers: Table | None
    experiment: Table
    environment: Table
    commands: list[Command]
    steps: list[Command]
    lock: str
    unplotted_layers: int
    version: str = __version__


def build_page(run: RunData) -> Page:
    """Computes the data of the page from a run."""
    rates, change = layer_rates(run), weight_change(run)
    status = run_status(run)
    findings = [
        f"{finding.sentence} (netdesc explain {finding.code})"
        for finding in run.record.findings
        if finding != run.unstable
    ]
    # The status says why training was unstable, in words that include the trend of the loss.
    is_unstable = run.unstable is not None and run.record.status == "done"
    notes = findings if is_unstable else [*findings, *loss_notes(run)]
    matches = coincidences(run.activity.samples) if run.activity is not None else []
    over = "" if run.metrics.part == "validation" else ", on average over this epoch,"
    counts, verified = run.metrics.confusion, run.record.verification
    return Page(
        name=run.graph.name,
        description=_shorten(run.document.description, MAX_DESCRIPTION_CHARACTERS),
        status=status,
        headline=headline(run),
        notes=[*([f"{verified.summary}."] if verified and not verified.is_proof else []), *notes],
        facts=_facts(run),
        damage=[*change.damaged, *run.damage],
        missing=_describe_missing_files(run),
        part=_describe_part(run),
        slider=epoch_slider(run),
        samples=sample_views(run),
        traces=traces(run),
        coincidences=tables.coincidence_table(matches) if matches else None,
        training=list(training_plots.training_plots(run)),
        confusion=None
        if counts is None
        else confusion_matrix(
            counts,
            f"{run.classified_items(run.metrics.part)}{over}",
            "steps" if run.record.labels_by_step else "samples",
        ),
        network=tables.network_table(run),
        verification=verified and tables.verification_table(verified),
        neurons=neuron_views(run),
        rates=tables.rates_table(rates) if rates else None,
        rate_plot=training_plots.rate_plot(run),
        rate_histograms=training_plots.rate_histograms(run, rates),
        weight_change=change,
        gradients=training_plots.gradient_plot(run),
        layers=tables.layers_table(run) if run.record.layers else None,
        experiment=tables.experiment_table(run),
        environment=tables.environment_table(run),
        commands=run_commands(run),
        steps=[Command(*step) for step in next_steps(run, status)],
        lock=_shorten(run.lock_text, MAX_LOCK_CHARACTERS),
        unplotted_layers=len(run.graph.neuron_layers) - len(run.plotted_layers),
    )


def _facts(run: RunData) -> dict[str, str]:
    metrics, what = run.metrics, run.metrics.watched_metric.replace("_", " ")
    graph, facts = run.graph, dict[str, str]()
    if metrics.has("accuracy") or metrics.has("validation_accuracy"):
        average = ", average over the best epoch" if metrics.part == "training" else ""
        name = f"{metrics.part.capitalize()} accuracy{average}"
        facts[name] = percent(metrics.at_best("accuracy"))
        if metrics.at_best("confidence") is not None:
            facts["Mean confidence"] = percent(metrics.at_best("confidence"))
    best = metrics.value_at(metrics.watched_metric, metrics.best)
    of_best = f"Best {what}{run.loss_unit}"
    if metrics.best != metrics.lowest:
        of_best = f"{what.capitalize()}{run.loss_unit}, in the best epoch"
    seconds = metrics.columns["seconds"]
    return facts | {
        of_best: number(best),
        **{
            f"Test {name}{run.loss_unit if name == 'loss' else ''}": show(run.test[name])
            for name, show in {"accuracy": percent, "loss": number}.items()
            if name in run.test
        },
        "Epochs": f"{run.epochs_done:,} of {run.epochs:,}",
        "Training time": duration(float(np.nansum(seconds)) if len(seconds) else None),
        "Median epoch": duration(float(np.nanmedian(seconds)) if metrics.has("seconds") else None),
        "Parameters": f"{graph.parameters:,}",
        "Synapses": f"{graph.synapses:,}",
        **_sum_of_losses(graph, run.record.loss),
    }


def _sum_of_losses(graph: Graph, main: str | None) -> dict[str, str]:
    """Returns the loss as a sum, unless it has one term only. ``main`` is a loss in Python."""
    terms = [
        f"{loss.weight:g} × {loss.type} of {'.'.join(graph.signal_of(loss))}"
        for loss in graph.losses
    ]
    if main is not None:
        terms[graph.losses.index(graph.loss)] = f"{graph.loss.weight:g} × {main}"
    terms += [f"{penalty.weight:g} × {penalty.type}" for penalty in graph.regularizers]
    return {"Loss": " + ".join(terms)} if len(terms) > 1 or main else {}


def _describe_missing_files(run: RunData) -> str:
    if not run.missing_files:
        return ""
    return (
        f"This run has no {' and no '.join(run.missing_files)}, so the report has no sections "
        f"about them. Perhaps no epoch was complete, or the folder is an incomplete copy."
    )


def _describe_part(run: RunData) -> str:
    """Names samples and weights of pictures and spike rates; empty without an activity file."""
    activity = run.activity
    if activity is None:
        return ""
    weights = f"the best weights, those of epoch {activity.epoch:,}"
    if not activity.epoch:
        weights = "the weights before training"
    return f"From {amount(activity.sample_count, f'{activity.part} sample')} with {weights}."


def _shorten(text: str, max_characters: int) -> str:
    if len(text) <= max_characters:
        return text
    return text[:max_characters] + "\n… (the rest is left out)"


def render(page: Page) -> str:
    """Renders the page as one HTML text."""
    # The file is that of the npm package plotly.js-basic-dist-min, unchanged.
    scripts = {"plotly": _asset("plotly-basic.min.js"), "script": _asset("report.js")}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        page=page,
        style=Markup(_asset("report.css")),
        sources=" ".join(_sha256(text) for text in scripts.values()),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    """Returns a script's hash for the Content-Security-Policy, so that browsers run the script."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
