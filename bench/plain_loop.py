"""The default procedure as one plain PyTorch loop, as people write it: modules, autograd, torch.optim, a schedule.

Reads one JSON request a line, answers one JSON object a line. It imports nothing of dictlearn.
"""

import json
import sys
import time

import torch
from safetensors.torch import load_file, save_file


class AutoEncoder(torch.nn.Module):
    def __init__(self, width, features):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.encoder = torch.nn.Linear(width, features)
        self.decoder = torch.nn.Linear(features, width, bias=False)

    def encode(self, x):
        return torch.relu(self.encoder(x - self.bias))

    def decode(self, f):
        return self.decoder(f) + self.bias


def make(request):
    """Rows that a dictionary can explain: sparse sums of random directions, and a little noise."""
    generator = torch.Generator().manual_seed(0)
    width, rows = request["width"], request["batch"] * request["steps"]
    directions = torch.randn(4 * width, width, generator=generator)
    codes = torch.rand(rows, 4 * width, generator=generator)
    codes = torch.where(codes > 0.95, codes, 0.0)
    noise = torch.randn(rows, width, generator=generator)
    save_file({"inputs": codes @ directions / width**0.5 + 0.01 * noise}, request["make"])
    return {}


def train(request):
    batch, features, warmup, files = request["batch"], request["features"], request["warmup_steps"], request["train"]
    rows = load_file(files["rows"])["inputs"]
    model = AutoEncoder(rows.shape[1], features)
    model.load_state_dict(torch.load(files["initial"], weights_only=True))
    optimiser = torch.optim.Adam(model.parameters(), lr=request["lr"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min((step + 1) / warmup, 1.0))
    last_fired = torch.full((features,), -1)
    weight = model.decoder.weight

    start = time.perf_counter()
    for step in range(request["steps"]):
        x = rows[step * batch : (step + 1) * batch]
        optimiser.zero_grad()
        f = model.encode(x)
        y = model.decode(f)
        loss = (y - x).pow(2).mean() + request["sparsity_penalty"] * f.norm(p=1, dim=-1).mean()
        loss.backward()
        with torch.no_grad():
            unit = weight / weight.norm(dim=0, keepdim=True)
            weight.grad -= (weight.grad * unit).sum(dim=0, keepdim=True) * unit
        optimiser.step()
        with torch.no_grad():
            weight /= weight.norm(dim=0, keepdim=True)
            last_fired[(f != 0).any(dim=0)] = step
        schedule.step()
        if step % request["log_steps"] == 0:
            log(model, x, last_fired, step)
    seconds = time.perf_counter() - start

    trained = torch.load(files["trained"], weights_only=True)
    same = all(torch.equal(tensor, trained[key]) for key, tensor in model.state_dict().items())
    return {"steps_per_second": request["steps"] / seconds, "same_weights": same}


@torch.no_grad()
def log(model, x, last_fired, step):
    """The statistics of a logged step."""
    f = model.encode(x)
    mse = (model.decode(f) - x).pow(2).mean()
    total = (x - x.mean(dim=0)).pow(2).mean()
    l0 = (f != 0).sum(dim=-1).double().mean().item()
    dead = int((last_fired < step - 1000).sum())
    return mse.item(), f.norm(p=1, dim=-1).mean().item(), l0, (1 - mse / total).item(), dead


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(make(request) if "make" in request else train(request)), flush=True)
