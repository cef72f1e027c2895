"""Checks that Nesterov's method is used with a momentum (ND221)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Sgd
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    optimizer = context.document.training.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        message = "nesterov needs a momentum"
        at = ("training", "optimizer")
        yield RuleDiagnostic(
            (*at, "nesterov"),
            message,
            hint='add "momentum": 0.9',
            related=(RelatedPath((*at, "momentum"), "momentum is 0"),),
        )


ENTRY = Entry(
    code="ND221",
    title="nesterov without momentum",
    cause=(
        "Nesterov's method computes the gradient ahead of the weights, in the direction of the "
        "momentum. So it needs a momentum above 0."
    ),
    fix="Add a momentum, such as 0.9, or remove nesterov.",
    at="/training/optimizer",
    wrong='{"type": "sgd", "learning_rate": 0.1, "nesterov": true}',
    right='{"type": "sgd", "learning_rate": 0.1, "nesterov": true, "momentum": 0.9}',
)
