from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND250",
    "a delay that is not fixed or not learnt",
    at="/layers/0/delay",
    wrong='{"steps": 3, "learn": true}',
    right='{"steps": 3}',
)
def check(context: Context) -> Found:
    """A delay has its steps, or it is learnt. The range of its initial_steps is [low, high], within
    max_steps.

    Write steps, or "learn": true, and no range above max_steps.
    """
    for index, layer in context.neuron_layers():
        delay, parts = layer.delay, ("layers", index, "delay")
        if delay is None:
            continue
        low, high = delay.initial_steps
        if delay.learn == (delay.steps is not None):
            both = "both fixed and learnt" if delay.learn else "neither fixed nor learnt"
            hint = 'write "steps", or "learn": true'
            yield RuleDiagnostic(parts, f"the delay is {both}", hint=hint)
        elif delay.learn and not low <= high <= delay.max_steps:
            message = f"initial delays from {low:g} to {high:g} are not a range within max_steps"
            hint = f"write two steps from 0 to {delay.max_steps}, the lower one first"
            yield RuleDiagnostic((*parts, "initial_steps"), message, hint=hint)
