# SPDX-License-Identifier: MIT
"""What is refused, with which exception and sentence, in which order; and that a refusal reaches the other rank.

Rank 0 makes each bad call while rank 1 makes a good one: rank 1 must fail at once, and a good call on both must
succeed afterwards. Arguments: port.
"""

import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm import npu_mm_all_reduce_add_rms_norm
from mindspeed.ops.npu_mm_all_reduce_add_rms_norm_ import npu_mm_all_reduce_add_rms_norm_
from torch_npu import npu_mm_all_reduce_base

HALF, BF16 = torch.float16, torch.bfloat16
K, N = 48, 16


def ones(*shape: int, dtype: torch.dtype = HALF) -> torch.Tensor:
    return torch.ones(shape, dtype=dtype)


def good() -> dict[str, object]:
    return {"x1": ones(2, 3, K), "x2": ones(K, N), "residual": ones(2, 3, N), "gamma": ones(N)}


INT8 = {"x1": ones(6, K, dtype=torch.int8), "x2": ones(K, N, dtype=torch.int8)}
WORDS = ones(N, dtype=torch.int64)

# Each is refused for the first of its faults; it also has the bad arguments of later entries.
IN_ORDER = [
    ("x1", None, AssertionError, "x1 must not be None."),
    ("x2", None, AssertionError, "x2 must not be None."),
    ("residual", None, AssertionError, "residual must not be None."),
    ("gamma", None, AssertionError, "gamma must not be None."),
    ("x1", ones(K), RuntimeError, "x1 is (48,); it must have 2 or 3 axes"),
    ("x2", ones(1, K, N), RuntimeError, "x2 is (1, 48, 16); it must have 2 axes"),
    ("residual", ones(6, N), RuntimeError, "residual is (6, 16); it must have 3 axes"),
    ("gamma", ones(1, N), RuntimeError, "gamma is (1, 16); it must have 1 axis"),
    ("x1", ones(2, 3, K + 1), RuntimeError, "x2 is (48, 16) but x1's last axis is 49"),
    ("x1", ones(7, K), RuntimeError, "which has 6 rows, but x1 is (7, 48), which has 7"),
    ("residual", ones(2, 3, N + 1), RuntimeError, "residual is (2, 3, 17) but x2's last axis is 16"),
    ("gamma", ones(N + 1), RuntimeError, "gamma is (17,) but residual's last axis is 16"),
    ("antiquant_scale", ones(1), RuntimeError, "antiquant_scale is given but x1 is"),
    ("antiquant_offset", ones(1), RuntimeError, "antiquant_offset is given but x1 is"),
    ("dequant_scale", WORDS, RuntimeError,
     "In not quant scenario, antiquant_scale and dequant_scale must be null."),
    ("x1", ones(2, 3, K, dtype=torch.float64), RuntimeError,
     "the type of x1 and x2 should be suit the not quant scenario, dequant scenario, antiquant scenario."),
    ("epsilon", 1.0, RuntimeError, "epsilon is 1"),
]

ALONE = [
    (dict(INT8, dequant_scale=WORDS, antiquant_scale=ones(1)), RuntimeError, "antiquant_scale is given but x1 is"),
    (dict(INT8, x1=ones(6, K, dtype=torch.int32)), RuntimeError, "x1 is torch.int32; an integer x1 must be int8"),
    (dict(INT8, x2=ones(K, N, dtype=torch.int32)), RuntimeError, "x2 is torch.int32; an integer x2 must be int8"),
    (dict(INT8, x1=ones(6, K), dequant_scale=WORDS), RuntimeError, "dequant_scale is given but x1 is torch.float16"),
    (INT8, RuntimeError, "[161001]"),
    (dict(INT8, dequant_scale=ones(N, dtype=BF16)), RuntimeError, "dequant_scale"),
    (dict(INT8, dequant_scale=ones(N, dtype=torch.float32)), RuntimeError, "dequant_scale is f32 but the original's limits"),
    ({"x2": ones(K, N, dtype=BF16)}, RuntimeError, "[561002]"),
    ({"gamma": ones(N, dtype=torch.float64)}, RuntimeError, "gamma"),
    ({"reduce_op": "max"}, RuntimeError, 'reduce_op is "max" but only "sum" is supported [561002]'),
    ({"comm_turn": 1}, RuntimeError, "comm_turn is 1 but only 0 is supported [561002]"),
    ({"epsilon": 0.0}, RuntimeError, "epsilon is 0"),
    ({"bias": ones(N + 1)}, RuntimeError, "bias is (17,) but x2's last axis is 16 [561002]"),
    ({"x1": ones(2, 3, 0), "x2": ones(0, N)}, RuntimeError, "[161002]"),
    ({"x1": ones(3, 2, K).transpose(0, 1)}, RuntimeError, "x1"),
]


