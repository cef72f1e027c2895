"""Rules about training."""

from netdesc.description.models.training import ParameterKind
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule


@rule("ND210")
def nothing_to_train(context: Context) -> Found:
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        yield Issue(("layers",), "no layer has weights, so there is nothing to train")
    elif not any(any(layer.trained_kinds(context.neuron_of(layer))) for layer in layers):
        message = "the weights of all layers are fixed, so there is nothing to train"
        hint = 'leave "trainable": false out of a layer'
        yield Issue(("layers",), message, hint)


@rule("ND223")
def beyond_run(context: Context) -> Found:
    training = context.document.training
    changes = {("schedule", *parts): end for parts, end in training.schedule.changes.items()}
    if training.early_stopping is not None:
        changes["early_stopping", "patience_epochs"] = training.early_stopping.patience_epochs
    for parts, epochs in changes.items():
        if epochs >= training.epochs:
            message = f"a run of {training.epochs} epochs ends before {epochs} epochs are over"
            related = (RelatedPath(("training", "epochs"), "the length of the run"),)
            yield Issue(("training", *parts), message, related=related)


@rule("ND284")
def unknown_best(context: Context) -> Found:
    document = context.document
    best, loss = document.training.best, document.main_loss
    metrics = document.epoch_metrics(has_validation=True)
    if best not in (None, *metrics):
        message = f"{loss.type} learns from {loss.learns_from}, so the epochs have no {best}"
        yield Issue(("training", "best"), message, f"use {' or '.join(metrics)}")


@rule("ND288")
def empty_group(context: Context) -> Found:
    layers = {layer.name for layer in context.document.layers}
    ungrouped: set[tuple[str, ParameterKind]] = {
        (layer.name, kind)
        for _, layer in context.neuron_layers()
        for kind in layer.trained_kinds(context.neuron_of(layer))
    }
    for index, group in enumerate(context.document.training.groups):
        members = {pair for pair in ungrouped if group.has(*pair)}
        if not members and layers.issuperset(group.layers or ()):
            kinds = " or ".join(group.parameters or ("numbers",))
            where = "of these layers " if group.layers else ""
            free = sorted({kind for _, kind in ungrouped})
            message = f"the group is empty: no {kinds} {where}are trained, or earlier groups "
            message += "have them"
            notes = (f"trained: {', '.join(free) or 'none left'}",)
            yield Issue(("training", "groups", index), message, notes=notes)
        ungrouped -= members


@rule("ND289")
def wrong_shards(context: Context) -> Found:
    training = context.document.training
    shards, batch_size, at = training.shards, training.batch_size, ("training", "shards")
    largest = 1 << (shards.bit_length() - 1)
    if largest < shards:
        hint = f"use {largest} or {2 * largest}"
        yield Issue(at, f"{shards} shards are no power of two", hint)
    elif batch_size is not None and shards > batch_size:
        message = f"a batch of {batch_size} cannot be divided into {shards} shards"
        hint = f"use at most {1 << (batch_size.bit_length() - 1)}, or a larger batch_size"
        related = (RelatedPath(("training", "batch_size"), "samples of a batch"),)
        yield Issue(at, message, hint, related)


@rule("ND218")
def two_validations(context: Context) -> Found:
    split = context.document.training.validation_split
    data = context.document.data
    if split > 0 and getattr(data, "validation", None):
        message = "data.validation names samples, and validation_split would take more"
        at, hint = ("training", "validation_split"), "keep one of the two"
        related = (RelatedPath(("data", "validation"), "validation samples"),)
        yield Issue(at, message, hint, related)
