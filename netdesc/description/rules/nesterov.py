from netdesc.description.models import Sgd
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND221",
    "nesterov without momentum",
    at="/training/optimizer",
    wrong='{"type": "sgd", "learning_rate": 0.1, "nesterov": true}',
    right='{"type": "sgd", "learning_rate": 0.1, "nesterov": true, "momentum": 0.9}',
)
def check(context: Context) -> Found:
    """Nesterov's method computes the gradient ahead of the weights, in the direction of the
    momentum. So it needs a momentum above 0.

    Add a momentum, such as 0.9, or remove nesterov.
    """
    optimizer = context.document.training.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        at = ("training", "optimizer")
        momentum = RelatedPath((*at, "momentum"), "momentum is 0")
        message, hint = "nesterov needs a momentum", 'add "momentum": 0.9'
        yield RuleDiagnostic((*at, "nesterov"), message, hint, related=(momentum,))
