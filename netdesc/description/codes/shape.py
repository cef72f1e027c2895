"""Entries of ND1xx: the structure of the document."""

from __future__ import annotations

from netdesc.description.codes.code import Entry

ENTRIES = (
    Entry(
        code="ND101",
        title="an unknown field",
        cause="The language has no field of this name in this object.",
        fix="Correct the spelling, or remove the field.",
        at="/neurons/cuba",
        wrong='{"type": "cuba", "treshold": 1, "current_decay": 1, "voltage_decay": 0.1}',
        right='{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}',
    ),
    Entry(
        code="ND102",
        title="a field is missing",
        cause="The field has no default, so the document must contain it.",
        fix="Add the field.",
        at="/time",
        wrong='{"step_ms": 1}',
        right='{"steps": 100, "step_ms": 1}',
    ),
    Entry(
        code="ND103",
        title="a value of the wrong type",
        cause=(
            "The field takes a value of another JSON type. netdesc converts nothing: a number in "
            "quotes is a string, and 100.0 is not an integer. Only an integer may stand for a "
            "number, such as 1 for 1.0."
        ),
        fix="Write the value as the message says.",
        at="/time/steps",
        wrong='"100"',
        right="100",
    ),
    Entry(
        code="ND104",
        title="an unknown type",
        cause=(
            'The "type" of an object says what it is. The language has no such type in this place.'
        ),
        fix="Use one of the types that the message lists.",
        at="/training/optimizer",
        wrong='{"type": "adma", "learning_rate": 0.001}',
        right='{"type": "adam", "learning_rate": 0.001}',
    ),
    Entry(
        code="ND105",
        title="a field of another type of object",
        cause='The field exists, but only in objects of another "type".',
        fix="Remove the field, or change the type.",
        at="/training/optimizer",
        wrong='{"type": "adam", "learning_rate": 0.001, "momentum": 0.9}',
        right='{"type": "sgd", "learning_rate": 0.001, "momentum": 0.9}',
    ),
    Entry(
        code="ND106",
        title="a number outside its limits",
        cause="The number is smaller or larger than the field allows.",
        fix="Choose a number within the limits that the message shows.",
        at="/neurons/cuba/voltage_decay",
        wrong="1.5",
        right="0.5",
    ),
    Entry(
        code="ND107",
        title="not one of the allowed values",
        cause="The field takes only a few values, and this is not one of them.",
        fix="Use one of the values that the message lists.",
        at="/loss",
        wrong='{"type": "spike_time", "time_constant_ms": 2, "reduction": "average"}',
        right='{"type": "spike_time", "time_constant_ms": 2, "reduction": "mean"}',
    ),
    Entry(
        code="ND108",
        title="too few or too many values",
        cause="A list or a string is empty, too short or too long.",
        fix="Write as many values or characters as the message says.",
        at="/input/shape",
        wrong="[]",
        right="[4]",
    ),
    Entry(
        code="ND109",
        title="a string of the wrong form",
        cause=(
            "The name of a neuron or layer consists of letters, digits, _ and -, and starts with a "
            "letter or _, because it becomes part of parameter names and file names. A SHA-256 "
            "consists of 64 lower-case hexadecimal digits."
        ),
        fix="Write the string in the form that the message shows.",
        at="/layers/0/name",
        wrong='"hidden layer"',
        right='"hidden_layer"',
    ),
    Entry(
        code="ND110",
        title="a document of another format",
        cause='"format" is the version of the language. This netdesc does not know this version.',
        fix=(
            "Use a newer netdesc for a document of a newer format. netdesc reads older formats, "
            "and netdesc migrate rewrites a document in the current format."
        ),
        at="/format",
        wrong="2",
        right="1",
    ),
    Entry(
        code="ND111",
        title="an override that cannot be read",
        cause=(
            "--set takes PATH=VALUE. PATH has dots between its parts. VALUE is JSON, or a plain "
            "string unless it starts like a JSON object, list or string. This argument has no such "
            "form."
        ),
        fix="Complete the argument, and quote all of it for the shell.",
        at="--set",
        wrong="input.shape=[4",
        right="input.shape=[4]",
    ),
    Entry(
        code="ND112",
        title="an override of something that does not exist",
        cause=(
            "The path in --set names a field that does not exist in the language, or an item that "
            "does not exist in the list."
        ),
        fix=(
            "Correct the path. A layer is named: layers.hidden.units=3. Items of other lists are "
            "counted from 0: data.train.0.label=3."
        ),
        at="--set",
        wrong="training.epoch=50",
        right="training.epochs=50",
    ),
)
