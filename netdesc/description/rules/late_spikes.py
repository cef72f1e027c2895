from netdesc.description.models import LatencyEncoding, ValueData
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND234",
    "spikes after the end of a sample",
    at="/data/encoding",
    wrong='{"type": "latency", "within_steps": 200}',
    right='{"type": "latency", "within_steps": 50}',
    data="labels",
)
def check(context: Context) -> Found:
    """Latency encoding spreads the spikes of a sample over within_steps steps; the smallest values
    spike last. A sample has fewer steps.

    Use a smaller within_steps, or null, which means all steps of a sample.
    """
    data, steps = context.document.data, context.document.time.steps
    if not isinstance(data, ValueData) or not isinstance(data.encoding, LatencyEncoding):
        return
    within = data.encoding.within_steps
    if within is not None and within > steps:
        message = f"spikes are spread over {within} steps, but a sample has {steps} steps"
        length = RelatedPath(("time", "steps"), "the length of a sample")
        yield RuleDiagnostic(("data", "encoding", "within_steps"), message, related=(length,))
