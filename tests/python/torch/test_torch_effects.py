# SPDX-License-Identifier: MIT
"""Calls that communicate are made once each and in program order, whatever compiles or checkpoints the program.

Everything runs on two ranks. Where one of them is compiled and the other is not, a call that is dropped, merged, moved
or made again meets another call of the other rank, so sums come out wrong, or an error. Beside that each rank's calls
are recorded where they enter the library and compared with those of the program run eagerly.
"""

import contextlib
import functools
import shutil
from unittest import mock

import pytest
import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import mmarn
from mmarn.torch import checkpoint_contexts
from mmarn import _torch_effects as effects
from mmarn.torch import group_from_process_group, packed
from torch_cases import EPSILON, assert_near, make_case

ops = torch.ops.mmarn

needs_inductor = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
needs_compilable = pytest.mark.skipif(not effects.CAN_COMPILE, reason="this torch may drop calls, and is refused")
BACKENDS = ("aot_eager", pytest.param("inductor", marks=needs_inductor))


@contextlib.contextmanager
def recorded():
    """The calls made meanwhile: (which, the sum over x's elements)."""
    calls = []

    def recording(which, function, at):
        def call(*arguments, **options):
            calls.append((which, float(arguments[at].double().sum())))
            return function(*arguments, **options)
        return call

    with contextlib.ExitStack() as stack:
        for owner, name, at in ((mmarn.Group, "all_reduce", 1), (mmarn.Group, "all_reduce_add_rms_norm", 1),
                                (mmarn.Op, "__call__", 1), (mmarn, "mm_all_reduce_add_rms_norm", 0)):
            stack.enter_context(mock.patch.object(owner, name, recording(name, getattr(owner, name), at)))
        yield calls


def operands_of(seed, world, rank):
    case = make_case(seed, world, leading=(3,))
    return case, (case.x1[rank], case.x2[rank], case.residual, case.gamma)


# ------------------------------------------------------------------------------------------------- inference
# Programs on (x1, x2, residual, gamma, group, pack). They return something of every sum that they use.


def unused_all_reduce(x1, x2, residual, gamma, group, pack):
    ops.all_reduce(x1, group)
    return ops.all_reduce(x1 + 10, group)


def unused_of_every_kind(x1, x2, residual, gamma, group, pack):
    ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group)
    ops.packed_mm_all_reduce_add_rms_norm(x1 + 1, x2.t(), residual, gamma, group, pack)
    ops.all_reduce(residual, group)
    ops.all_reduce_add_rms_norm(residual, residual, gamma, group)
    ops.mm_all_reduce_add_rms_norm_(x1 + 2, x2, residual.clone(), gamma, group)
    return ops.all_reduce(x1, group)


def same_call_twice(x1, x2, residual, gamma, group, pack):
    first, second = ops.all_reduce(x1, group), ops.all_reduce(x1, group)
    y, norm_out = ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group)
    again = ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group)
    return first, second, y, norm_out, *again


def used_backwards(x1, x2, residual, gamma, group, pack):
    """The calls do not depend on each other, and their results are used in another order."""
    first = ops.all_reduce(x1, group)
    second = ops.packed_mm_all_reduce_add_rms_norm(x1, x2.t(), residual, gamma, group, pack)
    third = ops.all_reduce(x1 * 2, group)
    return third, second[1], first


def in_place_between(x1, x2, residual, gamma, group, pack):
    stream = residual * 2
    ops.all_reduce(x1, group)
    norm_out = ops.mm_all_reduce_add_rms_norm_(x1, x2, stream, gamma, group)
    ops.all_reduce(x1 + 1, group)
    ops.mm_all_reduce_add_rms_norm_(x1 * 2, x2, stream, gamma, group)
    ops.all_reduce(gamma, group)
    return norm_out, stream


def in_a_loop(x1, x2, residual, gamma, group, pack):
    for i in range(4):
        total = ops.all_reduce(x1 + i, group)
        if i % 2:
            x1 = total / 2
    return x1


def of_constants(x1, x2, residual, gamma, group, pack):
    """A compiler knows what goes in, and must not make the call itself."""
    return ops.all_reduce(torch.tensor([3.0]), group)


PROGRAMS = {"aot_eager": (unused_all_reduce, unused_of_every_kind, same_call_twice, used_backwards, in_place_between,
                          in_a_loop, of_constants)}
PROGRAMS["inductor"] = PROGRAMS["aot_eager"][1:5]  # to save its time


def one_after_another(programs):
    def all_of_them(*arguments):
        return tuple(out for program in programs for out in _flat(program(*arguments)))
    return all_of_them


