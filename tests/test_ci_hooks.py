"""The GitHub action, the pre-commit hooks and the README's workflow do what they promise."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli_process import netdesc_process
from support.description_samples import BASE, LABELLED, write_files

from netdesc.description.source import may_be_document

ROOT = Path(__file__).parent.parent
ACTION = ROOT / ".github/actions/validate/action.yml"
STEPS: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
BAD = BASE.replace('"threshold"', '"treshold"')
NEEDED = {"click", "numpy", "pydantic", "pydantic_core", "safetensors"}
NEEDED |= {"annotated_types", "typing_extensions", "typing_inspection"}
"""What the action installs, and what comes with it."""


def _pasted(directory: Path) -> tuple[str, str]:
    """Runs the README's block for a shell; returns the workflow and the settings of the hooks."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh\n(.*?)^```$", readme, re.M | re.S)
    subprocess.run(["sh", "-e", "-c", script], cwd=directory, check=True)
    workflow = directory / ".github/workflows/netdesc.yml"
    return workflow.read_text(), (directory / ".pre-commit-config.yaml").read_text()


def _program(directory: Path) -> Path:
    """A netdesc that runs this code, in a folder of its own."""
    directory.mkdir(parents=True)
    program = directory / "netdesc"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m netdesc "$@"\n')
    program.chmod(0o755)
    return program


