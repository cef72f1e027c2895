"""Suggests the field or type for a name from another tool: "learning_rate" for "lr"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdesc.description.spelling import closest_name, did_you_mean, normalise_name
from netdesc.description.unsupported import hint_for_unsupported_type
from netdesc.neurons.models import NEURONS


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The field (``name``) that another tool's name or a misspelt name probably means.

    ``value`` says what to write as the field's value, as a formula or in words. It is empty if the
    value of the other tool can be used unchanged.
    """

    name: str
    value: str = ""

    @property
    def question(self) -> str:
        value = f" (= {self.value})" if self.value else ""
        return f'did you mean "{self.name}"{value}?'


_DECAY = "1 - exp(-step_ms / {})"
_OF_RATE = "{} * step_ms / 1000"
_LOST = "the part that is lost in a step"
_VOLTAGE = Suggestion("voltage_decay", _DECAY)
_CURRENT = Suggestion("current_decay", _DECAY)
_RISE = (Suggestion("threshold_decay"),)

FIELDS: dict[str, tuple[Suggestion, ...]] = {
    "lr": (Suggestion("learning_rate"),),
    "wd": (Suggestion("weight_decay"),),
    "beta": (Suggestion("voltage_decay", "1 - {}"),),
    "alpha": (Suggestion("current_decay", "1 - {}"),),
    "tau": (_VOLTAGE, Suggestion("time_constant_ms")),
    **dict.fromkeys(("tau_m", "tau_mem", "tau_v"), (_VOLTAGE,)),
    **dict.fromkeys(("tau_s", "tau_syn", "tau_u", "tau_i"), (_CURRENT,)),
    "tau_mem_inv": (Suggestion("voltage_decay", _OF_RATE),),
    "tau_syn_inv": (Suggestion("current_decay", _OF_RATE),),
    # Some tools use these names for the lost part, others for the part that is kept.
    **dict.fromkeys(
        ("decay", "v_decay", "vdecay", "decay_v", "decay_voltage", "mem_decay", "membrane_decay"),
        (Suggestion("voltage_decay", _LOST),),
    ),
    **dict.fromkeys(("leak", "leak_v", "dv"), (Suggestion("voltage_decay", _LOST),)),
    **dict.fromkeys(
        ("u_decay", "udecay", "i_decay", "decay_u", "decay_i", "decay_current", "leak_i", "du"),
        (Suggestion("current_decay", _LOST),),
    ),
    **dict.fromkeys(
        ("syn_decay", "synapse_decay", "synaptic_decay"), (Suggestion("current_decay", _LOST),)
    ),
    "tau_rho": (Suggestion("tau_grad"),),
    **dict.fromkeys(
        ("spike_grad", "surrogate_grad", "surrogate_function", "surrogate_fn"),
        (Suggestion("surrogate", '{{"width": 0.5, "peak": 1}}'), Suggestion("tau_grad")),
    ),
    "scale_rho": (Suggestion("scale_grad"),),
    "requires_grad": (Suggestion("learn", '["current_decay", "voltage_decay"]'),),
    "learn_beta": (Suggestion("learn", '["voltage_decay"]'),),
    "learn_alpha": (Suggestion("learn", '["current_decay"]'),),
    **dict.fromkeys(("thr", "thresh", "v_thr"), (Suggestion("threshold"),)),
    "theta": (Suggestion("threshold"),),
    "v_th": (Suggestion("threshold"),),
    "vth": (Suggestion("threshold"),),
    "v_threshold": (Suggestion("threshold"),),
    "t": (Suggestion("steps"),),
    "num_steps": (Suggestion("steps"),),
    "n_steps": (Suggestion("steps"),),
    "time_steps": (Suggestion("steps"),),
    "timesteps": (Suggestion("steps"),),
    "dt": (Suggestion("step_ms"),),
    "n": (Suggestion("units"), Suggestion("shape")),
    "size": (Suggestion("units"), Suggestion("shape")),
    "num_neurons": (Suggestion("units"),),
    "n_neurons": (Suggestion("units"),),
    "batch": (Suggestion("batch_size"),),
    "valid": (Suggestion("validation"), Suggestion("validation_split")),
    "val": (Suggestion("validation"), Suggestion("validation_split")),
    "dev": (Suggestion("validation"), Suggestion("validation_split")),
    "val_split": (Suggestion("validation_split"),),
    **dict.fromkeys(
        ("hidden_size", "out_neurons", "num_outputs", "num_units", "nodes"),
        (Suggestion("units"),),
    ),
    **dict.fromkeys(
        ("out_channels", "filters", "out_features"), (Suggestion("channels"), Suggestion("units"))
    ),
    **dict.fromkeys(("kernel_size", "filter_size"), (Suggestion("kernel"),)),
    "strides": (Suggestion("stride"),),
    **dict.fromkeys(("pad", "paddings"), (Suggestion("padding"),)),
    "dilation_rate": (Suggestion("dilation"),),
    **dict.fromkeys(("parents", "prev", "previous", "source"), (Suggestion("from"),)),
    **dict.fromkeys(("delay_shift", "axonal_delay"), (Suggestion("axonal_delay_step"),)),
    **dict.fromkeys(("duration", "sim_time", "nb_steps"), (Suggestion("steps"),)),
    **dict.fromkeys(("dt_ms", "time_step", "timestep"), (Suggestion("step_ms"),)),
    **dict.fromkeys(("criterion", "loss_fn", "error"), (Suggestion("loss"),)),
    **dict.fromkeys(("scheduler", "lr_scheduler"), (Suggestion("schedule"),)),
    **dict.fromkeys(("random_seed", "manual_seed", "seeds"), (Suggestion("seed"),)),
    "optim": (Suggestion("optimizer"),),
    "step_size": (Suggestion("every_epochs"),),
    "gamma": (Suggestion("factor"),),
    "bs": (Suggestion("batch_size"),),
    **dict.fromkeys(("augment", "augmentations", "transforms"), (Suggestion("augmentation"),)),
    "version": (Suggestion("format"),),
    "max_epochs": (Suggestion("epochs"),),
    **dict.fromkeys(("file", "filename", "file_name"), (Suggestion("path"),)),
    "num_epochs": (Suggestion("epochs"),),
    "n_epochs": (Suggestion("epochs"),),
    "patience": (Suggestion("patience_epochs"),),
    **dict.fromkeys(("eta_min", "min_lr"), (Suggestion("final_rate"),)),
    "warmup": (Suggestion("warmup_epochs"),),
    "learn_threshold": (Suggestion("learn", '["threshold"]'),),
    "detach_reset": (Suggestion("reset_gradient", '"ignore"'),),
    **dict.fromkeys(("reset_mechanism", "reset_type"), (Suggestion("reset"),)),
    **dict.fromkeys(("graded_spike", "graded_spikes"), (Suggestion("graded"),)),
    **dict.fromkeys(("cum_error", "cumulative"), (Suggestion("cumulative_error"),)),
    **dict.fromkeys(("init_hidden", "stateful", "streaming"), (Suggestion("persistent_state"),)),
    **dict.fromkeys(("th_decay", "theta_decay", "adaptation_decay"), _RISE),
    **dict.fromkeys(("th_step", "theta_step", "delta_threshold"), (Suggestion("threshold_step"),)),
    **dict.fromkeys(("ref_decay", "r_decay"), (Suggestion("refractory_decay"),)),
    **dict.fromkeys(("frequency", "freq"), (Suggestion("period", "1 / ({} per step)"),)),
    "shared_param": (Suggestion("per_channel", "not {}"),),
}
"""Maps a name of another tool, in lower case, to the fields that it may mean.

The first field that the object may have is suggested. ``{}`` in a formula stands for the key, which
is the other tool's name.
"""

