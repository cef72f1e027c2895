"""C files give the output of the integer run. Compilers check them, too."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from netdesc.description import Document
from netdesc.exchange.c import write_c
from netdesc.exchange.export_options import ExportOptions
from netdesc.graph import build_graph
from netdesc.modules import build

pytestmark = pytest.mark.usefixtures("reference_engine")

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
WARNINGS += ["-Wconversion", "-Wno-sign-conversion"]
SANITIZERS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.json"))


def run_together(files: Iterable[Path]) -> str:
    """Compiles files as one program, which runs the test of each. Returns what it prints."""
    files = [*files]
    folder, names = files[0].parent, [path.stem for path in files]
    texts = [f'#define main {name}_main\n#include "{name}.c"\n#undef main\n' for name in names]
    calls = " ".join(f"failed += {name}_main();" for name in names)
    main = f"int main(void) {{ int failed = 0; {calls} return failed; }}\n"
    (folder / "all.c").write_text("".join(["#define NET_TEST\n", *texts, main]))
    program = str(folder / "all")
    assert COMPILER is not None
    subprocess.run(
        [COMPILER, *WARNINGS, *SANITIZERS, str(folder / "all.c"), "-o", program], check=True
    )
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


@needs_compiler
def test_examples(tmp_path: Path) -> None:
    files = [tmp_path / f"{path.stem}.c" for path in EXAMPLES]
    for example, file in zip(EXAMPLES, files, strict=True):
        torch.manual_seed(0)
        model = build(build_graph(Document.model_validate_json(example.read_text()))).eval()
        assert write_c(model, file, ExportOptions()) == []
        assert file.with_suffix(".h").exists()
    assert run_together(files).count("OK") == len(files)