class Masked(torch.Tensor):
    """Of a type that torch hands to the kernels, and that may mean anything by its memory."""


def negative(tensor: torch.Tensor) -> torch.Tensor:
    return torch._neg_view(-tensor)


# What is attached to memory: refused in one sentence, as through mmarn's other doors.
ATTACHED = [
    (ones(2, 3, K).as_subclass(Masked), "x1 is <class '__mp_main__.Masked'>, a subclass of torch.Tensor that may give"),
    (ones(6, K).to_sparse(), "x1 is torch.sparse_coo; pass its to_dense()"),
    (ones(6, K, dtype=torch.float32).to_mkldnn(), "x1 is torch._mkldnn; pass its to_dense()"),
    (torch.nested.nested_tensor([ones(3, K)]), "x1 is a nested tensor; pass its to_padded_tensor()"),
    (torch.quantize_per_tensor(ones(6, K, dtype=torch.float32), 0.1, 0, torch.qint8), "x1 is quantised by torch; pass"),
]

BASE = [
    ({"x1": ones(0, K)}, "x1 is (0, 48); it must have 2 or 3 axes and not be empty"),
    ({"x2": ones(K, 0)}, "x2 is (48, 0); it must have 2 axes and not be empty"),
    ({"x1": ones(6, K, dtype=torch.float32), "x2": ones(K, N, dtype=torch.float32)}, "x1 is torch.float32; it must be"),
    ({"x2": ones(K + 1, N)}, "x2 is (49, 16) but x1's last axis is 48 [161002]"),
    ({"x3": ones(6, N)}, "x3 is (6, 16) torch.float16 but the result is (2, 3, 16) torch.float16"),
    ({"x3": ones(2, 3, N, dtype=BF16)}, "x3 is (2, 3, 16) torch.bfloat16 but the result is"),
    ({"pertoken_scale": ones(6, dtype=torch.float32)}, "pertoken_scale is given but x1 is torch.float16"),
    (dict(INT8, dequant_scale=WORDS, pertoken_scale=ones(6)), "pertoken_scale is (6,) torch.float16; it must be (6,)"),
    ({"comm_quant_scale_1": ones(N)}, "comm_quant_scale_1 is given"),
    ({"group_sizes": [0, 0, 0]}, "group_sizes is given"),
    ({"comm_quant_mode": 1}, "comm_quant_mode is given"),
    ({"comm_mode": "ai_cpu"}, "comm_mode is given"),
    ({"y_dtype": 1}, "y_dtype is given"),
    ({"reduce_op": "max"}, 'reduce_op is "max" but only "sum" is supported'),
]


def fails(kind: type, sentence: str, function: object, *arguments: object, **options: object) -> None:
    found = "no error"
    try:
        function(*arguments, **options)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
    if not found.startswith(kind.__name__) or sentence not in found or "\n" in found:
        print(f"{function.__name__}: expected {kind.__name__}: ...{sentence}... but there was {found}", flush=True)
        raise SystemExit(1)


def check(rank: int, kind: type, sentence: str, function: object, bad: dict[str, object]) -> None:
    """The bad call on rank 0 and a good one on rank 1; then a good one on both."""
    needed = ("x1", "x2") if function is npu_mm_all_reduce_base else good()
    fine = {name: value for name, value in good().items() if name in needed}
    start = time.monotonic()
    if rank == 0:
        fails(kind, sentence, function, **bad)
    else:
        fails(RuntimeError, "rank 0 refused the call", function, **fine, hcom=bad["hcom"])
    assert time.monotonic() - start < 60, "the peer learnt of the refusal by its deadline"
    function(**fine, hcom=bad["hcom"])


