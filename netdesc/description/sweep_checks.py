"""Checks a sweep before its first trial (ND291 to ND294).

The ends of all ranges, all choices, all variants and some combinations are applied to the document.
What is wrong with the result is shown at the entry of the sweep.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.file_references import file_references
from netdesc.description.json.literals import cut
from netdesc.description.json.tree import Parts
from netdesc.description.load import CheckFiles, Description, check_changed
from netdesc.description.models import Document
from netdesc.description.models.sweep import MAX_TRIALS, TRIAL_METRICS, Sweep, SweptValues
from netdesc.description.overrides import json_text, override_arguments
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


_Found = Iterator[Diagnostic]
_Report = Callable[..., Diagnostic]
"""``SourceMap.diagnostic``."""


def check_sweep(
    description: Description, check_files: CheckFiles | None = None
) -> list[Diagnostic]:
    """Returns the errors of the section ``sweep`` of a valid document; none if it has no sweep.

    ``check_files`` is that of ``load.check``. It is called again where trials have other data. Of
    very many or very large trials, only the first ones are checked.
    """
    sweep, report = description.document.sweep, description.source_map.diagnostic
    if sweep is None:
        return []
    diagnostics = [*_objectives(description.document, sweep, report), *_entries(sweep, report)]
    if not diagnostics:
        space = sweep_space(description)
        diagnostics = [*_paths(space, report)] or _values(space, report, check_files)
    first = first_diagnostics(diagnostics, MAX_DIAGNOSTICS)
    return sorted(first, key=lambda issue: issue.line or 0)


def _entries(sweep: Sweep, report: _Report) -> _Found:
    """Yields what is wrong in ``over`` and ``variants``, whatever the document is."""
    at: Parts = ("sweep", "over")
    swept = [((*at, path), values) for path, values in sweep.over.items()]
    if not swept and not sweep.variants:
        hint = 'write "over": {"training.optimizer.learning_rate": {"log": [0.001, 0.1]}}'
        yield report("ND293", at, "nothing varies in the sweep", hint=hint)
    if sweep.trials is None and sweep.method != "grid":
        message = '"trials" is missing in sweep'
        yield report("ND293", ("sweep", "trials"), message, hint='write "trials": 50')
    names: list[str] = []
    for index, variant in enumerate(sweep.variants):
        at = ("sweep", "variants", index)
        if variant.name in names:
            yield report("ND293", (*at, "name"), f'there are two variants "{variant.name}"')
        names.append(variant.name)
        swept += [((*at, "over", path), values) for path, values in variant.over.items()]
        for path in [path for path in {**sweep.over, **variant.over} if path in variant.set]:
            message = f'{path} is set and varies in variant "{variant.name}"'
            yield report("ND291", (*at, "set", path), message, hint="keep one of the two")
    for at, values in swept:
        form, message, hint = _fault(values, sweep.method == "grid")
        if message:
            yield report("ND292", (*at, *form), f"{at[-1]}: {message}", hint=hint)


def _fault(values: SweptValues, is_grid: bool) -> tuple[Parts, str, str]:
    """Returns the place of what is wrong in the values of a path, a message, which is empty if
    nothing is, and a hint.
    """
    states = {"range": values.range, "log": values.log, "choices": values.choices}
    form, *others = [name for name, value in states.items() if value is not None] or [""]
    if others or not form:
        hint = 'write {"range": [0.2, 1]}, {"log": [0.001, 0.1]} or {"choices": [64, 128]}'
        return (), "one of range, log and choices is needed", hint
    if values.choices is not None:
        texts = [json_text(value) for value in values.choices]
        first = {text: index for index, text in reversed([*enumerate(texts)])}
        twice = [index for index, text in enumerate(texts) if first[text] < index][:1]
        if twice or values.steps is None:
            message = f"the choice {cut(texts[twice[0]])} stands twice" if twice else ""
            return (form, *twice), message, "remove one of them"
        return ("steps",), "choices have no steps", "leave steps out"
    low, high = values.ends
    if low >= high:
        return (form,), f"the lower end {low:g} is not below the upper end {high:g}", ""
    if form == "log" and low <= 0:
        return (form, 0), f"a logarithmic range begins above 0, not at {low:g}", 'write "range"'
    if is_grid and values.steps is None:
        message = "a grid needs the number of values of a range"
        return (form,), message, 'write "steps": 5 beside it'
    return (), "", ""


def _objectives(document: Document, sweep: Sweep, report: _Report) -> _Found:
    """Yields what is wrong with the objectives, and with pruning by them."""
    allowed, metrics = _metrics(document), list[str]()
    for index, goal in enumerate(sweep.objectives):
        at: Parts = ("sweep", "objectives", index)
        part = "minimize" if goal.maximize is None else "maximize"
        metric = goal.maximize or goal.minimize or ""
        if (goal.maximize is None) == (goal.minimize is None):
            hint = f'write {{"maximize": "{allowed[0]}"}}'
            yield report("ND294", at, "an objective has one of maximize and minimize", hint=hint)
        elif metric not in allowed:
            message = f'trials of this document have no metric "{cut(metric)}"'
            hint, notes = did_you_mean(metric, allowed), (allowed_note(allowed),)
            yield report("ND294", (*at, part), message, hint=hint, notes=notes)
        elif metric in metrics:
            yield report("ND294", (*at, part), f"two objectives name {metric}", hint="remove one")
        metrics.append(metric)
    objectives = objectives_of(document)
    if sweep.prune and (len(objectives) != 1 or objectives[0].metric in TRIAL_METRICS):
        stated = " and ".join(goal.metric for goal in objectives)
        message = f"pruning needs one objective, which each epoch has; this sweep has {stated}"
        yield report("ND293", ("sweep", "prune"), message, hint="leave prune out")


def _paths(space: SweepSpace, report: _Report) -> _Found:
    """Yields what is wrong with the paths, with ranges of what is no number, and with a grid."""
    seeds, trials = space.section.seeds, space.section.trials
    for index, variant in enumerate(space.variants):
        of = f' in variant "{variant.name}"' if variant.name else ""
        parts_of: dict[str, Parts] = {
            **{path: ("sweep", "variants", index, "set", path) for path in variant.settings},
            **{axis.path: axis.parts for axis in variant.parameters},
        }
        ranges = {axis.path for axis in variant.parameters if axis.choices is None}
        first = {axis.path: axis.options[0][0] for axis in variant.parameters}
        applied = apply_settings(space.description, {**variant.settings, **first})
        refused = {(issue.override or "").partition("=")[0]: issue for issue in applied.refused}
        for path, at in parts_of.items():
            inner, refusal = applied.places.get(path), refused.get(path)
            code, message, hint = "ND291", "", ""
            notes: tuple[str, ...] = ()
            if refusal is not None:
                message, notes = refusal.message + of, refusal.notes
                is_shared = of and at[1] == "over"
                elsewhere = "write it in the variants that have it" if is_shared else ""
                hint = refusal.hint or elsewhere
            elif inner is None or "=" in path:
                message = f"{path} is no path, or another entry replaces its values{of}"
            elif inner[0] in _FIXED:
                message = f"{path} is the same in all trials"
            elif inner == ("training", "seed") and path in first and seeds > 1:
                message = f"{path} cannot vary, because each trial has {seeds} seeds"
            elif path in ranges and takes_integers(inner, applied.data) is None:
                code, hint = "ND292", 'write {"choices": […]}'
                message = f"{path} takes no numbers{of}, so it has no range"
            if message:
                yield report(code, at, message, hint=hint, notes=notes)
    if space.method == "grid" and (size := space.grid_size()) > (trials or MAX_TRIALS):
        message = f"the grid has {size:,} points, more than {trials or MAX_TRIALS:,} trials"
        hint = "leave trials out" if size <= MAX_TRIALS else "use fewer steps, or another method"
        yield report("ND293", ("sweep", "trials"), message, hint=hint)


_Options = dict[str, tuple[Any, Parts]]
"""Path -> a value and its place in the sweep."""


def _candidates(space: SweepSpace) -> Iterator[tuple[Parts, _Options, list[str], bool]]:
    """Yields documents to check: a place for their problems, options, and the paths in question.

    First come all options of each entry, beside the first ones of all others; then combinations
    that are drawn.
    """
    chance = random.Random(space.section.seed)
    combinations: list[tuple[Parts, _Options, list[str], bool]] = []
    for index, variant in enumerate(space.variants):
        form = ("sweep", "variants", index)
        at = (*form, "name") if variant.name else ("sweep", "over")
        first: _Options = {
            **{path: (value, (*form, "set", path)) for path, value in variant.settings.items()},
            **{axis.path: axis.options[0] for axis in variant.parameters},
        }
        yield at, first, [], False
        for axis in variant.parameters:
            for option in axis.options[1:]:
                yield at, {**first, axis.path: option}, [axis.path], False
        for _ in range(MAX_COMBINATIONS // len(space.variants)):
            drawn = {axis.path: _draw(axis, chance, space.method) for axis in variant.parameters}
            combinations.append((at, {**first, **drawn}, [*drawn], True))
    yield from combinations


def _draw(parameter: Parameter, chance: random.Random, method: str) -> tuple[Any, Parts]:
    options = parameter.options
    if parameter.choices is not None:
        return chance.choice(options)
    is_grid, entry = method == "grid", options[0][1][:-1]
    value = chance.choice(parameter.grid()) if is_grid else parameter.at(chance.random())
    return value, entry


def _values(space: SweepSpace, report: _Report, check_files: CheckFiles | None) -> _Found:
    """Yields the errors of the documents of trials, each of them once. Combinations are checked if
    each value alone is right. One error of each place is enough then."""
    entries = sum(4 + len(variant.settings) + len(variant.parameters) for variant in space.variants)
    count = max(1, _MAX_CHARACTERS // (entries * len(space.description.text)))
    reported: set[tuple[object, ...]] = set()
    read: list[Any] = []
    for at, options, paths, is_drawn in itertools.islice(_candidates(space), count):
        if is_drawn and any(len(key) == 3 for key in reported):
            return
        values = {path: value for path, (value, _) in options.items()}
        arguments = dict(zip(override_arguments(values), values, strict=True))
        changed, diagnostics = check_changed(space.description, values)
        errors = [problem for problem in diagnostics if problem.is_error]
        if changed is not None and not errors:
            may_read = None if is_drawn else check_files
            errors = list(_data_errors(changed, space, may_read, read))
        for error in errors:
            sources = (error.override, *(note.override for note in error.related))
            cause = next((arguments[by] for by in sources if by in arguments), None)
            at = ("sweep", "objectives") if error.code == "ND294" else at
            entry = options[cause or paths[0]][1] if cause or len(paths) == 1 else at
            key = (entry,) if is_drawn else (error.code, error.pointer, error.message)
            if key not in reported:
                named = dict.fromkeys(filter(None, (cause, *paths)))
                shown = ", ".join(f"{path} = {cut(json_text(values[path]))}" for path in named)
                message = f"with {shown}: {error.message}" if shown else error.message
                yield report(error.code, entry, message, hint=error.hint, notes=error.notes)
            reported.add(key)


def _data_errors(
    changed: Description, space: SweepSpace, check_files: CheckFiles | None, read: list[Any]
) -> Iterator[Diagnostic]:
    """Yields what the document of a trial lacks for the objectives, and the errors of its data.
    ``read`` is what was checked with data before."""
    document, objectives = changed.document, [goal.metric for goal in space.objectives]
    for metric in objectives:
        if metric not in _metrics(document):
            message = f"trials have no metric {metric}"
            yield changed.source_map.diagnostic("ND294", ("sweep", "objectives"), message)
    if check_files is None:
        return
    training, files = document.training, [reference.path for reference in file_references(document)]
    layers, network = document.layers, (document.time, document.input, document.loss)
    needed = (document.data, network, layers[-1], training.validation_split, files)
    if needed in read:
        return
    read.append(needed)
    best = next((name for name in objectives if name.startswith("validation_")), training.best)
    for problem in check_files(changed.with_values({("training", "best"): best}, "Python"), True):
        if problem.pointer == "/training/best":
            hint = "set samples aside: training.validation_split"
            at = ("sweep", "objectives")
            yield changed.source_map.diagnostic("ND294", at, problem.message, hint=hint)
        elif problem.is_error:
            yield problem


def _metrics(document: Document) -> list[str]:
    return [*document.epoch_metrics(has_validation=True), *TRIAL_METRICS]
