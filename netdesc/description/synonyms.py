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
_OF_RATE = "{} * step_ms / 1000"
_LOST = "the part that is lost in a step"
_VOLTAGE = Meaning("voltage_decay", _DECAY)
_CURRENT = Meaning("current_decay", _DECAY)

FIELDS: dict[str, tuple[Meaning, ...]] = {
    "lr": (Meaning("learning_rate"),),
    "wd": (Meaning("weight_decay"),),
    "beta": (Meaning("voltage_decay", "1 - {}"),),
    "alpha": (Meaning("current_decay", "1 - {}"),),
    "tau": (_VOLTAGE, Meaning("time_constant_ms")),
    **dict.fromkeys(("tau_m", "tau_mem", "tau_v"), (_VOLTAGE,)),
    **dict.fromkeys(("tau_s", "tau_syn", "tau_u", "tau_i"), (_CURRENT,)),
    "tau_mem_inv": (Meaning("voltage_decay", _OF_RATE),),
    "tau_syn_inv": (Meaning("current_decay", _OF_RATE),),
    # Some tools mean what is lost by these, others what is kept.
    **dict.fromkeys(
        ("decay", "v_decay", "vdecay", "decay_v", "decay_voltage", "mem_decay", "membrane_decay"),
        (Meaning("voltage_decay", _LOST),),
    ),
    **dict.fromkeys(("leak", "leak_v", "dv"), (Meaning("voltage_decay", _LOST),)),
    **dict.fromkeys(
        ("u_decay", "udecay", "i_decay", "decay_u", "decay_i", "decay_current", "leak_i", "du"),
        (Meaning("current_decay", _LOST),),
    ),
    **dict.fromkeys(
        ("syn_decay", "synapse_decay", "synaptic_decay"), (Meaning("current_decay", _LOST),)
    ),
    "tau_rho": (Meaning("tau_grad"),),
    **dict.fromkeys(("spike_grad", "surrogate", "surrogate_grad"), (Meaning("tau_grad"),)),
    "scale_rho": (Meaning("scale_grad"),),
    "requires_grad": (Meaning("learn", '["current_decay", "voltage_decay"]'),),
    "learn_beta": (Meaning("learn", '["voltage_decay"]'),),
    "learn_alpha": (Meaning("learn", '["current_decay"]'),),
    **dict.fromkeys(("thr", "thresh", "v_thr"), (Meaning("threshold"),)),
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
    **dict.fromkeys(
        ("hidden_size", "out_neurons", "num_outputs", "num_units", "nodes", "out_channels"),
        (Meaning("units"),),
    ),
    **dict.fromkeys(("parents", "prev", "previous", "source"), (Meaning("from"),)),
    **dict.fromkeys(("delay_shift", "axonal_delay"), (Meaning("axonal_delay_step"),)),
    **dict.fromkeys(("duration", "sim_time", "nb_steps"), (Meaning("steps"),)),
    **dict.fromkeys(("dt_ms", "time_step", "timestep"), (Meaning("step_ms"),)),
    **dict.fromkeys(("criterion", "loss_fn", "error"), (Meaning("loss"),)),
    **dict.fromkeys(("scheduler", "lr_scheduler"), (Meaning("schedule"),)),
    **dict.fromkeys(("random_seed", "manual_seed"), (Meaning("seed"),)),
    "optim": (Meaning("optimizer"),),
    "step_size": (Meaning("every_epochs"),),
    "gamma": (Meaning("factor"),),
    "bs": (Meaning("batch_size"),),
    "version": (Meaning("format"),),
    "max_epochs": (Meaning("epochs"),),
    **dict.fromkeys(("file", "filename", "file_name"), (Meaning("path"),)),
    "num_epochs": (Meaning("epochs"),),
    "n_epochs": (Meaning("epochs"),),
}
"""By the name that is written, in lower case: the first meaning that a place has is the one.

A ``{}`` stands for that name.
"""

UNKNOWN: dict[str, str] = {
    **dict.fromkeys(
        ("activation", "activation_fn", "nonlinearity"),
        'spiking is the activation: "neuron" says which neurons a layer has',
    ),
    **dict.fromkeys(
        ("recurrent", "recurrence", "all_to_all", "feedback"),
        'there are no loops: a layer reads the input and layers before it ("from")',
    ),
    **dict.fromkeys(("bias", "use_bias"), "synapses have weights alone, no bias"),
    **dict.fromkeys(
        ("in_features", "in_neurons", "input_size", "in_channels", "num_inputs"),
        "leave it out: it follows from what the layer reads",
    ),
    **dict.fromkeys(
        ("reset", "reset_mechanism", "v_reset", "reset_voltage"),
        "leave it out: a spike sets the voltage to 0",
    ),
    **dict.fromkeys(
        ("shuffle", "num_workers", "pin_memory"),
        "leave it out: batches are drawn anew in every epoch",
    ),
    **dict.fromkeys(("device", "cuda", "gpu"), "not the document but --device says it"),
}
"""Of names that other tools have and the language has nothing for: what to do without.

By the name that is written, in lower case.
"""

TYPES = {
    "lif": "cuba",
    "leaky": "cuba",
    "synaptic": "cuba",
    "cuba_lif": "cuba",
    "lifcell": "cuba",
    "linear": "dense",
    "fc": "dense",
    "fully_connected": "dense",
    "adam_w": "adamw",
    "cosineannealing": "cosine",
    "cosine_annealing": "cosine",
    "cosineannealinglr": "cosine",
    "steplr": "step",
    **dict.fromkeys(("mse", "mse_count", "mse_count_loss", "spike_count"), "spike_rate"),
    **dict.fromkeys(
        ("ce", "ce_loss", "cross_entropy", "cross_entropy_loss", "crossentropyloss"), "spike_max"
    ),
    **dict.fromkeys(("ce_rate", "ce_rate_loss", "ce_count_loss", "nll"), "spike_max"),
    **dict.fromkeys(("spiketrain", "spike_train", "van_rossum", "vanrossum"), "spike_time"),
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


def other_names(name: str) -> list[str]:
    """What a name of another tool is called here, where its value is the same."""
    return [meaning.name for meaning in FIELDS.get(plain(name), ()) if not meaning.value]


def without(name: str) -> str:
    """What to do where the language has nothing of that name; empty where nobody knows."""
    return UNKNOWN.get(plain(name), "")


def type_question(name: str, known: Iterable[str]) -> str:
    """``did you mean "…"?`` for a type, or nothing."""
    known = list(known)
    other = TYPES.get(plain(name))
    best = other if other in known else closest(name, known)
    return f'did you mean "{best}"?' if best is not None else ""
