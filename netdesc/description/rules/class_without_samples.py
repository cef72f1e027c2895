from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import output_locations

MAX_LABELS_SHOWN = 5


@rule(
    "ND235",
    "a class without training samples",
    at="/data/labels",
    wrong='"labels_without_1"',
    right='"labels"',
    severity="warning",
    data="labels",
)
def check(context: Context) -> Found:
    """The last layer has one neuron per class, counted from 0. Some classes have no training
    sample, so the network cannot learn to recognise them.

    Check the labels and the split, or give the last layer one unit per class.
    """
    document, classes = context.document, context.wiring.classes
    labels = context.training_set.labels
    if labels is None or classes is None or document.main_loss.learns_from != "labels":
        return
    if max(labels) >= classes or len(labels) == classes:
        return  # ND229 or ND316 reports a label beyond the outputs
    missing = [
        label
        for label in range(min(classes, len(labels) + MAX_LABELS_SHOWN))
        if label not in labels
    ]
    shown = ", ".join(map(str, missing[:MAX_LABELS_SHOWN]))
    count = classes - len(labels)
    more = f" and {count - MAX_LABELS_SHOWN} more" if count > MAX_LABELS_SHOWN else ""
    field = "labels" if isinstance(document.data, ValueData) else "train"
    noun = "label" if count == 1 else "labels"
    yield RuleDiagnostic(
        ("data", field),
        f"no training sample has the {noun} {shown}{more}",
        on="key",
        related=output_locations(document),
    )
