from netdesc.description.json.tree import Parts
from netdesc.description.models import MovingWindowClassifier
from netdesc.description.models.loss import window_steps
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND231",
    "a window longer than a sample",
    at="/loss",
    wrong='{"type": "spike_rate", "window_steps": 200}',
    right='{"type": "spike_rate", "window_steps": 20}',
    data="labels",
)
def check(context: Context) -> Found:
    """A moving window covers the last window_steps steps. A sample has fewer steps.

    Use a shorter window, or null, which means one rate over the whole sample.
    """
    document = context.document
    windows: list[tuple[Parts, int | None]] = [
        ((*parts, "window_steps"), window_steps(loss)) for parts, loss in context.losses()
    ]
    if isinstance(document.classifier, MovingWindowClassifier):
        windows.append((("classifier", "window_steps"), document.classifier.window_steps))
    for parts, steps in windows:
        if steps is not None and steps > document.time.steps:
            message = f"a window of {steps} steps is longer than a sample of {document.time.steps}"
            length = RelatedPath(("time", "steps"), "the length of a sample")
            yield RuleDiagnostic(parts, message, related=(length,))
