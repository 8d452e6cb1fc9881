# SPDX-License-Identifier: MIT
"""How far two correct computations of a Llama-type model's logits may be apart.

The model is evaluated in float64 from its own parameters, once exactly and, as further sequences of the same batch,
with random errors wherever a computation in the model's dtype rounds. The errors' root mean square at each logit, the
spread, is what one rounding history does to it. docs/smollm2.md derives the bound that is made of it. It relies on
names of modules only, as smollm2_parallel.py does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

DRAWS = 32
FACTOR = 10.0 * math.sqrt(2.0)
UNIT32 = torch.finfo(torch.float32).eps / 2


class Roundings:
    """Errors uniform between plus and minus their largest value, in all sequences but the first."""

    def __init__(self, dtype: torch.dtype, seed: int) -> None:
        self.unit = torch.finfo(dtype).eps / 2
        self.generator = torch.Generator().manual_seed(seed)

    def moved(self, z: Tensor, largest: Tensor) -> Tensor:
        """z, (1 + DRAWS, ...), with errors up to largest."""
        errors = torch.rand(z.shape, generator=self.generator, dtype=z.dtype).mul_(2).sub_(1).mul_(largest)
        errors[0] = 0
        return errors.add_(z)

    def rounded(self, z: Tensor) -> Tensor:
        """z rounded to the model's dtype."""
        return self.moved(z, self.unit * z.abs())

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """a @ b summed up in fp32: u * sqrt(sum of s_j^2) for partial sums s_j that wander from 0 to the result."""
        z = a @ b
        squares = (a.float().square() @ b.float().square()).double()
        return self.moved(z, UNIT32 * (a.shape[-1] * (z.square() / 3 + squares / 6)).sqrt())

    def linear(self, x: Tensor, linear: nn.Linear) -> Tensor:
        z = self.matmul(x, linear.weight.detach().double().t())
        return self.rounded(z if linear.bias is None else z + linear.bias.double())

    def norm(self, x: Tensor, norm: nn.Module) -> Tensor:
        rstd = (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
        return self.rounded(self.rounded(x * self.moved(rstd, 4 * UNIT32 * rstd)) * norm.weight.double())

    def rotated(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        one, other = x.chunk(2, dim=-1)
        turned = self.rounded(torch.cat((-other, one), dim=-1) * sin)
        return self.rounded(self.rounded(x * cos) + turned)

    def attention(self, attention: nn.Module, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Causal attention from (1 + DRAWS, s, hidden) to the same shape, with the output projection."""
        q, k, v = (self.linear(x, p).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
                   for p in (attention.q_proj, attention.k_proj, attention.v_proj))
        q, k = self.rotated(q, cos, sin), self.rotated(k, cos, sin)
        k, v = (t.repeat_interleave(attention.num_key_value_groups, dim=1) for t in (k, v))
        scores = self.matmul(q, k.transpose(2, 3)) * attention.head_dim**-0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        weights = scores.masked_fill(future, -math.inf).softmax(-1)
        weights = self.rounded(self.moved(weights, 4 * UNIT32 * weights))
        out = self.rounded(self.matmul(weights, v))
        return self.linear(out.transpose(1, 2).flatten(2), attention.o_proj)

    def mlp(self, mlp: nn.Module, x: Tensor) -> Tensor:
        gate = self.linear(x, mlp.gate_proj)
        gate = self.rounded(gate * torch.sigmoid(gate))
        return self.linear(self.rounded(gate * self.linear(x, mlp.up_proj)), mlp.down_proj)


@torch.no_grad()
def exact_and_bound(model: nn.Module, ids: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(logits without roundings, bound on the distance of two computations); both (s, vocabulary), float64.

    model  undivided, in the dtype that is to be judged; ids is (1, s).
    """
    step, inner = Roundings(model.lm_head.weight.dtype, seed), model.model
    embedded = inner.embed_tokens(ids)
    # Both computations use the model's own table of angles, so its roundings are no difference between them.
    cos, sin = (t.double() for t in inner.rotary_emb(embedded, position_ids=torch.arange(ids.shape[1])[None]))
    x = embedded.double().expand(1 + DRAWS, -1, -1)
    for layer in inner.layers:
        x = step.rounded(x + step.attention(layer.self_attn, step.norm(x, layer.input_layernorm), cos, sin))
        x = step.rounded(x + step.mlp(layer.mlp, step.norm(x, layer.post_attention_layernorm)))
    logits = step.linear(step.norm(x, inner.norm), model.lm_head)
    exact = logits[0].clone()
    spread = logits[1:].sub_(exact).square_().mean(0).sqrt_()
    return exact, FACTOR * spread
