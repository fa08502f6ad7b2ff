"""PyTorch's side of native.mjs: trains the workloads of `downhill bench` on one thread.

It first says its version, as a line of JSON. Then it reads lines `WORKLOAD SECONDS` and answers each with another: steps per second, and the first
and the last loss. What is asked for again trains on.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

BATCHES = 8
WARM_UP = 1.0
WINDOWS = 7
STEPS_PER_LOSS = 10
TOKENS = 64


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 64)
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.output = nn.Linear(128, TOKENS)

    def forward(self, x):
        return self.output(self.lstm(self.embedding(x))[0])


class Block(nn.Module):
    """What nn.TransformerEncoderLayer computes with the norm first, without what that does around it: it is faster so."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.in_proj, self.out_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj.weight)
        nn.init.zeros_(self.in_proj.bias)
        nn.init.zeros_(self.out_proj.bias)
        self.linear1, self.linear2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        batch, steps, dim = x.shape
        parts = self.in_proj(self.norm1(x)).reshape(batch, steps, 3, self.heads, dim // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, steps, dim)
        x = x + self.out_proj(seen)
        return x + self.linear2(gelu(self.linear1(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, steps, dim):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, dim)
        self.positions = nn.Parameter(0.02 * torch.randn(steps, dim))
        self.blocks = nn.Sequential(*(Block(dim, 4) for _ in range(4)))
        self.norm = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, TOKENS, bias=False)

    def forward(self, x):
        return self.output(self.norm(self.blocks(self.embedding(x) + self.positions)))


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    def convolution(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]

    layers = [nn.Unflatten(1, (1, 28, 28)), *convolution(1, 16), *convolution(16, 32), nn.Flatten(), nn.Linear(1568, 10)]
    return nn.Sequential(*layers)


def images(batch):
    """Ten classes: a prototype and noise."""
    prototypes = torch.randn(10, 784)
    labels = [torch.randint(0, 10, (batch,)) for _ in range(BATCHES)]
    return [(0.3 * prototypes[label] + 0.5 * torch.randn(batch, 784), label) for label in labels]


def sequences(batch, steps=64):
    """A chain in which four tokens may follow each, some more often; to be predicted is the next one."""
    successors = torch.randint(0, TOKENS, (TOKENS, 4))
    made = []
    for _ in range(BATCHES):
        tokens = [torch.randint(0, TOKENS, (batch,))]
        for _ in range(steps):
            place = torch.minimum(torch.randint(0, 4, (batch,)), torch.randint(0, 4, (batch,)))
            tokens.append(successors[tokens[-1], place])
        tokens = torch.stack(tokens, 1)
        made.append((tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()))
    return made


# As `crates/train/src/bench/workloads.rs` has them: network, learning rate, data.
WORKLOADS = {
    "mlp-l": (mlp, 0.001, lambda: images(128)),
    "cnn": (cnn, 0.001, lambda: images(64)),
    "lstm": (Lstm, 0.002, lambda: sequences(32)),
    "gpt-s": (lambda: Gpt(64, 128), 0.001, lambda: sequences(16)),
}


class Training:
    def __init__(self, workload):
        network, lr, data = WORKLOADS[workload]
        self.network, self.data = network(), data()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr)
        self.parameters = sum(parameter.numel() for parameter in self.network.parameters())
        self.steps = 0
        self.first = self.step().item()

    def step(self):
        x, y = self.data[self.steps % BATCHES]
        logits = self.network(x)
        loss = cross_entropy(logits.flatten(0, -2), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss

    def rate(self, seconds):
        """Steps per second over some time, and the last loss; the loss is read now and then, as a program does that shows it."""
        begin, before = time.perf_counter(), self.steps
        while time.perf_counter() - begin < seconds:
            loss = self.step()
            if self.steps % STEPS_PER_LOSS == 0:
                loss.item()
        return (self.steps - before) / (time.perf_counter() - begin), loss.item()


def main():
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    print(json.dumps({"version": torch.__version__}), flush=True)
    runs = {}
    for line in sys.stdin:
        workload, seconds = line.split()
        if workload not in runs:
            runs[workload] = Training(workload)
        run = runs[workload]
        run.rate(WARM_UP)
        measured = [run.rate(float(seconds) / WINDOWS) for _ in range(WINDOWS)]
        answer = {
            "stepsPerSec": statistics.median(rate for rate, _ in measured),
            "parameters": run.parameters,
            "lossFirst": run.first,
            "lossLast": measured[-1][1],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
