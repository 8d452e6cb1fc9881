# SPDX-License-Identifier: MIT
"""Norms and linear layers of every kind, small: what is RMSNorm or linear, what is nearly so, and what is none.

A kind is made by KINDS' function; names of attributes differ on purpose. Parameters begin as models initialise them,
which is where wrong kinds look right.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

FEATURES = 36
EPSILON = 1e-6


def rms(x, epsilon=EPSILON):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


class Norm(nn.Module):
    """compute(norm, x) is its forward; initial is what its weight begins with; others are attributes."""

    def __init__(self, compute, initial=1.0, **others):
        super().__init__()
        self.compute = compute
        if initial is not None:
            self.weight = nn.Parameter(torch.full((FEATURES,), initial))
        for name, value in others.items():
            if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, x, *more):
        return self.compute(self, x, *more)


def named(**others):
    return Norm(lambda norm, x: rms(x) * norm.gain, None, eps=EPSILON, **others)


def with_hook(hook, module=None):
    module = nn.RMSNorm(FEATURES, eps=EPSILON) if module is None else module
    module.register_forward_hook(hook)
    return module


def parametrised(module):
    parametrize.register_parametrization(module, "weight", nn.Tanh())
    return module


def pruned(module):
    torch.manual_seed(1)
    prune.random_unstructured(module, "weight", 0.3)
    return module


def stale(module):
    """Changes what a pruned module makes its weight of, in its next call."""
    with torch.no_grad():
        module.weight_orig.mul_(2)
    return module


def wrapped(module):
    """forward is a closure over this very module, which copies share."""
    forward = module.forward
    module.forward = lambda x: forward(x)
    return module


def llama(norm, x):
    return norm.weight * rms(x.float(), norm.variance_epsilon).to(x.dtype)


def gemma(norm, x):
    return (rms(x.float(), norm.eps) * (1.0 + norm.weight.float())).type_as(x)


def plain(norm, x, residual=None):
    return rms(x) * norm.weight if residual is None else (x, residual)


# name -> (makes the norm, gamma from the norm)
TAKEN = {
    "nn.RMSNorm": (lambda: nn.RMSNorm(FEATURES, eps=EPSILON), lambda norm: norm.weight),
    "no epsilon given": (lambda: nn.RMSNorm(FEATURES), lambda norm: norm.weight),
    "no weight": (lambda: nn.RMSNorm(FEATURES, eps=EPSILON, elementwise_affine=False), lambda _: torch.ones(FEATURES)),
    "Llama": (lambda: Norm(llama, variance_epsilon=1e-3), lambda norm: norm.weight),
    "Gemma": (lambda: Norm(gemma, 0.0, eps=1e-3), lambda norm: 1 + norm.weight),
    "another name": (lambda: named(gain=nn.Parameter(torch.ones(FEATURES))), lambda norm: norm.gain),
    "a buffer": (lambda: named(gain=torch.ones(1, FEATURES)), lambda norm: norm.gain[0]),
    "an unused buffer": (lambda: Norm(lambda _, x: rms(x), None, eps=EPSILON, weight=torch.full((FEATURES,), 3.0)),
                         lambda _: torch.ones(FEATURES)),
    "epsilon in a buffer": (lambda: Norm(lambda norm, x: rms(x, norm.eps) * norm.weight, eps=torch.tensor(1e-3)),
                            lambda norm: norm.weight),
    "optional residual": (lambda: Norm(plain, eps=EPSILON), lambda norm: norm.weight),
    "fp64 inside": (lambda: Norm(lambda norm, x: plain(norm, x.double()).type_as(x), eps=EPSILON),
                    lambda norm: norm.weight),
    "in a Sequential": (lambda: nn.Sequential(nn.RMSNorm(FEATURES, eps=EPSILON)), lambda norm: norm[0].weight),
    "compiled": (lambda: torch.compile(nn.RMSNorm(FEATURES, eps=EPSILON)), lambda norm: norm.weight),
    "a hook that looks": (lambda: with_hook(lambda *_: None), lambda norm: norm.weight),
    "parametrised": (lambda: parametrised(nn.RMSNorm(FEATURES, eps=EPSILON)), lambda norm: norm.weight),
    "pruned": (lambda: pruned(nn.RMSNorm(FEATURES, eps=EPSILON)), lambda norm: norm.weight),
}

# name -> (makes the norm, what the refusal must tell)
REFUSED = {
    "LayerNorm": (lambda: nn.LayerNorm(FEATURES), "LayerNorm, which is not RMSNorm: it subtracts the mean"),
    "LayerNorm without bias": (lambda: nn.LayerNorm(FEATURES, bias=False), "subtracts the mean"),
    "LayerNorm without weight": (lambda: nn.LayerNorm(FEATURES, elementwise_affine=False), "subtracts the mean"),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(FEATURES), "BatchNorm1d, .* for a row depends on other rows"),
    "BatchNorm1d in eval": (lambda: nn.BatchNorm1d(FEATURES).eval(), "depends on other rows"),
    "GroupNorm": (lambda: nn.GroupNorm(4, FEATURES), "GroupNorm, which is not RMSNorm: it subtracts the mean"),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(FEATURES), "InstanceNorm1d, which is not RMSNorm"),
    "Identity": (lambda: nn.Identity(), "grows with its input"),
    "Linear": (lambda: nn.Linear(FEATURES, FEATURES), r"norm.weight is \(36, 36\) but linear.out_features is 36"),
    "a bias": (lambda: Norm(lambda norm, x: plain(norm, x) + norm.bias, eps=EPSILON,
                            bias=nn.Parameter(torch.zeros(FEATURES))), "it adds a bias"),
    "two weights": (lambda: Norm(lambda norm, x: plain(norm, x) * norm.scale, eps=EPSILON,
                                 scale=nn.Parameter(torch.ones(1))), "something else than weight"),
    "a factor": (lambda: Norm(lambda norm, x: 0.5 * plain(norm, x), eps=EPSILON), "something else than weight"),
    "|weight|": (lambda: Norm(lambda norm, x: rms(x) * norm.weight.abs(), eps=EPSILON), "something else than weight"),
    "weight first": (lambda: Norm(lambda norm, x: rms(x * norm.weight), eps=EPSILON), "by its root mean square"),
    "a hook that scales": (lambda: with_hook(lambda _, __, out: 2 * out), "something else than weight"),
    "another axis": (lambda: Norm(lambda norm, x: rms(x.mT).mT * norm.weight, eps=EPSILON), "depends on other rows"),
    "both axes": (lambda: Norm(lambda norm, x: plain(norm, x) if x.dim() == 2 else rms(x.flatten(-2)).view_as(x)
                               * norm.weight, eps=EPSILON), r"on \(2, 8, 36\), it is off"),
    "groups": (lambda: Norm(lambda norm, x: rms(x.unflatten(-1, (4, -1))).flatten(-2) * norm.weight, eps=EPSILON),
               "by its root mean square"),
    "1-norm": (lambda: Norm(lambda norm, x: x / (x.abs().mean(-1, keepdim=True) + EPSILON) * norm.weight,
                            eps=EPSILON), "by its root mean square"),
    "2-norm": (lambda: Norm(lambda norm, x: F.normalize(x, dim=-1) * FEATURES**0.5 * norm.weight, eps=1e-12),
               "to the mean square"),
    "an epsilon of its own": (lambda: Norm(lambda norm, x: rms(x, 1e-5) * norm.weight, eps=EPSILON),
                              "it adds 1e-05 to the mean square, and no attribute such as norm.eps holds"),
    "epsilon outside": (lambda: Norm(lambda norm, x: x / (x.square().mean(-1, keepdim=True).sqrt() + EPSILON)
                                     * norm.weight, eps=EPSILON), "very small rows"),
    "epsilon as a bound": (lambda: Norm(lambda norm, x: x * x.square().mean(-1, keepdim=True).clamp(min=EPSILON).rsqrt()
                                        * norm.weight, eps=EPSILON), "very small rows"),
    "no epsilon": (lambda: Norm(lambda norm, x: rms(x, 0) * norm.weight, eps=0.0), "it adds no epsilon"),
    "a clamp": (lambda: Norm(lambda norm, x: plain(norm, x.clamp(-65504, 65504)), eps=EPSILON), "very large numbers"),
    "bf16 inside": (lambda: Norm(lambda norm, x: plain(norm, x.bfloat16().float()), eps=EPSILON), "more coarsely"),
    "dropout": (lambda: nn.Sequential(nn.RMSNorm(FEATURES), nn.Dropout(0.1)).eval(), "the same output each time"),
    "other in eval": (lambda: Norm(lambda norm, x: plain(norm, x) if norm.training else x, eps=EPSILON), "in eval"),
    "in place": (lambda: Norm(lambda norm, x: x.copy_(plain(norm, x)), eps=EPSILON), "it writes into its input"),
    "a residual": (lambda: Norm(lambda norm, x, residual: (x, residual)), "cannot be called with one .*residual"),
    "a tuple": (lambda: Norm(lambda norm, x: (x, x)), "it returns a tuple"),
    "an exception": (lambda: Norm(lambda norm, x: 1 / 0), "cannot be called .*ZeroDivisionError: division by zero"),
    "another shape": (lambda: Norm(lambda norm, x: x[..., :1]), r"its output is \(16, 1\) and not \(16, 36\)"),
    "an unused weight": (lambda: Norm(lambda _, x: rms(x), eps=EPSILON), "does not depend on its weight"),
    "another's forward": (lambda: wrapped(nn.RMSNorm(FEATURES, eps=EPSILON)), "does not depend on its weight"),
    "offloaded": (lambda: with_hook(lambda norm, *_: norm.to("meta") and None), "its tensors are offloaded"),
    "stale": (lambda: stale(pruned(nn.RMSNorm(FEATURES, eps=EPSILON))), "its weight is not the one"),
    "a script": (lambda: torch.jit.script(nn.RMSNorm(FEATURES)), "cannot be copied to be tried"),
}


class Transposed(nn.Module):
    """As GPT-2's Conv1D."""

    def __init__(self, inputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, FEATURES)), nn.Parameter(torch.zeros(FEATURES))

    def forward(self, x):
        return x @ self.weight + self.bias


