from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND244",
    "a loss that skips all steps",
    at="/loss/skip_steps",
    wrong="100",
    right="10",
    data="values",
)
def check(context: Context) -> Found:
    """The first skip_steps steps of a sample do not count, and a sample has no more steps.

    Skip fewer steps than time.steps.
    """
    for parts, loss in context.losses():
        index = context.layer_of(loss)
        steps = context.document.time.steps if index is None else context.wiring.steps[index]
        if loss.skip_steps >= steps:
            message = f"the loss skips {loss.skip_steps} steps, and a sample has {steps}"
            length = RelatedPath(("time", "steps"), "the length of a sample")
            yield RuleDiagnostic((*parts, "skip_steps"), message, related=(length,))
