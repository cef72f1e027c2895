"""Samples on their way through the network, and the output as training went on, in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdesc.graph import Classifier
from netdesc.report.activity import Activity, Sample
from netdesc.report.format import join_words, number, plural
from netdesc.report.pictures import (
    ACROSS,
    BESIDE,
    Picture,
    overlay_picture,
    raster_picture,
    still_picture,
)
from netdesc.report.plots import Plot, bars
from netdesc.report.run import Run


@dataclass(frozen=True)
class Shot:
    """One moment of training: what it was and the addresses of its picture, by width of screen."""

    label: str
    address: str
    narrow: str


@dataclass(frozen=True)
class Film:
    """The output of the first sample as training went on. ``last`` is what is seen at first.

    ``subject`` says which sample it is.
    """

    subject: str
    last: Picture
    shots: list[Shot]


@dataclass(frozen=True)
class Shown:
    """A sample: rasters side by side, target and output in one, and what class it was given."""

    title: str
    still: Picture | None
    rasters: list[Picture]
    overlay: Picture | None
    decision: str
    rates: Plot | None

    @property
    def can_be_enlarged(self) -> bool:
        """Whether any of its pictures shows more in a window of its own."""
        pictures = [*self.rasters, *([] if self.overlay is None else [self.overlay])]
        return any(picture.large for picture in pictures)


def film(run: Run) -> Film | None:
    """None where the run kept no frames."""
    frames = run.activity.frames if run.activity is not None else []
    if not frames:
        return None
    alt = f"Output of the first sample after {plural(frames[-1].epochs, 'epoch')}"
    pictures = [raster_picture("Output", alt, frame.output, ACROSS) for frame in frames]
    shots = [
        Shot(_moment(run, frame.epochs), picture.address, picture.narrow or picture.address)
        for frame, picture in zip(frames, pictures, strict=True)
    ]
    return Film(_subject(run), pictures[-1], shots)


def _subject(run: Run) -> str:
    """Which sample the film shows."""
    activity = run.activity
    assert activity is not None
    parts = {"train": "training", "validation": "validation"}
    text = f"The first {parts.get(activity.part, activity.part)} sample"
    if not activity.shown or activity.shown[0].label is None:
        return f"{text}."
    label, prediction = activity.shown[0].label, activity.shown[0].prediction
    given = "no class" if prediction is None or prediction < 0 else f"class {prediction}"
    when = "best weights" if activity.epoch else "weights before training"
    return f"{text}, of class {label}; the {when} give it {given}."


def _moment(run: Run, epochs: int) -> str:
    """When a frame was taken, and the loss that its weights have: that of the epoch after it."""
    when = f"after {plural(epochs, 'epoch')}" if epochs else "before training"
    loss = run.metrics.at("loss", epochs) if epochs < len(run.metrics) else None
    return when if loss is None else f"{when}, loss {number(loss)}"


def shown(run: Run) -> list[Shown]:
    """The samples that the run kept, those of the best weights."""
    activity = run.activity
    if activity is None:
        return []
    return [_shown(run, activity, number, sample) for number, sample in enumerate(activity.shown)]


def _shown(run: Run, activity: Activity, number: int, sample: Sample) -> Shown:
    title = f"Sample {number + 1}" if len(activity.shown) > 1 else "The sample"
    rasters = [("Input", sample.input), ("Target", sample.target), ("Output", sample.output)]
    overlay = None
    if sample.target is not None:
        alt = f"{title}: target and output in one picture. Of the target"
        overlay = overlay_picture("Target and output", alt, sample.target, sample.output, ACROSS)
    return Shown(
        title=title,
        still=still_picture(f"{title}: the input as an image", sample.input, run.graph.input_shape)
        if sample.label is not None
        else None,
        rasters=[
            raster_picture(name, f"{title}: {name.lower()}", raster, BESIDE)
            for name, raster in rasters
            if raster is not None
        ],
        overlay=overlay,
        decision=_decision(sample, run.graph.classifier),
        rates=_rates(sample),
    )


def _decision(sample: Sample, classifier: Classifier | None) -> str:
    if sample.label is None or sample.prediction is None:
        return ""
    if sample.prediction < 0:
        return f"The output is silent, so it is given no class; the right one is {sample.label}."
    is_right = sample.prediction == sample.label
    verdict = "which is right" if is_right else f"but the right one is {sample.label}"
    tied = _tied(sample, classifier)
    tie = f", out of a tie of {join_words(tied)}" if tied else ""
    return f"It is given class {sample.prediction}{tie}, {verdict}."


def _tied(sample: Sample, classifier: Classifier | None) -> list[str]:
    """The classes that spike most, where they are several and whole samples are looked at."""
    if sample.rates is None or classifier is None or classifier.window_steps is not None:
        return []
    most = np.flatnonzero(sample.rates == np.max(sample.rates)).tolist()
    return [str(each) for each in most] if len(most) > 1 and sample.prediction in most else []


def _rates(sample: Sample) -> Plot | None:
    if sample.rates is None or len(sample.rates) > 1000:
        return None
    return bars("Spikes by class", "The right class in orange.", sample.rates,
                sample.label)  # fmt: skip