_IF = '"lif" with "voltage_decay": 0 is an IF neuron'
TYPE_HINTS: dict[str, str] = dict.fromkeys(("if", "ifnode", "if_node"), _IF)
"""Maps a type of another tool to a hint with the type and the values that mean the same."""

TYPES = {
    **dict.fromkeys(("leaky", "lifnode", "lif_node", "plif", "parametriclifnode"), "lif"),
    **dict.fromkeys(("adlif", "adaptive_lif", "adaptive", "lsnn", "lsnncell", "atrlif"), "alif"),
    **dict.fromkeys(("rf_phase", "resonate_and_fire"), "rf"),
    "rf_izhikevich": "rf_iz",
    "adrf_phase": "adrf",
    "adrf_izhikevich": "adrf_iz",
    **dict.fromkeys(("sdnn", "sigma"), "sigma_delta"),
    **dict.fromkeys(("li", "licell", "leaky_integrator", "readout", "affine"), "integrator"),
    "custom": "equations",
    "synaptic": "cuba",
    "cuba_lif": "cuba",
    "lifcell": "cuba",
    "linear": "dense",
    "fc": "dense",
    "fully_connected": "dense",
    **dict.fromkeys(("conv2d", "convolution", "conv_2d"), "conv"),
    **dict.fromkeys(("convt", "convtranspose2d", "conv_transpose2d", "deconv"), "conv_transpose"),
    **dict.fromkeys(("pool", "sumpool", "sum_pooling"), "sum_pool"),
    **dict.fromkeys(("unpool", "upsampling", "upsamplingnearest2d"), "upsample"),
    "adam_w": "adamw",
    "cosineannealing": "cosine",
    "cosine_annealing": "cosine",
    "cosineannealinglr": "cosine",
    "steplr": "step",
    **dict.fromkeys(("mse", "mse_loss", "mseloss", "l2", "squared_error"), "mean_squared_error"),
    **dict.fromkeys(("mse_count", "mse_count_loss", "spike_count"), "spike_rate"),
    **dict.fromkeys(
        ("ce", "ce_loss", "cross_entropy", "cross_entropy_loss", "crossentropyloss"), "spike_max"
    ),
    **dict.fromkeys(("ce_rate", "ce_rate_loss", "ce_count_loss", "nll"), "spike_max"),
    **dict.fromkeys(("spiketrain", "spike_train", "van_rossum", "vanrossum"), "spike_time"),
    "npz": "arrays",
    "spikes": "spike_files",
    "events": "spike_files",
    "poisson": "rate",
    **dict.fromkeys(("direct", "current", "analog"), "constant"),
}
"""Maps a type of another tool, in lower case, to the type of netdesc that means the same."""


