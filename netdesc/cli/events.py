"""``netdesc events``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.events.raster_grid import RasterComparison
    from netdesc.events.summary import Summary

_STEP_MS = options.Number(min=0.001, max=1e6)
_MAX_POLARITIES = 8


@click.group(epilog="Example: netdesc events show data/oxford/target.bs1")
def events() -> None:
    """Convert, draw and animate spike files.

    A .bs1 file has neuron, polarity and time of each spike. A .bs2 file has x and y instead of the
    neuron. A .npy file has rows of x, p, t, of x, y, p, t, or of x, y, p, t, payload, with times in
    milliseconds.
    """


@events.command(
    short_help="Write a spike file in another format.",
    epilog="Example: netdesc events convert data/oxford/target.bs1 runs/target.npy",
)
@click.argument("source", metavar="IN", type=options.PATH)
@click.argument("target", metavar="OUT", required=False, type=options.PATH)
@options.output_path("OUT", "The file to write, in place of the argument OUT.", name="option")
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
@options.json_and_quiet
def convert(
    output: Output, source: Path, target: Path | None, option: Path | None, force: bool
) -> None:
    """Write the spikes of the file IN to the file OUT. The suffix of OUT selects the format.

    No spike is changed or left out. If the format of OUT cannot hold a spike, the command says
    which and why, and writes nothing.
    """
    from netdesc.description.diagnostics.wording import amount
    from netdesc.events import read_events, write_events

    if target is not None and option is not None:
        raise click.UsageError("OUT is given twice, as an argument and with -o")
    target = target or option
    if target is None:
        raise click.UsageError("OUT, the file to write, is missing")
    if target.exists() and not force:
        raise click.UsageError(f"{target} exists; --force overwrites it")
    recording = read_events(source)
    rounded = int((recording.microseconds() / 1000.0 != recording.t).sum())
    write_events(target, recording)
    if rounded:
        output.warn(f"{amount(rounded, 'time')} rounded to whole microseconds")
    if output.as_json:
        output.print_json({"output": str(target), "events": len(recording), "rounded": rounded})
    else:
        output.info(f"wrote {amount(len(recording), 'event')} to {target}")


@events.command(
    epilog="\b\nExamples:\n"
    "  netdesc events show data/oxford/target.bs1\n"
    "  netdesc events show runs/float.bs1 --against data/oxford/target.bs1 -o runs/compared.png"
)
@click.argument("file", metavar="FILE", type=options.PATH)
@options.output_path(
    "OUT.png|.svg|.pdf", "Draw the spikes into this file, with axes, a title and a legend."
)
@click.option(
    "--against",
    metavar="OTHER",
    type=options.PATH,
    help="Compare with the spikes of another file, in one picture.",
)
@click.option("--step-ms", type=_STEP_MS, default=1.0, help="Length of a time bin.")
@click.option(
    "--rounding",
    type=click.Choice(["nearest", "floor"]),
    default="nearest",
    help="How times are rounded to bins.",
)
@click.option(
    "--neurons",
    type=click.IntRange(min=1),
    help="Number of neurons to draw. Default: up to the last neuron that spikes.",
)
@click.option(
    "--until-ms",
    type=options.Number(min=0, min_open=True, max=4e9),
    help="Draw until this time. Default: until the last spike.",
)
@options.json_and_quiet
def show(
    output: Output, file: Path, target: Path | None, against: Path | None, **view: Any
) -> None:
    """Summarise or draw a spike file.

    A raster has time on the horizontal axis and neurons on the vertical axis. With --against,
    orange spikes are in FILE only, blue ones in OTHER only, and black ones in both, as in a report
    in which OTHER is the target. Spikes with x and y become one picture, with polarity 1 in blue
    and polarity 0 in orange.
    """
    from netdesc.events.files import open_events
    from netdesc.events.pictures import FORMATS, make_picture, save_picture
    from netdesc.events.summary import summarize

    if target is not None and target.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{target}: pictures are {', '.join(FORMATS)} files; name one")
    paths = [file] if against is None else [file, against]
    recordings = [open_events(path) for path in paths]
    names = [path.name for path in paths]

    comparison = None
    if target is not None or against is not None:
        drawn = make_picture(recordings, names, **view)
        comparison = drawn.comparison
        if target is not None:
            save_picture(target, drawn)
            _warn_outside(output, drawn.outside)
    if target is not None and not output.as_json:
        _print_comparison(output, paths, comparison)
        output.info(f"wrote {target}")
        return
    summaries = list(map(summarize, recordings))
    if output.as_json:
        pairs = zip(paths, summaries, strict=True)
        output.print_json(
            recordings=[{"file": str(path), **asdict(summary)} for path, summary in pairs],
            comparison=comparison and comparison.counts(),
            picture=target and str(target),
        )
        return
    columns = [_summary_lines(summary) for summary in summaries]
    headings = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, *(column.get(name, "") for column in columns)) for name in headings]
    output.print_table(("", *names), rows)
    _print_comparison(output, paths, comparison)


@events.command(
    epilog="\b\nExamples:\n"
    "  netdesc events animate data/oxford/target.bs1 -o runs/target.gif\n"
    "  netdesc events animate data/oxford/input.bs1 -o runs/input.html --step-ms 10 --fps 25"
)
@click.argument("file", metavar="FILE", type=options.PATH)
@options.output_path(
    "OUT.gif|.mp4|.html",
    "The file to write. .mp4 requires ffmpeg; .html is one page without other files.",
    required=True,
)
@click.option("--step-ms", type=_STEP_MS, help="Time of the recording that one frame shows.")
@click.option("--frames", type=click.IntRange(1, 500), help="Number of frames. Default: 100.")
@click.option(
    "--fps",
    type=options.Number(0.1, 50),
    default=20,
    help="Frames per second. A .gif file stores the duration of a frame in hundredths of a second.",
)
@options.json_and_quiet
def animate(output: Output, file: Path, target: Path, **timing: Any) -> None:
    """Turn a spike file into an animation.

    A raster appears from left to right. Spikes with x and y become one frame per time interval,
    with polarity 1 in blue and polarity 0 in orange.
    """
    from netdesc.events import read_events
    from netdesc.events.animation import FORMATS, write_animation

    if target.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{target}: animations are {', '.join(FORMATS)} files; name one")
    if timing["step_ms"] is not None and timing["frames"] is not None:
        raise click.UsageError("--step-ms and --frames exclude each other")

    animation = write_animation(target, read_events(file), file.name, **timing)
    _warn_outside(output, animation.outside)
    if output.as_json:
        output.print_json({"output": str(target), **asdict(animation)})
    else:
        output.info(f"wrote {target}: {animation.frames} frames of {animation.frame_ms:g} ms")


def _warn_outside(output: Output, outside: int) -> None:
    from netdesc.description.diagnostics.wording import amount

    if outside:
        events = amount(outside, "event")
        output.warn(f"{events} not shown, before time 0 or outside the picture")


def _print_comparison(
    output: Output, paths: list[Path], comparison: "RasterComparison | None"
) -> None:
    if comparison is not None:
        counts = comparison.counts()
        output.print(
            f"{counts['both']:,} spikes are in both files in the same bin, "
            f"{counts['only_first']:,} only in {paths[0]}, {counts['only_second']:,} only in "
            f"{paths[1]}"
        )


def _summary_lines(summary: "Summary") -> dict[str, Any]:
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
    more = ["…"] if len(kinds) > _MAX_POLARITIES else []
    lines["polarity"] = "; ".join([*kinds[:_MAX_POLARITIES], *more])
    return lines
