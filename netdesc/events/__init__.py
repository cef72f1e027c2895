"""Spike events: the container, its files, and binning to dense arrays and back."""

from netdesc.events.atomic_write import atomic_path
from netdesc.events.binning import from_dense, to_dense
from netdesc.events.container import DroppedEvents, Event
from netdesc.events.files import EventFileError, read_events, write_events

__all__ = [
    "DroppedEvents",
    "Event",
    "EventFileError",
    "atomic_path",
    "from_dense",
    "read_events",
    "to_dense",
    "write_events",
]
