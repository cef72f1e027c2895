from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND223",
    "something that the run ends before that",
    at="/training/early_stopping",
    wrong='{"patience_epochs": 10}',
    right='{"patience_epochs": 3}',
    severity="warning",
)
def check(context: Context) -> Found:
    """Training stops early after patience_epochs epochs without a better loss, and a step schedule
    changes the learning rate for the first time after every_epochs epochs. The run ends before
    that.

    Use a smaller number, or remove early_stopping or the schedule.
    """
    training = context.document.training
    found = {
        ("early_stopping", "patience_epochs"): training.early_stopping,
        ("schedule", "every_epochs"): training.schedule,
    }
    for (section, field), value in found.items():
        epochs = getattr(value, field, None)
        if epochs is not None and epochs >= training.epochs:
            yield RuleDiagnostic(
                ("training", section, field),
                f"{field} is {epochs}, and a run of {training.epochs} epochs ends before that",
                related=(RelatedPath(("training", "epochs"), "the length of the run"),),
            )
