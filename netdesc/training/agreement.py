"""Checks that all processes of a group have the same document, data and versions."""

import hashlib
from collections.abc import Mapping

import torch

from netdesc.data.batches import Batches
from netdesc.description import Description
from netdesc.modules import Network
from netdesc.runs.errors import RunError
from netdesc.training.environment import versions
from netdesc.training.ranks import Ranks


def require_same_start(ranks: Ranks, description: Description, *choices: object) -> None:
    """RunError unless document, ``choices`` and versions are the same in all processes.

    ``choices`` are values with a text that says what they are. Also raises RunError if the number
    of processes does not divide the number of shards.
    """
    shards, size = description.document.training.shards, ranks.size
    if shards % size:
        numbers = " or ".join(str(n) for n in range(1, shards + 1) if shards % n == 0)
        more = max(shards, 1 << (size - 1).bit_length())
        hint = f", or --set training.shards={more} in a new run" if more % size == 0 else ""
        message = f"{size} processes cannot divide {shards} training.shards equally among them"
        raise RunError(f"{message}: take {numbers}{hint}", exit_code=2)
    if size == 1:
        return
    facts = {f"version of {name}": text for name, text in versions().items()}
    facts["kind of processor"] = torch.backends.cpu.get_cpu_capability()
    facts["device or data"] = str(choices)
    facts["document"] = description.document.model_dump_json(exclude={"lock"})
    _require_same(ranks, facts)


def require_same_data(ranks: Ranks, network: Network, parts: Mapping[str, Batches | None]) -> None:
    """RunError unless samples and initial weights are the same in all processes.

    Compares all labels, but the inputs of the first batch of each part only: reading all of them
    may take long.
    """
    if ranks.size == 1:
        return
    facts = {"initial weights": _digest(*network.state_dict().values())}
    for part, batches in parts.items():
        if batches is not None:
            facts[f"number of {part} samples"] = str(len(batches.samples))
            batch, labels = next(batches.in_order(range(1))), batches.samples.labels
            facts[f"inputs of {part} samples"] = _digest(batch.input_TBN, batch.target)
            if labels is not None:
                facts[f"labels of {part} samples"] = _digest(torch.as_tensor(labels))
    _require_same(ranks, facts)


def _require_same(ranks: Ranks, facts: dict[str, str]) -> None:
    first = ranks.broadcast(facts)
    for name in dict.fromkeys([*first, *facts]):
        first_text, own_text = first.get(name, "none"), facts.get(name, "none")
        if first_text != own_text:
            texts = f" ({own_text}, not {first_text})" if len(own_text + first_text) < 60 else ""
            hint = "all processes need the same files, options and versions"
            raise RunError(f"rank {ranks.rank} has another {name} than rank 0{texts}; {hint}", 2)
    ranks.agree(0)  # waits for all, so that no folder is made if one of them has failed


def _digest(*tensors: torch.Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
