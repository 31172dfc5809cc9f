"""Tasks that are measured in a separate process: python -m benchmarks.child TASK ARGUMENTS (JSON)."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # preparing must not pay for torch
    import torch

    from benchmarks.literal.training import LiteralTraining
    from benchmarks.training import OurTraining
    from rsis.config.runs import ModelSection


def prepare(params: str, dataset: str, split: str, workers: int) -> dict[str, Any]:
    """Prepare one split of a drawn data set; return the time that it took, without imports."""
    from rsis.config.params import load_params
    from rsis.data.prepared.writer import SplitOrigin, write_split
    from rsis.data.readers.open import open_split
    from rsis.files.manifest import read_manifest

    section = load_params(Path(params)).dataset(dataset)
    manifest = read_manifest(Path(params).parent / "raw" / dataset)
    reader = open_split(section, manifest.root, split)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        target = Path(folder) / "split.h5"
        summary = write_split(reader, target, section.size, SplitOrigin(dataset, split, ""), workers=workers)
        return {"seconds": time.perf_counter() - begun, "images": summary.images}


def step(
    who: str, backbone: str, widths: list[int], size: list[int], batch: int, steps: int, device: str
) -> dict[str, Any]:
    """Run two training steps, ours or the literal ones; return the largest growth of memory in MiB."""
    import torch

    from benchmarks.cases import make_batch, paper_model
    from benchmarks.measure import peak_resident_mib, resident_mib

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    place = torch.device(device)
    tiny = _training(who, paper_model("resnet18", (4, 4, 4, 4, 4)), 1, place)
    tiny.step(make_batch((64, 64), 2, 1, place))  # loads the libraries before the measurement
    training = _training(who, paper_model(backbone, tuple(widths)), steps, place)
    data = make_batch((size[0], size[1]), batch, steps, place)
    cuda = place.type == "cuda"
    before = torch.cuda.memory_allocated() / 2**20 if cuda else resident_mib()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(2):  # the first one creates the optimiser's state
        training.step(data)
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_resident_mib()
    return {"mib": peak - before}


def paper_step(params: str, run: str, batch: int, size: list[int], steps: int) -> dict[str, Any]:
    """Run training steps of a run of params.yaml with random weights, on one thread.

    Returns:
        step, optimiser: processor time of the second step, and of its optimiser alone, in seconds; before, peak: MiB
        resident before the first step and at the peak; parameters: bytes of the weights; flop: operations of a step.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.cases import NUM_CLASSES, make_batch
    from benchmarks.measure import peak_resident_mib, resident_mib
    from benchmarks.training import OurTraining
    from rsis.config.params import load_params
    from rsis.machine.allocator import keep_freed_memory
    from rsis.model.any import make_network

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    found = load_params(Path(params)).run(run)
    changes = {"num_steps": steps, "max_instances": steps, "lr_schedule": "constant"}
    section = found.train.model_copy(update=changes)
    network = make_network(found.model, NUM_CLASSES, pretrained=False)
    training = OurTraining(network.train(), section, autocast=section.precision == "bf16")
    training.module.schedule = replace(
        training.module.schedule, num_steps=steps, use_class=True, use_stop=True, update_encoder=True
    )
    network.requires_grad_(True)
    data = make_batch((size[0], size[1]), batch, steps, torch.device("cpu"))
    before = resident_mib()
    with FlopCounterMode(display=False) as operations:
        training.step(data)  # also allocates memory and the optimiser's state
    times = [time.process_time()]
    training.step(data)
    times.append(time.process_time())
    training.optimizer.step()
    times.append(time.process_time())
    parameters = sum(item.numel() * item.element_size() for item in network.parameters())
    return {
        "step": times[1] - times[0],
        "optimiser": times[2] - times[1],
        "before": before,
        "peak": peak_resident_mib(),
        "parameters": parameters,
        "flop": operations.get_total_flops(),
    }


def _training(who: str, section: "ModelSection", steps: int, device: "torch.device") -> "OurTraining | LiteralTraining":
    from benchmarks.cases import make_networks, paper_training
    from benchmarks.literal.training import LiteralTraining
    from benchmarks.training import OurTraining

    ours, literal = make_networks(section, device)
    if who == "ours":
        return OurTraining(ours.train(), paper_training(steps))
    return LiteralTraining(literal.train(), paper_training(steps), use_class=True, use_stop=True)


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"prepare": prepare, "step": step, "paper_step": paper_step}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
