"""Explains names of other tools: "learning_rate" for "lr", and what netdesc has no word for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netdesc.description.spelling import closest_name, did_you_mean, normalise_name
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


_LOST = "the part that is lost in a step"
_DETACHED = '"ignore" for true beside a reset that subtracts, else "exact"'

_MEANINGS = (
    # a field, the formula of its value, and the names in other tools that may mean it
    ("learning_rate", "", "lr"),
    ("weight_decay", "", "wd"),
    ("voltage_decay", "1 - {}", "beta"),
    ("current_decay", "1 - {}", "alpha"),
    ("voltage_decay", "1 - exp(-step_ms / {})", "tau_m tau_mem tau_v"),
    ("voltage_decay", "1 / {0} in SpikingJelly, else 1 - exp(-step_ms / {0})", "tau"),
    ("time_constant_ms", "", "tau"),
    ("current_decay", "1 - exp(-step_ms / {})", "tau_s tau_syn tau_u tau_i"),
    ("voltage_decay", "{} * step_ms / 1000", "tau_mem_inv"),
    ("current_decay", "{} * step_ms / 1000", "tau_syn_inv"),
    ("voltage_decay", _LOST, "decay v_decay vdecay decay_v decay_voltage mem_decay membrane_decay"),
    ("voltage_decay", _LOST, "leak leak_v dv"),
    ("current_decay", _LOST, "u_decay udecay i_decay decay_u decay_i decay_current leak_i du"),
    ("current_decay", _LOST, "syn_decay synapse_decay synaptic_decay"),
    ("surrogate", '{{"width": 0.5, "peak": 1}}', "spike_grad surrogate_grad surrogate_function"),
    ("surrogate", '{{"width": 0.5, "peak": 1}}', "surrogate_fn"),
    ("tau_grad", "", "tau_rho"),
    ("scale_grad", "", "scale_rho"),
    ("learn", '["current_decay", "voltage_decay"]', "requires_grad"),
    ("learn", '["voltage_decay"]', "learn_beta"),
    ("learn", '["current_decay"]', "learn_alpha"),
    ("threshold", "", "thr thresh v_thr theta v_th vth v_threshold"),
    ("window_steps", "", "moving_window"),
    ("steps", "", "t num_steps n_steps time_steps timesteps duration sim_time nb_steps"),
    ("step_ms", "", "dt dt_ms time_step timestep"),
    ("channels", "", "out_channels filters out_features"),
    ("units", "", "n size num_neurons n_neurons hidden_size out_neurons num_outputs num_units"),
    ("units", "", "nodes out_channels filters out_features"),
    ("kernel", "", "kernel_size filter_size pool_size size"),
    ("stride", "", "strides"),
    ("padding", "", "pad paddings"),
    ("dilation", "", "dilation_rate"),
    ("shape", "", "n size"),
    ("batch_size", "", "batch bs"),
    ("validation", "", "valid val dev"),
    ("validation_split", "", "valid val dev val_split"),
    ("from", "", "parents prev previous source"),
    ("axonal_delay_step", "", "delay_shift axonal_delay"),
    ("bias", "", "use_bias has_bias"),
    ("trainable", "not {}", "freeze frozen"),
    ("mask", '{{"density": 1 - {}}}', "sparsity"),
    ("mask", '{{"density": {}}}', "connectivity connection_probability"),
    ("trainable", "", "requires_grad learnable"),
    ("weight_init", "", "initializer kernel_initializer init"),
    ("winners", "", "num_winners"),
    ("delay", '{{"learn": true}}', "delays max_delay axonal_delays"),
    ("loss", "", "criterion loss_fn error losses"),
    ("regularizers", "", "regularizer regularization"),
    ("groups", "", "param_groups parameter_groups"),
    ("epochs", "", "milestones"),
    ("weight", "", "lam lambda"),
    ("schedule", "", "scheduler lr_scheduler"),
    ("seed", "", "random_seed manual_seed seeds"),
    ("optimizer", "", "optim"),
    ("every_epochs", "", "step_size"),
    ("factor", "", "gamma"),
    ("augmentation", "", "augment augmentations transforms"),
    ("format", "", "version"),
    ("epochs", "", "max_epochs num_epochs n_epochs"),
    ("path", "", "file filename file_name"),
    ("patience_epochs", "", "patience"),
    ("final_rate", "", "eta_min min_lr"),
    ("warmup_epochs", "", "warmup"),
    ("learn", '["threshold"]', "learn_threshold"),
    ("reset_gradient", _DETACHED, "detach_reset"),
    ("reset", "", "reset_mechanism reset_type"),
    ("graded", "", "graded_spike graded_spikes"),
    ("cumulative_error", "", "cum_error cumulative"),
    ("persistent_state", "", "init_hidden stateful streaming"),
    ("threshold_decay", "", "th_decay theta_decay adaptation_decay"),
    ("threshold_step", "", "th_step theta_step delta_threshold"),
    ("refractory_decay", "", "ref_decay r_decay"),
    ("period", "1 / ({} per step)", "frequency freq"),
    ("per_channel", "not {}", "shared_param"),
)
# Some tools call the lost part decay or leak, others the part that is kept.

FIELDS: dict[str, list[Suggestion]] = {}
"""Maps a name of another tool, in lower case, to the fields that it may mean.

