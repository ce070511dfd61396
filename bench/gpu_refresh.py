"""Filling the buffer on a GPU, part by part: text, the model, rows.

A random model of pythia-70m's shape and the buffer of the published size, topped up by half as a run does it, without Node.
Run by cuda.sh; one JSON object a line, and at the end tables of where the time goes. A failed part is reported, and the
next one runs. With arguments, only the named parts; `--device cpu --contexts 600` tries it.
"""

import argparse
import contextlib
import cProfile
import io
import json
import pstats
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "py_worker"))

from harvest_peers import contexts_of
from torch.profiler import ProfilerActivity, profile

from dictlearn_worker.buffer.operations import harvest
from dictlearn_worker.buffer.rows import ActivationRows
from dictlearn_worker.models.language_model import LanguageModel, Read
from dictlearn_worker.models.load import load_pretrained, wrap
from dictlearn_worker.protocol import Site
from dictlearn_worker.text.files import FileDocuments
from dictlearn_worker.text.stream import TextStream

HERE = Path(__file__).parent
TOKENIZER = HERE.parent / "test/fixtures/golden/tiny-neox"
CONTEXT, AT_ONCE, BATCH = 128, 512, 8192
SITE = Site(submodule="gpt_neox.layers.1.mlp", io="out")
READ = Read(SITE.submodule, "output")

parser = argparse.ArgumentParser()
parser.add_argument("--device", type=torch.device, default=torch.device("cuda", 0))
parser.add_argument("--contexts", type=int, default=30_000)
parser.add_argument("parts", nargs="*", choices=[[], "text", "bare", "refills", "tables"])
OPTIONS = parser.parse_args()
DEVICE, CONTEXTS = OPTIONS.device, OPTIONS.contexts


def show(**found):
    print(json.dumps(found), flush=True)


def wait():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def refill_tokens():
    return CONTEXTS * CONTEXT // 2


class Run:
    """A model, its text from a file, and a full buffer."""

    def __init__(self, folder: Path, dtype: str, *, keep_contexts: bool) -> None:
        module, tokenizer = load_pretrained("model", str(folder / "model"), None, dtype, DEVICE, trust=False)
        self.model: LanguageModel = wrap(module, tokenizer, DEVICE)
        stream = TextStream(FileDocuments([folder / "text.txt"], "text", "line"))
        self.contexts = contexts_of(stream, self.model, "pack", CONTEXT)
        self.rows = ActivationRows(
            [SITE],
            self.model.try_sites([SITE]),
            CONTEXTS * CONTEXT + AT_ONCE * CONTEXT,
            dtype=torch.float32,
            device=DEVICE,
            generator=torch.Generator().manual_seed(0),
            randperm_each=False,
            keep_contexts=keep_contexts,
        )
        self.rows.begin(full=True)

    def draw_half(self) -> None:
        while len(self.rows.unread) > CONTEXTS * CONTEXT // 2:
            self.rows.draw(BATCH)

    def append(self) -> int:
        return harvest(self.rows, self.model, self.contexts.next(AT_ONCE), stop=True, most=None)

    def refill(self) -> int:
        done = 0
        while done < refill_tokens():
            done += self.append()
        self.rows.shuffle()
        return done


def make(folder: Path) -> None:
    """The model, and text for four refills."""
    subprocess.run([sys.executable, HERE / "random_pythia.py", TOKENIZER, folder, str(4 * refill_tokens())], check=True)


def text(folder: Path) -> None:
    """Only reading and tokenising."""
    run = Run(folder, "float32", keep_contexts=False)
    for _ in range(2):
        begin, done = time.perf_counter(), 0
        while done < refill_tokens():
            done += int(run.contexts.next(AT_ONCE).ids.numel())
        seconds = time.perf_counter() - begin
        show(what="text", seconds=seconds, tokens_per_s=done / seconds)


def bare(folder: Path) -> None:
    """Only the model's pass, ids on the device, nothing kept: its duration and the time to issue it."""
    for dtype in ("float32", "bfloat16"):
        run = Run(folder, dtype, keep_contexts=False)
        ids = run.contexts.next(AT_ONCE).ids.to(DEVICE)
        passes = max(1, refill_tokens() // ids.numel())

        def hook(_, inputs, output):
            raise StopIteration

        handle = run.model.submodule(SITE.submodule).register_forward_hook(hook)
        for _ in range(3):
            begin = time.perf_counter()
            with torch.no_grad():
                for _ in range(passes):
                    with contextlib.suppress(StopIteration):
                        run.model.module(input_ids=ids, use_cache=False)
            issued = time.perf_counter() - begin
            wait()
            seconds = time.perf_counter() - begin
        handle.remove()
        show(what="bare hooks", dtype=dtype, tf32=tf32(), ms=1e3 * seconds / passes, issued_ms=1e3 * issued / passes)
        for _ in range(3):
            begin = time.perf_counter()
            for _ in range(passes):
                run.model.read(ids, None, [READ], stop=True)
            issued = time.perf_counter() - begin
            wait()
            seconds = time.perf_counter() - begin
        show(what="nnsight", dtype=dtype, tf32=tf32(), ms=1e3 * seconds / passes, issued_ms=1e3 * issued / passes)


def refills(folder: Path) -> None:
    """As in a run: seconds of three refills, with text already read ahead for four batches."""
    for dtype, keep_contexts in (("float32", False), ("float32", True), ("bfloat16", False)):
        run = Run(folder, dtype, keep_contexts=keep_contexts)
        for _ in range(3):
            run.draw_half()
            wait()
            begin = time.perf_counter()
            done = run.refill()
            issued = time.perf_counter() - begin
            wait()
            seconds = time.perf_counter() - begin
            show(
                what="refill",
                dtype=dtype,
                tf32=tf32(),
                contexts_kept=keep_contexts,
                seconds=seconds,
                issued=issued,
                tokens_per_s=done / seconds,
            )


def tables(folder: Path) -> None:
    """Where a refill's time goes: functions of the thread that drives it, then what the device does in three appends."""
    run = Run(folder, "float32", keep_contexts=True)
    run.draw_half()
    run.refill()
    run.draw_half()
    profiler = cProfile.Profile()
    profiler.enable()
    run.refill()
    wait()
    profiler.disable()
    for order in ("cumulative", "tottime"):
        out = io.StringIO()
        pstats.Stats(profiler, stream=out).strip_dirs().sort_stats(order).print_stats(45)
        print(out.getvalue()[:7000], flush=True)
    if DEVICE.type != "cuda":
        return
    run.draw_half()
    run.append()
    wait()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as kernels:
        for _ in range(3):
            run.append()
        wait()
    print(kernels.key_averages().table(sort_by="self_cuda_time_total", row_limit=30, max_name_column_width=70), flush=True)


def tf32() -> bool:
    return torch.backends.cuda.matmul.allow_tf32


def main() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        for part in (text, bare, refills, tables):
            if OPTIONS.parts and part.__name__ not in OPTIONS.parts:
                continue
            begin = time.perf_counter()
            try:
                part(folder)
            except Exception:
                traceback.print_exc()
                show(failed=part.__name__)
            show(part=part.__name__, seconds=time.perf_counter() - begin)


if __name__ == "__main__":
    main()
