"""Checks a sweep before its first trial (ND291 to ND294).

The ends of all ranges, all choices, all variants and some combinations are applied to the document.
What is wrong with the result is shown at the entry of the sweep.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.file_references import file_references
from netdesc.description.json.literals import cut
from netdesc.description.json.tree import Parts
from netdesc.description.load import CheckFiles, Description, check_changed
from netdesc.description.models import Document
from netdesc.description.models.sweep import TRIAL_METRICS, Sweep
from netdesc.description.overrides import json_text, override_arguments
from netdesc.description.source_map import On
from netdesc.description.spelling import allowed_note, did_you_mean
from netdesc.description.sweep_space import (
    Parameter,
    SweepSpace,
    apply_settings,
    objectives_of,
    sweep_space,
    takes_integers,
)

MAX_COMBINATIONS = 64
MAX_DIAGNOSTICS = 100
_MAX_CHARACTERS = 1 << 23  # total length of the documents that combinations make
_FIXED = ("sweep", "format", "name", "description", "$schema", "lock")
"""What is the same in all trials."""


class _Problem(NamedTuple):
    """An error of a sweep: its code, its place in the document, and its texts."""

    code: str
    parts: Parts
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    on: On = "value"


_Problems = Iterator[_Problem]


def check_sweep(
    description: Description, check_files: CheckFiles | None = None
) -> list[Diagnostic]:
    """Returns the errors of the section ``sweep`` of a valid document; none if it has no sweep.

    ``check_files`` is that of ``load.check``. It is called again where trials have other data. Of
    very many or very large trials, only the first ones are checked.
    """
    if description.document.sweep is None:
        return []
    problems = [*_section_problems(description.document, description.document.sweep)]
    if not problems:
        space = sweep_space(description)
        problems = [*_path_problems(space)] or _value_problems(space, check_files)
    found = (
        description.source_map.diagnostic(code, at, message, hint=hint, notes=notes, on=on)
        for code, at, message, hint, notes, on in problems
    )
    return sorted(first_diagnostics(found, MAX_DIAGNOSTICS), key=lambda each: each.line or 0)


def _section_problems(document: Document, sweep: Sweep) -> _Problems:
    """Yields what is wrong before anything is applied to the document."""
    yield from _objective_problems(document, sweep)
    swept = [(("sweep", "over", path), values) for path, values in sweep.over.items()]
    names: list[str] = []
    for index, variant in enumerate(sweep.variants):
        at: Parts = ("sweep", "variants", index)
        if variant.name in names:
            message = f'there are two variants "{variant.name}"'
            yield _Problem("ND293", (*at, "name"), message, "give each a name of its own")
        names.append(variant.name)
        swept += [((*at, "over", path), values) for path, values in variant.over.items()]
        for path in variant.set.keys() & {**sweep.over, **variant.over}.keys():
            message = f'{path} is set and varies in variant "{variant.name}"'
            yield _Problem("ND291", (*at, "set", path), message, "keep one of the two", on="key")
    for at, values in swept:
        states = {"range": values.range, "log": values.log, "choices": values.choices}
        form, *others = [name for name, value in states.items() if value is not None] or [""]
        low, high = values.range or values.log or (0.0, 1.0)
        if others or not form:
            hint = 'write {"range": [0.2, 1]}, {"log": [0.001, 0.1]} or {"choices": [64, 128]}'
            message = f"{at[-1]} needs one of range, log and choices"
            yield _Problem("ND292", at, message, hint)
        elif low >= high:
            message = f"{at[-1]}: the lower end {low:g} is not below the upper end {high:g}"
            yield _Problem("ND292", (*at, form), message, "write [low, high]")
        elif values.log is not None and low <= 0:
            message = f"{at[-1]}: a logarithmic range begins above 0, not at {low:g}"
            yield _Problem("ND292", (*at, form, 0), message, 'write "range" for "log"')
        elif values.choices is not None and values.steps is not None:
            message = f"{at[-1]}: choices have no steps"
            yield _Problem("ND292", (*at, "steps"), message, "leave steps out", on="key")
        elif sweep.method == "grid" and values.choices is None and values.steps is None:
            message = f"{at[-1]}: a grid needs the number of values of a range"
            yield _Problem("ND292", (*at, form), message, 'write "steps": 5 beside it', on="key")
    if sweep.trials is None and sweep.method != "grid":
        hint = 'write "trials": 50'
        yield _Problem("ND293", ("sweep", "trials"), '"trials" is missing in sweep', hint)
    if not swept and not sweep.variants:
        hint = 'write "over": {"training.optimizer.learning_rate": {"log": [0.001, 0.1]}}'
        yield _Problem("ND293", ("sweep", "over"), "nothing varies in the sweep", hint)


def _objective_problems(document: Document, sweep: Sweep) -> _Problems:
    allowed = _metrics(document)
    metrics: list[str] = []
    for index, each in enumerate(sweep.objectives):
        stated = [
            (p, m) for p, m in (("maximize", each.maximize), ("minimize", each.minimize)) if m
        ]
        part, metric = stated[0] if stated else ("", "")
        at: Parts = ("sweep", "objectives", index)
        if len(stated) != 1:
            message, hint = (
                "an objective has maximize or minimize",
                f'{{"maximize": "{allowed[0]}"}}',
            )
            yield _Problem("ND294", at, message, f"write {hint}")
        elif metric not in allowed:
            message = f'trials of this document have no metric "{cut(metric)}"'
            hint, notes = did_you_mean(metric, allowed), (allowed_note(allowed),)
            yield _Problem("ND294", (*at, part), message, hint, notes)
        elif metric in metrics:
            yield _Problem("ND294", (*at, part), f"two objectives name {metric}", "remove one")
        metrics.append(metric)
    objectives, epochs = objectives_of(document), document.training.epochs
    if sweep.prune is None:
        return
    at = ("sweep", "prune")
    if len(objectives) != 1 or objectives[0].metric in TRIAL_METRICS:
        found = " and ".join(each.metric for each in objectives)
        message = f"pruning needs one objective, which each epoch has; this sweep has {found}"
        yield _Problem("ND293", at, message, "leave prune out", on="key")
    elif sweep.prune.min_epochs >= epochs:
        message = f"trials of {epochs} epochs end before {sweep.prune.min_epochs} epochs are over"
        hint = f"write less than {epochs}"
        yield _Problem("ND293", (*at, "min_epochs"), message, hint)


def _path_problems(space: SweepSpace) -> _Problems:
    """Yields what is wrong with the paths, with ranges of what is no number, and with a grid."""
    for index, variant in enumerate(space.variants):
        of = f' in variant "{variant.name}"' if variant.name else ""
        places: dict[str, Parts] = {
            **{path: ("sweep", "variants", index, "set", path) for path in variant.settings},
            **{each.path: each.parts for each in variant.parameters},
        }
        ranges = {each.path for each in variant.parameters if each.choices is None}
        first = {each.path: each.options[0][0] for each in variant.parameters}
        applied = apply_settings(space.description, {**variant.settings, **first})
        refused = {(each.override or "").partition("=")[0]: each for each in applied.refused}
        for path, at in places.items():
            inner, refusal = applied.places.get(path), refused.get(path)
            message = hint = ""
            if refusal is not None:
                yield _Problem(
                    "ND291", at, refusal.message + of, refusal.hint, refusal.notes, "key"
                )
            elif inner is None or "=" in path:
                message = f"{path} is no path, or another entry replaces its values{of}"
            elif inner[0] in _FIXED:
                message = f"{path} is the same in all trials"
            elif inner == ("training", "seed") and path in first and space.section.seeds > 1:
                message = f"{path} cannot vary, because each trial has {space.section.seeds} seeds"
                hint = 'leave it out, or "seeds"'
            elif path in ranges and takes_integers(inner, applied.data) is None:
                message = f"{path} takes no numbers{of}, so it has no range"
                yield _Problem("ND292", at, message, 'write {"choices": […]}', on="key")
                message = ""
            if message:
                yield _Problem("ND291", at, message, hint, on="key")
    trials, is_grid = space.section.trials, space.method == "grid"
    if is_grid and trials is not None and space.grid_size() > trials:
        message = f"the grid has {space.grid_size():,} points, more than {trials:,} trials"
        yield _Problem("ND293", ("sweep", "trials"), message, "leave trials out")


_Options = dict[str, tuple[Any, Parts]]
"""Path -> a value and its place in the sweep."""


def _candidates(space: SweepSpace) -> Iterator[tuple[Parts, _Options, list[str]]]:
    """Yields documents to check: a place for their problems, options, and the paths in question.

    First come all options of each entry, beside the first ones of all others; then combinations.
    """
    chance = random.Random(space.section.seed)
    combinations: list[tuple[Parts, _Options, list[str]]] = []
    for index, variant in enumerate(space.variants):
        form = ("sweep", "variants", index)
        at = (*form, "name") if variant.name else ("sweep", "over")
        first: _Options = {
            **{path: (value, (*form, "set", path)) for path, value in variant.settings.items()},
            **{each.path: each.options[0] for each in variant.parameters},
        }
        yield at, first, []
        for each in variant.parameters:
            for option in each.options[1:]:
                yield at, {**first, each.path: option}, [each.path]
        for _ in range(MAX_COMBINATIONS // len(space.variants)):
            drawn = {each.path: _draw(each, chance, space.method) for each in variant.parameters}
            combinations.append((at, {**first, **drawn}, [*drawn]))
    yield from combinations


def _draw(parameter: Parameter, chance: random.Random, method: str) -> tuple[Any, Parts]:
    options = parameter.options
    if parameter.choices is not None:
        return chance.choice(options)
    is_grid, place = method == "grid", options[0][1][:-1]
    value = chance.choice(parameter.grid()) if is_grid else parameter.at(chance.random())
    return value, place


def _value_problems(space: SweepSpace, check_files: CheckFiles | None) -> _Problems:
    """Yields the errors of the documents of trials, each of them once.

    Combinations are checked if each value alone is right. One error of each place is enough then.
    """
    entries = sum(4 + len(each.settings) + len(each.parameters) for each in space.variants)
    count = max(1, _MAX_CHARACTERS // (entries * len(space.description.text)))
    reported: set[tuple[object, ...]] = set()
    read: list[Any] = []
    for at, options, paths in itertools.islice(_candidates(space), count):
        is_combination = len(paths) > 1
        if is_combination and any(len(key) == 3 for key in reported):
            return
        values = {path: value for path, (value, _) in options.items()}
        arguments = dict(zip(override_arguments(values), values, strict=True))
        changed, found = check_changed(space.description, values)
        errors = [each for each in found if each.is_error]
        if changed is not None and not errors:
            may_read = None if is_combination else check_files
            errors = list(_data_errors(changed, space, may_read, read))
        for error in errors:
            sources = (error.override, *(each.override for each in error.related))
            cause = next((arguments[by] for by in sources if by in arguments), None)
            at = ("sweep", "objectives") if error.code == "ND294" else at
            place = options[cause or paths[0]][1] if cause or len(paths) == 1 else at
            key = (place,) if is_combination else (error.code, error.pointer, error.message)
            if key not in reported:
                named = dict.fromkeys(filter(None, (cause, *paths)))
                shown = ", ".join(f"{path} = {cut(json_text(values[path]))}" for path in named)
                message = f"with {shown}: {error.message}" if shown else error.message
                yield _Problem(error.code, place, message, error.hint, error.notes)
            reported.add(key)


def _data_errors(
    changed: Description, space: SweepSpace, check_files: CheckFiles | None, read: list[Any]
) -> Iterator[Diagnostic]:
    """Yields what the document of a trial lacks for the objectives, and the errors of its data.

    ``read`` is what was checked with data before.
    """
    document, objectives = changed.document, [each.metric for each in space.objectives]
    for metric in objectives:
        if metric not in _metrics(document):
            message = f"trials have no metric {metric}"
            yield changed.source_map.diagnostic("ND294", ("sweep", "objectives"), message)
    training, files = document.training, [each.path for each in file_references(document)]
    layers, network = document.layers, (document.time, document.input, document.loss)
    needed = (document.data, network, layers[-1], training.validation_split, files)
    if check_files is None or needed in read:
        return
    read.append(needed)
    best = next((each for each in objectives if each.startswith("validation_")), training.best)
    for each in check_files(changed.with_values({("training", "best"): best}, "Python"), True):
        if each.pointer == "/training/best":
            hint = "set samples aside: training.validation_split"
            at = ("sweep", "objectives")
            yield changed.source_map.diagnostic("ND294", at, each.message, hint=hint)
        elif each.is_error:
            yield each


def _metrics(document: Document) -> list[str]:
    return [*document.epoch_metrics(has_validation=True), *TRIAL_METRICS]
