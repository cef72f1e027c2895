from netdesc.description.models import SpikeRate
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND232",
    "two rates in the wrong order",
    at="/loss",
    wrong='{"type": "spike_rate", "true_rate": 0.02, "false_rate": 0.03}',
    right='{"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}',
    data="labels",
)
def check(context: Context) -> Found:
    """spike_rate trains the label's neuron to spike at true_rate and the other neurons to spike at
    false_rate. The neuron that spikes most gives the class, so true_rate must be larger. The
    regularizer event_rate costs nothing from min_rate to max_rate, so min_rate must not be larger.

    Exchange the rates, or change one of them.
    """
    for parts, loss in context.losses():
        if isinstance(loss, SpikeRate) and loss.true_rate <= loss.false_rate:
            yield RuleDiagnostic(
                (*parts, "true_rate"),
                f"true_rate {loss.true_rate:g} is not larger than false_rate {loss.false_rate:g}, "
                "so the label's neuron would not spike most",
                related=(RelatedPath((*parts, "false_rate"), "the rate of the other neurons"),),
            )
    for index, each in enumerate(context.document.regularizers):
        if each.min_rate > each.max_rate:
            yield RuleDiagnostic(
                ("regularizers", index, "min_rate"),
                f"min_rate {each.min_rate:g} is larger than max_rate {each.max_rate:g}",
                related=(RelatedPath(("regularizers", index, "max_rate"), "the highest rate"),),
            )
