from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND231",
    "more steps than a sample has",
    at="/loss",
    wrong='{"type": "spike_rate", "window_steps": 200}',
    right='{"type": "spike_rate", "window_steps": 20}',
    data="labels",
)
def check(context: Context) -> Found:
    """A moving window covers the last window_steps steps, latency encoding spreads the spikes of a
    sample over within_steps steps, and a loss skips the first skip_steps steps. A sample has fewer
    steps, or none is left.

    Use a smaller number, or null, which means the whole sample.
    """
    document, length = context.document, context.document.time.steps
    found: list[tuple[Parts, int | None, int]] = []
    for parts, loss in context.losses():
        index = context.layer_of(loss)
        steps = length if index is None else context.wiring.steps[index]
        found.append(((*parts, "window_steps"), loss.window_steps, steps))
        found.append(((*parts, "skip_steps"), loss.skip_steps, steps - 1))
    if document.classifier is not None:
        window = document.classifier.window_steps
        found.append((("classifier", "window_steps"), window, context.wiring.steps[-1]))
    within = getattr(getattr(document.data, "encoding", None), "within_steps", None)
    found.append((("data", "encoding", "within_steps"), within, length))
    for parts, steps, most in found:
        if steps is not None and steps > most:
            yield RuleDiagnostic(
                parts,
                f"{parts[-1]} is {steps}, and a sample allows at most {most}",
                related=(RelatedPath(("time", "steps"), "the length of a sample"),),
            )
