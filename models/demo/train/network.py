"""The network in torch: SmolLM3's architecture in small, and the optimizer that trains it.

Weights are kept in f32 and used in bfloat16, which the processor multiplies three times as fast.
Queries and keys are rotated by halves here; export.py reorders their rows to the interleaved pairs
that GGUF files hold.
"""

import math

import torch
import torch.distributed as distributed
import torch.nn.functional as F

SHAPE = dict(layers=6, hidden=256, heads=4, kv_heads=2, head_dim=64, ffn=512, rope_base=10000.0)
NORM_EPSILON = 1e-6


def uses_rope(layer):
    """SmolLM3's rule: every fourth layer knows no positions."""
    return (layer + 1) % 4 != 0


class Norm(torch.autograd.Function):
    """RMSNorm of bfloat16 rows with the gradient written out: fewer passes over memory."""

    @staticmethod
    def forward(ctx, x, weight):
        scale = torch.rsqrt((x * x).mean(-1, keepdim=True, dtype=torch.float32) + NORM_EPSILON)
        scale = scale.to(x.dtype)
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx, grad):
        normed, scale, weight = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        grad_weight = (rows * normed.reshape(rows.shape)).sum(0, dtype=torch.float32)
        inner = grad * weight
        mean = (inner * normed).mean(-1, keepdim=True)
        return (inner - normed * mean) * scale, grad_weight.to(weight.dtype)


class Network(torch.nn.Module):
    """Token ids [rows, length] to hidden states; `loss` goes on to the loss of chosen places."""

    def __init__(self, vocabulary, shape=None):
        super().__init__()
        self.shape = dict(SHAPE if shape is None else shape)
        s = self.shape
        hidden, ffn = s["hidden"], s["ffn"]
        q_rows, kv_rows = s["heads"] * s["head_dim"], s["kv_heads"] * s["head_dim"]
        layers = s["layers"]

        def matrices(rows, columns, gain=1.0):
            scale = gain / math.sqrt(columns)
            return torch.nn.Parameter(torch.randn(layers, rows, columns) * scale)

        self.embedding = torch.nn.Parameter(torch.randn(vocabulary, hidden) * 0.02)
        self.q = matrices(q_rows, hidden)
        self.k = matrices(kv_rows, hidden)
        self.v = matrices(kv_rows, hidden)
        self.o = matrices(hidden, q_rows, 0.3)
        self.gate = matrices(ffn, hidden)
        self.up = matrices(ffn, hidden)
        self.down = matrices(hidden, ffn, 0.3)
        self.attn_norm = torch.nn.Parameter(torch.ones(layers, hidden))
        self.ffn_norm = torch.nn.Parameter(torch.ones(layers, hidden))
        self.output_norm = torch.nn.Parameter(torch.ones(hidden))
        self.tables = {}

    def matrix_names(self):
        return ["q", "k", "v", "o", "gate", "up", "down"]

    def rope(self, length, dtype):
        if (length, dtype) not in self.tables:
            half = self.shape["head_dim"] // 2
            speeds = self.shape["rope_base"] ** (-torch.arange(half) / half)
            angles = torch.outer(torch.arange(length).float(), speeds)
            cos = torch.cat((angles.cos(), angles.cos()), 1)
            sin = torch.cat((-angles.sin(), angles.sin()), 1)
            self.tables[(length, dtype)] = cos.to(dtype), sin.to(dtype)
        return self.tables[(length, dtype)]

    def rotate(self, x, table):
        cos, sin = table
        half = x.shape[-1] // 2
        return x * cos + torch.cat((x[..., half:], x[..., :half]), -1) * sin

    def attend(self, x, layer, weights, table, mask):
        s = self.shape
        rows, length, _ = x.shape
        dim, group = s["head_dim"], s["heads"] // s["kv_heads"]

        def split(y, heads):
            return y.view(rows, length, heads, dim).transpose(1, 2)

        q = split(F.linear(x, weights["q"][layer]), s["heads"])
        k = split(F.linear(x, weights["k"][layer]), s["kv_heads"])
        v = split(F.linear(x, weights["v"][layer]), s["kv_heads"])
        if uses_rope(layer):
            q, k = self.rotate(q, table), self.rotate(k, table)
        q = (q * dim ** -0.5).reshape(rows * s["kv_heads"], group * length, dim)
        k = k.reshape(rows * s["kv_heads"], length, dim)
        v = v.reshape(rows * s["kv_heads"], length, dim)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2))
        out = torch.bmm(torch.softmax(scores, -1), v)
        out = out.view(rows, s["heads"], length, dim).transpose(1, 2).reshape(rows, length, -1)
        return F.linear(out, weights["o"][layer])

    def forward(self, ids, dtype=torch.bfloat16):
        weights = {name: getattr(self, name).to(dtype) for name in self.matrix_names()}
        norms = {n: getattr(self, n).to(dtype) for n in ("attn_norm", "ffn_norm", "output_norm")}
        table_of_ids = self.embedding.to(dtype)
        length = ids.shape[1]
        group = self.shape["heads"] // self.shape["kv_heads"]
        mask = torch.full((length, length), float("-inf")).triu(1).to(dtype).repeat(group, 1)
        table = self.rope(length, dtype)
        x = F.embedding(ids, table_of_ids)
        for layer in range(self.shape["layers"]):
            normed = Norm.apply(x, norms["attn_norm"][layer])
            x = x + self.attend(normed, layer, weights, table, mask)
            normed = Norm.apply(x, norms["ffn_norm"][layer])
            gated = F.silu(F.linear(normed, weights["gate"][layer]))
            gated = gated * F.linear(normed, weights["up"][layer])
            x = x + F.linear(gated, weights["down"][layer])
        return Norm.apply(x, norms["output_norm"]), table_of_ids

    def loss(self, ids, wanted):
        """The mean loss of the places where `wanted` [rows, length] is true: those tokens of ids
        are to be foretold from what stands before them."""
        hidden, table = self(ids[:, :-1])
        chosen = wanted[:, 1:]
        logits = F.linear(hidden[chosen], table).float()
        return F.cross_entropy(logits, ids[:, 1:][chosen])


