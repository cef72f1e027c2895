"""What ``netdesc explain`` says of ND1xx: the shape of the document."""

from __future__ import annotations

from netdesc.description.codes.code import Entry

ENTRIES = (
    Entry(
        code="ND101",
        title="an unknown field",
        cause="The object has a key that the language does not know in this place.",
        fix="Correct the spelling, or take the field out.",
        at="/neurons/cuba",
        wrong='{"type": "cuba", "treshold": 1, "current_decay": 1, "voltage_decay": 0.1}',
        right='{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}',
    ),
    Entry(
        code="ND102",
        title="a field is missing",
        cause="The field has no default, so that it must be given.",
        fix="Add the field.",
        at="/time",
        wrong='{"step_ms": 1}',
        right='{"steps": 100, "step_ms": 1}',
    ),
    Entry(
        code="ND103",
        title="a value of another kind",
        cause=(
            "The field takes another kind of value. Nothing is converted: a number in quotes is "
            "a string, and 100.0 is no integer. An integer does stand for a number: 1 for 1.0."
        ),
        fix="Write the value as the message says.",
        at="/time/steps",
        wrong='"100"',
        right="100",
    ),
    Entry(
        code="ND104",
        title="an unknown type",
        cause='The object\'s "type" says what it is, and the language has no such thing here.',
        fix="Use one of the allowed types.",
        at="/training/optimizer",
        wrong='{"type": "adma", "learning_rate": 0.001}',
        right='{"type": "adam", "learning_rate": 0.001}',
    ),
    Entry(
        code="ND105",
        title="a field of another type",
        cause='The field exists, but objects of another "type" have it.',
        fix="Take the field out, or change the type.",
        at="/training/optimizer",
        wrong='{"type": "adam", "learning_rate": 0.001, "momentum": 0.9}',
        right='{"type": "sgd", "learning_rate": 0.001, "momentum": 0.9}',
    ),
    Entry(
        code="ND106",
        title="a number outside its limits",
        cause="The number is smaller or larger than the field allows.",
        fix="Choose a number within the limits that the message names.",
        at="/neurons/cuba/voltage_decay",
        wrong="1.5",
        right="0.5",
    ),
    Entry(
        code="ND107",
        title="not one of the allowed values",
        cause="The field takes one of a few values, and this is none of them.",
        fix="Use one of the allowed values.",
        at="/loss",
        wrong='{"type": "spike_time", "time_constant_ms": 2, "reduction": "average"}',
        right='{"type": "spike_time", "time_constant_ms": 2, "reduction": "mean"}',
    ),
    Entry(
        code="ND108",
        title="too few or too many values",
        cause="The list or the text is empty, too short or too long.",
        fix="Give as many values as the message says.",
        at="/input/shape",
        wrong="[]",
        right="[4]",
    ),
    Entry(
        code="ND109",
        title="a text of the wrong form",
        cause=(
            "Names of neurons and layers have letters, digits, _ and -, and start with a letter "
            "or _, because they become parts of parameter and file names. A SHA-256 has 64 "
            "lower-case hexadecimal digits."
        ),
        fix="Write the text in the form that the message names.",
        at="/layers/0/name",
        wrong='"hidden layer"',
        right='"hidden_layer"',
    ),
    Entry(
        code="ND110",
        title="a document of another format",
        cause='"format" is the version of the language, and this netdesc reads format 1.',
        fix=(
            "Use a newer netdesc for a document of a newer format. One of an older format is read "
            "as it is; netdesc migrate writes it in the present one."
        ),
        at="/format",
        wrong="2",
        right="1",
    ),
    Entry(
        code="ND111",
        title="an override that cannot be read",
        cause=(
            "--set takes PATH=VALUE. The value is JSON; what is no JSON is a string, unless it "
            "starts like an object, a list or a string and breaks off."
        ),
        fix="Quote the whole argument for the shell.",
        at="--set",
        wrong="input.shape=[4",
        right="input.shape=[4]",
    ),
    Entry(
        code="ND112",
        title="an override of something that does not exist",
        cause=(
            "The path in --set names a field that the language does not have in that place, or "
            "an item that the list does not have."
        ),
        fix="Correct the path. A layer goes by its name: layers.hidden.units=3. Other items "
        "of lists are counted from 0: data.train.0.label=3.",
        at="--set",
        wrong="training.epoch=50",
        right="training.epochs=50",
    ),
)
