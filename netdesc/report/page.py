"""The page: everything computed, put into the template, and one file that needs no other."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from netdesc import __version__
from netdesc.report.classes import Classes, classes
from netdesc.report.commands import Command, given_commands, next_steps
from netdesc.report.faults import find_faults
from netdesc.report.learned import Learned, learned
from netdesc.report.matching import match
from netdesc.report.plots import Plot
from netdesc.report.rates import layer_rates
from netdesc.report.run import BEST_PATH, MOST_LAYERS, Run
from netdesc.report.standing import Standing, standing
from netdesc.report.tables import (
    Table,
    environment_table,
    layers_table,
    match_table,
    network_table,
    rates_table,
    timing_table,
)
from netdesc.report.training_plots import (
    gradient_plot,
    rate_histograms,
    rate_plot,
    timing_plot,
    training_plots,
)
from netdesc.report.verdict import Verdict, verdict
from netdesc.report.viewer import Film, Shown, film, shown
from netdesc.report.words import counted, duration, number, percent

MOST_LOCK_CHARACTERS = 400_000
MOST_DESCRIPTION = 2000


@dataclass(frozen=True)
class Fact:
    """A figure at the head of the page."""

    name: str
    value: str


@dataclass(frozen=True)
class Page:
    """All that the template prints. Figures and tables that a run does not have are None."""

    name: str
    description: str
    standing: Standing
    verdict: Verdict
    facts: list[Fact]
    damage: list[str]
    missing: str
    part: str
    film: Film | None
    samples: list[Shown]
    matches: Table | None
    training: list[Plot]
    classes: Classes | None
    network: Table
    rates: Table | None
    rate_plot: Plot | None
    rate_histograms: list[Plot]
    learned: Learned
    gradients: Plot | None
    timing: Table
    timing_plot: Plot | None
    layers: Table | None
    environment: Table
    commands: list[Command]
    steps: list[Command]
    lock: str
    cut_layers: int
    version: str


def build_page(run: Run) -> Page:
    """Computes the page of a run."""
    stands, rates, weights = standing(run), layer_rates(run), learned(run)
    faults = find_faults(run, rates, weights.zeroed)
    matches = match(run.activity.shown) if run.activity is not None else []
    return Page(
        name=run.graph.name,
        description=_shortened(run.document.description, MOST_DESCRIPTION),
        standing=stands,
        verdict=verdict(run, rates, faults, weights.notes),
        facts=_facts(run),
        damage=[*weights.damaged, *run.damage],
        missing=_missing(run),
        part=_part(run),
        film=film(run),
        samples=shown(run),
        matches=match_table(matches) if matches else None,
        training=training_plots(run),
        classes=classes(run),
        network=network_table(run),
        rates=rates_table(rates) if rates else None,
        rate_plot=rate_plot(run),
        rate_histograms=rate_histograms(run, rates),
        learned=weights,
        gradients=gradient_plot(run),
        timing=timing_table(run),
        timing_plot=timing_plot(run),
        layers=layers_table(run) if run.record.layers else None,
        environment=environment_table(run),
        commands=given_commands(run),
        steps=next_steps(run, stands, faults),
        lock=_shortened(run.lock_text, MOST_LOCK_CHARACTERS),
        cut_layers=max(0, len(run.dense) - MOST_LAYERS),
        version=__version__,
    )


def _facts(run: Run) -> list[Fact]:
    metrics = run.metrics
    best = metrics.best
    validated = metrics.has("validation_accuracy")
    accuracy = "validation_accuracy" if validated else "accuracy"
    title = "Validation accuracy" if validated else "Accuracy"
    facts = [
        Fact(title, percent(metrics.at(accuracy, best))) if metrics.has(accuracy) else None,
        Fact(
            "Best validation loss" if metrics.watched == "validation_loss" else "Best loss",
            number(metrics.at(metrics.watched, best)),
        ),
        Fact("Epochs", f"{run.epochs_done:,} of {run.epochs:,}"),
        Fact("Training time", duration(_training_s(run))),
        Fact("Parameters", f"{run.graph.parameters:,}"),
        Fact("Synapses", f"{run.graph.synapses:,}"),
    ]
    return [fact for fact in facts if fact is not None]


def _missing(run: Run) -> str:
    """Which files a run lacks, and why it may; empty where it has them all."""
    if not run.missing:
        return ""
    lacks = (
        f"This run has no {' and no '.join(run.missing)}, so their part of the report is left out."
    )
    if run.missing == [BEST_PATH] and not run.resumes_after and run.record.status != "done":
        return f"{lacks} The first checkpoint after an epoch writes the best weights."
    return f"{lacks} Runs of an older netdesc may lack such files, and so do incomplete copies."


def _training_s(run: Run) -> float | None:
    """Seconds spent in epochs."""
    if len(run.metrics.lacking) and run.record.seconds is not None:
        return run.record.seconds
    seconds = run.metrics.figures["seconds"]
    return float(np.nansum(seconds)) if len(seconds) else None


def _part(run: Run) -> str:
    """What the pictures and the rates were taken from."""
    activity = run.activity
    if activity is None:
        return ""
    names = {"train": "training", "validation": "validation", "test": "test"}
    what = f"{names.get(activity.part, activity.part)} sample"
    weights = f"the best weights, of epoch {activity.epoch:,}"
    if not activity.epoch:
        weights = "the weights before training"
    return f"Taken from {counted(activity.samples, what)} with {weights}."


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "\n… (the rest is left out)"


def render(page: Page) -> str:
    """The page as HTML."""
    scripts = {"plotly": _plotly(), "script": _asset("report.js")}
    sources = " ".join(_sha256(text) for text in scripts.values())
    return _template().render(
        page=page,
        style=Markup(_asset("report.css")),
        sources=sources,
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


_CLOSING = re.compile("</(?ai:script)")


@functools.cache
def _plotly() -> str:
    """plotly.js as the installed package ships it; none of plotly's Python is loaded."""
    file = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    # As a browser sees it, which reads any line end as one, or the hash would not fit.
    text = file.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\r", "\n")
    assert not _CLOSING.search(text)
    assert "<!--" not in text
    return text


def _sha256(text: str) -> str:
    """A script as the page's policy names it, so that the browser runs no other."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
