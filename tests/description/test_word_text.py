"""``netdesc explain`` of words: every type, section and field of the language."""

import pytest

from netdesc.description import model_structure as structure
from netdesc.description.word_text import fields, kinds, sections, word_record, word_text, words
from netdesc.neurons.models import NEURONS


def test_it_knows_every_type_but_neurons():
    models = set(structure.model_paths()) - set(NEURONS.values())
    assert set(kinds()) == {name for model in models for name in structure.type_names(model)}
    assert {"dense", "conv", "spike_time", "arrays", "latency", "adam", "cosine"} <= set(kinds())


@pytest.mark.parametrize("kind", kinds())
def test_each_field_is_explained(kind):
    text = word_text(kind, width=60)
    assert max(map(len, text.splitlines())) <= 100
    for model, record in zip(kinds()[kind], word_record(kind)["objects"], strict=True):
        names = {each["name"] for each in record["fields"]}
        assert names == set(structure.fields(model)) - {"type"}
        assert all(each["text"] for each in record["fields"])
        assert all(f"\n{name}: " in text for name in names)


def test_it_knows_every_field_and_where_it_stands():
    for model in structure.model_paths():
        for name in set(structure.fields(model)) - {"type"}:
            objects = structure.type_names(model) or structure.model_paths()[model]
            assert any(set(objects) <= set(each["of"]) for each in fields()[name])
    assert set(fields()) <= set(words())
    of = {name for each in fields()["voltage_decay"] for name in each["of"]}
    assert {"cuba", "lif", "alif"} <= of


@pytest.mark.parametrize("section", sections())
def test_each_section_names_its_fields_or_its_types(section):
    text = word_text(section, width=60)
    models = sections()[section]
    for model in models:
        types = structure.type_names(model) if len(models) > 1 else ()
        for name in types or set(structure.fields(model)) - {"type"}:
            assert f"\n{name}: " in text or f"  {name}: " in text or f", {name}: " in text
