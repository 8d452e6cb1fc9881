# SPDX-License-Identifier: MIT
"""One process: devices, streams, seeds, torch's own machinery after the changes, and the functions without a group."""

import sys

import torch
import torch.distributed as dist
import torch_npu
import torch_npu.npu
from torch.library import opcheck

import mmarn.ascend.operators
from mmarn.ascend import backend, install

HALF, BF16 = torch.float16, torch.bfloat16


def refused(kind: type, sentence: str, function: object, *arguments: object, **options: object) -> None:
    try:
        function(*arguments, **options)
    except kind as error:
        assert sentence in str(error), error
        return
    raise AssertionError(f"no {kind.__name__}: {sentence}")


def check_devices() -> None:
    npu = torch_npu.npu
    assert npu is torch.npu and npu.is_available() and npu.device_count() == 8
    assert npu.get_device_name(0)[:10] == "Ascend910B" and str(torch.device("npu:3")) == "npu:3"
    for device in (5, "npu:5", torch.device("npu:5")):
        npu.set_device(0)
        npu.set_device(device)
        assert npu.current_device() == 5
    with npu.device("npu:1"):
        assert npu.current_device() == 1
    assert npu.current_device() == 5
    refused(RuntimeError, "device is 8 but there are 8", npu.set_device, 8)
    refused(RuntimeError, "device is -1", npu.set_device, -1)
    refused(ValueError, "device is cpu; it must be an npu", npu.set_device, "cpu")
    npu.synchronize()
    npu.empty_cache()
    free, total = npu.mem_get_info()
    assert 0 < free <= total == npu.get_device_properties(0).total_memory


def check_streams() -> None:
    npu = torch_npu.npu
    stream, default = npu.Stream(), npu.current_stream()
    with npu.stream(stream):
        assert npu.current_stream() is stream
    assert npu.current_stream() is default is npu.default_stream()
    start, end = npu.Event(enable_timing=True), npu.Event(enable_timing=True)
    refused(RuntimeError, "this event was not recorded", start.elapsed_time, end)
    start.record()
    stream.wait_event(start)
    stream.record_event(end)
    stream.wait_stream(default)
    assert stream.query() and end.query() and start.elapsed_time(end) >= 0
    refused(RuntimeError, "end_event was made with enable_timing=False", start.elapsed_time, npu.Event())


def check_torch_machinery() -> None:
    """What torch does with a device type that has a module, and what it does without knowing."""
    torch.manual_seed(3)
    first = torch.randn(4)
    torch.npu.manual_seed_all(5)
    state = torch.npu.get_rng_state()
    torch.manual_seed(3)
    assert torch.equal(torch.randn(4), first) and torch.equal(torch.npu.get_rng_state(), state)
    loader = torch.utils.data.DataLoader(torch.arange(4), batch_size=2, pin_memory=True)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]
    with torch.autocast("npu", dtype=HALF):
        pass
    x = torch.randn(3, 4, requires_grad=True)
    moved = x.t().npu(non_blocking=True)
    assert moved.is_npu and moved.stride() == x.t().stride() and moved.data_ptr() != x.data_ptr()
    moved.sum().backward()
    assert torch.equal(x.grad, torch.ones(3, 4))
    module = torch.nn.Linear(2, 2)
    assert module.npu() is module
    refused((RuntimeError, NotImplementedError), "npu", torch.zeros(1).to, "npu")


