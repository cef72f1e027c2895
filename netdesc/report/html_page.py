"""Renders a page to a single HTML file, which needs no other, and writes it."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from netdesc import __version__
from netdesc.atomic_write import atomic_path
from netdesc.runs.errors import storing
from netdesc.runs.folder import refuse_link


def render(template: str, page: Any) -> str:
    """Renders the template with this name, which extends ``base.html.j2``, as one HTML text."""
    # The file is that of the npm package plotly.js-basic-dist-min, unchanged.
    scripts = {"plotly": _asset("plotly-basic.min.js"), "script": _asset("report.js")}
    # For the Content-Security-Policy, so that browsers run these scripts and no others.
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts.values())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        page=page,
        version=__version__,
        style=Markup(_asset("report.css")),
        sources=" ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def write_text(path: Path, text: str, follow_links: bool = False) -> None:
    """Writes a text atomically; bytes of paths that are not UTF-8 become ``\\udcff``.

    Raises RunError if that fails, or if ``path`` is a symbolic link and ``follow_links`` is false.
    """
    if not follow_links:
        refuse_link(path)
    with storing(path), atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8", "backslashreplace", newline="")
