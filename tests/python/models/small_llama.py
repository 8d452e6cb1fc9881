# SPDX-License-Identifier: MIT
"""A small Llama-type model in plain torch, with the names of modules that transformers' has, randomly initialised.

It is what examples/smollm2_parallel.py divides where there is no transformers. Attention is written out, without a
cache. Parameters are large enough for every part to matter to the logits.
"""

import math
from types import SimpleNamespace

import torch
from torch import nn

HIDDEN, HEAD_DIM, INNER, LAYERS, VOCABULARY = 48, 8, 52, 3, 67  # INNER and VOCABULARY leave uneven parts


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(torch.rand(HIDDEN) + 0.5), 1e-5

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * y.to(x.dtype)


class Angles(nn.Module):
    def forward(self, x, position_ids):
        frequencies = 100.0 ** -(torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = (position_ids[..., None] * frequencies).repeat(1, 1, 2)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


def rotate(x, cos, sin):
    one, other = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-other, one), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, heads, key_value_heads, bias):
        super().__init__()
        self.head_dim, self.num_key_value_groups = HEAD_DIM, heads // key_value_heads
        self.q_proj = nn.Linear(HIDDEN, heads * HEAD_DIM, bias=bias)
        self.k_proj = nn.Linear(HIDDEN, key_value_heads * HEAD_DIM, bias=bias)
        self.v_proj = nn.Linear(HIDDEN, key_value_heads * HEAD_DIM, bias=bias)
        self.o_proj = nn.Linear(heads * HEAD_DIM, HIDDEN, bias=bias)

    def forward(self, hidden_states, position_embeddings):
        q, k, v = (p(hidden_states).unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)
                   for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, *position_embeddings), rotate(k, *position_embeddings)
        k, v = (t.repeat_interleave(self.num_key_value_groups, dim=1) for t in (k, v))
        scores = (q @ k.transpose(2, 3)).float() / math.sqrt(HEAD_DIM)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        out = scores.masked_fill(future, -math.inf).softmax(-1).to(v.dtype) @ v
        return self.o_proj(out.transpose(1, 2).flatten(2)), None


class Mlp(nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(HIDDEN, INNER, bias=bias), nn.Linear(HIDDEN, INNER, bias=bias)
        self.down_proj = nn.Linear(INNER, HIDDEN, bias=bias)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, heads, key_value_heads, bias):
        super().__init__()
        self.self_attn, self.mlp = Attention(heads, key_value_heads, bias), Mlp(bias)
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()

    def forward(self, x, position_embeddings):
        x = x + self.self_attn(self.input_layernorm(x), position_embeddings)[0]
        return x + self.mlp(self.post_attention_layernorm(x))


class SmallLlama(nn.Module):
    """ids (1, s) -> an object with logits (1, s, VOCABULARY)."""

    def __init__(self, seed, heads, key_value_heads, bias=False):
        super().__init__()
        torch.manual_seed(seed)
        self.config = SimpleNamespace(num_key_value_heads=key_value_heads)
        self.model = nn.Module()
        self.model.embed_tokens, self.model.rotary_emb = nn.Embedding(VOCABULARY, HIDDEN), Angles()
        self.model.layers = nn.ModuleList([Layer(heads, key_value_heads, bias) for _ in range(LAYERS)])
        self.model.norm = Norm()
        self.lm_head = nn.Linear(HIDDEN, VOCABULARY, bias=False)
        with torch.no_grad():
            for linear in self.modules():
                if isinstance(linear, nn.Linear):
                    linear.weight.mul_(2)

    def forward(self, ids):
        x = self.model.embed_tokens(ids)
        angles = self.model.rotary_emb(x, position_ids=torch.arange(ids.shape[1])[None])
        for layer in self.model.layers:
            x = layer(x, position_embeddings=angles)
        return SimpleNamespace(logits=self.lm_head(self.model.norm(x)))
