from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule

_EXAMPLE = """\
{"format": 1, "name": "example", "time": {"steps": 100},
 "data": {"type": "spike_files",
  "train": [{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}},
            {"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}],
  "validation": [{"input": {"path": "input.bs1"},
                  "target": {"path": "target.bs1"}}]},
 "input": {"shape": [4]},
 "neurons": {"cuba": {"type": "cuba", "threshold": 1,
                      "current_decay": 1, "voltage_decay": 0.1}},
 "layers": [{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}],
 "loss": {"type": "spike_time", "time_constant_ms": 2},
 "training": {"epochs": 10, "validation_split": 0.5,
              "optimizer": {"type": "adam", "learning_rate": 0.001}}}"""


@rule(
    "ND218",
    "validation samples and a validation split",
    at="",
    wrong=_EXAMPLE,
    right=_EXAMPLE.replace(' "validation_split": 0.5,', ""),
)
def check(context: Context) -> Found:
    """Validation samples are chosen in one of two ways: data.validation lists them (for arrays,
    data.split marks them with 1), or training.validation_split takes them from the training
    samples.

    Keep one of the two. Beside a data.split that marks samples with 0 and 2 only,
    training.validation_split is allowed: it takes samples marked with 0.
    """
    split = context.document.training.validation_split
    data = context.document.data
    if split > 0 and getattr(data, "validation", None):
        message = "data.validation names samples, and validation_split would take more"
        yield RuleDiagnostic(
            ("training", "validation_split"),
            message,
            hint="keep one of the two",
            related=(RelatedPath(("data", "validation"), "validation samples"),),
        )
