"""Builds the data of the report's page."""

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.report import tables, training_plots
from netdesc.report.coincidence import coincidences
from netdesc.report.commands import next_steps, run_commands
from netdesc.report.format import duration, number, percent
from netdesc.report.neuron_section import neuron_views
from netdesc.report.run import RunData
from netdesc.report.traces import traces
from netdesc.report.verdict import headline, loss_notes, run_status
from netdesc.report.viewer import epoch_slider, sample_views
from netdesc.report.weights import WeightChange

MAX_LOCK_CHARACTERS = 400_000
MAX_DESCRIPTION_CHARACTERS = 2000


class Page:
    """The data of the templates, computed from a run.

    A figure or table is None if the run has no data for it.
    """

    def __init__(self, run: RunData) -> None:
        record, metrics, activity = run.record, run.metrics, run.activity
        matches, verified = coincidences(run.samples), record.verification
        self.name, self.headline = run.graph.name, headline(run)
        self.description = _shorten(run.document.description, MAX_DESCRIPTION_CHARACTERS)
        self.status = run_status(run)
        self.facts = _facts(run)
        """Values at the top of the page, by name."""
        self.notes = [f"{verified.summary}."] if verified and not verified.is_proof else []
        self.notes += [
            f"{finding.sentence} (netdesc explain {finding.code})"
            for finding in record.findings
            if finding != run.unstable
        ]
        # The status says why training was unstable, in words that include the trend of the loss.
        if run.unstable is None or record.status != "done":
            self.notes += loss_notes(run)
        self.weight_change = WeightChange(run)
        self.damage = [*self.weight_change.damaged, *run.damage]
        missing = " and no ".join(run.missing_files)
        self.missing = missing and (
            f"This run has no {missing}, so the report has no sections about them. Perhaps no "
            "epoch was complete, or the folder is an incomplete copy."
        )
        self.part = ""
        """Samples and weights of pictures and spike rates; empty without an activity file."""
        if activity is not None:
            weights = f"the best weights, those of epoch {activity.epoch:,}"
            weights = weights if activity.epoch else "the weights before training"
            samples = amount(activity.sample_count, f"{activity.part} sample")
            self.part = f"From {samples} with {weights}."
        self.slider, self.samples, self.traces = epoch_slider(run), sample_views(run), traces(run)
        self.coincidences = tables.coincidence_table(matches) if matches else None
        self.training = list(training_plots.training_plots(run))
        self.confusion = None
        if metrics.confusion is not None:
            over = "" if metrics.part == "validation" else ", on average over this epoch,"
            items = f"{run.classified_items(metrics.part)}{over}"
            unit = "steps" if record.labels_by_step else "samples"
            self.confusion = tables.ConfusionMatrix(metrics.confusion, items, unit)
        self.network = tables.network_table(run)
        self.verification = verified and tables.verification_table(verified)
        self.neurons = neuron_views(run)
        self.rates = tables.rates_table(run) if run.rates else None
        self.neurobench = None
        if activity is not None and activity.neurobench:
            self.neurobench = tables.neurobench_table(activity.neurobench)
        unit = training_plots.rate_unit(run.spiking_layers.issuperset(run.plotted_layers))
        self.rate_plot = training_plots.layer_plot(run, "spike_rates", unit)
        self.rate_histograms = training_plots.rate_histograms(run)
        self.gradients = training_plots.layer_plot(run, "gradient_norms", "gradient norm")
        self.layers = tables.layers_table(run) if record.layers else None
        self.experiment = tables.experiment_table(run)
        self.environment = tables.environment_table(run)
        self.commands = run_commands(run)
        self.steps = list(next_steps(run, self.status))
        self.lock = _shorten(run.lock_text, MAX_LOCK_CHARACTERS)
        self.unplotted_layers = len(run.graph.neuron_layers) - len(run.plotted_layers)


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
    main = run.record.loss  # one of a Python program
    terms = [
        f"{loss.weight:g} × {loss.type} of {'.'.join(graph.signal_of(loss))}"
        for loss in graph.losses
    ]
    if main is not None:
        terms[graph.losses.index(graph.loss)] = f"{graph.loss.weight:g} × {main}"
    terms += [f"{penalty.weight:g} × {penalty.type}" for penalty in graph.regularizers]
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
        **({"Loss": " + ".join(terms)} if len(terms) > 1 or main else {}),
    }


def _shorten(text: str, max_characters: int) -> str:
    if len(text) <= max_characters:
        return text
    return text[:max_characters] + "\n… (the rest is left out)"
