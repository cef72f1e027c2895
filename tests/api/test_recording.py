"""Recordings in chunks of steps are those of all steps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support.exchange_samples import dense, document

from netdesc.api.recording import input_array, input_chunks, read_recording
from netdesc.description import Document
from netdesc.description.models import EventFile
from netdesc.events import DroppedEvents, Event
from netdesc.graph import build_graph

RANDOM = np.random.default_rng(0)
EVENTS = Event(RANDOM.integers(0, 8, 200), None, np.zeros(200), RANDOM.uniform(0, 45, 200))


@pytest.mark.filterwarnings("ignore::netdesc.events.DroppedEvents")
@pytest.mark.parametrize("source", [EVENTS, RANDOM.integers(0, 3, (50, 6)), np.arange(6) / 64])
@pytest.mark.parametrize("chunk_steps", [1, 7, 40, 100])
def test_chunks_are_parts_of_the_input(source: Any, chunk_steps: int) -> None:
    content = document([6], [dense("a", 2)])
    graph = build_graph(Document.model_validate_json(json.dumps(content)))
    recording, file = read_recording(source), EventFile(path="a.bs1", duplicates="sum")
    expected_TN, problems = input_array(recording, graph, file)
    chunks, found = input_chunks(recording, graph, file, chunk_steps)
    pieces = list(chunks)
    assert {len(each) for each in pieces[:-1]} <= {chunk_steps}
    np.testing.assert_array_equal(np.concatenate(pieces), expected_TN)
    assert found == problems
    assert bool(problems) == isinstance(source, Event)


def test_events_outside_are_warned_of() -> None:
    content = document([6], [dense("a", 2)])
    graph = build_graph(Document.model_validate_json(json.dumps(content)))
    with pytest.warns(DroppedEvents, match="the events: "):
        input_chunks(read_recording(EVENTS), graph, None, 9)
