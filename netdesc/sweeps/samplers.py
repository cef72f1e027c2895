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
    if (fixed := _fixed(space, number)) is not None:
        params: dict[str, Any] = {"variant": fixed[0].name}
        for each in fixed[0].parameters:
            value = fixed[1][each.path]
            params[_name(space, fixed[0], each)] = (
                value if each.choices is None else json.dumps(value)
            )
        study.enqueue_trial(params)
    trial, names = study.ask(), [variant.name for variant in space.variants]
    assert trial.number == number, "no other process changes the study"
    name = trial.suggest_categorical("variant", names) if len(names) > 1 else names[0]
    variant = space.variants[names.index(name)]
    values = {each.path: _suggest(trial, space, variant, each) for each in variant.parameters}
    return variant, values


def _suggest(trial: Trial, space: SweepSpace, variant: Variant, parameter: Parameter) -> Any:
    name, low, high = _name(space, variant, parameter), parameter.low, parameter.high
    if parameter.choices is not None:
        choices = [json.dumps(choice) for choice in parameter.choices]  # Optuna takes no objects
        return json.loads(trial.suggest_categorical(name, choices))
    assert low is not None
    assert high is not None
    if parameter.is_integer:
        return trial.suggest_int(name, int(low), int(high), log=parameter.log)
    return trial.suggest_float(name, low, high, log=parameter.log)


def _name(space: SweepSpace, variant: Variant, parameter: Parameter) -> str:
    """Returns a parameter's name in Optuna's study: its path, unless variants differ in it."""
    others = (each for variant in space.variants for each in variant.parameters)
    is_shared = all(each[:-1] == parameter[:-1] for each in others if each.path == parameter.path)
    return parameter.path if is_shared else f"{parameter.path} of {variant.name}"


def _sampler(space: SweepSpace, number: int) -> BaseSampler:
    seed = int(np.random.SeedSequence([space.section.seed, number]).generate_state(1)[0])
    if space.method == "tpe":
        return TPESampler(seed=seed, group=len(space.variants) > 1)
    if space.method == "nsga2":  # a few generations
        return NSGAIISampler(population_size=min(max(space.trials // 4, 4), 50), seed=seed)
    return RandomSampler(seed)


def _fixed(space: SweepSpace, number: int) -> tuple[Variant, dict[str, Any]] | None:
    """Returns the values of a method for which those of other trials do not matter."""
    if space.method == "grid":
        return next(itertools.islice(space.grid(), number, None))
    paths = dict.fromkeys(each.path for variant in space.variants for each in variant.parameters)
    if space.method == "random":
        point = np.random.default_rng([space.section.seed, number]).random(1 + len(paths)).tolist()
    elif space.method == "qmc":
        import torch  # slow, and only this method needs it

        sobol = torch.quasirandom.SobolEngine(1 + len(paths), True, space.section.seed)
        point = sobol.fast_forward(number).draw(1, dtype=torch.float64)[0].tolist()
    else:
        return None
    variant = space.variants[int(point[0] * len(space.variants))]
    shares = dict(zip(paths, point[1:], strict=True))
    return variant, {each.path: value_at(each, shares[each.path]) for each in variant.parameters}


def value_at(parameter: Parameter, share: float) -> Any:
    """Returns the value at a share in [0, 1) of a parameter's range or choices."""
    if parameter.choices is not None:
        return parameter.choices[int(share * len(parameter.choices))]
    low, high = parameter.low, parameter.high
    assert low is not None
    assert high is not None
    half = 0.5 if parameter.is_integer else 0.0  # the first and the last integer count whole
    first, last = low - half, high + half
    value = first * (last / first) ** share if parameter.log else first + share * (last - first)
    return min(max(round(value) if parameter.is_integer else value, low), high)
