from netdesc.description.models import CosineSchedule
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND219",
    "the warm-up is as long as the run",
    at="/training/schedule",
    wrong='{"type": "cosine", "warmup_epochs": 10}',
    right='{"type": "cosine", "warmup_epochs": 2}',
)
def check(context: Context) -> Found:
    """A cosine schedule lowers the learning rate after warmup_epochs epochs. The run ends before
    that.

    Use a shorter warm-up, or train for more epochs.
    """
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "schedule", "warmup_epochs"),
            f"a warm-up of {schedule.warmup_epochs} epochs leaves no other epochs in a run of "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )
