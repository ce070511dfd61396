"""The step on a GPU: gradients and kernels next to plain ones, and its speed at the published size, from a full buffer.

Run by cuda.sh; one JSON object a line, and at the end tables of where the time goes. A failed part is reported, and the
next one runs. With arguments, only the named parts.
"""

import functools
import itertools
import json
import shutil
import sys
import time
import traceback
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "py_worker"), str(Path(__file__).parent / "reference")]

from dictionary import AutoEncoder as PlainAutoEncoder
from draw_peers import ours as full_buffer
from step_peers import ADAM, PENALTY, l0_of, reference, start
from torch.profiler import ProfilerActivity, profile

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.train import analytic, encoded, fused
from dictlearn_worker.train.loss import sparsity_term
from dictlearn_worker.train.operations import batch_for
from dictlearn_worker.train.trainee import Trainee

GPU = torch.device("cuda", 0)
WIDTH, SIZE, BATCH, ROWS = 512, 8192, 8192, 3_840_000
STEPS, REPETITIONS = 20, 7
# A variant's name, whether products round float32 to TF32, and what is rounded to bfloat16.
VARIANTS = {
    "float32": (False, "float32", None),
    "tf32": (True, "float32", None),
    "autocast": (False, "float32", "bfloat16"),
    "bfloat16": (False, "bfloat16", None),
}


def show(**found):
    print(json.dumps(found), flush=True)


def numbers(autocast=None, sparsity="l1"):
    return p.StepNumbers(
        trainee=p.Handle(0, 0),
        site=0,
        first_step=0,
        scale=1.0,
        lr=[1e-6],
        sparsity_penalty=[PENALTY],
        loss=p.Loss(reconstruction="mse", sparsity=sparsity),
        adam=ADAM,
        fired="forward",
        autocast=autocast,
    )


def trainee_of(plain, dtype=torch.float32):
    dictionary = AutoEncoder(WIDTH, WIDTH, len(plain.encoder.bias), dtype)
    dictionary.load_state_dict(plain.state_dict())
    return Trainee(dictionary.to(GPU), ADAM)


def allow_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on


class FullBuffer:
    """A full buffer of the published size, shuffled again when half of it is read."""

    def __init__(self, device):
        self.buffer, values = full_buffer(ROWS, WIDTH, device)
        for part in values.split(BATCH):
            part.copy_(torch.randn(part.shape, device=GPU))

    def draw(self, trainee):
        buffer = self.buffer
        if len(buffer.unread) < ROWS // 2:
            buffer.begin(full=True)
        buffer.draw(BATCH)
        return batch_for(buffer, 0, trainee, 1.0)[0]


def machine():
    """The hardware and software versions."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    show(what="machine", card=torch.cuda.get_device_name(), torch=torch.__version__, compiler=compiler)
    begin = time.perf_counter()
    kernels = fused.kernels_for(GPU, torch.float32)
    show(what="kernels", found=kernels is not None, seconds=time.perf_counter() - begin)
    if kernels is not None:
        show(what="triton", version=kernels.triton.__version__)


def kernels():
    """The Triton kernels next to the plain functions: the largest differences, whether two calls agree, and their speed.

    One shape has a width that is not a multiple of a block.
    """
    found = fused.kernels_for(GPU, torch.float32)
    generator = torch.Generator(GPU).manual_seed(0)
    for dtype, (size, width) in itertools.product(
        (torch.float32, torch.bfloat16), ((700, 50), (33, 5001), (SIZE, BATCH))
    ):
        z = torch.randn(size, width, device=GPU, generator=generator)
        slope = torch.randn(size, width, device=GPU, generator=generator).to(dtype)
        bias = torch.randn(size, device=GPU, generator=generator)
        z[3, 5] = torch.nan
        ours, again, plain = (z.clone().to(dtype) for _ in range(3))
        by_f, by_f_plain = slope.clone(), slope.clone()
        sums, sums_again, sums_plain = (
            found.activate(narrow(z, ours), bias, ours),
            found.activate(narrow(z, again), bias, again),
            fused.activate(narrow(z, plain), bias, plain),
        )
        by_bias, by_bias_plain = found.gate(by_f, ours, 0.03), fused.gate(by_f_plain, plain, 0.03)
        nan = bool(ours[3, 5].isnan() and sums[3].isnan())
        for each in (ours, sums, plain, sums_plain, by_f, by_f_plain, by_bias, by_bias_plain):
            each[3] = 0
        show(
            what="kernels beside plain",
            dtype=str(dtype),
            shape=[size, width],
            features_same=torch.equal(ours, plain),
            slopes_same=torch.equal(by_f, by_f_plain),
            sums=float((sums - sums_plain).abs().max() / sums_plain.abs().max()),
            slope_sums=float((by_bias - by_bias_plain).abs().max() / by_bias_plain.abs().max()),
            nan_stays=nan,
            twice_same=torch.equal(again[4:], ours[4:]) and torch.equal(sums_again[4:], sums[4:]),
        )
    for dtype, at_once, warps in itertools.product((torch.float32, torch.bfloat16), (2048, 4096, 8192), (4, 8, 16)):
        found.MOST_AT_ONCE, found.WARPS = at_once, warps
        f, slope = (torch.randn(SIZE, BATCH, device=GPU).to(dtype) for _ in range(2))
        bias = torch.zeros(SIZE, device=GPU)
        z = f if dtype == torch.float32 else f.float()
        forward = device_ms(lambda: found.activate(z, bias, f))
        backward = device_ms(lambda: found.gate(slope, f, 0.0))
        moved, read = f.numel() * f.element_size() / 1e9, z.numel() * z.element_size() / 1e9
        show(
            what="kernel speed",
            dtype=str(dtype),
            at_once=at_once,
            warps=warps,
            activate_ms=forward,
            activate_tb_s=(read + moved) / forward,
            gate_ms=backward,
            gate_tb_s=3 * moved / backward,
        )
    found.MOST_AT_ONCE, found.WARPS = 4096, 8


def narrow(z, f):
    """The input of `activate`: f itself if it has z's dtype (it is overwritten), else a copy of z."""
    return f if f.dtype == z.dtype else z.clone()


def device_ms(call, times=10):
    """Milliseconds of one call, by the device's clock."""
    for _ in range(3):
        call()
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(times):
        call()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / times


def gradients():
    """The largest error of each gradient, relative to its largest number, against autograd in float64 on the GPU.

    Only features that are active on the same rows in both count: rounding decides on which side of 0 a feature near 0
    lies, and with it whether the row counts. With rounded products hardly any feature qualifies: there, the error of
    the whole gradient relative to its norm, next to that of autograd under autocast.
    """
    x = torch.randn(1024, WIDTH, generator=torch.Generator().manual_seed(1)).to(GPU)
    for l0, sparsity in itertools.product((100, None), ("l1", "entropy")):
        plain = start(WIDTH, SIZE, l0)
        exact, f = by_autograd(plain, x.double(), sparsity, None)
        under_autocast, _ = by_autograd(plain, x, sparsity, torch.bfloat16)
        for variant, (tf32, name, autocast) in {**VARIANTS, "float64": (False, "float64", None)}.items():
            allow_tf32(tf32)
            dtype = getattr(torch, name)
            trainee = trainee_of(plain, dtype)
            same = ((trainee.dictionary.encode(x.to(dtype)) != 0) == (f != 0)).all(dim=0)
            trainee.step(x.to(dtype), x.to(dtype), numbers(autocast, sparsity), 0)
            largest, norms, theirs = {}, {}, {}
            for (key, gradient), moment in zip(exact.items(), trainee.optimiser.first_moments, strict=True):
                error = moment.double() / 0.1 - gradient
                norms[key] = float(error.norm() / gradient.norm())
                theirs[key] = float((under_autocast[key] - gradient).norm() / gradient.norm())
                if key != "bias":
                    error = error[:, same] if key == "decoder.weight" else error[same]
                largest[key] = float(error.abs().max() / gradient.abs().max()) if error.numel() else None
            found = {"l0": l0, "sparsity": sparsity, "variant": variant, "features_compared": int(same.sum())}
            if variant in ("float32", "float64"):
                show(what="gradients, largest error", **found, errors=largest)
            else:
                show(what="gradients, error of all", **found, errors=norms, autograd_under_autocast=theirs)
    allow_tf32(False)


