from netdesc.description.models import StepSchedule
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND220",
    "the step schedule never changes the learning rate",
    at="/training/schedule",
    wrong='{"type": "step", "every_epochs": 10, "factor": 0.5}',
    right='{"type": "step", "every_epochs": 5, "factor": 0.5}',
    severity="warning",
)
def check(context: Context) -> Found:
    """The learning rate changes for the first time after every_epochs epochs. The run ends before
    that.

    Use a smaller every_epochs, or the constant schedule.
    """
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, StepSchedule) and schedule.every_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "schedule", "every_epochs"),
            f"the learning rate would change after {schedule.every_epochs} epochs; the run has "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )
