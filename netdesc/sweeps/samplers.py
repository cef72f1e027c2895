"""Proposes the values of a trial, by its number and, for some methods, the trials before it.

The random numbers of a trial follow from the seed of the sweep and the trial's number. So grids,
random trials and quasi-random ones (QMC) are the same for any number of workers. TPE and NSGA-II
also look at the trials that are done.
"""

import itertools
import json
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial

from netdesc.description.sweep_space import Parameter, SweepSpace, Variant


def propose(study: Study, space: SweepSpace, number: int) -> tuple[Variant, dict[str, Any]]:
    """Begins the trial ``number``, the next one of ``study``; returns its values."""
    study.sampler = _sampler(space, number)
    if space.method in ("grid", "qmc"):
        if space.method == "grid":
            variant, values = next(itertools.islice(space.grid(), number, None))
        else:
            variant, values = _sobol_point(space, number)
        params: dict[str, Any] = {"variant": variant.name}
        for parameter in variant.parameters:
            value = values[parameter.path]
            value = value if parameter.choices is None else json.dumps(value)
            params[_name(space, variant, parameter)] = value
        study.enqueue_trial(params)
    trial, names = study.ask(), [variant.name for variant in space.variants]
    assert trial.number == number, "no other process changes the study"
    name = trial.suggest_categorical("variant", names) if len(names) > 1 else names[0]
    variant = space.variants[names.index(name)]
    values = {axis.path: _suggest(trial, space, variant, axis) for axis in variant.parameters}
    return variant, values


def _suggest(trial: Trial, space: SweepSpace, variant: Variant, parameter: Parameter) -> Any:
    name, low, high = _name(space, variant, parameter), parameter.low, parameter.high
    if parameter.choices is not None:
        choices = [json.dumps(choice) for choice in parameter.choices]  # Optuna takes no objects
        return json.loads(trial.suggest_categorical(name, choices))
    if parameter.is_integer:
        return trial.suggest_int(name, int(low), int(high), log=parameter.log)
    return trial.suggest_float(name, low, high, log=parameter.log)


def _name(space: SweepSpace, variant: Variant, parameter: Parameter) -> str:
    """Returns a parameter's name in Optuna's study: its path, unless variants differ in it."""
    axes = (axis for variant in space.variants for axis in variant.parameters)
    is_shared = all(axis[:-1] == parameter[:-1] for axis in axes if axis.path == parameter.path)
    return parameter.path if is_shared else f"{parameter.path} of {variant.name}"


def _sampler(space: SweepSpace, number: int) -> BaseSampler:
    seed = int(np.random.SeedSequence([space.section.seed, number]).generate_state(1)[0])
    if space.method == "tpe":
        return TPESampler(seed=seed, group=len(space.variants) > 1)
    if space.method == "nsga2":  # a few generations
        return NSGAIISampler(population_size=min(max(space.trials // 4, 4), 50), seed=seed)
    return RandomSampler(seed)


def _sobol_point(space: SweepSpace, number: int) -> tuple[Variant, dict[str, Any]]:
    import torch  # slow, and only this method needs it

    sobol = torch.quasirandom.SobolEngine(1 + len(space.paths), True, space.section.seed)
    first, *point = sobol.fast_forward(number).draw(1, dtype=torch.float64)[0].tolist()
    variant = space.variants[int(first * len(space.variants))]
    shares = dict(zip(space.paths, point, strict=True))
    # The first and the last integer of a range count whole.
    return variant, {axis.path: axis.at(shares[axis.path], 0.5) for axis in variant.parameters}
