"""``netdesc init``: folders that validate and train, made whole or not at all."""

import errno
import json
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cli_process import Netdesc

from netdesc.api.load import check
from netdesc.cli.init import TEMPLATES, network_name
from netdesc.description import schema_text
from netdesc.description.document_text import document_text


def files(folder: Path) -> set[str]:
    found = (each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    return {each.as_posix() for each in found}


def commands(readme: str) -> list[list[str]]:
    """The commands in a README's bash blocks, without the program's name."""
    lines = "".join(re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)).splitlines()
    found = [shlex.split(line) for line in lines]
    assert all(words[0] == "netdesc" for words in found)
    return [words[1:] for words in found]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_folder_validates_and_its_commands_work(
    template: str, netdesc: Netdesc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert netdesc("init", "first try", "--template", template).code == 0
    folder = tmp_path / "first try"
    description, findings = check(folder / "first-try.json")
    assert findings == []
    assert description.document.name == "first-try"
    assert (folder / ".gitignore").read_text() == "runs/\n"
    monkeypatch.chdir(folder)
    show, train, evaluate = commands((folder / "README.md").read_text())
    assert netdesc(*show).code == 0
    assert netdesc(*train, "--quiet", "--set", "training.epochs=2").code == 0
    assert netdesc(*evaluate).code == 0
    assert (folder / "runs" / "first" / "network.net").is_file()


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_document_is_laid_out_and_leads_nowhere_else(
    template: str, netdesc: Netdesc, tmp_path: Path
) -> None:
    assert netdesc("init", "new", "--template", template, "--name", "n" * 100).code == 0
    document = tmp_path / "new" / f"{'n' * 100}.json"
    text = document.read_text()
    assert document_text(json.loads(text)) == text
    assert "../" not in text
    schema = document.parent / json.loads(text)["$schema"]
    assert schema.read_text(encoding="utf-8") == schema_text()


def test_the_blank_template_learns_its_target(netdesc: Netdesc) -> None:
    assert netdesc("init", "--template", "blank").code == 0
    assert netdesc("train", "blank/blank.json", "-q", "--run-dir", "run",
                   "--set", "training.epochs=300").code == 0  # fmt: skip
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    silence = json.loads(Path("run/run.json").read_text())["silence"]["loss"]
    assert min(row["loss"] for row in rows) < 0.25 * silence


def test_json_says_where_everything_is(netdesc: Netdesc) -> None:
    record = netdesc("init", "a b", "--template", "blank", "--json").record
    assert Path(record["document"]).is_file()
    assert record["commands"][0] == "cd 'a b'"
    assert len(record["commands"]) == 4


@pytest.mark.parametrize("kind", ["file inside", "hidden file inside", "file", "dangling link"])
def test_what_is_there_is_left_alone(kind: str, netdesc: Netdesc, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    if kind == "file":
        folder.write_text("precious")
    elif kind == "dangling link":
        folder.symlink_to(tmp_path / "nowhere")
    else:
        folder.mkdir()
        (folder / (".hidden" if kind.startswith("hidden") else "notes")).write_text("precious")

    before = {each: each.lstat() for each in tmp_path.rglob("*")}
    ended = netdesc("init", "mine")
    assert (ended.code, "choose a" in ended.err) == (2, True)
    after = {each: each.lstat() for each in tmp_path.rglob("*")}
    assert before.keys() == after.keys()
    assert all(before[each].st_mtime_ns == after[each].st_mtime_ns for each in before)


@pytest.mark.parametrize(
    "name", ["", "a b", ".hidden", "ü", "a/b", "../up", "x" * 101, "<b>", "network.lock", "a.LOCK"]
)
def test_names_that_are_none_are_refused(name: str, netdesc: Netdesc, tmp_path: Path) -> None:
    ended = netdesc("init", "new", "--name", name)
    assert (ended.code, "cannot be the name of a network" in ended.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["new", "empty", "deep"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_half_a_folder_never_remains(
    there: str,
    error: BaseException,
    netdesc: Netdesc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if there == "empty":
        (tmp_path / "new").mkdir()
    before = list(tmp_path.rglob("*"))
    write_text = Path.write_text

    def fail_at_one(path: Path, *rest: str, **more: str) -> int:
        if path.name == ".gitignore":
            raise error
        return write_text(path, *rest, **more)

    monkeypatch.setattr(Path, "write_text", fail_at_one)
    assert netdesc("init", "new/deep" if there == "deep" else "new").code in (3, 130)
    assert list(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["file/inside", "file/deep/inside", "long" * 100])
def test_no_place_is_named_as_it_was_given(place: str, netdesc: Netdesc, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = netdesc("init", place)
    assert ended.code == 3
    assert ended.err.startswith(f"error: {place}: ")
    assert "Traceback" not in ended.err


@given(st.text(min_size=1, max_size=30).filter(lambda text: text not in (".", "..")))
@example("network.lock")
@example("a.lock.LOCK")
def test_any_folder_name_gives_a_valid_name_or_none(text: str) -> None:
    name = network_name(Path("/") / text.replace("/", "_").replace("\0", "_"))
    assert name == "" or re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name)
    assert not name.lower().endswith(".lock")
