from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND285",
    "a moving window beside another reduction of steps",
    at="/loss",
    wrong='{"type": "spike_rate", "window_steps": 20, "over": "max"}',
    right='{"type": "spike_rate", "window_steps": 20}',
    data="labels",
)
def check(context: Context) -> Found:
    """With window_steps, a loss compares the mean of a window in each step. "over" says that it
    compares something else.

    Remove "over" or "window_steps".
    """
    for parts, loss in context.losses():
        over = loss.over
        if loss.window_steps is not None and over != "mean":
            yield RuleDiagnostic(
                (*parts, "over"),
                f'with window_steps, the loss compares means of windows, not "{over}"',
                hint='remove "over" or "window_steps"',
                related=(RelatedPath((*parts, "window_steps"), "the window"),),
            )
