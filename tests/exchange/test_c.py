"""C files give the output of the integer run, by their own tests, which a compiler runs."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from support.cli_process import Netdesc
from support.exchange_samples import dense, document, model_of
from support.networks import any_neuron, networks
from support.neuron_definitions import example_fields

from netdesc.exchange import NetFileError
from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.formats import write_network
from netdesc.hardware import IntegerNetwork
from netdesc.modules import Network

pytestmark = pytest.mark.usefixtures("reference_engine")

COMPILER = shutil.which("cc") or ""
needs_compiler = pytest.mark.skipif(not COMPILER, reason="there is no C compiler")
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
WARNINGS += ["-Wconversion", "-Wno-sign-conversion"]
SANITIZERS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.json"))


def write(model: Network, path: Path, input_TN: np.ndarray | None = None) -> str:
    """Writes a network with its output for an input; returns the sizes that it says."""
    notes: list[str] = []
    sample = None
    if input_TN is not None:
        input_TN = input_TN.astype(np.float32)
        output_TN = IntegerNetwork(model.graph, model.folded_state()).run_all(input_TN)
        sample = Sample("sample", input_TN, output_TN)
    assert write_network(model, path, ExportOptions(sample=sample, note=notes.append)) == []
    return "\n".join(notes)


def run(source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = source.with_suffix(".out")
    command = [COMPILER, *WARNINGS, *(options or SANITIZERS), "-DNET_TEST", source, "-o", program]
    subprocess.run(command, check=True)
    return subprocess.run([program], check=False, capture_output=True, text=True)


def run_together(files: Iterable[Path]) -> dict[str, str]:
    """Compiles files as one program, as each start of a compiler takes time. Returns what the test
    of each prints."""
    files = [*files]
    names, folder = [path.stem for path in files], files[0].parent
    texts = [f'#define main {name}_main\n#include "{name}.c"\n#undef main\n' for name in names]
    calls = "\n".join(f"{name}_main();" for name in names)
    source = folder / "together.c"
    source.write_text("".join([*texts, f"int main(void) {{\n{calls}\nreturn 0;\n}}\n"]))
    result = run(source)
    assert result.returncode == 0, result.stderr
    return dict(zip(names, result.stdout.splitlines(), strict=True))


def events(printed: str) -> int:
    """The number of events of the output, 0 if the test fails."""
    found = re.fullmatch(r"OK: \d+ steps, (\d+) events of the output\n?", printed)
    return 0 if found is None else int(found[1])


@needs_compiler
def test_examples(tmp_path: Path) -> None:
    files = [tmp_path / f"{path.stem}.c" for path in EXAMPLES]
    for example, file in zip(EXAMPLES, files, strict=True):
        write(model_of(json.loads(example.read_text())), file)
    printed = run_together(files)
    assert all(text.startswith("OK") for text in printed.values()), printed
    assert sum(map(events, printed.values())) > 1000


def drawn(count: int) -> list[dict[str, Any]]:
    """Random documents whose weights are quantised, every other one with a graded readout."""
    documents: list[dict[str, Any]] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(networks(any_neuron()))
    def collect(document: dict[str, Any]) -> None:
        first, *_, last = document["layers"]
        if first.get("quantization", {}) is None:
            del first["quantization"]
        if len(documents) % 2:
            last["neuron"] = example_fields("integrator")
        documents.append(document)

    collect()
    return documents


def random_input(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Spikes, numbers of spikes, or values on the grid, [steps, *shape]."""
    random = np.random.default_rng(seed)
    spikes = random.random((60, *shape)) < random.choice([0.1, 0.4])
    kinds = [spikes, spikes * random.integers(0, 3, spikes.shape)]
    kinds += [spikes * np.round(random.normal(0, 2, spikes.shape) * 4096) / 4096]
    return kinds[seed % 3]


@needs_compiler
@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_random_networks(tmp_path: Path, count: int) -> None:
    documents = {f"net{number}": each for number, each in enumerate(drawn(count))}
    for number, (name, description) in enumerate(documents.items()):
        model = model_of(description, seed=number).eval()
        write(model, tmp_path / f"{name}.c", random_input(model.graph.input_shape, number))
    printed = run_together(tmp_path / f"{name}.c" for name in documents)
    wrong = {name: text for name, text in printed.items() if not text.startswith("OK")}
    assert wrong == {}, [documents[name] for name in wrong]
    assert sum(map(events, printed.values())) > count


