"""Files that a document refers to (ND3xx): are they there, and can they be what they should be?"""

from __future__ import annotations

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.places import Places


def check_files(description: object, places: Places) -> list[Diagnostic]:
    return []
