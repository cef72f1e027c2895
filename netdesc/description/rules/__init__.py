"""Rules about the meaning of a document (ND2xx), one a file."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.diagnostic import Diagnostic, first
from netdesc.description.models import Document
from netdesc.description.places import Places
from netdesc.description.remedies import replacement
from netdesc.description.rules import (
    batch_size,
    class_without_samples,
    decay_surprise,
    duplicate_layer,
    idle_classifier,
    idle_step_schedule,
    input_rank,
    label_beyond_output,
    late_spikes,
    later_source,
    long_window,
    nesterov,
    nothing_to_train,
    patience,
    range_order,
    range_without_per_channel,
    repeated_entry,
    reserved_name,
    rising_cosine,
    single_batch,
    sum_of_shapes,
    target_or_label,
    threshold_range,
    threshold_zero,
    time_constant,
    too_large,
    two_validations,
    unknown_neuron,
    unknown_source,
    unread_layer,
    unused_neuron,
    validation_split,
    value_range,
    wanted_output,
    wanted_rates,
    warmup,
    zero_weights,
)
from netdesc.description.rules.rule import Context, Rule
from netdesc.description.shapes import wire
from netdesc.description.training_set import TrainingSet

RULES: tuple[Rule, ...] = (
    unknown_neuron.RULE,
    unused_neuron.RULE,
    duplicate_layer.RULE,
    reserved_name.RULE,
    unknown_source.RULE,
    later_source.RULE,
    input_rank.RULE,
    sum_of_shapes.RULE,
    repeated_entry.RULE,
    nothing_to_train.RULE,
    threshold_zero.RULE,
    decay_surprise.RULE,
    time_constant.RULE,
    unread_layer.RULE,
    range_without_per_channel.RULE,
    range_order.RULE,
    validation_split.RULE,
    two_validations.RULE,
    warmup.RULE,
    idle_step_schedule.RULE,
    nesterov.RULE,
    batch_size.RULE,
    patience.RULE,
    threshold_range.RULE,
    too_large.RULE,
    rising_cosine.RULE,
    target_or_label.RULE,
    wanted_output.RULE,
    label_beyond_output.RULE,
    idle_classifier.RULE,
    long_window.RULE,
    wanted_rates.RULE,
    value_range.RULE,
    late_spikes.RULE,
    class_without_samples.RULE,
    zero_weights.RULE,
    single_batch.RULE,
)


MOST_FINDINGS = 100
"""So many findings of one rule are shown; a hostile document has a hundred thousand."""


def check_rules(document: Document, places: Places, training_set: TrainingSet) -> list[Diagnostic]:
    """What all rules find."""
    context = Context(document, wire(document), training_set)
    return [
        finding
        for rule in RULES
        for finding in first(_findings(rule, context, places), MOST_FINDINGS)
    ]


def _findings(rule: Rule, context: Context, places: Places) -> Iterator[Diagnostic]:
    for found in rule.check(context):
        if not places.is_guessed(found.parts):
            yield places.diagnostic(
                rule.entry.code,
                found.parts,
                found.message,
                hint=found.hint,
                notes=found.notes,
                severity=rule.severity,
                on=found.on,
                related=found.related,
                remedy=replacement(found.parts, found.meant) if found.meant is not None else None,
            )