VALUES = {"type": "equations", "step": ["int = decay(int, register) + x"], "output": "int"}
VALUES["parameters"] = {"register": {"kind": "decay", "value": [0.1, 0.4]}}
PAYLOAD = VALUES | {"spike": "int > 0.1", "output": "int - 3 * before(int)", "reset": ["int = 0"]}
FLOAT = {"type": "equations", "spike": "v > 0.1 and size > 0.5 * size", "step": ["v = v + x"]}
FLOAT["parameters"] = {"size": {"kind": "real", "value": 0.3}}
LATE = {"axonal_delay_step": True, "delay": {"steps": 3}}
RING = {"type": "delay", "name": "late", "steps": 70}
OWN = {"type": "recurrent", "recurrent_weight_scale": 0.2}
CHAINS: dict[str, list[dict[str, Any]]] = {
    "words": [dense("for", 3) | {"neuron": VALUES | {"per_channel": True}}, dense("a-b", 3)],
    "payload": [dense("a", 3) | {"neuron": PAYLOAD | {"per_channel": True}} | LATE, dense("b", 2)],
    "real": [dense("a", 3) | {"neuron": FLOAT | {"surrogate": {"peak": 1.0}}}],
    "own_values": [dense("a", 4) | OWN | {"neuron": example_fields("sigma_delta")}],
    "own_spikes": [dense("a", 9) | OWN | {"recurrent_weight_scale": 2.0} | LATE],
    "sum": [
        dense("a", 6), {"name": "delta", "type": "neurons", "neuron": example_fields("delta")},
        {"name": "sum", "type": "flatten", "from": ["a", "delta", "a"]}, RING,
    ],
    "rates": [
        {"name": "slow", "type": "time_decimation", "factor": 3}, dense("a", 4),
        {"name": "slower", "type": "time_decimation", "factor": 2},
        {"name": "join", "type": "concat", "from": ["slower", "slower"]},
        {"name": "mean", "type": "population_average", "units": 4},
    ],
    "resonators": [{"name": "a", "type": "neurons", "neuron": example_fields("rf")}],
    "late_spikes": [dense("a", 6), RING, dense("b", 3)],
}  # fmt: skip


@needs_compiler
def test_chains(tmp_path: Path) -> None:
    """What random networks have rarely, and names that are words of C."""
    for name, layers in CHAINS.items():
        model = model_of(document([6], layers, time={"steps": 240})).eval()
        input_TN = np.concatenate([random_input((6,), 0), np.zeros((180, 6))])
        write(model, tmp_path / f"{name}.c", input_TN)
    printed = run_together(tmp_path / f"{name}.c" for name in CHAINS)
    assert all(map(events, printed.values())), printed


def integrator_that_overflows() -> Network:
    layer = {"name": "a", "type": "dense", "units": 3}
    neuron = {"type": "integrator", "voltage_decay": 0.0, "current_decay": 0.001}
    model = model_of(document([2], [layer | {"neuron": neuron}], time={"steps": 400}))
    weight = torch.tensor([[3.0, 3], [-3, -4], [0, 1]])
    model.load_state_dict({"layers.a.synapse.weight": weight}, strict=False)
    return model


@needs_compiler
@pytest.mark.parametrize(("right", "wrong"), [
    ("> 8388607 ? 8388607", "> 8388608 ? 8388608"),
    ("< -8388607 ? -8388607", "< -8388608 ? -8388608"),
    ("& 0xFFFFFFu", "& 0x1FFFFFFu"), ("/ 4096 *", "/ 4095 *"),
])  # fmt: skip
def test_a_wrong_device_rule_is_seen(tmp_path: Path, right: str, wrong: str) -> None:
    source = tmp_path / "net.c"
    write(integrator_that_overflows(), source, np.ones((400, 2)))
    result = run(source)
    assert (result.returncode, events(result.stdout)) == (0, 1200)
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong))
    assert run(source).returncode == 1


@needs_compiler
def test_sizes_are_those_of_the_compiler(tmp_path: Path) -> None:
    source = tmp_path / "net.c"
    note = write(model_of(document([5], [dense("a", 7), dense("b", 3)])), source)
    code, tables, state = map(int, re.findall(r" (\d+) bytes", note.replace(",", "")))
    assert 0 < code < 4096
    assert tables == 7 * 5 + 3 * 7
    check = tmp_path / "check.c"
    check.write_text('#include "net.h"\n#include <stdio.h>\nint main(void) '
                     '{ printf("%d", (int)sizeof(net_state)); return 0; }\n')  # fmt: skip
    assert 0 <= int(run(check).stdout) - 3 * (8 - 4) - state < 8  # its pointers are longer


GROWS = {"type": "equations", "step": ["v = x"], "output": "x + 0 * v", "parameters": {}}
REFUSED = [{"quantization": None}, OWN | {"recurrent_weight_scale": 9.0, "neuron": GROWS}]


@pytest.mark.parametrize("more", REFUSED)
def test_what_c_cannot_hold_is_refused_by_name(tmp_path: Path, more: dict[str, Any]) -> None:
    model = model_of(document([3], [dense("first", 3) | more]))
    with pytest.raises(NetFileError, match=r'layer "first".*ND408'):
        write(model, tmp_path / "net.c")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["2-net.v1", "größe ü", "int", "_Complex", "-"])
@needs_compiler
def test_file_names_become_identifiers(tmp_path: Path, name: str) -> None:
    write(model_of(document([3], [dense("a", 3)])), tmp_path / f"{name}.c")
    assert run(tmp_path / f"{name}.c").returncode == 0


def test_a_name_that_no_header_can_have(tmp_path: Path) -> None:
    with pytest.raises(NetFileError, match="header"):
        write(model_of(document([3], [dense("a", 3)])), tmp_path / 'a".c')


def test_the_command_says_sizes(netdesc: Netdesc, tmp_path: Path) -> None:
    Path("net.json").write_text(json.dumps(document([3], [dense("a", 3)], data=None)))
    outcome = netdesc("export", "net.json", "-o", "net.c")
    assert outcome.code == 0
    assert "tables of 9 bytes" in outcome.out
    assert (tmp_path / "net.h").exists()
    assert netdesc("export", "net.json", "-o", "net.c", "--for", "norse").code == 2
