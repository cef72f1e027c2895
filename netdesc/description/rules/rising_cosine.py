from netdesc.description.models import CosineSchedule
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND226",
    "the cosine schedule raises the learning rate",
    at="/training/schedule",
    wrong='{"type": "cosine", "final_rate": 0.1}',
    right='{"type": "cosine", "final_rate": 0.0001}',
    severity="warning",
)
def check(context: Context) -> Found:
    """final_rate is the learning rate at the end of the run, not a factor. Here it is larger than
    learning_rate.

    Use a final_rate below learning_rate, or 0.
    """
    training = context.document.training
    schedule, rate = training.schedule, training.optimizer.learning_rate
    if isinstance(schedule, CosineSchedule) and schedule.final_rate > rate:
        yield RuleDiagnostic(
            ("training", "schedule", "final_rate"),
            f"the learning rate would rise from {rate:g} to {schedule.final_rate:g}",
            related=(RelatedPath(("training", "optimizer", "learning_rate"), "where it starts"),),
        )