def check_transforms(rank: int, function: object, hcom: str) -> None:
    """Tangents are not lost, and transforms of torch.func not followed."""

    def transformed(x1: torch.Tensor, **others: object) -> torch.Tensor:
        return torch.func.jvp(lambda x: function(x1=x, **others)[0], (x1,), (x1,))[0]

    def dual(x1: torch.Tensor, **others: object) -> torch.Tensor:
        with torch.autograd.forward_ad.dual_level():
            return function(x1=torch.autograd.forward_ad.make_dual(x1, x1), **others)

    for wrapper, sentence in ((transformed, "x1 is inside a transform of torch.func"),
                              (dual, "x1 has a forward-mode tangent, which would be lost")):
        if rank == 0:
            fails(RuntimeError, sentence, wrapper, **good(), hcom=hcom)
        else:
            fails(RuntimeError, "rank 0 refused the call", function, **good(), hcom=hcom)
        function(**good(), hcom=hcom)


def check_negative(function: object, hcom: str) -> None:
    """torch's negative bit counts, in what is read and in what is written."""
    wanted = function(**good(), hcom=hcom)
    for name in ("x1", "residual", "gamma"):
        given = good()
        given[name] = negative(given[name])
        found = function(**given, hcom=hcom)
        if not all(torch.equal(a, b) for a, b in zip(found, wanted)):
            print(f"{function.__name__}: the negative bit of {name} is lost", flush=True)
            raise SystemExit(1)


def work(rank: int, port: str) -> None:
    dist.init_process_group("hccl", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    hcom = dist.group.WORLD._get_backend(torch.device("npu")).get_hccl_comm_name(rank)
    for function in (npu_mm_all_reduce_add_rms_norm, npu_mm_all_reduce_add_rms_norm_):
        for first in range(len(IN_ORDER)):
            bad = good()
            bad.update({name: value for name, value, *_ in reversed(IN_ORDER[first:])})
            check(rank, *IN_ORDER[first][2:], function, dict(bad, hcom=hcom))
        for bad, kind, sentence in ALONE:
            check(rank, kind, sentence, function, dict(good(), **bad, hcom=hcom))
        for name in ("127.0.0.1%mmarn_0_0_1", "", "a" * 128, "no spaces", "\N{SNOWMAN}"):
            fails(RuntimeError, "hcom is", function, **good(), hcom=name)
        fails(RuntimeError, "missing value for argument 'hcom'", function, **good())
        fails(RuntimeError, "positional", function, *good().values(), hcom, "sum")
        for x1, sentence in ATTACHED:
            check(rank, RuntimeError, sentence, function, dict(good(), x1=x1, hcom=hcom))
        check_transforms(rank, function, hcom)
        check_negative(function, hcom)
    for x1, sentence in ATTACHED:
        check(rank, RuntimeError, sentence, npu_mm_all_reduce_base, {"x1": x1, "x2": ones(K, N), "hcom": hcom})
    check(rank, RuntimeError, "x3 is <class 'list'>; it must be a torch.Tensor", npu_mm_all_reduce_base,
          {"x1": ones(6, K), "x2": ones(K, N), "x3": [1.0], "hcom": hcom})
    check(rank, RuntimeError, "x1 has torch's negative bit, so that its memory has the other sign",
          npu_mm_all_reduce_base, {"x1": negative(ones(6, K)), "x2": ones(K, N), "hcom": hcom})
    for bad, sentence in BASE:
        needed = {"x1": good()["x1"], "x2": good()["x2"], "hcom": hcom}
        check(rank, RuntimeError, sentence, npu_mm_all_reduce_base, needed | bad)
    weights = ones(6, K), ones(K, N)
    fails(TypeError, "unexpected keyword argument 'y_type'", npu_mm_all_reduce_base, *weights, hcom, y_type=1)
    fails(RuntimeError, "hcom is", npu_mm_all_reduce_base, *weights, "nobody")
    dist.barrier()
    dist.destroy_process_group()
    print(f"rank {rank}: all refused")


if __name__ == "__main__":
    mp.spawn(work, args=(sys.argv[1],), nprocs=2)
