"""Spike events: their container, files and pictures, and the conversion to dense arrays."""

from netdesc.events.container import DroppedEvents as DroppedEvents
from netdesc.events.container import Event as Event
from netdesc.events.container import from_dense as from_dense
from netdesc.events.container import from_index as from_index
from netdesc.events.container import to_dense as to_dense
from netdesc.events.files import EventFileError as EventFileError
from netdesc.events.files import read_events as read_events
from netdesc.events.files import write_events as write_events