def by_autograd(plain, x, sparsity, autocast):
    """Gradients in x's dtype, the decoder's without its component along the columns, and the features."""
    model = PlainAutoEncoder(WIDTH, WIDTH, SIZE).to(GPU, x.dtype)
    model.load_state_dict(plain.state_dict())
    with torch.autocast(GPU.type, dtype=autocast or torch.bfloat16, enabled=autocast is not None):
        f = model.encode(x)
        y_hat = model.decode(f)
    loss = p.Loss(reconstruction="mse", sparsity=sparsity)
    ((y_hat.to(x.dtype) - x).pow(2).mean() + PENALTY * sparsity_term(f.to(x.dtype), loss)).backward()
    columns, gradient = model.decoder.weight.detach(), model.decoder.weight.grad
    unit = columns / columns.norm(dim=0)
    gradient -= (gradient * unit).sum(dim=0) * unit
    return {name: each.grad for name, each in model.named_parameters()}, f.detach()


def same_bytes():
    """Two trainings from one start: whether they end byte-identical."""
    x = torch.randn(BATCH, WIDTH, generator=torch.Generator().manual_seed(1)).to(GPU)
    for variant, (tf32, name, autocast) in VARIANTS.items():
        allow_tf32(tf32)
        ends = []
        for _ in range(2):
            trainee = trainee_of(start(WIDTH, SIZE, 100), getattr(torch, name))
            for _ in range(20):
                trainee.step(x.to(trainee.dictionary.dtype), x.to(trainee.dictionary.dtype), numbers(autocast), 0)
            ends.append([*trainee.state().values()])
        show(what="same bytes", variant=variant, same=all(itertools.starmap(torch.equal, zip(*ends, strict=True))))
    allow_tf32(False)


