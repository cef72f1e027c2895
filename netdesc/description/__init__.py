"""The description language: documents, their checks and what is said about them."""

from netdesc.description.diagnostic import DescriptionError, Diagnostic
from netdesc.description.load import Description, check, load
from netdesc.description.models import Document
from netdesc.description.render import render_text, to_json

__all__ = [
    "Description",
    "DescriptionError",
    "Diagnostic",
    "Document",
    "check",
    "load",
    "render_text",
    "to_json",
]