# The action


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("github-actions", lambda _: ACTION.read_text()),
        ("github-workflows", lambda _: (ROOT / ".github/workflows/documents.yml").read_text()),
        ("github-workflows", lambda directory: _pasted(directory)[0]),
        ("", lambda directory: _pasted(directory)[1]),
    ],
    ids=["action", "workflow", "README", "README's hooks"],
)
def test_what_github_and_pre_commit_read_is_well_formed(kind, read, tmp_path):
    file = tmp_path / "any.yaml"
    file.write_text(read(tmp_path))
    program = ["pre_commit", "validate-config"]
    if kind:
        program = ["check_jsonschema", "--builtin-schema", f"vendor.{kind}"]
    result = _run(sys.executable, "-m", *program, file, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_readme_and_the_own_workflow_use_the_action_that_is_there(tmp_path):
    own = (ROOT / ".github/workflows/documents.yml").read_text()
    for text in (own, _pasted(tmp_path)[0]):
        step = yaml.safe_load(text)["jobs"]["netdesc"]["steps"][1]
        path = re.sub(r"^(\.|OWNER/netdesc)/|@.*$", "", step["uses"])
        assert (ROOT / path / "action.yml") == ACTION
        assert {*step["with"]} <= {*yaml.safe_load(ACTION.read_text())["inputs"]}


def test_settings_of_hooks_that_are_there_are_left_alone(tmp_path):
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []")
    assert _pasted(tmp_path)[1] == "repos: []"


def test_no_input_is_put_into_a_script():
    assert len(STEPS) == 2
    for step in STEPS:
        assert "${{" not in step["run"]
        assert all(value.startswith("${{ inputs.") for value in step["env"].values())


def test_what_the_action_installs_is_what_checking_needs(tmp_path):
    write_files(tmp_path)
    file = tmp_path / "a.json"
    listed = re.findall(r'"([\w-]+>=[\d.]+)"', STEPS[0]["run"])
    with (ROOT / "pyproject.toml").open("rb") as project:
        assert set(listed) <= set(tomllib.load(project)["project"]["dependencies"])
    assert {each.partition(">")[0].replace("-", "_") for each in listed} <= NEEDED
    for text, form in ((BAD, "github"), (LABELLED, "json")):
        file.write_text(text)
        ended = netdesc_process("validate", "--skip-others", "--format", form, file)
        assert ended.code == (1 if text == BAD else 0)
        loaded = {name.partition(".")[0] for name in ended.loaded}
        own = {each for each in loaded if _is_third_party(each)}
        assert own - {"netdesc"} <= NEEDED


def _is_third_party(name: str) -> bool:
    if name in sys.stdlib_module_names or name.startswith("_"):
        return False
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return name in NEEDED or "site-packages" in file or name not in sys.modules


@pytest.fixture
def checkout(tmp_path):
    """A repository's files, and a machine on which the action has installed netdesc."""
    write_files(tmp_path)
    _program(tmp_path / "temp/netdesc/bin")
    (tmp_path / "good.json").write_text(BASE)
    (tmp_path / "package.json").write_text('{"name": "x", "treshold": 1}')
    return tmp_path


def _check(directory: Path, files: str, data: str = "true") -> subprocess.CompletedProcess[str]:
    return _run(
        *("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[1]["run"]),
        cwd=directory, NETDESC_FILES=files, NETDESC_DATA=data,
        RUNNER_TEMP=str(directory / "temp"), GITHUB_WORKSPACE=str(directory),
    )  # fmt: skip


def test_the_action_checks_documents_in_any_folder(checkout):
    assert _check(checkout, "**/*.json").returncode == 0
    (checkout / "a b/c").mkdir(parents=True)
    text = BAD.replace("input.bs1", "../../input.bs1").replace("target.bs1", "../../target.bs1")
    (checkout / "a b/c/bad one.json").write_text(text)
    ended = _check(checkout, "**/*.json\n")
    assert ended.returncode == 1
    (line,) = ended.stdout.splitlines()
    assert line.startswith("::error file=a b/c/bad one.json,line=12,")


def test_the_action_checks_data_unless_it_is_told_not_to(checkout):
    (checkout / "input.bs1").unlink()
    assert _check(checkout, "good.json").returncode == 3
    assert _check(checkout, "good.json", data="false").returncode == 0


def test_patterns_stand_on_lines_and_names_may_have_spaces(checkout):
    (checkout / "bad one.json").write_text(BAD)
    assert _check(checkout, "good.json\nbad one.json").stdout.count("::error") == 1
    assert _check(checkout, "good.json").stdout == ""
    ended = _check(checkout, "nothing/*.json")
    assert ended.returncode == 1
    assert "no file matches" in ended.stdout
    assert _check(checkout, "good.json\ngone.json").returncode == 3


@pytest.mark.parametrize("hostile", ["$(touch owned)`touch owned`", "--help", '"; touch owned; "'])
def test_no_pattern_is_run(checkout, hostile):
    ended = _check(checkout, f"good.json\n{hostile}")
    assert ended.returncode == 3
    assert not (checkout / "owned").exists()
    assert "ND001" in ended.stdout


# The hooks


def _run(*words: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    git = {f"GIT_{role}_NAME": "a" for role in ("AUTHOR", "COMMITTER")}
    git |= {f"GIT_{role}_EMAIL": "a@example.org" for role in ("AUTHOR", "COMMITTER")}
    env = os.environ | git | {"GIT_CONFIG_GLOBAL": os.devnull} | more
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def _repository(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(exist_ok=True)
    assert _run("git", "init", "-q", cwd=directory).returncode == 0
    for name, text in files.items():
        (directory / name).write_text(text)
    assert _run("git", "add", "-A", cwd=directory).returncode == 0
    assert _run("git", "commit", "-qm", "x", cwd=directory).returncode == 0


def test_the_hook_checks_changed_documents_only(tmp_path):
    hooks, mine = tmp_path / "hooks", tmp_path / "mine"
    _repository(hooks, {".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_text()})
    mine.mkdir()
    write_files(mine)
    _repository(mine, {"good.json": BASE, "package.json": '{"layers": 1}'})
    path = f"{_program(tmp_path / 'bin').parent}{os.pathsep}{os.environ['PATH']}"
    command = (sys.executable, "-m", "pre_commit", "try-repo", hooks, "netdesc-validate-installed")
    home = str(tmp_path / "home")

    def tried():
        return _run(*command, "--verbose", cwd=mine, PATH=path, PRE_COMMIT_HOME=home)

    (mine / "package.json").write_text('{"layers": 1, "x": ')
    _run("git", "add", "-A", cwd=mine)
    passed = tried()
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "0 files: no " in passed.stdout
    (mine / "bad.json").write_text(BAD)
    _run("git", "add", "-A", cwd=mine)
    failed = tried()
    assert failed.returncode == 1
    assert "bad.json:12:30: error[ND101]" in failed.stdout
    assert "good.json" not in failed.stdout


def test_both_hooks_are_well_formed(tmp_path):
    file = ROOT / ".pre-commit-hooks.yaml"
    ended = _run(sys.executable, "-m", "pre_commit", "validate-manifest", file, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    named = {hook["id"]: hook for hook in yaml.safe_load(file.read_text())}
    asked = yaml.safe_load(_pasted(tmp_path)[1])["repos"][0]["hooks"]
    assert {each["id"] for each in asked} <= set(named)
    assert {hook["entry"] for hook in named.values()} == {"netdesc validate --skip-others"}
    assert all(hook["args"][-1] == "--" for hook in (*named.values(), *asked))


# What is a document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE, True),
        (BASE[:-20], True),
        ('{"$schema": "../schemas/network.schema.json"}', True),
        ('{"layers": [], "loss": "mse", "training": {}}', False),
        ("", False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])  # a fault that the check names
def test_documents_are_told_from_other_json(text, expected, encoding, tmp_path):
    file = tmp_path / "any.json"
    file.write_text(text, encoding)
    assert may_be_document(file) == expected


def test_shipped_documents_are_recognised():
    documents = [*(ROOT / "examples").glob("*.json"), *ROOT.glob("tests/fixtures/description/*")]
    assert len(documents) > 4
    assert all(map(may_be_document, documents))
    assert not may_be_document(ROOT / "schemas/network.schema.json")
