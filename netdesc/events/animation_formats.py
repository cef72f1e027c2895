"""Encodes the frames of an animation as GIF, MP4 or HTML."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    import PIL.Image

_HOLD_S = 1.5
"""The duration of the last frame, after which the animation repeats."""
_PAGE = Path(__file__).parent / "animation.html"


class MissingProgramError(PictureError):
    """A format needs a program that is not installed."""

    exit_code = 3


class Clip(NamedTuple):
    """The frames of an animation: ``frame_count`` images of ``size`` pixels, grey (mode L) or in
    colours (mode RGB). ``fps`` is the number of frames shown per second.
    """

    size: tuple[int, int]
    frame_count: int
    fps: float
    frames: Iterator[PIL.Image.Image]


def _write_gif(path: Path, clip: Clip) -> None:
    """Writes a GIF file, which repeats. Equal consecutive frames become one longer frame."""
    frames = (frame.quantize() if frame.mode == "RGB" else frame for frame in clip.frames)
    next(frames).save(
        path,
        format="GIF",
        save_all=True,
        append_images=frames,
        duration=[round(1000 / clip.fps)] * (clip.frame_count - 1) + [round(1000 * _HOLD_S)],
        loop=0,
    )


def _write_mp4(path: Path, clip: Clip) -> None:
    """Writes an MP4 file with the program ffmpeg, to which it pipes the pixels of all frames.

    MissingProgramError if ffmpeg is not found, PictureError if it fails.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingProgramError(
            "an .mp4 file requires the program ffmpeg, which is not on the PATH; install it, or "
            "write a .gif or .html file"
        )
    width, height = clip.size
    command = [
        *(program, "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{height}"),
        *("-framerate", f"{clip.fps:g}", "-i", "-", "-an"),
        # Players require an even size and this layout of colours.
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p"),
        *("-bitexact", "-movflags", "+faststart", "-f", "mp4", str(path)),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # ffmpeg says why it stopped reading
            pixels = b""
            for frame in clip.frames:
                pixels = frame.convert("RGB").tobytes()
                process.stdin.write(pixels)
            for _ in range(round(_HOLD_S * clip.fps)):
                process.stdin.write(pixels)
        message = process.communicate()[1].decode(errors="replace").strip()
    if process.returncode:
        raise PictureError(f"ffmpeg failed: {message or process.returncode}")


def _write_html(path: Path, clip: Clip) -> None:
    """Writes a page that plays the frames, with a button and a slider, and needs no other file."""
    page = Template(_PAGE.read_text(encoding="utf-8"))
    width, height = clip.size
    frames = json.dumps(list(_changes(clip)))
    text = page.substitute(
        width=width,
        height=height,
        last=clip.frame_count - 1,
        fps=clip.fps,
        hold=_HOLD_S,
        frames=frames,
    )
    path.write_text(text, encoding="utf-8", newline="")


def _changes(clip: Clip) -> Iterator[tuple[int, int, str] | None]:
    """Yields the difference of each frame to the previous frame (of the first frame, to white).

    The difference is the smallest rectangle that contains all pixels that differ: its left and
    upper edge, and its pixels as a PNG file in base64. In the file, pixels that do not differ are
    transparent. The difference is None if no pixel differs.
    """
    from PIL import Image

    width, height = clip.size
    before_HW3 = np.full((height, width, 3), 255, np.uint8)
    for frame in clip.frames:
        frame_HW3 = np.asarray(frame.convert("RGB"))
        differs_HW = (frame_HW3 != before_HW3).any(axis=2)
        before_HW3 = frame_HW3
        rows, columns = (np.flatnonzero(differs_HW.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            yield None
            continue
        place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        opaque_HW1 = differs_HW[place][..., None].astype(np.uint8)
        file = io.BytesIO()
        rgba_HW4 = np.concatenate([frame_HW3[place] * opaque_HW1, 255 * opaque_HW1], axis=2)
        Image.fromarray(rgba_HW4).save(file, "PNG")
        content = base64.b64encode(file.getvalue()).decode("ascii")
        yield int(columns[0]), int(rows[0]), content


WRITERS: dict[str, Callable[[Path, Clip], None]] = {
    ".gif": _write_gif,
    ".mp4": _write_mp4,
    ".html": _write_html,
}
"""Suffix of the file -> the function that writes it."""
