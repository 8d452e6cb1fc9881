# SPDX-License-Identifier: MIT
"""A Llama-type model of transformers, divided tensor-parallel among the ranks of a group.

Every decoder layer keeps its attention and its MLP, with this rank's heads and hidden columns. What comes behind them,
a row-parallel projection, the residual addition and the norm that is next in line, becomes one module: either
mmarn.torch's, or for comparison the same steps with torch.distributed. Only names of modules and parameters are relied
on (self_attn.q_proj, mlp.down_proj, ...), so transformers itself is not imported. docs/smollm2.md describes it.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

import mmarn
from mmarn.torch import RowParallelLinearAddRMSNorm


class MmarnRanks:
    """The ranks of a mmarn group; quantised: int8 weights in the row-parallel projections."""

    def __init__(self, group: mmarn.Group, quantised: bool = False) -> None:
        self.name, self.rank, self.world_size, self.quantised = group.name, group.rank, group.world_size, quantised

    def row_parallel(self, linear: nn.Linear, columns: slice, norm: nn.Module) -> nn.Module:
        """The module for these columns of linear and the norm behind it, with copies of the parameters."""
        module = RowParallelLinearAddRMSNorm(
            columns.stop - columns.start, linear.out_features, group=self.name, bias=linear.bias is not None,
            eps=norm.variance_epsilon, dtype=linear.weight.dtype,
        )
        with torch.no_grad():
            module.weight.copy_(linear.weight[:, columns])
            module.gamma.copy_(norm.weight)
            if linear.bias is not None:
                module.bias.copy_(linear.bias)
        return module.quantise_() if self.quantised else module

    def sum(self, x: Tensor) -> Tensor:
        return torch.ops.mmarn.all_reduce(x, self.name)


class TorchRanks:
    """The ranks of torch's default process group."""

    def __init__(self) -> None:
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()

    def row_parallel(self, linear: nn.Linear, columns: slice, norm: nn.Module) -> nn.Module:
        return TorchRowParallel(linear, columns, norm)

    def sum(self, x: Tensor) -> Tensor:
        dist.all_reduce(x)
        return x


