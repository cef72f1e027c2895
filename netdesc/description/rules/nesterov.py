"""Nesterov's look ahead without momentum."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Sgd
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    optimizer = context.document.training.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        message = "nesterov needs a momentum"
        at = ("training", "optimizer")
        yield Finding(
            (*at, "nesterov"),
            message,
            hint='add "momentum": 0.9',
            related=(RelatedPath((*at, "momentum"), "no momentum"),),
        )


ENTRY = Entry(
    code="ND221",
    title="nesterov without momentum",
    cause=(
        "Nesterov's method looks ahead along the momentum. Without momentum there is nothing "
        "to look along."
    ),
    fix="Give a momentum, such as 0.9, or leave nesterov out.",
    at="/training/optimizer",
    wrong='{"type": "sgd", "learning_rate": 0.1, "nesterov": true}',
    right='{"type": "sgd", "learning_rate": 0.1, "nesterov": true, "momentum": 0.9}',
)
