"""Spike events: their container, files and pictures, and the conversion to dense arrays."""

from netdesc.events.container import DroppedEvents, Event, from_dense, from_index, to_dense
from netdesc.events.files import EventFileError, read_events, write_events

__all__ = [
    "DroppedEvents",
    "Event",
    "EventFileError",
    "from_dense",
    "from_index",
    "read_events",
    "to_dense",
    "write_events",
]