class Adapted(nn.Module):
    """As LoRA layers wrap a linear layer; what is added begins as zero."""

    def __init__(self):
        super().__init__()
        self.base_layer, self.down, self.up = nn.Linear(20, FEATURES), nn.Linear(20, 2), nn.Linear(2, FEATURES)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    weight = property(lambda self: self.base_layer.weight)
    bias = property(lambda self: self.base_layer.bias)

    def forward(self, x):
        return self.base_layer(x) + self.up(self.down(x))


def replaced(forward, **others):
    """nn.Linear with another forward(linear, x)."""
    linear = type("Replaced", (nn.Linear,), {"forward": forward})(20, FEATURES)
    for name, value in others.items():
        setattr(linear, name, value)
    return linear


LINEARS_TAKEN = {
    "a subclass": lambda: type("Sub", (nn.Linear,), {})(20, FEATURES),
    "no bias": lambda: nn.Linear(20, FEATURES, bias=False),
    "written out": lambda: replaced(lambda linear, x: x @ linear.weight.t() + linear.bias),
    "compiled": lambda: torch.compile(nn.Linear(20, FEATURES)),
    "parametrised": lambda: parametrised(nn.Linear(20, FEATURES)),
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(20, FEATURES)),
    "pruned": lambda: pruned(nn.Linear(20, FEATURES)),
    "a hook that looks": lambda: with_hook(lambda *_: None, nn.Linear(20, FEATURES)),
}