def milliseconds(take, draw):
    """Times of one step with its draw: the median over the repetitions, the extremes, and Python's share."""
    found, host = [], []
    for repetition in range(REPETITIONS + 1):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(STEPS):
            take(draw())
        issued = time.perf_counter()
        torch.cuda.synchronize()
        if repetition > 0:
            found.append(1000 * (time.perf_counter() - begin) / STEPS)
            host.append(1000 * (issued - begin) / STEPS)
    found.sort()
    middle = found[len(found) // 2]
    return {
        "ms": middle,
        "least": found[0],
        "most": found[-1],
        "issued_ms": sorted(host)[len(host) // 2],
        "tokens_per_s": 1000 * BATCH / middle,
    }


def measure(rows, rows_on, variants, states, **more):
    for variant, l0 in itertools.product(variants, states):
        tf32, name, autocast = VARIANTS[variant]
        allow_tf32(tf32)
        trainee = trainee_of(start(WIDTH, SIZE, l0), getattr(torch, name))
        step = numbers(autocast)
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        found = milliseconds(lambda x: trainee.step(x, x, step, 0), lambda: rows.draw(trainee))
        peak = (torch.cuda.max_memory_allocated() - held) / 2**30
        show(what="step with draw", rows_on=rows_on, variant=variant, l0=l0, **more, extra_gib=peak, **found)
    allow_tf32(False)


@functools.cache
def rows_on_gpu():
    """One for all parts."""
    return FullBuffer(GPU)


def speed():
    """Steps with their draws from a buffer of the published size on the GPU."""
    rows, sparse = rows_on_gpu(), trainee_of(start(WIDTH, SIZE, 100))
    show(what="l0 of the sparse state", l0=l0_of(sparse.dictionary, rows.draw(sparse)))
    measure(rows, "cuda", VARIANTS, (100, None))


def references():
    """The reference's step, with our draws."""
    for tf32 in (False, True):
        allow_tf32(tf32)
        plain = start(WIDTH, SIZE, 100)
        trainee = trainee_of(plain)
        theirs = milliseconds(reference(plain.to(GPU), SIZE), lambda trainee=trainee: rows_on_gpu().draw(trainee))
        show(what="the reference's step, with our draw", tf32=tf32, **theirs)
    allow_tf32(False)


def blocks():
    """By the numbers in a block of features."""
    usual = encoded.BLOCK["cuda"]
    for block in (2**25, 2**26):
        encoded.BLOCK["cuda"] = block
        measure(rows_on_gpu(), "cuda", ("tf32", "autocast"), (100,), block=block)
    encoded.BLOCK["cuda"] = usual


def without_kernels():
    """As without Triton."""
    analytic.kernels_for = lambda device, dtype: None
    measure(rows_on_gpu(), "cuda", ("tf32", "autocast"), (100,), kernels=False)
    analytic.kernels_for = fused.kernels_for


def tables():
    """Where a step's time goes: kernels by time, and launches."""
    rows = rows_on_gpu()
    for variant in ("tf32", "autocast"):
        tf32, name, autocast = VARIANTS[variant]
        allow_tf32(tf32)
        trainee = trainee_of(start(WIDTH, SIZE, 100), getattr(torch, name))
        step = numbers(autocast)

        def several(trainee=trainee, step=step):
            for _ in range(STEPS):
                trainee.step(x := rows.draw(trainee), x, step, 0)
            torch.cuda.synchronize()

        several()
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
            several()
        spent = {}
        launches = 0
        for event in seen.events():
            if event.device_type == torch.autograd.DeviceType.CUDA:
                total, count = spent.get(event.name, (0.0, 0))
                spent[event.name] = (total + event.device_time_total, count + 1)
            launches += "LaunchKernel" in event.name
        busy = sum(total for total, _ in spent.values()) / STEPS / 1000
        show(what="profile", variant=variant, busy_ms=busy, launches=launches / STEPS)
        for kernel, (total, count) in sorted(spent.items(), key=lambda each: -each[1][0])[:25]:
            print(f"{total / STEPS:9.1f} us {count / STEPS:6.2f} x  {kernel[:150]}", flush=True)
    allow_tf32(False)


def products():
    """The five products of a step with their factors in either order of memory: milliseconds and TFLOP/s."""
    for dtype, tf32 in ((torch.float32, True), (torch.bfloat16, False)):
        allow_tf32(tf32)

        def drawn(*shape, dtype=dtype):
            return torch.randn(shape, device=GPU).to(dtype)

        weight, x, features = drawn(SIZE, WIDTH), drawn(BATCH, WIDTH), drawn(SIZE, BATCH)
        by_row, x_across, weight_across = drawn(BATCH, SIZE), drawn(WIDTH, BATCH), drawn(WIDTH, SIZE)
        variants = {
            "encode: W x'": lambda: weight @ x.T,
            "encode: W x', x across": lambda: weight @ x_across,
            "encode: x W'": lambda: x @ weight.T,
            "decode: f' D": lambda: features.T @ weight,
            "decode: f' D, D across": lambda: features.T @ weight_across.T,
            "decode: f by row, D": lambda: by_row @ weight,
            "decode: f by row, D across": lambda: by_row @ weight_across.T,
            "decode: D' f": lambda: weight.T @ features,
            "decode: D' f, D across": lambda: weight_across @ features,
            "weights: S x": lambda: features @ x,
            "weights: S x, x across": lambda: features @ x_across.T,
            "weights: x' S'": lambda: x.T @ features.T,
            "weights: x' S', x across": lambda: x_across @ features.T,
            "weights: S by row' x": lambda: by_row.T @ x,
        }
        for name, call in variants.items():
            ms = device_ms(call)
            show(what="product", dtype=str(dtype), name=name, ms=ms, tflop_s=2 * SIZE * BATCH * WIDTH / ms / 1e9)
    allow_tf32(False)


def from_the_cpu():
    """The same from rows in the CPU's memory, gathered ahead into pinned memory."""
    measure(FullBuffer("cpu"), "cpu", ("tf32", "autocast"), (100,))


PARTS = {
    each.__name__: each
    for each in (
        machine,
        speed,
        tables,
        products,
        kernels,
        gradients,
        same_bytes,
        blocks,
        without_kernels,
        references,
        from_the_cpu,
    )
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        begin = time.perf_counter()
        try:
            PARTS[part]()
        except Exception:
            traceback.print_exc(file=sys.stdout)
        show(part=part, seconds=time.perf_counter() - begin)
        torch.cuda.empty_cache()
