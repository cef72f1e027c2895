"""What comes with netdesc is found in the repository and inside an installed package."""

from pathlib import Path

import pytest
from support.cli_process import exit_code

from netdesc import resources as module
from netdesc.resources import NotShippedError, shipped

REPOSITORY = Path(__file__).parents[1]


def test_files_in_the_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOLDERS", (tmp_path / "inside", tmp_path))
    for folder in ("inside", "."):
        (tmp_path / folder / "data").mkdir(parents=True)
    (tmp_path / "data" / "a").write_text("")
    assert shipped("data/a") == tmp_path / "data" / "a"
    (tmp_path / "inside" / "data" / "a").write_text("")
    assert shipped("data/a") == tmp_path / "inside" / "data" / "a"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(NotShippedError, match=r"data/cambridge is missing"):
        shipped("data/cambridge")


@pytest.mark.parametrize("arguments", [["bench"], ["init", "new"]])
def test_an_installation_without_examples_says_so(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "_FOLDERS", (tmp_path / "none",))
    monkeypatch.chdir(tmp_path)
    assert exit_code(*arguments) == 3
    assert "install netdesc again" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
