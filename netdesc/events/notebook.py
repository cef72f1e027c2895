"""Pictures and animations that a notebook displays, and that can be saved as files."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture or an animation. ``write`` writes it in the format of the file's suffix."""

    write: Callable[[Path], object]
    formats: tuple[str, ...]
    """The suffixes of the formats."""

    def save(self, path: str | Path) -> None:
        """Writes a file. Raises ValueError for other suffixes, EventFileError if it fails."""
        path = Path(path)
        if path.suffix.lower() not in self.formats:
            raise ValueError(f"{path}: the suffix must be one of {', '.join(self.formats)}")
        self.write(path)

    def content(self, suffix: str) -> bytes:
        """Returns the content of a file with this suffix."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"drawing{suffix}"
            self.write(path)
            return path.read_bytes()


class NotebookPicture(Drawing):
    """A picture, which a notebook displays as PNG."""

    @cached_property
    def png(self) -> bytes:
        """The content of the PNG file."""
        return self.content(".png")

    def _repr_png_(self) -> bytes:
        return self.png


class NotebookAnimation(Drawing):
    """An animation, which a notebook displays as GIF."""

    @cached_property
    def gif(self) -> bytes:
        """The content of the GIF file."""
        return self.content(".gif")

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.gif).decode("ascii")
        return f'<img alt="spikes over time" src="data:image/gif;base64,{content}">'
