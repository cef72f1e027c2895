"""``netdesc explain`` of types: every type of the language, with all of its fields."""

import pytest

from netdesc.description import model_structure as structure
from netdesc.description.kind_text import kind_record, kind_text, kinds
from netdesc.neurons.models import NEURONS


def test_it_knows_every_type_but_neurons():
    every = {name for model in structure.model_paths() for name in structure.type_names(model)}
    assert set(kinds()) == every - set(NEURONS)
    assert {"dense", "conv", "spike_time", "arrays", "latency", "adam", "cosine"} <= set(kinds())


@pytest.mark.parametrize("kind", kinds())
def test_each_field_is_explained(kind):
    text = kind_text(kind, width=60)
    assert max(map(len, text.splitlines())) <= 100
    for model, record in zip(kinds()[kind], kind_record(kind)["objects"], strict=True):
        names = {each["name"] for each in record["fields"]}
        assert names == set(structure.fields(model)) - {"type"}
        assert all(each["text"] for each in record["fields"])
        assert all(f"\n{name}: " in text for name in names)