The first field that the object may have is suggested. ``{}`` in a formula stands for the key, which
is the other tool's name.
"""
for _field, _formula, _names in _MEANINGS:
    for _name in _names.split():
        FIELDS.setdefault(_name, []).append(Suggestion(_field, _formula))


def _by_name(names_by_meaning: Mapping[str, str]) -> dict[str, str]:
    """Maps each name, of names joined by spaces, to what it means."""
    return {name: meaning for meaning, names in names_by_meaning.items() for name in names.split()}


VALUES = _by_name(
    {
        "mean_variance": "batch_norm batchnorm batchnorm1d batchnorm2d",
        "fast_sigmoid": "superspike super_spike softsign soft_sign",
        "decay": "tau time_constant leak",
        "triangle": "triangular piecewise_quadratic piecewisequadratic sigmoid",
    }
)
"""Maps another tool's name of a value, in lower case, to the nearest value of netdesc."""

TYPES = _by_name(
    {
        "lif": "leaky lifnode lif_node plif parametriclifnode",
        "alif": "adlif adaptive_lif adaptive lsnn lsnncell atrlif",
        "rf": "rf_phase resonate_and_fire",
        "rf_iz": "rf_izhikevich",
        "adrf": "adrf_phase",
        "adrf_iz": "adrf_izhikevich",
        "sigma_delta": "sdnn sigma",
        "integrator": "li licell leaky_integrator readout affine",
        "equations": "custom",
        "cuba": "synaptic cuba_lif lifcell",
        "dense": "linear fc fully_connected",
        "recurrent": "rnn rleaky rsynaptic lifrecurrent dense_rec",
        "winner_take_all": "kwta wta lateral_inhibition",
        "conv": "conv2d convolution conv_2d",
        "conv_transpose": "convt convtranspose2d conv_transpose2d deconv",
        "sum_pool": "pool sumpool sum_pooling",
        "average_pool": "avg_pool avgpool avgpool2d avg_pool2d averagepool2d",
        "max_pool": "maxpool2d max_pool2d",
        "upsample": "unpool upsampling upsamplingnearest2d",
        "adamw": "adam_w",
        "cosine": "cosineannealing cosine_annealing cosineannealinglr",
        "step": "steplr",
        "milestones": "multistep multisteplr",
        "plateau": "reducelronplateau reduce_on_plateau",
        "mean_squared_error": "mse mse_loss mseloss l2 squared_error",
        "spike_rate": "mse_count mse_count_loss spike_count",
        "spike_max": "nll spikemax",
        "cross_entropy": (
            "ce ce_loss cross_entropy_loss crossentropyloss ce_rate ce_rate_loss ce_count_loss "
            "ce_max_membrane_loss"
        ),
        "spike_moid": "spikemoid bce bce_loss bceloss bcewithlogitsloss",
        "event_rate": "sparsity sparsityenforcer rate_regularizer",
        "spike_time": "spiketrain spike_train van_rossum vanrossum",
        "arrays": "npz",
        "idx": "mnist fashion_mnist fashionmnist ubyte",
        "event_folders": "nmnist n_mnist dvs dvs_gesture image_folder event_folder folders",
        "spike_files": "spikes events event polarity",
        "rate": "poisson",
        "constant": "direct current analog",
    }
)
"""Maps a type of another tool, in lower case, to the type of netdesc that means the same."""