def _flat(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


def one_compiled(world, rank, seed, backend):
    """All programs in one graph, with one rank compiled and the other not, and with both compiled."""
    group = group_from_process_group()
    _, operands = operands_of(seed, world, rank)
    slot = packed.PackedWeights()
    arguments = (*operands, group.name, slot.number)
    eager = one_after_another(PROGRAMS[backend])
    with recorded() as wanted_calls:
        wanted = eager(*arguments)
    torch._dynamo.reset()
    compiled = torch.compile(eager, backend=backend, fullgraph=True)
    for eager_rank in (0, None):
        with recorded() as calls:
            found = (eager if rank == eager_rank else compiled)(*arguments)
        assert [which for which, _ in calls] == [which for which, _ in wanted_calls]
        for (_, one), (_, other) in zip(calls, wanted_calls, strict=True):
            assert abs(one - other) <= 1e-4 * (1 + abs(other)), "a call has another place"
        for one, other in zip(found, wanted, strict=True):
            assert_near(one, other)
    slot.release()


@needs_compilable
@pytest.mark.parametrize("backend", BACKENDS)
def test_programs(run, seed, backend):
    run(2, one_compiled, seed, backend)


def two_sums(world, rank, backend):
    """In numbers: the sums of (1, 1) and of (10, 10), where the first is not used."""
    name = group_from_process_group().name

    def two(a, b):
        ops.all_reduce(a, name)
        return ops.all_reduce(b, name)

    torch._dynamo.reset()
    function = torch.compile(two, backend=backend) if rank else two
    return [float(function(torch.ones(1), torch.full((1,), 10.0))) for _ in range(3)]


@needs_compilable
def test_an_unused_sum(run):
    assert run(2, two_sums, "aot_eager") == [[20.0] * 3] * 2


# -------------------------------------------------------------------------------------------------- training


def block(x1, x2, residual, gamma, group):
    y, norm_out = ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, group, epsilon=EPSILON)
    ops.all_reduce(norm_out.detach(), group)
    y, norm_out = ops.all_reduce_add_rms_norm(norm_out.sin(), y, gamma, group, epsilon=EPSILON)
    stream = residual.detach() * 2
    norm_in_place = ops.mm_all_reduce_add_rms_norm_(x1.detach(), x2.detach(), stream, gamma.detach(), group)
    return norm_out.cos() * ops.all_reduce(y, group).sin() + stream * norm_in_place * residual


def plain(*operands):
    return block(*operands).sum() + block(*operands).square().sum()


def checkpointed(*operands, **options):
    options = {"use_reentrant": False} | options
    out = checkpoint(block, *operands, **options).sum()
    return out + checkpoint(block, *operands, **options).square().sum()


def recompute_all(context, operator, *_, **__):
    return CheckpointPolicy.MUST_RECOMPUTE


def with_contexts(*operands):
    out = checkpoint(block, *operands, use_reentrant=False, context_fn=checkpoint_contexts)
    return out.sum() + checkpoint(block, *operands, use_reentrant=False, context_fn=checkpoint_contexts).square().sum()


with_policy = functools.partial(checkpointed, context_fn=functools.partial(
    create_selective_checkpoint_contexts, recompute_all))
reentrant = functools.partial(checkpointed, use_reentrant=True)


def gradients(function, operands, group):
    """(calls of the forward pass, calls of the backward pass, gradients)"""
    inputs = [t.clone().requires_grad_() for t in operands]
    with recorded() as forward:
        loss = function(*inputs, group)
    with recorded() as backward:
        loss.backward()
    return [which for which, _ in forward], [which for which, _ in backward], [t.grad for t in inputs]


def training(world, rank, seed, backend):
    """Forward calls happen once, backward there are none: with either partitioner, with checkpoints and without."""
    group = group_from_process_group()
    _, operands = operands_of(seed, world, rank)
    wanted_calls, none, wanted = gradients(plain, operands, group.name)
    assert len(wanted_calls) == 10 and not none
    functions = {"plain": plain, "checkpoint": checkpointed, "contexts": with_contexts}
    for name in ("checkpoint",) if backend == "inductor" else functions:  # to save its time
        torch._dynamo.reset()
        compiled = torch.compile(functions[name], backend=backend, fullgraph=True)
        calls, backward_calls, found = gradients(compiled, operands, group.name)
        assert calls == wanted_calls, name
        assert not backward_calls, name
        for one, other in zip(found, wanted, strict=True):
            assert (one - other).norm() <= 1e-4 * other.norm(), name


# aot_eager has torch's plain partitioner, the others the one that weighs recomputing.
@needs_compilable
@pytest.mark.parametrize("backend", (*BACKENDS, "aot_eager_decomp_partition"))
def test_training(run, seed, backend):
    run(2, training, seed, backend)


def eager_checkpoints(world, rank, seed):
    group = group_from_process_group()
    _, operands = operands_of(seed, world, rank)
    wanted_calls, _, wanted = gradients(plain, operands, group.name)
    for function, again in ((checkpointed, True), (reentrant, True), (with_contexts, False), (with_policy, False)):
        calls, backward_calls, found = gradients(function, operands, group.name)
        assert calls == wanted_calls
        # A plain checkpoint makes its calls again, here all of them, on all ranks alike.
        assert backward_calls == (wanted_calls if again else [])
        for one, other in zip(found, wanted, strict=True):
            assert_near(one, other)


