"""``netdesc bench``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.exit_codes import USAGE
from netdesc.cli.output import Output, SafeText
from netdesc.resources import shipped

if TYPE_CHECKING:
    from netdesc.bench.epochs import Report
    from netdesc.bench.oxford import SlayerResult
    from netdesc.bench.sweep import Point

EXAMPLES = """\b
Examples:
  netdesc bench oxford
  netdesc bench layer --against snntorch,norse
  netdesc bench layer --against all --peer-python lava-dl=../lava/bin/python
  netdesc bench neurons alif rf
  netdesc bench sweep --json > sweep.json
  netdesc bench --device cuda
"""

MAX_COUNT = 1 << 20
"""Of steps, samples, neurons. Numpy can still count the values of their product, whose memory then
is what is missing."""

DEVICES = click.Choice(["cpu", "cuda"])
device = click.option(
    "--device", type=DEVICES, default="cpu", help="The device that every program computes on."
)
peer_python = click.option(
    "--peer-python",
    "interpreters",
    metavar="[PEER=]PYTHON",
    multiple=True,
    help="The Python in which PEER, or every program, is installed. Repeatable. Default: this one.",
)


def against_option(programs: str) -> Callable[[options.Command], options.Command]:
    text = f"Also measure other programs: {programs}."
    return click.option("--against", metavar="PEERS", help=text)


def count_option(name: str, default: int, help: str = "", minimum: int = 1):
    """Returns an option for an integer from ``minimum`` to ``MAX_COUNT``."""
    kind = click.IntRange(minimum, MAX_COUNT)
    return click.option(name, type=kind, default=default, help=help)


def size_options(command: options.Command) -> options.Command:
    """Adds the options for the size of a layer."""
    rate = click.option(
        "--rate",
        type=options.Number(min=0.0, min_open=True, max=1.0),
        default=0.05,
        help="Share of the inputs that spike in a step.",
    )
    sizes = (("--inputs", 512, 1), ("--neurons", 512, 1), ("--steps", 500, 2), ("--batch", 16, 1))
    seed = click.option("--seed", type=click.IntRange(min=0), default=0)
    command = rate(seed(command))
    for name, default, minimum in reversed(sizes):
        command = count_option(name, default, minimum=minimum)(command)
    return command


@click.group(epilog=EXAMPLES, invoke_without_command=True)
@click.option(
    "--device",
    type=DEVICES,
    help="The device to compute on. Without a COMMAND, all commands run on it one after another.",
)
@click.pass_context
def bench(context: click.Context, device: str | None) -> None:
    """Measure how fast netdesc trains, alone or compared with other programs."""
    if context.invoked_subcommand is not None:
        if device is not None:
            context.default_map = {context.invoked_subcommand: {"device": device}}
    elif device is None:
        context.ensure_object(Output).error(SafeText(context.get_help()))
        context.exit(USAGE)
    else:
        for command in (oxford, layer, neurons, sweep):
            context.invoke(command, device=device)


@bench.command(
    short_help="Time the training epochs of the Oxford task or of a document.",
    epilog="\b\nExamples:\n  netdesc bench oxford\n  netdesc bench oxford mine.json --epochs 500\n"
    "  netdesc bench oxford --against lava-dl --peer-python ../lava/bin/python",
)
@click.argument("file", metavar="[FILE.json]", required=False, type=click.Path(path_type=Path))
@options.overrides
@count_option("--epochs", 300, "Number of epochs to time, after a warm-up.", minimum=10)
@against_option("lava-dl, which trains the Oxford task with slayer")
@count_option("--peer-epochs", 20, "Number of epochs to time of the other program.")
@peer_python
@device
@options.json_and_quiet
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
    """Time the training epochs of the Oxford task or of FILE.json, and the parts of an epoch.

    The Oxford task uses slayer's published recipe. The command runs the real training loop in a
    temporary folder and prints median, tenth and ninetieth percentile of each time. With --against
    lava-dl, slayer trains the same task with the same initial weights and spikes, and the command
    prints the ratio.
    """
    from netdesc.bench.programs import BenchUsageError, parse_interpreters, parse_peers

    peers, pythons = parse_peers(against, ("lava-dl",)), parse_interpreters(interpreters)
    if peers and (file is not None or overrides):
        raise BenchUsageError("--against measures the unchanged Oxford task, not a document")
    if file is None:
        file = shipped("examples/oxford_slayer.json")
    _prepare(device)
    from netdesc.bench.epochs import time_epochs

    report = time_epochs(file, overrides, epochs, device, output.info)
    contest = None
    if peers:
        from netdesc.bench.oxford import train_with_slayer

        output.info(f"measuring lava-dl: slayer, for {peer_epochs} epochs (--peer-epochs) …")
        contest = train_with_slayer(file, report, peer_epochs, device, pythons)
    if output.as_json:
        more = {} if contest is None else {"against": {"lava-dl": asdict(contest)}}
        output.print_json(asdict(report) | more)
        return
    _print(output, report)
    if contest is not None:
        _print_slayer(output, contest)


@bench.command(
    short_help="Time one layer, alone or beside other programs.",
    epilog="\b\nExamples:\n  netdesc bench layer\n"
    "  netdesc bench layer --against snntorch,norse --peer-python ../peers/bin/python\n"
    "  netdesc bench layer --against all\n"
    "  netdesc bench layer --kind conv --steps 300 --rate 0.02 --against snntorch\n"
    "  netdesc bench layer --steps 2000 --batch 1 --rate 0.01 --json",
)
@click.option(
    "--kind",
    type=click.Choice(["dense", "recurrent", "conv"]),
    default="dense",
    help="The layer; conv has N-MNIST's shape, 34×34×2 to 16 channels 5×5, for all sizes.",
)
@size_options
@click.option("--input-gradient", is_flag=True, help="Also compute the gradient of the input.")
@count_option("--repeats", 20, "Number of measurements; fewer if one is slow, more if it is fast.")
@against_option("all, or a list of lava-dl, snntorch, spikingjelly, norse, spyx with commas")
@peer_python
@device
@options.json_and_quiet
def layer(
    output: Output,
    kind: str,
    against: str | None,
    interpreters: tuple[str, ...],
    device: str,
    input_gradient: bool,
    repeats: int,
    **size: Any,
) -> None:
    """Time the forward and the backward pass of a layer of CUBA neurons.

    The backward pass starts from a given gradient of the output and computes the gradient of the
    weights, and with --input-gradient also of the input. Other programs use their most similar
    neuron, with the same input and weights, in separate processes. If a program is missing or
    fails, the command says so and measures the others.
    """
    from netdesc.bench.programs import parse_interpreters, parse_peers

    peers, pythons = parse_peers(against), parse_interpreters(interpreters)
    _prepare(device)
    from netdesc.bench import tables
    from netdesc.bench.layer import ConvSize, LayerSize, RecurrentSize, compare

    kinds = {"dense": LayerSize, "recurrent": RecurrentSize, "conv": ConvSize}
    if kind == "conv":
        del size["inputs"], size["neurons"]
    comparison = compare(
        kinds[kind](**size),
        peers,
        pythons,
        device=device,
        repeats=repeats,
        input_gradient=input_gradient,
        report=output.info,
    )
    if output.as_json:
        output.print_json(comparison.record())
        return
    rows = tables.layer_rows(comparison.programs)
    output.print_table(tables.LAYER, rows, right=tables.LAYER[1:])
    output.print(*tables.layer_lines(comparison))


@bench.command(
    short_help="Time the kinds of neurons beside CUBA, alone or beside other programs.",
    epilog="\b\nExamples:\n  netdesc bench neurons\n  netdesc bench neurons alif rf --steps 2000\n"
    "  netdesc bench neurons lif alif --against norse,spyx --peer-python ../peers/bin/python",
)
@click.argument("names", metavar="[NEURON]…", nargs=-1)
@size_options
@count_option("--repeats", 20, "Number of measurements; fewer if one is slow, more if it is fast.")
@against_option("all, or a list of snntorch, spikingjelly, norse, spyx with commas")
@peer_python
@device
@options.json_and_quiet
def neurons(
    output: Output,
    names: tuple[str, ...],
    against: str | None,
    interpreters: tuple[str, ...],
    device: str,
    repeats: int,
    **size: Any,
) -> None:
    """Time neurons of each kind, such as alif and rf, beside CUBA.

    Without synapses, the forward pass, the backward pass and the backward pass with learnt
    parameters are timed. With synapses, both passes of a dense layer are timed, also of the other
    programs that have a similar neuron.
    """
    from netdesc.bench.programs import parse_interpreters, parse_peers

    peers, pythons = parse_peers(against), parse_interpreters(interpreters)
    _prepare(device)
    from netdesc.bench import tables
    from netdesc.bench.layer import LayerSize
    from netdesc.bench.neurons import choose_neurons, compare_neurons

    chosen, settings = choose_neurons(names), {"device": device, "repeats": repeats}
    comparison = compare_neurons(
        chosen, LayerSize(**size), peers, pythons, **settings, report=output.info
    )
    if output.as_json:
        output.print_json(comparison.record())
        return
    rows = tables.neuron_rows(comparison)
    output.print_table(tables.NEURONS, rows, right={*tables.NEURONS} - {"neuron", "path"})
    output.print(*tables.neuron_lines(comparison))


@bench.command(
    short_help="Time a dense layer for increasing sizes.",
    epilog="\b\nExamples:\n  netdesc bench sweep\n  netdesc bench sweep --json > sweep.json",
)
@device
@options.json_and_quiet
def sweep(output: Output, device: str) -> None:
    """Time a dense layer for increasing steps, batch, neurons and input rate, one at a time.

    Each layer is measured as "netdesc bench layer" does. If the time grows in proportion to a size,
    the time per step, sample and neuron is constant. The path says whether netdesc used lists of
    events or a matrix product. The command takes one or two minutes.
    """
    _prepare(device)
    from netdesc.bench import tables
    from netdesc.bench.sweep import sweep as measure

    def print_axis(axis: str, points: Sequence[Point]) -> None:
        headings = (axis, *tables.SWEEP)
        output.print_table(headings, tables.sweep_rows(axis, points), right={*headings} - {"path"})
        output.print("")

    if output.as_json:
        output.print_json(measure(device, output.info).record())
        return
    output.print(*tables.sweep_lines(measure(device, output.info, print_axis)))


def _prepare(device: str) -> None:
    if device != "cpu":
        from netdesc.training.device import choose_device

        choose_device(device)


def _print(output: Output, report: Report) -> None:
    from netdesc.bench.tables import conditions, machine_line

    rows = [
        (
            timing.part,
            f"{timing.median_ms:8.3f}",
            f"{timing.low_ms:8.3f} to {timing.high_ms:.3f}",
            f"{report.shares.get(timing.part, 1):5.0%}",
        )
        for timing in (*report.parts, report.epoch)
    ]
    output.print_table(("part", "median ms", "10% to 90%", "share"), rows)
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate in report.spike_rates.items())
    epochs, loss = report.epochs, report.best_loss
    output.print(f"{epochs} epochs; best loss {loss:,.6g}; spikes per step: {rates}")
    if report.peak_bytes is not None:
        output.print(f"peak memory of the run: about {report.peak_bytes / 1e6:.3g} MB")
    device = report.conditions["device"]
    name = "cpu" if device["type"] == "cpu" else device["name"]
    output.print(f"netdesc: {conditions(report.conditions['versions'], name, device['threads'])}")
    output.print(machine_line(report.machine))


def _print_slayer(output: Output, contest: SlayerResult) -> None:
    if contest.epoch is None or contest.first_losses is None or contest.spike_rates is None:
        output.print(f"lava-dl: {contest.status}: {contest.reason}")
        return
    from netdesc.bench.tables import conditions

    epoch, (own_loss, peer_loss) = contest.epoch, contest.first_losses
    rates = ", ".join(f"{rate:.2%}" for rate in contest.spike_rates)
    memory = "" if contest.peak_bytes is None else f"; memory {contest.peak_bytes / 1e6:.0f} MB"
    output.print(
        f"lava-dl: {epoch.median_ms:.1f} ms per epoch ({epoch.low_ms:.1f} to {epoch.high_ms:.1f}), "
        f"{contest.ratio:.1f} times netdesc's time; {contest.epochs} epochs timed",
        f"  loss before training {peer_loss:,.6g} (netdesc {own_loss:,.6g}), "
        f"best {contest.best_loss:,.6g}; spikes per step: {rates}{memory}",
        f"  {contest.what}; {conditions(contest.versions, contest.device, contest.threads)}",
    )
