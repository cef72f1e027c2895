"""The description language: reads documents, checks them and reports diagnostics."""

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.render import render_text, to_json
from netdesc.description.explanations import explain
from netdesc.description.load import Description, DescriptionError, check, load
from netdesc.description.lock import lock_text
from netdesc.description.models import Document, Lock
from netdesc.description.schema import json_schema, schema_text

__all__ = [
    "Description",
    "DescriptionError",
    "Diagnostic",
    "Document",
    "Lock",
    "check",
    "explain",
    "json_schema",
    "load",
    "lock_text",
    "render_text",
    "schema_text",
    "to_json",
]