DEVICES: dict[str, str] = {"gpu": "cuda", "cuda:0": "cuda"}
"""Maps a device of another tool, in lower case, to the device of netdesc."""


def suggest_field(name: str, known: Iterable[str]) -> Suggestion | None:
    """Suggests the known field for another tool's name or a misspelt name; ``None`` if unclear."""
    known = list(known)
    for suggestion in FIELDS.get(normalise_name(name), ()):
        if suggestion.name in known:
            return Suggestion(suggestion.name, suggestion.value.format(name))
    best = closest_name(name, known)
    return Suggestion(best) if best is not None else None


def names_in_netdesc(name: str) -> list[str]:
    """Returns the fields that other tools call ``name`` and that take their value unchanged."""
    return [each.name for each in FIELDS.get(normalise_name(name), ()) if not each.value]


def hint_for_type(name: str, known: Iterable[str]) -> str:
    """Returns the hint for an unknown ``type``: the type to write, or that netdesc lacks it.

    ``known`` are the allowed types. The hint is empty if nothing is known about the name.
    """
    known = list(known)
    other = _our_type(name)
    if other in known:
        return f'did you mean "{other}"?'
    if other in NEURONS:
        return f'"{other}" is a type of neurons: they are in the field "neuron" of a dense layer'
    return _hint_for_other_type(name) or did_you_mean(name, known)


def hint_for_neuron(name: str) -> str:
    """Returns the hint for a name that is not in "neurons", but a type of neurons somewhere."""
    other = _our_type(name)
    if other in NEURONS:
        return f'add it to "neurons": "{name}": {{"type": "{other}", …}}'
    return _hint_for_other_type(name)


def _our_type(name: str) -> str:
    name = normalise_name(name)
    return TYPES.get(name, name)


def _hint_for_other_type(name: str) -> str:
    return TYPE_HINTS.get(normalise_name(name), "") or hint_for_unsupported_type(name)
