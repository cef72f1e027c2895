"""Every mistake in equations has its place, and what may be meant."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.mistakes import EquationError, Mistake, Place

VALID = Definition(
    parameters=(("threshold", "threshold"), ("leak", "decay"), ("gain", "real")),
    step=("u = decay(u, leak) + x", "v = decay(v, leak) + where(gain > 0, u, 0)"),
    spike="v > threshold",
    reset=("v = 0",),
)


def mistakes(**changes: Any) -> tuple[Mistake, ...]:
    with pytest.raises(EquationError) as caught:
        read(replace(VALID, **changes))
    return caught.value.mistakes


def change(part: str, text: str) -> dict[str, Any]:
    """The change of VALID that puts a text at the end of a part; it is equation 2 of a step."""
    if part == "step":
        return {"step": (*VALID.step, text), "spike": "v > threshold + w"}
    return {part: (text,) if part == "reset" else text}


# « and » mark the place. A text and no suggestion:
AT = [
    ("step", "w = «q»"),
    ("step", "w = before(«q»)"),
    ("step", "w = before(«x»)"),
    ("step", "w = «before()»"),
    ("step", "w = v + «clip(v, 1, -1)»"),
    ("step", "w = v + «abs(a=v)»"),
    ("step", "w = «v * u»"),
    ("step", "w = «2 * leak» * v"),
    ("step", "w = «v - (v > 1)»"),
    ("step", "w = decay(v, «leak / 2»)"),
    ("step", "w = «v * 0.99999»"),
    ("step", "w = «leak - 1»"),
    ("step", "w = where(«v», 1, 2)"),
    ("step", "w = where(v > 1, v, «gain»)"),
    ("step", "w = decay(v, «1.5»)"),
    ("step", "w = decay(v, «0.0001»)"),
    ("step", "w = «v ** 2»"),
    ("step", "w = where(«not v > 1», v, u)"),
    ("step", "w = where(«v != 1», v, u)"),
    ("step", "w = «v if v > 1 else u»"),
    ("step", "w = «(v, u)»"),
    ("step", "w = «v»(u)"),
    ("step", "w = v + «abs»"),
    ("step", "w = v + «131073»"),
    ("step", "w = v + «1x»"),
    ("step", "w = v«;» u"),
    ("step", "w = v +«»"),
    ("step", "w =«»"),
    ("step", "«w + v»"),
    ("spike", "v «=» 1"),
    ("step", "«w += x+»"),
    ("step", "«x» = v"),
    ("step", "w = norm(«where(before(spike), 1, x)»)"),
    ("step", "w = norm(x) + «norm(x)»"),
    ("step", "w = «phase_spike(v, u, 1)»"),
    ("step", "w = «" + "-" * 41 + "v»"),
    ("reset", "v = 0«;» u = 0"),
    ("reset", "v = «norm(v)»"),
    ("spike", "«v»"),
    ("spike", "«gain > 1»"),
    ("spike", "  v > «q»"),
    ("spike", "phase_spike(v, «u + 1», threshold)"),
    ("output", "«»"),
]

# A text and what the place may be replaced by:
MEANT = [
    ("step", "w = «tresh» + v", "threshold"),
    ("step", "w = «deca»(v, leak)", "decay"),
    ("step", "w = where(before(«spik»), v, u)", "spike"),
    ("step", "w = v + «spike»", "before(spike)"),
    ("step", "w = «v * 0.5»", "scaled(v, 0.5)"),
    ("step", "w = u - «v * -2.5»", "4 * scaled(v, -0.625)"),
    ("step", "w = «(u - v) / 0.5»", "2 * (u - v)"),
    ("step", "«w += v»", "w = w + v"),
    ("step", "«w -= decay(v, leak)»", "w = w - decay(v, leak)"),
    ("step", "w = where(«0 < v < u», v, u)", "0 < v and v < u"),
    ("spike", "v > 1 «&&» u > 1", "and"),
    ("spike", "v «≥» threshold", ">="),
    ("step", "w = decay(v, «1/8»)", "0.125"),
    ("step", "w = v + «τ»", "tau"),
    ("step", "w = decay(v, «0.99999»)", "1"),
]

# A text and words that lead on:
SAID = [
    ("step", "«w'» = x", "no derivatives"),
    ("spike", "«if» v > 1", "'v > 1' alone"),
    ("step", "«w[»t] = v", "before("),
    ("step", "w = «(u - v) / tau»", "1/tau"),
    ("step", "w = v * «exp»(-dt / tau)", "decay(v, "),
    ("step", "w = «rand»()", "random"),
    ("step", "w = «0.04*v*v» + 5*v", "'alif'"),
    ("step", "w = «0.5 * (v - 1) * before(u)»", "cannot be multiplied by a state"),
    ("step", "w = 0.5 * «q» * v * u", "neither a state"),
    ("step", "w = decay(v, «lost»)", '{"lost": {"kind": "decay"'),
]


@pytest.mark.parametrize(
    ("part", "text", "suggestion", "words"),
    [
        *((part, text, None, "") for part, text in AT),
        *((part, text, meant, "") for part, text, meant in MEANT),
        *((part, text, None, words) for part, text, words in SAID),
    ],
)
def test_mistakes_have_places(part: str, text: str, suggestion: str | None, words: str) -> None:
    column, end = text.index("«"), text.index("»") - 1
    found = mistakes(**change(part, text.replace("«", "").replace("»", "")))
    at = [
        each
        for each in found
        if (each.place.part, each.place.index, each.place.column, each.place.end_column)
        == (part, 2 if part == "step" else 0, column, end)
    ]
    assert any(words in each.message for each in at), found
    if suggestion is not None or not words:
        assert suggestion in [each.suggestion for each in at]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"spike": None, "reset": ()}, ("spike", 0)),
        ({"spike": None, "output": "v"}, ("reset", 0)),
        ({"inputs": ("x", "y")}, ("inputs", 1)),
        ({"inputs": ("x", "leak")}, ("parameters", 1)),
        ({"step": ("leak = x",), "spike": "leak > threshold"}, ("step", 0)),
        ({"parameters": (*VALID.parameters, ("more", "grid"))}, ("parameters", 3)),
        ({"parameters": (*VALID.parameters, ("bias", "grid"))}, ("parameters", 3)),
        ({"parameters": (*VALID.parameters, ("clip", "grid"))}, ("parameters", 3)),
        ({"step": (*VALID.step, "w = v", "q = w + q", "w = w + q")}, ("step", 2)),
        ({"step": tuple(f"s{n} = x" for n in range(33))}, ("step", 32)),
        ({"reset": ("v = 0", "v = 1")}, ("reset", 1)),
        ({"step": (*VALID.step, "w = norm(u)"), "reset": ("u = 0",)}, ("step", 2)),
        ({"step": ("v = v + before(spike)",), "spike": None, "output": "v"}, ("step", 0)),
    ],
)
def test_mistakes_of_neurons_have_places(changes: dict[str, Any], place: tuple[str, int]) -> None:
    assert place in [(each.place.part, each.place.index) for each in mistakes(**changes)]


def test_all_mistakes_are_reported_in_order() -> None:
    found = mistakes(step=("v = decay(v, 2) + q * (x + r)", "w =", "else:"), spike="v > w > 1")
    assert [(each.place.part, each.place.column) for each in found] == [
        ("spike", 0), ("step", 13), ("step", 18), ("step", 27), ("step", 3), ("step", 4),
    ]  # fmt: skip
    assert not any("else" in each.message for each in found)


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"spike": "v > treshold"}, "threshold"),
        ({"step": (VALID.step[0].replace("+ x", "+ y"), VALID.step[1])}, None),
        ({"step": (VALID.step[0], "v = decay(v, lost)"), "spike": "v > u"}, None),
        ({"step": ("v += x - x",)}, None),
    ],
)
def test_names_are_not_reported_as_unread_beside_an_unknown_one(
    changes: dict[str, Any], meant: str | None
) -> None:
    (only,) = mistakes(**changes)
    assert only.suggestion == meant


def test_reading_ends_after_a_hundred_mistakes() -> None:
    unknown = [f"where(q{n} > 0, 0, 0)" for n in range(35)]
    text = f"v = {' + '.join(unknown)}"
    assert 100 <= len(mistakes(step=(text,) * 64)) < 300


def test_the_number_of_expressions_is_bounded() -> None:
    sums = [f"u = {' + '.join(f'{30 * k + n} * u' for n in range(2, 32))}" for k in range(12)]
    (found,) = mistakes(step=(*VALID.step, *sums))
    assert found.place.part == "step"
    assert 2 < found.place.index < len(sums)


WORDS = st.sampled_from(
    [*"uvwx+-*/()<>=,.!& 019", "decay", "norm", "before", "spike", "where", "phase_spike", " and "]
)


@given(st.one_of(st.text(), st.lists(WORDS).map("".join)), st.sampled_from(("step", "reset")))
def test_no_text_raises_anything_else(text: str, part: str) -> None:
    for changes in ({part: (text, "v = " + text)}, {"spike": text}, {"output": text}):
        definition = replace(VALID, **changes)
        try:
            read(definition)
        except EquationError as error:
            for place in (each.place for each in error.mistakes):
                assert 0 <= place.column <= place.end_column <= len(text_at(definition, place))


def text_at(definition: Definition, place: Place) -> str:
    texts = getattr(definition, place.part) or ""
    text = texts if isinstance(texts, str) else texts[place.index]
    return text if isinstance(text, str) else text[0]
