"""The description language: reads documents, checks them and reports diagnostics."""

from netdesc.description.codes import explain as explain
from netdesc.description.diagnostics.diagnostic import Diagnostic as Diagnostic
from netdesc.description.diagnostics.render import render_text as render_text
from netdesc.description.diagnostics.render import to_json as to_json
from netdesc.description.load import Description as Description
from netdesc.description.load import DescriptionError as DescriptionError
from netdesc.description.load import check as check
from netdesc.description.load import load as load
from netdesc.description.lock import lock_text as lock_text
from netdesc.description.models import Document as Document
from netdesc.description.models.document import Lock as Lock
from netdesc.description.schema import json_schema as json_schema
from netdesc.description.schema import schema_text as schema_text