LINEARS_REFUSED = {
    "Conv1D": (lambda: Transposed(20), "Transposed, .* by weight and not by its transpose"),
    "square Conv1D": (lambda: Transposed(FEATURES), "by weight and not by its transpose"),
    "LoRA": (Adapted, "its output depends on down.weight too"),
    "a factor": (lambda: replaced(lambda linear, x: 2 * F.linear(x, linear.weight, linear.bias)), "is another"),
    "bias left out": (lambda: replaced(lambda linear, x: F.linear(x, linear.weight)), "is another"),
    "rounded inputs": (lambda: replaced(lambda linear, x: F.linear(x.bfloat16().float(), linear.weight, linear.bias)),
                       "is another"),
    "rounded weights": (lambda: replaced(lambda linear, x: F.linear(x, linear.weight.half().float(), linear.bias)),
                        "is another"),
    "a hook that scales": (lambda: with_hook(lambda _, __, out: 2 * out, nn.Linear(20, FEATURES)), "is another"),
    "spectral norm": (lambda: parametrizations.spectral_norm(nn.Linear(20, FEATURES)), "the same output each time"),
    "a tuple": (lambda: replaced(lambda linear, x: (F.linear(x, linear.weight), linear.bias)), "returns a tuple"),
    "Embedding": (lambda: nn.Embedding(FEATURES, 20), "cannot be called with one tensor"),
    "a script": (lambda: torch.jit.script(nn.Linear(20, FEATURES)), "cannot be copied to be tried"),
    "Bilinear": (lambda: nn.Bilinear(3, 4, 5), "weight is torch.float32 with 3 dimensions"),
    "integers": (lambda: torch.ao.nn.quantized.dynamic.Linear(20, FEATURES), "no tensor named weight"),
    "fp64": (lambda: nn.Linear(20, FEATURES).double(), "float64"),
    "two dtypes": (lambda: replaced(nn.Linear.forward, bias=nn.Parameter(torch.zeros(FEATURES, dtype=torch.float16))),
                   "linear.bias is torch.float16 but linear.weight is torch.float32"),
    "stale": (lambda: stale(pruned(nn.Linear(20, FEATURES))), "its weight is not the one that its next call makes"),
    "offloaded": (lambda: with_hook(lambda linear, *_: linear.to("meta") and None, nn.Linear(20, FEATURES)),
                  "its tensors are offloaded"),
    "lazy": (lambda: nn.LazyLinear(FEATURES), "no shape yet"),
    "no module": (lambda: torch.zeros(3), "linear is Tensor, but must be a torch.nn.Module"),
}
