from itertools import pairwise

from netdesc.description.models import CosineSchedule, MilestonesSchedule
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND289",
    "epochs of a schedule that the run does not reach in this order",
    at="/training/schedule",
    wrong='{"type": "milestones", "epochs": [8, 4], "factor": 0.5}',
    right='{"type": "milestones", "epochs": [4, 8], "factor": 0.5}',
)
def check(context: Context) -> Found:
    """The learning rate changes after each of the numbers of epochs of milestones, which must rise,
    and falls after warmup_epochs epochs of a cosine schedule. All of them must be smaller than
    training.epochs.

    Sort the numbers, and use smaller ones or train for more epochs.
    """
    training, parts = context.document.training, ("training", "schedule", "epochs")
    schedule, last = training.schedule, (0, parts)
    if isinstance(schedule, CosineSchedule):
        last = schedule.warmup_epochs, ("training", "schedule", "warmup_epochs")
    elif isinstance(schedule, MilestonesSchedule):
        for index, (first, second) in enumerate(pairwise(schedule.epochs)):
            if second <= first:
                message = f"{second} epochs are not more than the {first} before"
                yield RuleDiagnostic((*parts, index + 1), message)
                return
        last = schedule.epochs[-1], (*parts, len(schedule.epochs) - 1)
    if last[0] >= training.epochs:
        yield RuleDiagnostic(
            last[1],
            f"the learning rate would change after {last[0]} epochs; the run has {training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )
