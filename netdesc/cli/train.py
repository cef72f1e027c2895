"""``netdesc compile``, ``netdesc train`` and ``netdesc compile-and-train``."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import diagnostics_text, options
from netdesc.cli.output import Output
from netdesc.cli.processes import join_launched, train_by_processes
from netdesc.cli.show import graph_record, print_graph
from netdesc.description.source import BEST_WEIGHTS
from netdesc.runs.folder import NETWORK, REPORT
from netdesc.stop_signals import PARENT

if TYPE_CHECKING:
    from netdesc.api.trained_run import Run
    from netdesc.description import Description
    from netdesc.training.setup import TrainingOptions

_OPTIONS = (
    click.argument("file", metavar="[FILE.json]", required=False, type=options.PATH),
    options.overrides,
    click.option(
        "--run-dir",
        type=options.PATH,
        help="Folder of the run: a new or empty one, except with --resume-or-start. Default: "
        "runs/NAME/DATE-TIME-RANDOM.",
    ),
    click.option(
        "--resume-or-start",
        is_flag=True,
        help="Resume the run in --run-dir if there is one; otherwise start it. If it is done, do "
        "nothing. So a scheduler may repeat the same command any number of times.",
    ),
    click.option(
        "--resume",
        metavar="RUN",
        type=options.PATH,
        help="Resume the run in this folder, which contains everything that it needs. With --set "
        "training.epochs=N it trains longer, also if it is done; the learning rate, schedule, "
        "early_stopping and gradient_clip may change, too. A cosine schedule is "
        "computed with the new number of epochs, so its rate rises again.",
    ),
    options.device,
    options.engine,
    click.option("--seed", type=int, help="Short for --set training.seed=N."),
    click.option(
        "--seeds",
        type=click.IntRange(1, 1000),
        default=1,
        metavar="N",
        help="Train N times, with the seeds training.seed, training.seed + 1, … into the folders "
        "seed0, seed1, … of the run, and print the median and the spread of the best metrics.",
    ),
    click.option(
        "--log",
        multiple=True,
        type=click.Choice(["wandb", "mlflow", "tensorboard"]),
        help="Also pass the metrics of each epoch to Weights & Biases, MLflow or TensorBoard "
        "(folder tensorboard of the run). Repeatable. Resuming needs it again. Without a network: "
        "WANDB_MODE=offline, or MLFLOW_TRACKING_URI=sqlite:///mlflow.db.",
    ),
    click.option(
        "--ignore-memory",
        is_flag=True,
        help="Train even if the estimated memory exceeds what the machine or the GPU has free.",
    ),
    click.option(
        "--processes",
        type=click.IntRange(min=1),
        default=1,
        metavar="N",
        help="Train with N processes on this machine, which share its cores. N must divide "
        "training.shards; the results have the same bits for any N. This saves time if a step "
        "takes 10 ms or more. For several machines use torchrun, or srun with MASTER_ADDR set.",
    ),
    click.option(
        "--max-restarts",
        type=click.IntRange(min=0),
        default=0,
        metavar="K",
        help="With --processes: if a process is killed, start all processes again from the last "
        "checkpoint, at most K times. Needs --run-dir or --resume.",
    ),
    options.json_and_quiet,
)
_ABOUT_RUNS = """\
The folder of the run contains the document, the weights, the metrics of each epoch, network.net and
report.html, which shows all of it.
Losses are shown per sample, and epochs count from 1. In metrics.jsonl and run.json, epochs count
from 0 and losses are as the document defines them, by default sums over all samples.
Ctrl-C stops training after the current batch and writes a checkpoint, from which --resume goes on;
so do SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU, with exit code 75 in place of 130. A second
signal quits at once.
"""


@click.command("compile", epilog="Example: netdesc compile examples/oxford.json")
@options.document
@options.overrides
@options.engine
@options.json_and_quiet
def compile_command(output: Output, file: Path, overrides: tuple[str, ...], engine: str) -> None:
    """Check FILE.json, build the network and compile its kernels, as training would.

    If FILE.json has data, the first batch is computed. The command writes only the cache of
    compiled kernels, which later commands use.
    """
    description = diagnostics_text.load_document(output, file, overrides)
    output.info("loading torch …")
    from netdesc.api.compile import layer_reports, open_network
    from netdesc.kernels.engines import use_engine

    start = time.perf_counter()
    opened = open_network(description)
    compiled = opened.compiled
    output.warn(*opened.file_warnings)
    built = time.perf_counter()
    with use_engine(engine):
        reports = layer_reports(description, compiled, "quiet" if output.quiet else "auto")
    done = time.perf_counter()
    if output.as_json:
        output.print_json(
            graph_record(compiled.graph),
            engines=[{"layer": r.name, "engine": r.engine, "path": r.path} for r in reports],
            build_s=round(built - start, 3),
            kernels_s=round(done - built, 3),
        )
        return
    print_graph(output, compiled.graph)
    engines = ", ".join(sorted({report.engine for report in reports}))
    kernels = f"kernels of engine {engines} ready in {done - built:.2f} s"
    output.print(f"built in {built - start:.2f} s; {kernels}")


def _training_command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        for option in reversed(_OPTIONS):
            function = option(function)
        about = f"{function.__doc__}\n\n{_ABOUT_RUNS}"
        epilog = f"\b\nExamples:\n  netdesc {name} examples/oxford.json --set training.epochs=200\n"
        epilog += f"  netdesc {name} --resume runs/first\n"
        epilog += f"  netdesc {name} --resume runs/first --set training.epochs=400\n"
        epilog += f"  netdesc {name} examples/oxford.json --run-dir runs/a --resume-or-start"
        return click.command(name, help=about, epilog=epilog)(function)

    return decorate


@_training_command("train")
def train(output: Output, **arguments: Any) -> int:
    """Train the network in FILE.json, or in the network.lock.json of an earlier run."""
    return _train(output, show_layers=False, **arguments)


@_training_command("compile-and-train")
def compile_and_train(output: Output, **arguments: Any) -> int:
    """Check FILE.json, show its layers, and compile, train and export the network."""
    return _train(output, show_layers=True, **arguments)


def _train(output: Output, processes: int, max_restarts: int, **arguments: Any) -> int:
    if processes > 1 and PARENT not in os.environ:
        paths = arguments["resume"], arguments["run_dir"]
        return train_by_processes(output, processes, max_restarts, *paths)
    if max_restarts and PARENT not in os.environ:
        raise click.UsageError("--max-restarts needs --processes N")
    with join_launched(output, arguments["device"]) as ranks:
        return _train_here(output, **ranks, **arguments)


def _train_here(
    output: Output,
    show_layers: bool,
    file: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    seeds: int,
    resume: Path | None,
    **settings: Any,
) -> int:
    description = None
    if settings["resume_or_start"] and (resume or not settings["run_dir"]):
        raise click.UsageError(
            "--resume-or-start needs the folder of the run, and excludes --resume: "
            "netdesc train FILE.json --run-dir RUN --resume-or-start"
        )
    if resume is None:
        if file is None:
            raise click.UsageError("give a FILE.json to train, or --resume RUN")
        if seed is not None:
            overrides += (f"training.seed={seed}",)
        description = diagnostics_text.load_document(output, file, overrides, with_data=False)
        if show_layers and not output.quiet:
            from netdesc.graph import build_graph

            print_graph(output, build_graph(description.document))
    elif file or seed is not None or seeds > 1 or settings["run_dir"]:
        run, weights = quote(str(resume)), quote(str(resume / BEST_WEIGHTS))
        raise click.UsageError(
            "--resume continues a run; it excludes FILE.json, --seed, --seeds and --run-dir. To "
            f"train longer: netdesc train --resume {run} --set training.epochs=N. To start a new "
            f"run from its weights: netdesc train FILE.json --set weights.path={weights}"
        )
    else:
        settings["overrides"] = overrides
    from netdesc.api.train import train_network
    from netdesc.training.setup import TrainingOptions

    progress = "quiet" if output.quiet else "auto"
    options = TrainingOptions(resume=resume, progress=progress, warn=output.warn, **settings)
    if description is not None and seeds > 1:
        return _train_seeds(output, description, seeds, options)
    run = train_network(description, options)
    if output.silent:
        return run.exit_code
    folder = resume or settings["run_dir"]
    is_absolute = folder is not None and folder.is_absolute()
    _print_result(output, run, run.path if is_absolute else Path(os.path.relpath(run.path)))
    return run.exit_code


def _train_seeds(
    output: Output, description: "Description", seeds: int, options: "TrainingOptions"
) -> int:
    """Trains with one seed after another, and prints medians and spreads of the best metrics."""
    from netdesc.api.train import train_network
    from netdesc.description.load import check_changed, require_valid

    folder = options.folder_for(description.document.name)
    first, runs, values = description.document.training.seed, list["Run"](), dict[str, Any]()
    for number in range(seeds):
        changed = require_valid(check_changed(description, {"training.seed": first + number}))
        run = train_network(changed, replace(options, run_dir=folder / f"seed{number}"))
        if run.status == "interrupted":
            return run.exit_code
        runs.append(run)
    for metric in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        bests = [run.best or {} for run in runs if run.status == "done"]
        best = [metrics[metric] for metrics in bests if metric in metrics]
        if best:
            spread = max(best) - min(best)
            values[metric] = {"median": statistics.median(best), "spread": spread}
    code = max(run.exit_code for run in runs)
    if output.as_json:
        shown = [{"run": str(run.path), "status": run.status, "best": run.best} for run in runs]
        output.print_json({"exit_code": code, "run": str(folder), "best": values, "runs": shown})
    for metric, value in values.items():
        text = f"median {value['median']:,.5g}, spread {value['spread']:.3g}"
        output.print(f"{metric.replace('_', ' ')}: {text} over {len(runs)} seeds")
    if not output.as_json:
        output.print(str(folder))
    return code


def _print_result(output: Output, run: "Run", folder: Path) -> None:
    network, report = folder / NETWORK, folder / REPORT
    exported = network if network.exists() else None
    if output.as_json:
        output.print_json(
            status=run.status,
            exit_code=run.exit_code,
            message=run.message,
            run=str(folder),
            network=exported and str(exported),
            report=str(report) if report.exists() else None,
            best=run.best,
            final=run.final,
            test=run.test,
        )
        return
    lines = {"report": str(report), "network": str(exported or folder)}
    if exported is None:
        lines["network"] += f" (without {NETWORK}: netdesc export says why)"
    if run.status != "done" or output.quiet or not sys.stdout.isatty():
        del lines["network"]  # a pipe gets the bare path
    if report.exists() and not output.quiet:
        from netdesc.report import conclude

        output.info(*(f"{label:<9}{text}" for label, text in (conclude(run.path) | lines).items()))
    if run.status == "done" and "network" not in lines:
        output.print(str(exported or folder))
