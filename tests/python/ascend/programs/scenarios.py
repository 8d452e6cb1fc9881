# SPDX-License-Identifier: MIT
"""Every scenario on 2 ranks: the operator, its in-place sister, and npu_mm_all_reduce_base with npu_add_rms_norm.

All are compared with model.py, bit by bit, and the two ways with each other as MindSpeed's own test does, with
rtol = atol = 0.005. Arguments: seed, port.
"""

import sys

import model
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch_npu
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm import npu_mm_all_reduce_add_rms_norm
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm_ import npu_mm_all_reduce_add_rms_norm_

WORLD, B, S, K, N = 2, 2, 17, 96, 200
HALF, BF16 = torch.float16, torch.bfloat16


class Case:
    """One rank's arguments, the same whichever rank asks for them."""

    def __init__(self, seed: int, rank: int, dtype: torch.dtype, weights: str = "float", x1_axes: int = 3,
                 transposed: bool = False, bias: bool = False) -> None:
        self.random = torch.Generator().manual_seed(seed * WORLD + rank)
        self.dtype, self.options, self.per_token = dtype, {}, None
        self.x1 = self.floats(B, S, K)
        self.x2 = self.floats(K, N)
        self.scale = torch.ones(1)
        if weights == "int8":
            self.x1, self.x2 = self.integers(B, S, K), self.integers(K, N)
            self.dequantise()
        elif weights != "float":
            self.x2 = self.integers(K, N)
            self.antiquantise(weights)
        if x1_axes == 2:
            self.x1 = self.x1.reshape(B * S, K)
        if transposed:
            self.x2 = self.x2.t().contiguous().t()
        self.residual, self.gamma = self.floats(B, S, N), self.floats(N)
        if bias:
            quantised = weights == "int8"
            self.options["bias"] = self.integers(N).int() if quantised else self.floats(N)

    def floats(self, *shape: int) -> torch.Tensor:
        return model.exact_floats(self.random, *shape, dtype=self.dtype)

    def integers(self, *shape: int) -> torch.Tensor:
        return torch.randint(-9, 10, shape, generator=self.random, dtype=torch.int8)

    def dequantise(self) -> None:
        """Powers of two, so that products stay exact: as words for float16, as they are for bfloat16."""
        scale = 2.0 ** torch.randint(-5, 1, (N,), generator=self.random)
        words = torch_npu.npu_trans_quant_param(scale)
        self.options["dequant_scale"] = words if self.dtype == HALF else scale.to(self.dtype)
        self.scale = scale

    def antiquantise(self, weights: str) -> None:
        """(x2 + offset) * scale with values small enough for both steps to be exact."""
        shape = {"tensor": (1,), "channel": (1, N), "group": (-(-K // 32), N)}[weights]
        scale = 2.0 ** torch.randint(-4, -1, shape, generator=self.random)
        offset = torch.randint(-2, 3, shape, generator=self.random)
        self.options["antiquant_scale"] = scale.to(self.dtype)
        self.options["antiquant_offset"] = offset.to(self.dtype)
        self.expanded = scale, offset
        if weights == "group":
            self.options["antiquant_group_size"] = 32
            self.expanded = scale.repeat_interleave(32, 0)[:K], offset.repeat_interleave(32, 0)[:K]

    def partial(self) -> torch.Tensor:
        """x1 @ x2 + bias in float64; exact."""
        x2 = self.x2.double()
        if "antiquant_scale" in self.options:
            x2 = (x2 + self.expanded[1]) * self.expanded[0]
        bias = self.options.get("bias", torch.zeros(N)).double()
        return ((self.x1.double() @ x2 + bias) * self.scale.double()).reshape(B, S, N)


CASES = {
    "float16": {"dtype": HALF},
    "float16, 2 axes, transposed x2, bias": {"dtype": HALF, "x1_axes": 2, "transposed": True, "bias": True},
    "bfloat16": {"dtype": BF16},
    "bfloat16, bias": {"dtype": BF16, "bias": True},
    "int8, words": {"dtype": HALF, "weights": "int8", "bias": True},
    "int8, bfloat16 scales, transposed x2": {"dtype": BF16, "weights": "int8", "transposed": True},
    "int8 weights, per tensor": {"dtype": HALF, "weights": "tensor"},
    "int8 weights, per channel": {"dtype": BF16, "weights": "channel", "bias": True},
    "int8 weights, per group": {"dtype": HALF, "weights": "group"},
}


def compare(name: str, case: Case, mm_out: torch.Tensor, hcom: str) -> None:
    """One rank's results against the model's."""
    epsilon = 1e-5
    y, norm_out = model.add_norm(mm_out, case.residual, case.gamma, epsilon)
    arguments = (case.x1, case.x2, case.residual, case.gamma, hcom)
    residual = case.residual.clone()
    fused = npu_mm_all_reduce_add_rms_norm(*arguments, epsilon=epsilon, **case.options)
    model.assert_same_bits(f"{name}: y", fused[0], y)
    model.assert_same_bits(f"{name}: norm_out", fused[1], norm_out)
    model.assert_same_bits(f"{name}: residual afterwards", case.residual, residual)

    base = torch_npu.npu_mm_all_reduce_base(case.x1, case.x2, hcom, **case.options)
    assert base.shape == (*case.x1.shape[:-1], N), base.shape
    model.assert_same_bits(f"{name}: npu_mm_all_reduce_base", base.reshape(B, S, N), mm_out)
    norm, _, total = torch_npu.npu_add_rms_norm(base.reshape(B, S, N), case.residual, case.gamma, epsilon)
    assert torch.allclose(fused[0], total, rtol=0.005, atol=0.005)
    assert torch.allclose(fused[1], norm, rtol=0.005, atol=0.005)
    model.assert_same_bits(f"{name}: npu_add_rms_norm's sum", total, y)
    model.assert_same_bits(f"{name}: npu_add_rms_norm's norm", norm, norm_out)

    given = residual.npu()
    in_place = npu_mm_all_reduce_add_rms_norm_(*arguments[:2], given, *arguments[3:], epsilon=epsilon, **case.options)
    assert in_place[0] is given
    model.assert_same_bits(f"{name}: y in place", given, y)
    model.assert_same_bits(f"{name}: norm_out in place", in_place[1], norm_out)


def only_base(seed: int, rank: int, hcom: str) -> None:
    """What only npu_mm_all_reduce_base has: x3, pertoken_scale, and float32 scales with it."""
    cases = [Case(seed, r, HALF, weights="int8") for r in range(WORLD)]
    per_token = [2.0 ** torch.randint(-3, 2, (B * S,), generator=case.random) for case in cases]
    partials = [case.partial() * scale.reshape(B, S, 1).double() for case, scale in zip(cases, per_token, strict=True)]
    mine = cases[rank]
    found = torch_npu.npu_mm_all_reduce_base(mine.x1, mine.x2, hcom, dequant_scale=mine.scale.float(),
                                             pertoken_scale=per_token[rank])
    model.assert_same_bits("pertoken_scale", found, model.sum_in_rank_order(partials, HALF))
    for dtype in (HALF, BF16):
        cases = [Case(seed, r, dtype) for r in range(WORLD)]
        rounded = [case.partial().float().to(dtype).float() + case.residual.float() for case in cases]
        mine = cases[rank]
        found = torch_npu.npu_mm_all_reduce_base(mine.x1, mine.x2, hcom, x3=mine.residual)
        model.assert_same_bits("x3", found, model.sum_in_rank_order(rounded, dtype))


def work(rank: int, seed: int, port: str) -> None:
    torch_npu.npu.set_device(rank)
    torch.set_num_threads(1)
    dist.init_process_group("hccl", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD)
    hcom = dist.group.WORLD._get_backend(torch.device("npu")).get_hccl_comm_name(rank)
    for number, (name, options) in enumerate(CASES.items()):
        cases = [Case(seed + number, r, **options) for r in range(WORLD)]
        mm_out = model.sum_in_rank_order([case.partial() for case in cases], cases[rank].dtype)
        assert mm_out.float().std() > 1, f"{name}: the data are degenerate"
        compare(name, cases[rank], mm_out, hcom)
    only_base(seed, rank, hcom)
    dist.destroy_process_group()
    print(f"rank {rank}: {len(CASES)} scenarios")


if __name__ == "__main__":
    print("seed", sys.argv[1])
    mp.spawn(work, args=(int(sys.argv[1]), sys.argv[2]), nprocs=WORLD)
