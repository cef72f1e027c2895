from itertools import pairwise

from netdesc.description.models import MilestonesSchedule
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND289",
    "milestones that the run does not reach in this order",
    at="/training/schedule",
    wrong='{"type": "milestones", "epochs": [8, 4], "factor": 0.5}',
    right='{"type": "milestones", "epochs": [4, 8], "factor": 0.5}',
)
def check(context: Context) -> Found:
    """The learning rate changes after each of the numbers of epochs. They must rise, and be smaller
    than training.epochs.

    Sort the numbers, and remove those that the run does not reach.
    """
    training = context.document.training
    schedule = training.schedule
    if not isinstance(schedule, MilestonesSchedule):
        return
    parts = ("training", "schedule", "epochs")
    for index, (first, second) in enumerate(pairwise(schedule.epochs)):
        if second <= first:
            message = f"{second} epochs are not more than the {first} before"
            yield RuleDiagnostic((*parts, index + 1), message)
            return
    if schedule.epochs[-1] >= training.epochs:
        yield RuleDiagnostic(
            (*parts, len(schedule.epochs) - 1),
            f"the learning rate would change after {schedule.epochs[-1]} epochs; the run has "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )
