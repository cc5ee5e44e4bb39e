"""Computes with PyTorch what nn's layers compute, for gradients_test.go.

parity.py INPUTS OUTPUTS: both are safetensors files. INPUTS holds, per case,
its differentiable arguments CASE/0, CASE/1, …, other arguments under names, and
CASE/weights; OUTPUTS gets CASE/output and the gradients CASE/0, CASE/1, … of
sum(output * weights).
"""
import json
import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F


def read(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), f.read()
    header.pop("__metadata__", None)
    cases = {}
    for key, h in header.items():
        assert h["dtype"] == "F32", key
        begin, end = h["data_offsets"]
        array = np.frombuffer(data[begin:end], "<f4").reshape(h["shape"])
        case, name = key.split("/")
        cases.setdefault(case, {})[name] = torch.tensor(array)
    return cases


def write(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + data)


def lstm(c, x, *weights):
    """Sequence r takes row r of every step that has one; all end together."""
    zero = torch.zeros(1, 1, weights[1].shape[1])
    counts = [int(n) for n in c["counts"]]
    steps = torch.split(x, counts)
    last = []
    for r in range(counts[-1]):
        sequence = torch.stack([s[r : r + 1] for s in steps if r < len(s)])
        output, _, _ = torch.lstm(sequence, (zero, zero), weights, True, 1, 0.0, False, False, False)
        last.append(output[-1, 0])
    return torch.stack(last)


def attention(c, q, k, v, heads=2):
    def split(x):
        return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)

    scores = split(q) @ split(k).transpose(2, 3) / math.sqrt(q.shape[2] // heads)
    mask = c["mask"].reshape(q.shape[0], 1, q.shape[1], q.shape[1]) != 0
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return (weights @ split(v)).transpose(1, 2).reshape(q.shape)


def categorical(c, logits):
    """[2, rows]: log-probabilities and entropies."""
    out = [[torch.zeros(()) for _ in range(2)] for _ in range(2)]
    for row, begin, end, index in c["choices"].reshape(-1, 4).int().tolist():
        d = torch.distributions.Categorical(logits=logits[begin:end, 0])
        out[0][row] = out[0][row] + d.log_prob(torch.tensor(index))
        out[1][row] = out[1][row] + d.entropy()
    return torch.stack([torch.stack(x) for x in out])


def clipped_mse(c, x):
    held = c["old"] + (x - c["old"]).clamp(-0.2, 0.2)
    return torch.max((x - c["target"]) ** 2, (held - c["target"]) ** 2).mean().reshape(1)


def ppo(c, log_prob):
    ratio = torch.exp(log_prob - c["old"])
    a = c["advantage"]
    return -torch.min(ratio * a, torch.clamp(ratio, 0.8, 1.2) * a).mean().reshape(1)


def adam(c, x):
    """Three steps down the gradients in c, clipped, from x; no gradient flows."""
    p = torch.nn.Parameter(x.detach().clone())
    optimizer = torch.optim.Adam([p], lr=0.01)
    for g in c["gradients"]:
        p.grad = g.clone()
        torch.nn.utils.clip_grad_norm_([p], 1.5)
        optimizer.step()
    return p.detach() + 0 * x


CASES = {
    "linear": lambda c, x, w, b: F.linear(x, w, b),
    "linear_without_bias": lambda c, x, w: F.linear(x, w),
    "add": lambda c, a, b: a + b,
    "mul": lambda c, a, b: a * b,
    "square": lambda c, a: a * a,
    "scale": lambda c, x: -1.5 * x,
    "mean": lambda c, x: x.mean().reshape(1),
    "relu": lambda c, x: F.relu(x),
    "elu": lambda c, x: F.elu(x),
    "gelu": lambda c, x: F.gelu(x),
    "tanh": lambda c, x: torch.tanh(x),
    "sigmoid": lambda c, x: torch.sigmoid(x),
    "softmax": lambda c, x: torch.softmax(x, -1),
    "layer_norm": lambda c, x, g, b: F.layer_norm(x, g.shape, g, b, 1e-5),
    "concat": lambda c, *x: torch.cat(x, -1),
    "slice": lambda c, x: x[..., 2:5],
    "sum_rows": lambda c, x: torch.stack([part.sum(0) for part in x.split(c["counts"].long().tolist())]),
    "log_sum_exp_rows": lambda c, x: torch.stack([part.logsumexp(0) for part in x.split(c["counts"].long().tolist())]),
    "gather": lambda c, x: x[c["index"].long()],
    "reshape": lambda c, x: x.reshape(2, 6) * 2,
    "depthwise": lambda c, x, f, b: F.conv2d(x, f, b, padding=f.shape[-1] // 2, groups=x.shape[1]),
    "lstm": lstm,
    "lstm_one_step": lstm,
    "attention": attention,
    "transpose": lambda c, x: x.transpose(1, 2),
    "average": lambda c, x: x.mean(1),
    "scale_columns": lambda c, x, f: x * f,
    "categorical": categorical,
    "ppo": ppo,
    "mse": lambda c, x: F.mse_loss(x, c["target"]).reshape(1),
    "clipped_mse": clipped_mse,
    "adam": adam,
}


def main():
    torch.set_num_threads(1)
    results = {}
    for case, c in read(sys.argv[1]).items():
        args = [c[str(i)].requires_grad_() for i in range(len(c)) if str(i) in c]
        output = CASES[case](c, *args)
        results[case + "/output"] = output
        (output * c["weights"]).sum().backward()
        for i, a in enumerate(args):
            results[f"{case}/{i}"] = a.grad
    write(sys.argv[2], results)


main()
