"""``netdesc events``."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.events.binning import Rounding
    from netdesc.events.image import Image
    from netdesc.events.raster import Raster
    from netdesc.events.raster_grid import RasterComparison
    from netdesc.events.summary import Summary


class _Number(click.FloatRange):
    """A number in a range; NaN, which is neither below nor above one, is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_STEPS_MS = _Number(min=0.001, max=1e6)
_SKETCH_LINES, _WIDEST_SKETCH = 24, 100
_MOST_KINDS = 8


@click.group(epilog="Example: netdesc events show data/oxford/target.bs1")
def events() -> None:
    """Convert files of spikes, draw them and animate them.

    Files are .bs1 (a neuron, a polarity and a time for each spike), .bs2 (x and y instead of the
    neuron) or .npy (rows of x, p, t or of x, y, p, t; times in milliseconds).
    """


@events.command(
    short_help="Write a file of spikes in another format.",
    epilog="Example: netdesc events convert data/oxford/target.bs1 runs/target.npy",
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite OUT where it exists.")
@options.as_json
@click.pass_obj
def convert(output: Output, source: Path, target: Path, force: bool) -> None:
    """Write the spikes of the file IN as the file OUT, in the format of its suffix.

    Nothing is changed: where OUT's format cannot hold a spike, the command says which and why, and
    writes nothing.
    """
    from netdesc.events import read_events, write_events

    if target.exists() and not force:
        raise click.UsageError(f"{target} exists; --force overwrites it")
    recording = read_events(source)
    rounded = int((recording.microseconds() / 1000.0 != recording.t).sum())
    write_events(target, recording)
    if rounded:
        output.complain(
            f"warning: {rounded:,} {'time was' if rounded == 1 else 'times were'} between "
            f"microseconds and rounded to whole ones"
        )
    if output.as_json:
        output.give({"output": str(target), "events": len(recording), "rounded": rounded})
    else:
        output.note(f"wrote {len(recording):,} events to {target}")


@events.command(
    epilog="\b\nExamples:\n"
    "  netdesc events show data/oxford/target.bs1\n"
    "  netdesc events show runs/float.bs1 --against data/oxford/target.bs1 -o runs/compared.png"
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="OUT.png|.svg|.pdf",
    type=click.Path(path_type=Path),
    help="Draw the spikes into this file; .svg and .pdf have axes.",
)
@click.option(
    "--against",
    metavar="OTHER",
    type=click.Path(path_type=Path),
    help="Compare with the spikes of another file.",
)
@click.option(
    "--step-ms",
    type=_STEPS_MS,
    default=1.0,
    show_default=True,
    help="Length of the bins in which spikes meet.",
)
@click.option(
    "--rounding",
    type=click.Choice(["nearest", "floor"]),
    default="nearest",
    show_default=True,
    help="How times become bins.",
)
@click.option(
    "--neurons", type=click.IntRange(min=1), help="Draw so many; by default, to the largest number."
)
@click.option(
    "--until-ms",
    type=_Number(min=0, min_open=True, max=4e9),
    help="Draw until this time; by default, to the last spike.",
)
@options.as_json
@click.pass_obj
def show(
    output: Output,
    file: Path,
    target: Path | None,
    against: Path | None,
    step_ms: float,
    rounding: Rounding,
    neurons: int | None,
    until_ms: float | None,
) -> None:
    """Say what is in a file of spikes, or draw it.

    A raster has time to the right and neurons upward. With --against, orange is in FILE only, blue
    in OTHER only, and black in both, as in a report whose target is OTHER. Spikes with x and y
    become one picture, polarity 1 in blue and polarity 0 in orange.
    """
    from netdesc.events import read_events
    from netdesc.events.pictures import FORMATS, picture
    from netdesc.events.raster_grid import PictureError
    from netdesc.events.summary import summarize

    if target is not None and target.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{target}: pictures are {', '.join(FORMATS)} files; name one")

    paths = [file] if against is None else [file, against]
    recordings = [read_events(path) for path in paths]
    draw = partial(
        picture,
        recordings,
        [path.name for path in paths],
        step_ms=step_ms,
        rounding=rounding,
        neurons=neurons,
        until_ms=until_ms,
    )
    seen = None if target is None and against is None else draw()
    if target is not None and seen is not None:
        _save(output, target, seen)
    compared = seen and seen.comparison
    if target is not None and not output.as_json:
        _print_comparison(output, paths, compared)
        output.note(f"wrote {target}")
        return
    summaries = [summarize(recording, step_ms, rounding) for recording in recordings]
    if output.as_json:
        found = zip(paths, summaries, strict=True)
        output.give(
            {
                "recordings": [{"file": str(path), **asdict(summary)} for path, summary in found],
                "comparison": compared and compared.counts(),
                "picture": target and str(target),
            }
        )
        return
    _print_summaries(output, paths, summaries)
    _print_comparison(output, paths, compared)
    if summaries[0].events and _shows_braille():
        columns = min(_WIDEST_SKETCH, shutil.get_terminal_size().columns - 1)
        with contextlib.suppress(PictureError):  # too large to draw: the table has said how large
            output.say((seen or draw()).sketch(columns, _SKETCH_LINES))


@events.command(
    epilog="\b\nExamples:\n"
    "  netdesc events animate data/oxford/target.bs1 -o runs/target.gif\n"
    "  netdesc events animate data/oxford/input.bs1 -o runs/input.gif --step-ms 10 --fps 25"
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="OUT.gif",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@click.option("--step-ms", type=_STEPS_MS, help="Time of the recording that a frame shows.")
@click.option(
    "--frames",
    type=click.IntRange(1, 500),
    help="How many frames the recording becomes; 100 by default.",
)
@click.option(
    "--fps",
    type=_Number(0.1, 50),
    default=20,
    show_default=True,
    help="Frames a second. Files hold hundredths of a second, so it is rounded.",
)
@options.as_json
@click.pass_obj
def animate(
    output: Output,
    file: Path,
    target: Path,
    step_ms: float | None,
    frames: int | None,
    fps: float,
) -> None:
    """Turn a file of spikes into an animation.

    A raster appears from left to right. Spikes with x and y play as frames, each with the spikes of
    its time, polarity 1 in blue and polarity 0 in orange.
    """
    if target.suffix.lower() != ".gif":
        raise click.UsageError(f"{target}: animations are .gif files; name one, as {file.stem}.gif")
    if step_ms is not None and frames is not None:
        raise click.UsageError("--step-ms and --frames exclude each other")
    from netdesc.events import read_events
    from netdesc.events.animation import write_gif

    made = write_gif(target, read_events(file), step_ms=step_ms, frames=frames, fps=fps)
    _mention(output, made.outside)
    if output.as_json:
        output.give({"output": str(target), **asdict(made)})
    else:
        output.note(f"wrote {target}: {made.frames} frames of {made.frame_ms:g} ms")


def _save(output: Output, target: Path, seen: Raster | Image) -> None:
    from netdesc.events.files import atomic_output_path
    from netdesc.events.pictures import save_picture

    with atomic_output_path(target) as temporary:
        save_picture(temporary, seen)
    _mention(output, seen.outside)


def _mention(output: Output, outside: int) -> None:
    if outside:
        events = "1 event is" if outside == 1 else f"{outside:,} events are"
        where = "it is" if outside == 1 else "they are"
        output.complain(f"warning: {events} not shown; {where} before time 0 or outside")


def _print_summaries(output: Output, paths: list[Path], summaries: list[Summary]) -> None:
    columns = [_lines(summary) for summary in summaries]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, *(column.get(name, "") for column in columns)) for name in names]
    output.table(("", *(path.name for path in paths)), rows)


