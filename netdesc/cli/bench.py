"""``netdesc bench``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.resources import shipped

if TYPE_CHECKING:
    from netdesc.bench.epochs import Report
    from netdesc.bench.oxford import SlayerResult
    from netdesc.bench.sweep import Point

EXAMPLES = """\b
Examples:
  netdesc bench oxford
  netdesc bench layer --against snntorch,norse
  netdesc bench layer --against all --peer-python lava-dl=../lava/bin/python --markdown
  netdesc bench sweep --json > sweep.json
  netdesc bench --device cuda
"""

_STOLEN_AND_SEEN = 0.005
"""Less of the processors' time than that makes no difference to be seen."""

DEVICES = click.Choice(["cpu", "cuda"])
device = click.option(
    "--device", type=DEVICES, default="cpu", show_default=True, help="Where every program computes."
)
peer_python = click.option(
    "--peer-python",
    "interpreters",
    metavar="[PEER=]PYTHON",
    multiple=True,
    help="The interpreter that has PEER, or all of them; may be repeated. Default: this one.",
)


def against(known: str) -> Callable[[options.Command], options.Command]:
    return click.option("--against", metavar="PEERS", help=f"Measure other programs, too: {known}.")


def number(name: str, default: int, help: str = "", least: int = 1):
    """An option for a count, from ``least`` on."""
    kind = click.IntRange(min=least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


@click.group(epilog=EXAMPLES, invoke_without_command=True)
@click.option(
    "--device",
    type=DEVICES,
    help="Where to compute. Without a command all of them are run there, one after the other.",
)
@click.pass_context
def bench(context: click.Context, device: str | None) -> None:
    """Measure how long training takes, alone or beside other programs."""
    if context.invoked_subcommand is not None:
        if device is not None:
            context.default_map = {context.invoked_subcommand: {"device": device}}
    elif device is None:
        raise click.exceptions.NoArgsIsHelpError(context)
    else:
        for command in (oxford, layer, sweep):
            context.invoke(command, device=device)


@bench.command(
    short_help="Time the epochs of the Oxford task, or of a document.",
    epilog="\b\nExamples:\n  netdesc bench oxford\n  netdesc bench oxford mine.json --epochs 500\n"
    "  netdesc bench oxford --against lava-dl --peer-python ../lava/bin/python",
)
@click.argument("file", metavar="[FILE.json]", required=False, type=click.Path(path_type=Path))
@options.overrides
@number("--epochs", 300, "How many epochs to time, after a warm-up.", least=10)
@against("lava-dl, which trains the Oxford task with slayer")
@number("--peer-epochs", 20, "How many epochs to time of the other program.")
@peer_python
@device
@options.quiet
@options.as_json
@click.pass_obj
def oxford(
    output: Output,
    file: Path | None,
    overrides: tuple[str, ...],
    epochs: int,
    against: str | None,
    peer_epochs: int,
    interpreters: tuple[str, ...],
    device: str,
) -> None:
    """Time the epochs of the Oxford task, or of FILE.json, whole and by part.

    The Oxford task is the one with slayer's published recipe, to compare with. Prints the median
    and the spread (tenth to ninetieth percentile) of the real training loop, which runs in a
    temporary folder. With --against lava-dl slayer trains the same task, from the same weights on
    the same spikes, and the ratio is printed.
    """
    from netdesc.bench.programs import BenchUsageError, Interpreters, parse_peers

    peers, pythons = parse_peers(against, ("lava-dl",)), Interpreters.parse(interpreters)
    if peers and (file is not None or overrides):
        raise BenchUsageError("--against goes with the Oxford task as it is, not with a document")
    if file is None:
        file = shipped("examples/oxford_slayer.json")
    _prepare(device)
    from netdesc.bench.epochs import time_epochs

    report = time_epochs(file, overrides, epochs, device, output.note)
    contest = None
    if peers:
        from netdesc.bench.oxford import train_with_slayer

        output.note(f"measuring lava-dl: slayer, for {peer_epochs} epochs (--peer-epochs) …")
        contest = train_with_slayer(file, report, peer_epochs, device, pythons)
    if output.as_json:
        more = {} if contest is None else {"against": {"lava-dl": asdict(contest)}}
        output.give(asdict(report) | more)
        return
    _print(output, report)
    if contest is not None:
        _print_slayer(output, contest)


@bench.command(
    short_help="Time one dense layer, alone or beside other programs.",
    epilog="\b\nExamples:\n  netdesc bench layer\n"
    "  netdesc bench layer --against snntorch,norse --peer-python ../peers/bin/python\n"
    "  netdesc bench layer --against all --markdown\n"
    "  netdesc bench layer --steps 2000 --batch 1 --rate 0.01 --json",
)
@number("--inputs", 512)
@number("--neurons", 512)
@number("--steps", 500, least=2)
@number("--batch", 16)
@click.option(
    "--rate",
    type=click.FloatRange(min=0.0, min_open=True, max=1.0),
    default=0.05,
    show_default=True,
    help="Share of the inputs that spike in a step.",
)
@number("--seed", 0, least=0)
@click.option("--input-gradient", is_flag=True, help="Compute the input's gradient, too.")
@number("--repeats", 20, "How often to time it: fewer times if it is slow, more if it is fast.")
@against("lava-dl, snntorch, spikingjelly, norse, spyx, with commas, or all")
@peer_python
@device
@click.option("--markdown", is_flag=True, help="Print the rows as a Markdown table, nothing else.")
@options.quiet
@options.as_json
@click.pass_obj
def layer(
    output: Output,
    against: str | None,
    interpreters: tuple[str, ...],
    device: str,
    input_gradient: bool,
    repeats: int,
    markdown: bool,
    **size: Any,
) -> None:
    """Time a dense layer of CUBA neurons, forward and backward.

    The time is that of the pass forward and, from a given gradient of the output, backward to the
    gradient of the weights; the input's gradient is left out unless --input-gradient is given.
    Other programs compute their nearest neurons on the same input with the same weights, each in a
    process of its own. One that is missing or fails is named, and the others are measured.
    """
    from netdesc.bench.programs import Interpreters, parse_peers

    peers, pythons = parse_peers(against), Interpreters.parse(interpreters)
    _prepare(device)
    from netdesc.bench import tables
    from netdesc.bench.layer import LayerSize, compare

    found = compare(
        LayerSize(**size),
        peers,
        pythons,
        device=device,
        repeats=repeats,
        input_gradient=input_gradient,
        report=output.note,
    )
    if output.as_json:
        output.give(found.record())
    elif markdown:
        output.say("\n".join(tables.markdown(found)))
        for line in tables.not_measured(found):
            output.complain(line)
    else:
        rows = tables.layer_rows(found.programs)
        output.table(tables.LAYER, rows, right=tables.LAYER[1:])
        output.say("\n".join(tables.layer_lines(found)))


@bench.command(
    short_help="Time a dense layer as its sizes grow.",
    epilog="\b\nExamples:\n  netdesc bench sweep\n  netdesc bench sweep --json > sweep.json",
)
@device
@options.quiet
@options.as_json
@click.pass_obj
def sweep(output: Output, device: str) -> None:
    """Time a dense layer as steps, batch, neurons and input rate grow, one at a time.

    The time is that of "netdesc bench layer". Where it grows in proportion, the time for each
    step, sample and neuron stays the same. The path is how netdesc computed: by lists of events or
    by a matrix product. Takes one or two minutes.
    """
    _prepare(device)
    from netdesc.bench import tables
    from netdesc.bench.sweep import sweep as measure

    def show(axis: str, points: Sequence[Point]) -> None:
        headings = (axis, *tables.SWEEP)
        output.table(headings, tables.sweep_rows(axis, points), right={*headings} - {"path"})
        output.say("")

    if output.as_json:
        output.give(measure(device, output.note).record())
        return
    found = measure(device, output.note, show)
    output.say("\n".join(tables.sweep_lines(found)))


def _prepare(device: str) -> None:
    if device != "cpu":
        from netdesc.training.device import choose_device

        choose_device(device)


def _print(output: Output, report: Report) -> None:
    from netdesc.bench.tables import conditions, machine_lines

    rows = [
        (
            timing.part,
            f"{timing.median_ms:8.3f}",
            f"{timing.low_ms:8.3f} to {timing.high_ms:.3f}",
            f"{timing.median_ms / report.epoch.median_ms:5.0%}",
        )
        for timing in (*report.parts, report.epoch)
    ]
    output.table(("part", "median ms", "10% to 90%", "share"), rows)
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate in report.spike_rates.items())
    output.say(f"{report.epochs} epochs; best loss {report.best_loss:,.6g}; spikes a step: {rates}")
    if report.peak_bytes is not None:
        output.say(f"memory of the run, roughly: {report.peak_bytes / 1e6:.3g} MB at its peak")
    if report.stolen is not None and report.stolen >= _STOLEN_AND_SEEN:
        output.say(f"the host gave {report.stolen:.1%} of the cores' time to others meanwhile")
    device = report.conditions["device"]
    name = "cpu" if device["type"] == "cpu" else device["name"]
    output.say(f"netdesc: {conditions(report.conditions['versions'], name, device['threads'])}")
    output.say("\n".join(machine_lines(report.machine)))


def _print_slayer(output: Output, contest: SlayerResult) -> None:
    if contest.epoch is None or contest.first_losses is None or contest.spike_rates is None:
        output.say(f"lava-dl: {contest.status}: {contest.reason}")
        return
    from netdesc.bench.tables import conditions

    epoch, (own, others) = contest.epoch, contest.first_losses
    rates = ", ".join(f"{rate:.2%}" for rate in contest.spike_rates)
    memory = "" if contest.peak_bytes is None else f"; memory {contest.peak_bytes / 1e6:.0f} MB"
    output.say(
        f"lava-dl: an epoch {epoch.median_ms:.1f} ms ({epoch.low_ms:.1f} to {epoch.high_ms:.1f}), "
        f"{contest.ratio:.1f} times netdesc's; {contest.epochs} epochs timed\n"
        f"  loss before training {others:,.6g} (netdesc {own:,.6g}), "
        f"best {contest.best_loss:,.6g}; spikes a step: {rates}{memory}\n"
        f"  {contest.what}; {conditions(contest.versions, contest.device, contest.threads)}"
    )
