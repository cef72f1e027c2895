"""The tasks. None of them states a surrogate gradient, a scale of weights or an optimizer.

Defaults are decided on ``CHOSEN_ON``. The others confirm weakly: they were seen meanwhile, and
``yin_yang`` came into the list, for ``vowels``, when it missed. New defaults need new tasks.
"""

import json
from pathlib import Path

from support.tasks import samples
from support.tasks.task import Task

_CHOSEN_ON = "timing_patterns spike_rates digits_by_rate digits_by_latency spike_targets yin_yang"
_OTHERS = "vowels digits_by_current delayed_recall random_manifolds evidence tones mackey_glass"

CHOSEN_ON = _CHOSEN_ON.split()
NAMES = [*CHOSEN_ON, *_OTHERS.split()]
"""Of each task there is a document in ``documents``, and a function that makes its samples."""


def _task(name: str) -> Task:
    document = Path(__file__).with_name("documents") / f"{name}.json"
    return Task(name, json.loads(document.read_text("utf-8")), getattr(samples, name))


TASKS = {name: _task(name) for name in NAMES}
