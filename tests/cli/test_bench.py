"""``netdesc bench`` times the epochs of a document."""

from support.cli_process import Netdesc

from netdesc.api.bench import REST

SHORT = ("--epochs", "10", "--set", "time.steps=100")


def test_parts_of_an_epoch_add_up_to_it(netdesc: Netdesc) -> None:
    result = netdesc("bench", *SHORT, "--json")
    assert result.code == 0
    report = result.record
    assert report["epochs"] == 10
    assert report["epoch"]["low_ms"] <= report["epoch"]["median_ms"] <= report["epoch"]["high_ms"]
    parts = {row["part"] for row in report["parts"]}
    assert {"forward", "backward", "loss", "optimizer", REST} <= parts
    assert abs(sum(report["shares"].values()) - 1) < 1e-6


def test_the_table_names_the_conditions(netdesc: Netdesc) -> None:
    result = netdesc("bench", *SHORT, "--set", "training.seed=1")
    assert result.code == 0
    assert "backward" in result.out
    assert "torch" in result.out
