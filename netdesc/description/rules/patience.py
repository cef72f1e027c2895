from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND223",
    "early stopping cannot act",
    at="/training/early_stopping",
    wrong='{"patience_epochs": 10}',
    right='{"patience_epochs": 3}',
    severity="warning",
)
def check(context: Context) -> Found:
    """Training stops early after patience_epochs epochs without a better loss. The run ends before
    that.

    Use a smaller patience_epochs, or remove early_stopping.
    """
    training = context.document.training
    stopping = training.early_stopping
    if stopping is not None and stopping.patience_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "early_stopping", "patience_epochs"),
            f"a patience of {stopping.patience_epochs} epochs never runs out in a run of "
            f"{training.epochs} epochs",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )
