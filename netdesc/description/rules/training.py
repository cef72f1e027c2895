"""Rules about training."""

from __future__ import annotations

from netdesc.description.models.training import ParameterKind
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND210",
    "the network has nothing to train",
    at="/layers",
    wrong='[{"name": "output", "type": "flatten"}]',
    right='[{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}]',
)
def nothing_to_train(context: Context) -> Found:
    """None of the layers has weights that are trained, or anything else to learn.

    Add a layer of type dense, or train its weights.
    """
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        yield RuleDiagnostic(("layers",), "no layer has weights, so there is nothing to train")
    elif not any(any(layer.trained_kinds(context.neuron_of(layer))) for layer in layers):
        message = "the weights of all layers are fixed, so there is nothing to train"
        hint = 'leave "trainable": false out of a layer'
        yield RuleDiagnostic(("layers",), message, hint=hint)


@rule(
    "ND223",
    "something that the run ends before that",
    at="/training/early_stopping",
    wrong='{"patience_epochs": 10}',
    right='{"patience_epochs": 3}',
    severity="warning",
)
def beyond_run(context: Context) -> Found:
    """Training stops early after patience_epochs epochs without a better loss. Schedules change the
    learning rate after every_epochs epochs, after the numbers of epochs of milestones, and after
    warmup_epochs epochs of a cosine. The run ends before that.

    Use a smaller number, or remove early_stopping or the schedule.
    """
    training = context.document.training
    changes = {("schedule", *parts): end for parts, end in training.schedule.changes.items()}
    if training.early_stopping is not None:
        changes["early_stopping", "patience_epochs"] = training.early_stopping.patience_epochs
    for parts, epochs in changes.items():
        if epochs >= training.epochs:
            yield RuleDiagnostic(
                ("training", *parts),
                f"a run of {training.epochs} epochs ends before {epochs} epochs are over",
                related=(RelatedPath(("training", "epochs"), "the length of the run"),),
            )


@rule(
    "ND288",
    "a group of parameters that is empty",
    at="/training/groups",
    wrong='[{"parameters": ["decays"], "learning_rate": 0.0001}]',
    right='[{"parameters": ["weights"], "learning_rate": 0.0001}]',
)
def empty_group(context: Context) -> Found:
    """No layer trains numbers of the kinds that the group names, or an earlier group has all of
    them. Thresholds and decays are trained if the neuron's "learn" names them.

    Add them to "learn" of the neuron, or correct or remove the group.
    """
    known = {layer.name for layer in context.document.layers}
    left: set[tuple[str, ParameterKind]] = {
        (layer.name, kind)
        for _, layer in context.neuron_layers()
        for kind in layer.trained_kinds(context.neuron_of(layer))
    }
    for index, group in enumerate(context.document.training.groups):
        found = {each for each in left if group.has(*each)}
        if not found and known.issuperset(group.layers or ()):
            kinds = " or ".join(group.parameters or ("numbers",))
            where = "of these layers " if group.layers else ""
            yield RuleDiagnostic(
                ("training", "groups", index),
                f"the group is empty: no {kinds} {where}are trained, or earlier groups have them",
                notes=(f"trained: {', '.join(sorted({kind for _, kind in left})) or 'none left'}",),
            )
        left -= found


_TWO_VALIDATIONS = """\
{"format": 1, "name": "example", "time": {"steps": 100},
 "data": {"type": "spike_files",
  "train": [{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}},
            {"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}],
  "validation": [{"input": {"path": "input.bs1"},
                  "target": {"path": "target.bs1"}}]},
 "input": {"shape": [4]},
 "neurons": {"cuba": {"type": "cuba", "threshold": 1,
                      "current_decay": 1, "voltage_decay": 0.1}},
 "layers": [{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}],
 "loss": {"type": "spike_time", "time_constant_ms": 2},
 "training": {"epochs": 10, "validation_split": 0.5,
              "optimizer": {"type": "adam", "learning_rate": 0.001}}}"""


@rule(
    "ND218",
    "validation samples and a validation split",
    at="",
    wrong=_TWO_VALIDATIONS,
    right=_TWO_VALIDATIONS.replace(' "validation_split": 0.5,', ""),
)
def two_validations(context: Context) -> Found:
    """Validation samples are chosen in one of two ways: data.validation lists them (for arrays,
    data.split marks them with 1), or training.validation_split takes them from the training
    samples.

    Keep one of the two. Beside a data.split that marks samples with 0 and 2 only,
    training.validation_split is allowed: it takes samples marked with 0.
    """
    split = context.document.training.validation_split
    data = context.document.data
    if split > 0 and getattr(data, "validation", None):
        message = "data.validation names samples, and validation_split would take more"
        yield RuleDiagnostic(
            ("training", "validation_split"),
            message,
            hint="keep one of the two",
            related=(RelatedPath(("data", "validation"), "validation samples"),),
        )