def _print_comparison(output: Output, paths: list[Path], compared: RasterComparison | None) -> None:
    if compared is not None:
        counts = compared.counts()
        output.say(
            f"{counts['both']:,} spikes are in both files in the same bin, "
            f"{counts['only_first']:,} only in {paths[0]}, {counts['only_second']:,} only in "
            f"{paths[1]}"
        )


def _lines(summary: Summary) -> dict[str, Any]:
    """What is known of a recording, in words."""
    lines: dict[str, Any] = {"events": f"{summary.events:,}"}
    if not summary.events:
        return lines
    lines["time"] = f"{summary.first_ms:,.10g} to {summary.last_ms:,.10g} ms"
    if summary.before_zero:
        lines["before time 0"] = f"{summary.before_zero:,}"
    if summary.y is None:
        place = "neuron"
        lines["neurons"] = "{:,} to {:,}".format(*summary.x or ())
    else:
        place = "pixel"
        lines["x"] = "{:,} to {:,}".format(*summary.x or ())
        lines["y"] = "{:,} to {:,}".format(*summary.y)
    lines["with events"] = f"{summary.active:,} of {summary.places:,}"
    if summary.rate_hz is not None and summary.busiest_hz is not None:
        busiest = ", ".join(map(str, summary.busiest or ()))
        lines["rate"] = f"{summary.rate_hz:,.4g} Hz a {place}"
        lines["busiest"] = f"{busiest} with {summary.busiest_hz:,.4g} Hz"
    kinds = [f"{polarity}: {count:,}" for polarity, count in summary.polarity.items()]
    lines["polarity"] = "; ".join([*kinds[:_MOST_KINDS], *["…"][: len(kinds) - _MOST_KINDS]])
    lines["duplicates"] = (
        f"{summary.same_instant:,} in the same µs, {summary.same_bin:,} in a bin "
        f"of {summary.step_ms:g} ms"
    )
    return lines


def _shows_braille() -> bool:
    return sys.stdout.isatty() and "utf" in sys.stdout.encoding.lower()
