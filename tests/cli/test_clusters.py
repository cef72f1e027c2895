"""The texts for schedulers in the reference: each runs or is read as the scheduler would."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support.training_task import at_epoch, read_record, write_task
from torch.distributed.run import get_args_parser

from netdesc.cli.main import netdesc
from netdesc.description.reference import reference_text
from netdesc.stop_signals import STOPPED

TEXTS = re.findall(r"```(\w+)\n(.*?)```", reference_text().partition("## Clusters")[2], re.DOTALL)
assert [kind for kind, _ in TEXTS[:6]] == ["bash", "yaml", "dockerfile", "yaml", "bash", "python"]
SLURM, JOB, IMAGE, SKYPILOT, TORCHRUN, RAY = (text for _, text in TEXTS[:6])


def options_of(words: list[str]) -> dict[str, Any]:
    """How ``netdesc`` understands a command of it."""
    _, name, *arguments = words
    command = netdesc.get_command(click.Context(netdesc), name)
    assert command is not None
    return command.make_context(name, arguments).params


def check_training(options: dict[str, Any]) -> None:
    assert str(options["file"]) == "digits.json"
    assert options["run_dir"].is_relative_to("/runs")
    assert options["resume_or_start"] is True


def test_a_pod_runs_the_command_and_may_be_stopped() -> None:
    spec = yaml.safe_load(JOB)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    check_training(options_of(container["command"]))
    (mount,), (volume,) = container["volumeMounts"], pod["volumes"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/runs")
    assert pod["restartPolicy"] == "Never"  # a policy of failures needs it
    actions = {
        rule["action"]: rule.get("onExitCodes") for rule in spec["podFailurePolicy"]["rules"]
    }
    assert actions["FailJob"]["values"] == [1, 4]
    rules = [rule for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert rules[0]["action"] == "Ignore"
    assert rules[0]["onExitCodes"]["values"] == [STOPPED]


def test_an_image_sets_the_cache_and_fills_it() -> None:
    *_, cache, compiled = IMAGE.strip().splitlines()
    assert cache.startswith("ENV NETDESC_CACHE=/")
    assert options_of(shlex.split(compiled)[1:])["file"].name == "digits.json"


def test_skypilot_recovers_what_was_stopped() -> None:
    task = yaml.safe_load(SKYPILOT)
    check_training(options_of(shlex.split(task["run"])))
    assert list(task["file_mounts"]) == ["/runs"]
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [STOPPED]


def test_torchrun_starts_the_command() -> None:
    words = shlex.split(TORCHRUN.replace("\\\n", ""))
    arguments = get_args_parser().parse_args(words[1:])
    assert arguments.module
    assert arguments.training_script == "netdesc"
    assert arguments.signals_to_handle.split(",")[-1] == "SIGUSR1"
    assert options_of(["netdesc", *arguments.training_script_args])["resume_or_start"]


@pytest.mark.skipif(os.name != "posix", reason="the script is that of a Unix shell")
@pytest.mark.parametrize("code", [0, 4, STOPPED])
def test_slurm_queues_a_run_again_that_its_signal_has_stopped(code: int, tmp_path: Path) -> None:
    stopped = 'kill $!; echo "$@" >> calls; exit 75'
    ended = f'echo "$@" >> calls; exit {code}'
    waits = f"trap '{stopped}' USR1; touch ready; sleep 60 & wait"
    programs = {
        "netdesc": waits if code == STOPPED else ended,
        "scontrol": 'echo scontrol "$@" >> calls',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3"}
    environment = os.environ | variables | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(["bash", "-c", SLURM], cwd=tmp_path, env=environment) as script:
        while code == STOPPED and not (tmp_path / "ready").exists():
            assert script.poll() is None
        if code == STOPPED:
            script.send_signal(signal.SIGUSR1)
        assert script.wait(30) == code
    called, *again = (tmp_path / "calls").read_text().splitlines()
    assert again == ["scontrol requeue 77_3"] * (code == STOPPED)
    options = options_of(["netdesc", *called.split()])
    assert (options["seed"], str(options["run_dir"])) == (3, "runs/seed-3")
    assert options["resume_or_start"]
    assert "#SBATCH --signal=B:USR1@120\n" in SLURM
    assert "#SBATCH --requeue\n" in SLURM


def test_ray_tries_until_the_run_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray calls the function in a thread."""
    task, tries = write_task(tmp_path / "task", epochs=3), []

    class Trainer:
        def __init__(
            self, train: Any, train_loop_config: Any, scaling_config: Any, run_config: Any
        ):
            assert scaling_config == {"num_workers": 1}
            self.train, self.keys = train, list(train_loop_config)
            self.most = run_config["failure_config"]["max_failures"]

        def attempt(self) -> None:
            try:
                self.train(dict(zip(self.keys, (str(task), str(tmp_path / "run")), strict=True)))
                tries.append(None)
            except RuntimeError as error:
                tries.append(error)

        def fit(self) -> None:
            for _ in range(1 + self.most):
                thread = threading.Thread(target=self.attempt)
                thread.start()
                thread.join()
                if tries[-1] is None:
                    break

    def fail() -> None:
        raise RuntimeError("the worker's GPU is lost")

    configs = dict.fromkeys(("FailureConfig", "RunConfig", "ScalingConfig"), dict)
    modules = {"ray": {}, "ray.train": configs, "ray.train.torch": {"TorchTrainer": Trainer}}
    for name, content in modules.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    at_epoch(monkeypatch, 1, fail)
    exec(RAY, {})
    assert [type(error) for error in tries] == [RuntimeError, type(None)]
    record = read_record(tmp_path / "run")
    assert (record["status"], len(record["resumed"])) == ("done", 1)