def check_registration(port: str) -> None:
    install.enable()
    refused(ImportError, "hccl", backend.register)
    good = b"0" * 128 + b" name"
    assert backend.read_terms(good) == (bytes(64), "name")
    for terms in (b"", b"name", good[1:], good + b" x", good + b"\n", good + b"\xff", good[:129], good + b"n" * 127):
        refused(RuntimeError, "must be an id and a name", backend.read_terms, terms)
    dist.init_process_group("cpu:gloo,npu:hccl", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    assert dist.get_backend_config() == "cpu:gloo,npu:hccl"


def check_compiled() -> None:
    """The schemas under torch's own checks, and both operators in one compiled graph."""
    hcom = dist.group.WORLD._get_backend(torch.device("npu")).get_hccl_comm_name(0)
    functional = torch.ops.mindspeed.npu_mm_all_reduce_add_rms_norm
    in_place = torch.ops.mindspeed.npu_mm_all_reduce_add_rms_norm_
    given = [torch.randn(shape).to(BF16) for shape in ((2, 3, 32), (32, 16), (2, 3, 16), (16,))]
    opcheck(functional, (*given, hcom), {"epsilon": 1e-5})
    opcheck(torch.ops.mindspeed._npu_mm_all_reduce_add_rms_norm_, (*given, hcom), {"epsilon": 1e-5})

    def both(x1: torch.Tensor, x2: torch.Tensor, residual: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
        y, norm_out = in_place(x1, x2, residual, gamma, hcom)
        return functional(x1, x2, y, gamma, hcom)[1] + norm_out + residual

    eager, traced = given[2].clone(), given[2].clone()
    expected = both(*given[:2], eager, given[3])
    found = torch.compile(both, backend="aot_eager", fullgraph=True)(*given[:2], traced, given[3])
    assert torch.equal(found, expected) and torch.equal(eager, traced) and not torch.equal(eager, given[2])
    meta = [tensor.to("meta") for tensor in given]
    assert [t.shape for t in functional(*meta, hcom)] == [given[2].shape] * 2
    meta[3] = meta[3].to(HALF)
    refused(AssertionError, "gamma is torch.float16 but residual is torch.bfloat16", functional, *meta, hcom)
    weight = given[1].clone().requires_grad_()
    assert torch.equal(functional(given[0], weight, *given[2:], hcom)[0], functional(*given, hcom)[0])
    check_mixed_devices(given, hcom, (functional, in_place))
    check_calls_are_kept(given, hcom, (functional, in_place))


def check_mixed_devices(given: list, hcom: str, operators: tuple) -> None:
    """One tensor on meta among others, or another way round: refused, and residual as it was."""
    for operator in operators:
        for left in range(4):
            for one, rest in (("meta", "cpu"), ("cpu", "meta")):
                mixed = [tensor.clone().to(one if i == left else rest) for i, tensor in enumerate(given)]
                refused(RuntimeError, "is on meta, but", operator, *mixed, hcom)
                assert mixed[2].is_meta or torch.equal(mixed[2], given[2])


def check_calls_are_kept(given: list, hcom: str, operators: tuple) -> None:
    """Communication is an effect: compiled calls whose results are not used, or known already, are made all the same."""
    x1, x2, residual, gamma = given
    run, made = mmarn.ascend.operators._run, []

    def counted(*arguments: object) -> tuple:
        made.append(float(arguments[0].flatten()[0]))
        return run(*arguments)

    def program(x1: torch.Tensor, other: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        for operator in operators:
            operator(x1, x2, residual.clone(), gamma, hcom)
            operator(other, x2, residual.clone(), gamma, hcom)
            operator(x1, x2, residual.clone(), gamma, hcom)
        return x1 + 1

    first, second = torch.full_like(x1, 2), torch.full_like(x1, 3)
    mmarn.ascend.operators._run = counted
    torch.compile(program, backend="aot_eager", fullgraph=True)(first, second, residual)
    mmarn.ascend.operators._run = run
    assert made == [2, 3, 2] * 2, made


def check_norms(seed: int) -> None:
    """Against float64: rstd to fp32's accuracy, results within two roundings (t, and the product with gamma)."""
    random = torch.Generator().manual_seed(seed)
    for dtype, unit in ((HALF, 2.0**-11), (BF16, 2.0**-8), (torch.float32, 2.0**-22)):
        x, other = (torch.randn(2, 3, 4, 72, generator=random).to(dtype) for _ in range(2))
        for axes in ((72,), (4, 72)):
            gamma = torch.randn(axes, generator=random).to(dtype)
            norm, rstd, total = torch_npu.npu_add_rms_norm(x, other, gamma, 1e-5)
            assert torch.equal(total, x + other)
            y, alone = torch_npu.npu_rms_norm(total, gamma, 1e-5)
            assert torch.equal(rstd, alone) and rstd.shape == (2, 3, *[1 if s in axes else s for s in (4, 72)][:2])
            dims = tuple(range(-len(axes), 0))
            exact = 1 / (total.double().square().mean(dims, keepdim=True) + 1e-5).sqrt()
            assert rstd.dtype == torch.float32 and torch.allclose(rstd.double(), exact, rtol=1e-5, atol=0)
            for found in (norm, y):
                assert found.dtype == dtype and torch.allclose(found.double(), total.double() * exact * gamma.double(),
                                                               rtol=2.1 * unit + 1e-5, atol=1e-6)
    wide = torch.randn(72, generator=random)
    assert torch_npu.npu_rms_norm(x.to(BF16), wide)[0].dtype == BF16
    refused(RuntimeError, "which is not how x", torch_npu.npu_rms_norm, x, torch.ones(7))
    refused(RuntimeError, "gamma is torch.float16 but x is", torch_npu.npu_rms_norm, x, torch.ones(72).half())
    refused(RuntimeError, "x2 is (1,) torch.float32 but x1 is", torch_npu.npu_add_rms_norm, x, torch.ones(1), wide)
    assert torch.isnan(torch_npu.npu_add_rms_norm(x * float("nan"), x, wide)[0]).all()


def check_words() -> None:
    make = torch_npu.npu_trans_quant_param
    scales = torch.tensor([1.0, 0.1, 0.3, -0.02])
    base = 1 << 46
    assert make(scales).tolist() == [base + word for word in (0x3F800000, 0x3DCCC000, 0x3E998000, 0xBCA3C000)]
    assert make(scales, None, 1).tolist()[2:] == [base + 0x3E99A000, base + 0xBCA3E000]
    assert make(torch.ones(1), torch.tensor([-3.0, 2.5, 3.5, 300.0])).tolist() == [
        0x7FA03F800000, 0x40403F800000, 0x40803F800000, 0x5FE03F800000]
    assert make(scales.reshape(1, 4)).shape == (1, 4) and make(scales).dtype == torch.int64
    refused(RuntimeError, "round_mode must be 0 or 1. but now is 2", make, scales, None, 2)
    refused(RuntimeError, "scale is torch.float64; it must be float32", make, scales.double())
    refused(RuntimeError, "scale is (2, 2); it must be (t) or (1, n)", make, scales.reshape(2, 2))
    refused(RuntimeError, "offset_count is 3 but scale_count is 4", make, scales, torch.ones(3))


if __name__ == "__main__":
    print("seed", sys.argv[1])
    check_devices()
    check_streams()
    check_torch_machinery()
    check_registration(sys.argv[2])
    check_compiled()
    check_norms(int(sys.argv[1]))
    check_words()
    print("all is as it should be")
