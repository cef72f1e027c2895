from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND284",
    "losses of a list are reduced differently",
    at="/loss",
    wrong='[{"type": "spike_max"}, {"type": "cross_entropy", "over": "max"}]',
    right='[{"type": "spike_max", "reduction": "mean"}, {"type": "cross_entropy", "over": "max"}]',
    data="labels",
)
def check(context: Context) -> Found:
    """The losses of a list add up. A sum over samples and a mean over samples do not: their ratio
    would depend on the size of the batches.

    Write the same "reduction" in all of them.
    """
    (parts, loss), *others = context.losses()
    for place, other in others:
        if other.reduction != loss.reduction:
            yield RuleDiagnostic(
                (*place, "reduction"),
                f'{other.type} has the reduction "{other.reduction}", and {loss.type} '
                f'"{loss.reduction}"',
                hint=f'write "reduction": "{loss.reduction}"',
                related=(RelatedPath((*parts, "reduction"), f"the {loss.reduction} of samples"),),
            )