DEVICES: dict[str, str] = {"gpu": "cuda", "cuda:0": "cuda"}
"""Maps a device of another tool, in lower case, to the device of netdesc."""

_CONVOLUTION_1D = 'write "conv" with an input of [channels, 1, length] and a kernel [1, k]'
_RECURRENCE = 'a layer of type "recurrent" reads its own spikes of the step before'
_DELAY = 'delays are those of neurons, not of synapses: write "delay": {"steps": 3}'
_NORM = 'a norm is a field of the neuron, not of the layer: write "norm": "mean" in the neuron'
_DROPOUT = 'dropout is a field of the neuron, not a layer: write "dropout": 0.1 in the neuron'
_NIR = "NIR is not in this version"

UNSUPPORTED_FIELDS = _by_name(
    {
        'spiking is the activation: "neuron" says which neurons a layer has': (
            "activation activation_fn nonlinearity"
        ),
        _RECURRENCE: "recurrent recurrence all_to_all feedback",
        _DELAY: "synaptic_delay synaptic_delays dendritic_delay",
        _NORM: "batch_norm batchnorm layer_norm",
        _NIR: "nir",
        "leave it out: it follows from what the layer reads": (
            "in_features in_neurons input_size in_channels num_inputs"
        ),
        'leave it out: "reset" says whether a spike sets the voltage to 0': "v_reset reset_voltage",
        "leave it out: the states of neurons begin at 0": (
            "initial initial_value initial_values initial_state init v_init v0"
        ),
        'count steps: "n = max(n - 1, 0)" in step, "n = 5" in reset, "and n <= 0" in spike': (
            "refractory refractory_period refractory_steps t_ref tau_ref"
        ),
        "leave it out: the samples are shuffled in every epoch": "shuffle num_workers pin_memory",
        "leave it out: the option --device of the command chooses the device": "device cuda gpu",
        "leave it out: netdesc monitors the validation loss, or else the training loss": "monitor",
        "leave it out: the schedule lasts for all of training.epochs": "t_max",
    }
)
"""Maps a field that only other tools have, in lower case, to a hint."""

UNSUPPORTED_TYPES = _by_name(
    {
        '"lif" with "voltage_decay": 0 is an IF neuron': "if ifnode if_node",
        _CONVOLUTION_1D: "conv1d convolution1d",
        'write "conv": a kernel has a height and a width': "conv3d",
        "gated cells are not in the language: write such a network as a loop in Python": (
            "lstm gru slstm"
        ),
        _NORM: "batch_norm batchnorm batchnorm1d batchnorm2d layer_norm",
        _DROPOUT: "dropout dropout1d dropout2d",
        _RECURRENCE: "lifrecurrentcell lsnnrecurrentcell",
        _NIR: "nir",
        'not read: "tonic" loads data sets, and numpy.savez writes files of "arrays"': "h5 hdf5",
        'leave the layer out: "input" of the document has the shape': "input",
        "this optimizer is not in this version": "rmsprop adagrad adamax lbfgs",
        "this schedule is not in this version": "exponential onecycle",
    }
)
"""Maps a type that only other tools have, in lower case, to a hint."""


def suggest_field(name: str, known: Iterable[str]) -> Suggestion | None:
    """Suggests the known field for another tool's name or a misspelt name; ``None`` if unclear."""
    known = list(known)
    for suggestion in FIELDS.get(normalise_name(name), ()):
        if suggestion.name in known:
            return Suggestion(suggestion.name, suggestion.value.format(name))
    best = closest_name(name, known) if not hint_for_unsupported(name) else None
    return Suggestion(best) if best is not None else None


def hint_for_unsupported(name: str) -> str:
    """Returns the hint for a field that only other tools have; empty for other names."""
    return UNSUPPORTED_FIELDS.get(normalise_name(name), "")


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
    return UNSUPPORTED_TYPES.get(normalise_name(name), "") or did_you_mean(name, known)


def hint_for_neuron(name: str) -> str:
    """Returns the hint for a name that is not in "neurons", but a type of neurons somewhere."""
    other = _our_type(name)
    if other in NEURONS:
        return f'add it to "neurons": "{name}": {{"type": "{other}", …}}'
    return UNSUPPORTED_TYPES.get(normalise_name(name), "")


def _our_type(name: str) -> str:
    name = normalise_name(name)
    return TYPES.get(name, name)
