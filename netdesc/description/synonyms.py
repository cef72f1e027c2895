"""What other tools call the fields and types of the language, for "did you mean …?"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdesc.description.spelling import closest, plain


@dataclass(frozen=True, slots=True)
class Meaning:
    """A field that is meant, and, where its value is another one, how that is computed."""

    name: str
    value: str = ""

    @property
    def question(self) -> str:
        value = f" (= {self.value})" if self.value else ""
        return f'did you mean "{self.name}"{value}?'


_DECAY = "1 - exp(-step_ms / {})"
_VOLTAGE = Meaning("voltage_decay", _DECAY)
_CURRENT = Meaning("current_decay", _DECAY)

FIELDS: dict[str, tuple[Meaning, ...]] = {
    "lr": (Meaning("learning_rate"),),
    "wd": (Meaning("weight_decay"),),
    "beta": (Meaning("voltage_decay", "1 - {}"),),
    "alpha": (Meaning("current_decay", "1 - {}"),),
    "tau": (_VOLTAGE, Meaning("time_constant_ms")),
    "tau_m": (_VOLTAGE,),
    "tau_mem": (_VOLTAGE,),
    "tau_s": (_CURRENT,),
    "tau_syn": (_CURRENT,),
    "thresh": (Meaning("threshold"),),
    "theta": (Meaning("threshold"),),
    "v_th": (Meaning("threshold"),),
    "vth": (Meaning("threshold"),),
    "v_threshold": (Meaning("threshold"),),
    "t": (Meaning("steps"),),
    "num_steps": (Meaning("steps"),),
    "n_steps": (Meaning("steps"),),
    "time_steps": (Meaning("steps"),),
    "timesteps": (Meaning("steps"),),
    "dt": (Meaning("step_ms"),),
    "n": (Meaning("units"), Meaning("shape")),
    "size": (Meaning("units"), Meaning("shape")),
    "out_features": (Meaning("units"),),
    "num_neurons": (Meaning("units"),),
    "n_neurons": (Meaning("units"),),
    "batch": (Meaning("batch_size"),),
    "valid": (Meaning("validation"), Meaning("validation_split")),
    "val": (Meaning("validation"), Meaning("validation_split")),
    "dev": (Meaning("validation"), Meaning("validation_split")),
    "val_split": (Meaning("validation_split"),),
    "num_epochs": (Meaning("epochs"),),
    "n_epochs": (Meaning("epochs"),),
}
"""By the name that is written, in lower case: the first meaning that a place has is the one.

A ``{}`` stands for that name.
"""

TYPES = {
    "lif": "cuba",
    "leaky": "cuba",
    "linear": "dense",
    "fc": "dense",
    "fully_connected": "dense",
    "adam_w": "adamw",
    "mse": "spike_rate",
    "ce": "spike_max",
    "cross_entropy": "spike_max",
    "npz": "arrays",
    "spikes": "spike_files",
    "events": "spike_files",
    "poisson": "rate",
}


def field_meant(name: str, known: Iterable[str]) -> Meaning | None:
    """Which of the known fields a name probably means."""
    known = list(known)
    for meaning in FIELDS.get(plain(name), ()):
        if meaning.name in known:
            return Meaning(meaning.name, meaning.value.format(name))
    best = closest(name, known)
    return Meaning(best) if best is not None else None


def type_question(name: str, known: Iterable[str]) -> str:
    """``did you mean "…"?`` for a type, or nothing."""
    known = list(known)
    other = TYPES.get(plain(name))
    best = other if other in known else closest(name, known)
    return f'did you mean "{best}"?' if best is not None else ""
