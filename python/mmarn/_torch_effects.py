# SPDX-License-Identifier: MIT
"""Communication as an effect: what keeps compilers and checkpoints from changing which sums the ranks make.

To torch an operator without mutated arguments is a pure function, whose calls may be dropped, merged, moved and made
again. A rank where that happens would sum with calls of the others that mean something else. So the operators that
communicate are registered as ordered effects: compiled and exported graphs keep every call, once, in program order.
An operator that writes into its third argument, residual, is, to compilers, another one and a copy. Selective
checkpoints keep what such a call returned instead of making it again, and so do the checkpoints inside compiled graphs,
which torch builds from them. Older versions of torch lack parts of this, and refuse to compile. mmarn.torch and
mmarn.ascend rest on this.
"""

from __future__ import annotations

import functools
import sys

import torch
from torch._ops import OpOverload
from torch.utils import checkpoint

import mmarn

LEAST_TO_COMPILE = (2, 13)
CAN_COMPILE = torch.__version__ >= LEAST_TO_COMPILE
if CAN_COMPILE:  # graphs that another version of this package has left in torch's cache may lack calls
    torch.compiler.config.cache_key_tag += f" mmarn {mmarn.__version__}"

_registered: list[OpOverload] = []


def definition(*, communicates: bool) -> dict:
    """What Library.define is to be told of an operator beside its schema."""
    # A compiler that knows all the inputs of a call must not make it while it compiles.
    tags = (torch.Tag.pt2_compliant_tag, torch.Tag.nondeterministic_seeded)
    # torch.jit must not believe that a schema without mutated arguments tells all.
    return {"tags": tags, "alias_analysis": "CONSERVATIVE" if communicates else "FROM_SCHEMA"}


def register(library: torch.library.Library, operator: OpOverload) -> None:
    """Registers the effect of an operator that communicates and writes to no argument."""
    _registered.append(operator)
    if CAN_COMPILE:
        library._register_effectful_op(operator.name(), torch.library.EffectType.ORDERED)
        _when(library, operator, checkpoint._CachingTorchDispatchMode, _keep)


def register_in_place(library: torch.library.Library, writing: OpOverload, operator: OpOverload) -> None:
    """Makes an operator that writes y into its third argument, for compilers, of one that returns (y, norm_out)."""

    def made_of(call):
        def write(*args, **kwargs):
            y, norm_out = call(*args, **kwargs)
            args[2].copy_(y)
            return norm_out

        return write

    def keep(mode, _, types, args, kwargs):
        return made_of(lambda *args, **kwargs: _keep(mode, operator, types, args, kwargs))(*args, **kwargs)

    def take(mode, _, types, args, kwargs):
        """The same call when the backward pass comes to it again."""
        return made_of(lambda *args, **kwargs: mode.__torch_dispatch__(operator, types, args, kwargs))(*args, **kwargs)

    library.impl(writing._schema.name.partition("::")[2], made_of(operator), "CompositeImplicitAutograd")
    if CAN_COMPILE:
        _when(library, writing, checkpoint._CachingTorchDispatchMode, keep)
        _when(library, writing, checkpoint._CachedTorchDispatchMode, take)


def shapes(kernel):
    """The kernel from which compilers learn shapes; a refusal where they would not keep the calls."""
    @functools.wraps(kernel)
    def shapes_of(*arguments, **options):
        if not CAN_COMPILE and torch.compiler.is_compiling():
            least = ".".join(map(str, LEAST_TO_COMPILE))
            raise RuntimeError(f"compiling and exporting mmarn's operators needs torch {least} or newer, but torch is "
                               f"{torch.__version__}, which may drop and move calls that communicate")
        if "torch._inductor.lowering" in sys.modules:  # as it is when Inductor traces; to load it takes long
            for operator in _registered:
                _order_in_inductor(operator)
        return kernel(*arguments, **options)

    return shapes_of


@functools.cache
def _order_in_inductor(operator: OpOverload) -> None:
    """Inductor notes that effects have an order, but under names that its scheduler does not look for: so again here."""
    from torch._inductor import lowering
    from torch._inductor.virtualized import V

    def behind_the_last(lower, *arguments, **options):
        start = len(V.graph.operations)
        outputs = lower(*arguments, **options)
        last = V.graph.effectful_ops.get(torch.library.EffectType.ORDERED)
        for operation in V.graph.operations[start:] if last else ():
            V.graph.additional_buffer_deps[operation.get_operation_name()].add(last.get_name())
        return outputs

    lower = lowering.fallback_handler(operator, add_to_fallback_set=False)
    lowering.register_lowering(operator, type_promotion_kind=None)(functools.partial(behind_the_last, lower))


# ---------------------------------------------------------------------------------------------- checkpoints


def checkpoint_contexts():
    """For torch.utils.checkpoint.checkpoint(..., use_reentrant=False, context_fn=checkpoint_contexts): the backward
    pass recomputes as ever, but for the operators of mmarn, whose results are kept, so that it communicates nothing.
    """
    return checkpoint.create_selective_checkpoint_contexts(list(_registered))


def _when(library, operator, mode, rule) -> None:
    torch.library.register_torch_dispatch(operator._schema.name, mode, rule, lib=library)


def _keep(mode, operator, types, args, kwargs):
    """A call while a selective checkpoint watches: its results are saved whatever the policy says."""
    policy, mode.policy_fn = mode.policy_fn, lambda *_, **__: checkpoint.CheckpointPolicy.MUST_SAVE
    try:
        return mode.__torch_dispatch__(operator, types, args, kwargs)
    finally:
        mode.policy_fn = policy
