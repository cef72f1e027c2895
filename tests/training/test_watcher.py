"""What training tells while it trains: once each, with the setting that mends it."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.training_task import read_record, train, write_task

from netdesc.api.load import load

TINY = {"epochs": 16, "optimizer": {"type": "adam", "learning_rate": 1e-9}}
Document = dict[str, Any]


def told(run: Path) -> list[tuple[str, str | None, int]]:
    """Code, layer and epoch of what was told during training."""
    findings = read_record(run)["findings"]
    return [(f["code"], f["layer"], f["epoch"]) for f in findings if f["epoch"] is not None]


def test_a_finding_is_told_at_once_and_once_though_the_run_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, early = tmp_path / "run", list[Any]()

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == 9:
            early.extend(told(run))  # as a killed run would leave it
            raise KeyboardInterrupt

    path = write_task(tmp_path / "task", **TINY)
    train(load(path), run_dir=run, progress="quiet", callbacks=[stop])
    assert early == [("ND412", None, 7)]
    outcome = train(resume=run, progress="quiet")
    assert told(run) == early
    assert "ND412" not in [each.code for each in outcome.findings]
    for text in (capsys.readouterr().err, (run / "train.log").read_text()):
        lines = [line for line in text.splitlines() if "ND412" in line]
        assert len(lines) == 1
        assert "--set training.optimizer.learning_rate=0.01" in lines[0]


def own_equations(document: Document) -> None:
    leak = {"leak": {"kind": "decay", "value": 0.1}}
    document["neurons"]["cuba"] = {"type": "equations", "parameters": leak}
    document["neurons"]["cuba"] |= {"step": ["v = decay(v, leak) + x"], "spike": "v > 0.1"}
    document["neurons"]["cuba"] |= {"reset": ["v = 0"]}


def quiet_hidden(document: Document) -> None:
    document["layers"][0] |= {"weight_scale": 0.01, "quantization": None}
    document["neurons"]["cuba"] |= {"tau_grad": 1e-6}


def restless_hidden(document: Document) -> None:
    neuron = {"type": "lif", "threshold": 0.02, "voltage_decay": 0.0, "reset": "subtract"}
    document["layers"][0] |= {"type": "neurons", "weight": 0.5, "neuron": neuron}
    del document["layers"][0]["units"], document["layers"][0]["weight_scale"]
    document["training"]["optimizer"]["learning_rate"] = 0.001


def set_rate(rate: float, document: Document) -> None:
    document["training"]["optimizer"]["learning_rate"] = rate


def wide_surrogate(document: Document) -> None:
    document["layers"][0] |= {"type": "recurrent"}
    document["neurons"]["cuba"] |= {"surrogate": {"width": 5.0, "peak": 10.0}}


def narrow_surrogate(document: Document) -> None:
    layer = document["layers"][0]
    document["layers"][:1] = [layer | {"name": name} for name in ("hidden", "second", "third")]
    document["neurons"]["cuba"] |= {"surrogate": {"width": 0.05, "peak": 1e-3}}


@pytest.mark.parametrize(
    ("make_sick", "code", "layer"),
    [
        (lambda document: None, None, None),
        (own_equations, None, None),
        (quiet_hidden, "ND410", "hidden"),
        (restless_hidden, "ND418", "hidden"),
        (partial(set_rate, 10.0), "ND413", None),
        (partial(set_rate, 1e-9), "ND412", None),
        (wide_surrogate, "ND420", "hidden"),
        (narrow_surrogate, "ND421", "hidden"),
    ],
)
def test_a_sick_network_is_told_its_one_reason_and_a_setting_that_mends_it(
    tmp_path: Path, make_sick: Callable[[Document], None], code: str | None, layer: str | None
) -> None:
    path = write_task(tmp_path / "task", epochs=12)
    document = json.loads(path.read_text())
    make_sick(document)
    path.write_text(json.dumps(document))
    train(load(path), run_dir=tmp_path / "sick", progress="quiet")
    assert [each[:2] for each in told(tmp_path / "sick")] == ([(code, layer)] if code else [])
    if code:
        findings = read_record(tmp_path / "sick")["findings"]
        _, settings = next(each for each in findings if each["code"] == code)["fixes"][0]
        train(load(path, settings), run_dir=tmp_path / "mended", progress="quiet")
        assert code not in [each[0] for each in told(tmp_path / "mended")]