class TorchRowParallel(nn.Module):
    """What RowParallelLinearAddRMSNorm does, step by step: matmul, dist.all_reduce, addition, norm."""

    def __init__(self, linear: nn.Linear, columns: slice, norm: nn.Module) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight[:, columns].detach().clone())
        self.bias, self.norm = linear.bias, norm

    def forward(self, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        out = nn.functional.linear(x, self.weight)
        dist.all_reduce(out)
        y = (out if self.bias is None else out + self.bias) + residual
        return y, self.norm(y)


class ParallelDecoderLayer(nn.Module):
    """One decoder layer between two norms: (residual, norm_out) -> (residual, norm_out of the next layer's norm).

    Layer 0 takes the embeddings instead, (b, s, hidden), and applies first_norm itself; the last layer returns only
    what the model's final norm would.
    """

    def __init__(self, layer: nn.Module, ends: tuple[nn.Module, nn.Module], first_norm: nn.Module | None,
                 last: bool) -> None:
        super().__init__()
        self.self_attn, self.mlp, self.first_norm, self.last = layer.self_attn, layer.mlp, first_norm, last
        self.attention_end, self.mlp_end = ends

    def forward(self, stream, **arguments):
        residual, normed = stream if self.first_norm is None else (stream, self.first_norm(stream))
        attended = self.self_attn(hidden_states=normed, **arguments)[0]
        residual, normed = self.attention_end(attended, residual)
        residual, normed = self.mlp_end(self.mlp(normed), residual)
        return normed if self.last else (residual, normed)


class VocabularyParallelHead(nn.Module):
    """The classifier with this rank's rows of the vocabulary; all logits, (b, s, vocabulary), on every rank.

    Each rank puts its logits among zeros, so their sum is exact.
    """

    def __init__(self, linear: nn.Linear, ranks: MmarnRanks | TorchRanks) -> None:
        super().__init__()
        self.vocabulary, self.ranks = linear.out_features, ranks
        self.rows = part(linear.out_features, ranks)
        self.linear = rows_of(linear, self.rows)

    def forward(self, x: Tensor) -> Tensor:
        logits = x.new_zeros(*x.shape[:-1], self.vocabulary)
        logits[..., self.rows] = self.linear(x)
        return self.ranks.sum(logits)


def part(total: int, ranks: MmarnRanks | TorchRanks, each: int = 1) -> slice:
    """This rank's part of total items, as equal as can be, in units of an item's `each` rows or columns."""
    return slice(total * ranks.rank // ranks.world_size * each, total * (ranks.rank + 1) // ranks.world_size * each)


def rows_of(linear: nn.Linear, rows: slice) -> nn.Linear:
    """The column-parallel layer with these output features, which shares linear's memory."""
    result = nn.Linear(linear.in_features, rows.stop - rows.start, bias=linear.bias is not None, device="meta")
    result.weight = nn.Parameter(linear.weight.detach()[rows], requires_grad=False)
    if linear.bias is not None:
        result.bias = nn.Parameter(linear.bias.detach()[rows], requires_grad=False)
    return result


def keep_heads(attention: nn.Module, key_value_heads: int, ranks: MmarnRanks | TorchRanks) -> slice:
    """Leaves attention this rank's key-value heads and their queries, and no projection; returns o_proj's columns."""
    queries_each = attention.num_key_value_groups * attention.head_dim
    queries = part(key_value_heads, ranks, queries_each)
    keys = part(key_value_heads, ranks, attention.head_dim)
    attention.q_proj = rows_of(attention.q_proj, queries)
    attention.k_proj, attention.v_proj = rows_of(attention.k_proj, keys), rows_of(attention.v_proj, keys)
    attention.o_proj = nn.Identity()
    return queries


def keep_columns(mlp: nn.Module, ranks: MmarnRanks | TorchRanks) -> slice:
    """Leaves the MLP this rank's hidden columns, and no projection back; returns down_proj's columns."""
    columns = part(mlp.gate_proj.out_features, ranks)
    mlp.gate_proj, mlp.up_proj = rows_of(mlp.gate_proj, columns), rows_of(mlp.up_proj, columns)
    mlp.down_proj = nn.Identity()
    return columns


def parallelise(model: nn.Module, ranks: MmarnRanks | TorchRanks) -> nn.Module:
    """Divides model, a LlamaForCausalLM or one like it, in place, and returns it in eval mode, for inference only.

    Key-value heads, hidden columns and the vocabulary are each divided as equally as whole ones can be; embeddings and
    norms are replicated. The new model's outputs have the same bits on every rank.
    Errors: ValueError (fewer key-value heads than ranks: a rank would have no columns of o_proj).
    """
    heads, inner = model.config.num_key_value_heads, model.model
    if heads < ranks.world_size:
        raise ValueError(f"the model has {heads} key-value heads, too few for {ranks.world_size} ranks")
    layers = list(inner.layers)
    next_norms = [layer.input_layernorm for layer in layers[1:]] + [inner.norm]
    for index, (layer, next_norm) in enumerate(zip(layers, next_norms, strict=True)):
        o_proj, down_proj = layer.self_attn.o_proj, layer.mlp.down_proj
        ends = (
            ranks.row_parallel(o_proj, keep_heads(layer.self_attn, heads, ranks), layer.post_attention_layernorm),
            ranks.row_parallel(down_proj, keep_columns(layer.mlp, ranks), next_norm),
        )
        first_norm = layer.input_layernorm if index == 0 else None
        inner.layers[index] = ParallelDecoderLayer(layer, ends, first_norm, last=index == len(layers) - 1)
    inner.norm = nn.Identity()
    model.lm_head = VocabularyParallelHead(model.lm_head, ranks)
    return model.requires_grad_(False).eval()
