"""The processes of a distributed pass: ``distributed_worker.py FOLDER WORLD``.

They are forks of one that has imported everything. Each reads ``case.pt`` (the document's file,
inputs and targets) and takes its share of the batch. The process of rank 0 writes the gradients
that DistributedDataParallel leaves.
"""

import multiprocessing
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import netdesc
from netdesc.kernels.engines import use_engine


def main(folder: Path, rank: int, world: int) -> None:
    dist.init_process_group(
        "gloo", init_method=(folder / "meeting").as_uri(), rank=rank, world_size=world
    )
    case = torch.load(folder / "case.pt", weights_only=True)
    compiled = netdesc.compile(netdesc.load(case["document"]))
    network = DistributedDataParallel(compiled.model)
    share = slice(rank, None, world)
    with use_engine("reference"):
        output_TBN = network(case["input"][:, share])
        compiled.loss(output_TBN, case["target"][:, share]).backward()
    if rank == 0:
        gradients = {name: p.grad for name, p in compiled.model.named_parameters()}
        torch.save(gradients, folder / "gradients.pt")
    dist.barrier()  # or the one that ends first takes the connection away from the other
    dist.destroy_process_group()


if __name__ == "__main__":
    folder, world = Path(sys.argv[1]), int(sys.argv[2])
    fork = multiprocessing.get_context("fork").Process
    workers = [fork(target=main, args=(folder, rank, world)) for rank in range(world)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))