def orthogonalize(grads, steps=5):
    """Newton-Schulz iterations that bring the singular values of each matrix [n, rows, columns]
    near 1 (the Muon optimizer)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = grads.to(torch.bfloat16)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.float().pow(2).sum((1, 2), keepdim=True).sqrt() + 1e-7).to(x.dtype)
    for _ in range(steps):
        square = torch.bmm(x, x.transpose(1, 2))
        x = a * x + torch.bmm(b * square + c * torch.bmm(square, square), x)
    return (x.transpose(1, 2) if tall else x).float()


class Optimizer:
    """Muon for the matrices of the layers, Adam for embedding and norms.

    Of several processes each orthogonalizes a part of the layers; all make the same step.
    """

    def __init__(self, network, matrix_rate=0.02, other_rate=3e-3, decay=0.01):
        matrix_names = network.matrix_names()
        self.network = network
        self.matrices = [getattr(network, name) for name in matrix_names]
        others = [p for n, p in network.named_parameters() if n not in matrix_names]
        self.adam = torch.optim.Adam(others, lr=other_rate, betas=(0.9, 0.98), eps=1e-10)
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        self.matrix_rate, self.other_rate, self.decay = matrix_rate, other_rate, decay

    def state(self):
        return {"adam": self.adam.state_dict(), "momenta": self.momenta}

    def restore(self, state):
        self.adam.load_state_dict(state["adam"])
        self.momenta = state["momenta"]

    def average_gradients(self):
        """The mean of all processes' gradients, in each of them."""
        if not distributed.is_initialized():
            return
        grads = [p.grad for p in self.network.parameters()]
        flat = torch.cat([g.reshape(-1) for g in grads])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        at = 0
        for grad in grads:
            grad.copy_(flat[at:at + grad.numel()].view(grad.shape))
            at += grad.numel()

    def directions(self):
        """Orthogonalized steps for all matrices."""
        steps = [p.grad.lerp(m, 0.95) for p, m in zip(self.matrices, self.momenta)]
        if not distributed.is_initialized():
            return [orthogonalize(step) for step in steps]
        rank, size = distributed.get_rank(), distributed.get_world_size()
        own = [orthogonalize(step.chunk(size)[rank]) for step in steps]
        flat = torch.cat([part.reshape(-1) for part in own]).to(torch.float16)
        parts = [torch.empty_like(flat) for _ in range(size)]
        distributed.all_gather(parts, flat)
        whole, at = [], 0
        for part in own:
            whole.append(torch.cat([p[at:at + part.numel()].view(part.shape) for p in parts]))
            at += part.numel()
        return [w.float() for w in whole]

    @torch.no_grad()
    def step(self, factor):
        self.average_gradients()
        for group in self.adam.param_groups:
            group["lr"] = self.other_rate * factor
        self.adam.step()
        rate = self.matrix_rate * factor
        for p, momentum in zip(self.matrices, self.momenta):
            momentum.mul_(0.95).add_(p.grad, alpha=0.05)
        for p, direction in zip(self.matrices, self.directions()):
            gain = max(1.0, p.shape[1] / p.shape[2]) ** 0.5
            p.mul_(1 - rate * self.decay).add_(direction, alpha=-rate * gain)
            p.grad = None
        self.adam.zero_grad(set_to_none=True)
