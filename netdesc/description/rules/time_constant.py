from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND213",
    "the time constant is longer than the filter",
    at="/loss",
    wrong='{"type": "spike_time", "time_constant_ms": 200}',
    right='{"type": "spike_time", "time_constant_ms": 200, "filter_steps": 1000}',
    severity="warning",
)
def check(context: Context) -> Found:
    """The loss cuts its exponential filter off after filter_steps steps. With a time constant
    longer than that, most of the exponential is lost.

    Increase filter_steps or reduce the time constant.
    """
    for parts, loss in context.losses():
        index, spike_filter = context.layer_of(loss), loss.spike_filter
        if index is None or spike_filter is None:
            continue
        length_ms = spike_filter.filter_steps * context.wiring.step_ms[index]
        if spike_filter.time_constant_ms <= length_ms:
            continue
        yield RuleDiagnostic(
            (*parts, "time_constant_ms"),
            f"the time constant of {spike_filter.time_constant_ms:g} ms is longer than the filter "
            f"of {length_ms:g} ms",
            hint="increase filter_steps",
            related=(
                RelatedPath((*parts, "filter_steps"), f"{length_ms:g} ms"),
                RelatedPath(("time", "step_ms"), "the length of a step"),
            ),
        )