@needs_compilable
def test_eager_checkpoints(run, seed):
    run(2, eager_checkpoints, seed)


def stopped_early(world, rank, seed):
    """A checkpoint's recomputation stops when it has what it needs: at the same call on every rank."""
    group = group_from_process_group()
    _, operands = operands_of(seed, world, rank)

    def function(x1, x2, residual, gamma, name):
        y, norm_out = ops.mm_all_reduce_add_rms_norm(x1, x2, residual, gamma, name)
        return y + ops.all_reduce(norm_out, name) + ops.all_reduce(y.detach(), name)

    def run_checkpoint(*inputs):
        return checkpoint(function, *inputs, use_reentrant=False).sum()

    _, again, _ = gradients(run_checkpoint, operands, group.name)
    total = ops.all_reduce(torch.full((2,), float(rank)), group.name)
    assert torch.equal(total, torch.full((2,), 1.0)), "the ranks are still in step"
    return again


def test_early_stop(run, seed):
    first, second = run(2, stopped_early, seed)
    assert first == second == ["mm_all_reduce_add_rms_norm"]


def made_again_on_one_rank(world, rank):
    """One rank's checkpoint makes its sum again; the other's next sum, of the same shape, is not taken for it."""
    name = group_from_process_group().name

    def square_of_sum(x):
        return ops.all_reduce(x, name).square()

    x = torch.full((2,), 3.0, requires_grad=True)
    context = {} if rank == 0 else {"context_fn": checkpoint_contexts}
    out = checkpoint(square_of_sum, x, use_reentrant=False, **context).sum()
    with pytest.raises(ValueError, match='^call 2: the name is "\\(backward\\)" on rank 0 but none on rank 1$'):
        if rank == 0:
            out.backward()
        else:
            ops.all_reduce(torch.ones(2), name)
    assert torch.equal(ops.all_reduce(torch.ones(2), name), torch.full((2,), 2.0))


def test_a_call_made_again_meets_no_other(run):
    run(2, made_again_on_one_rank)


# ---------------------------------------------------------------------------------------------------- export


class Program(torch.nn.Module):
    def __init__(self, group, slot):
        super().__init__()
        self.group = group
        self.register_buffer("pack", slot.number)

    def forward(self, x1, x2, residual, gamma):
        unused_of_every_kind(x1, x2, residual, gamma, self.group, self.pack)
        return same_call_twice(x1, x2, residual, gamma, self.group, self.pack)


def exported(world, rank, seed, strict):
    group = group_from_process_group()
    _, operands = operands_of(seed, world, rank)
    slot = packed.PackedWeights()
    module = Program(group.name, slot)
    with recorded() as wanted_calls:
        wanted = module(*operands)
    program = torch.export.export(module, operands, strict=strict)
    program.graph.eliminate_dead_code()
    decomposed = program.run_decompositions()
    decomposed.graph.eliminate_dead_code()
    for one in (program, decomposed):
        with recorded() as calls:
            found = one.module()(*operands)
        assert calls == wanted_calls
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    slot.release()


@needs_compilable
def test_export(run, seed):
    for strict in (False, True):
        run(2, exported, seed, strict)


# ---------------------------------------------------------------------------------------------- other doors


@needs_compilable
def test_traces_keep_the_calls():
    """fx's own tracers and torch.jit's, on one rank."""
    with mmarn.Group(name="traced"):
        def function(x):
            ops.all_reduce(x, "traced")
            return x + 1

        x = torch.ones(2)
        symbolic = torch.fx.symbolic_trace(function)
        traced = torch.fx.experimental.proxy_tensor.make_fx(function)(x)
        for one in (symbolic, traced):
            one.graph.eliminate_dead_code()
            one.recompile()
        for one in (symbolic, traced, torch.jit.trace(function, x, check_trace=False)):
            with recorded() as calls:
                one(x)
            assert calls == [("all_reduce", 2.0)]


def test_versions_that_would_drop_calls_refuse(monkeypatch):
    monkeypatch.setattr(effects, "CAN_COMPILE", False)

    class Sum(torch.nn.Module):
        def forward(self, x):
            return ops.all_reduce(x, "old")

    with mmarn.Group(name="old"):
        for make in (lambda: torch.export.export(Sum(), (torch.ones(1),)),
                     lambda: torch.compile(Sum(), backend="aot_eager", fullgraph=True)(torch.ones(1))):
            with pytest.raises(RuntimeError, match=r"needs torch 2\.13 or newer, but torch is 2\."):
                make()
        assert Sum()(torch.ones(1, device="meta")).is_meta
