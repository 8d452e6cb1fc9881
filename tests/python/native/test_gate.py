# SPDX-License-Identifier: MIT
"""The gate: whatever torch attaches to memory is honoured or refused with one sentence, through every door alike.

Two ranks that are threads: rank 1 passes one argument of some kind where rank 0's is plain. Where it is refused, rank 0
hears of it at once, no output has changed, and the next call is met by the next call. Ascend's door, which changes
torch for its whole process, has its part of this in ascend/programs/refusals.py.
"""

import re

import numpy
import pytest

import mmarn
from cases import make_case
from producers import to_torch
from ranks import run_threads

torch = pytest.importorskip("torch", minversion="2.4")
import mmarn.torch  # noqa: E402
from torch_kinds import KINDS, RIGHT, TORCHS, negative, negative_imaginary  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's prototypes say so
NAME = "gate"
ops = torch.ops.mmarn


@pytest.fixture
def case(seed):
    return make_case("f32", seed, [32, 32], 4, 24)


def tensors(case, rank):
    given = {"x1": case.x1[rank], "x2": case.x2[rank], "residual": case.residual, "gamma": case.gamma}
    return {name: to_torch(array) for name, array in given.items()}


def native(case, arguments):
    return mmarn.mm_all_reduce_add_rms_norm(**arguments, group=NAME, epsilon=case.epsilon)


def native_op(case, arguments):
    op = mmarn.Op(mmarn.find_group(NAME), arguments["x2"], arguments["gamma"], epsilon=case.epsilon)
    return op(arguments["x1"], arguments["residual"])


def functional(case, arguments):
    return ops.mm_all_reduce_add_rms_norm(**arguments, group=NAME, epsilon=case.epsilon)


def in_place(case, arguments):
    y = arguments["residual"]
    norm_out = ops.mm_all_reduce_add_rms_norm_(**arguments, group=NAME, epsilon=case.epsilon)
    return y, norm_out


def packed(case, arguments, place=None):
    place = place or mmarn.torch.packed.PackedWeights()
    return ops.packed_mm_all_reduce_add_rms_norm(
        arguments["x1"], arguments["x2"].t().contiguous(), arguments["residual"], arguments["gamma"], NAME,
        place.number, epsilon=case.epsilon)


def dense(tensor):
    """The values, out of a tensor that may have a bit or a wrapper."""
    return getattr(tensor, "tensor", tensor).detach().resolve_neg().contiguous().numpy()


def refuses(rank, function, match):
    """One sentence: on rank 1 the one that is given, on rank 0 that rank 1 has refused, in the same words."""
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        function()
    sentence = str(caught.value)
    if rank == 0:
        match = r"^call \d+.*: rank 1 refused the call: (?:" + match.removeprefix("^") + ")"
    assert re.search(match, sentence), sentence
    assert "\n" not in sentence
    assert len(sentence) < 400


def tried(case, door, name, sentence, make):
    """The door's call, with one argument changed on rank 1, then a good one; on two ranks."""

    def call(group):
        arguments = tensors(case, group.rank)
        if group.rank == 1:
            arguments[name] = make(arguments[name])
        if sentence == RIGHT:
            return [dense(result) for result in door(case, arguments)]
        before = {key: value.clone() for key, value in arguments.items() if key != name}
        refuses(group.rank, lambda: door(case, arguments), f"^{name} .*{sentence}")
        for key, value in before.items():
            assert torch.equal(arguments[key], value), f"{key} has changed"
        return [dense(result) for result in door(case, tensors(case, group.rank))]

    for results in run_threads(2, call, name=NAME):
        case.check(*results)


@pytest.mark.parametrize("kind", KINDS)
def test_native(case, kind):
    make, sentence, _ = KINDS[kind]
    for name in ("x1", "residual"):
        tried(case, native, name, sentence, make)


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row[2] != TORCHS])
def test_torch(case, kind):
    make, _, sentence = KINDS[kind]
    for door in (functional, in_place, packed):
        for name in ("x1", "residual"):
            tried(case, door, name, sentence, make)
    tried(case, functional, "x2", sentence, make)


@pytest.mark.parametrize("kind", KINDS)
def test_parts(case, kind):
    """The sums alone, through both doors, on one rank."""
    make, *sentences = KINDS[kind]
    plain = to_torch(case.residual)
    gamma = to_torch(case.gamma)
    with mmarn.Group(name=NAME, threads=1) as group:
        doors = ((lambda x: group.all_reduce(x), lambda x: group.all_reduce_add_rms_norm(x, plain, gamma)[0]),
                 (lambda x: ops.all_reduce(x, NAME), lambda x: ops.all_reduce_add_rms_norm(x, plain, gamma, NAME)[0]))
        for sentence, (alone, added) in zip(sentences, doors, strict=True):
            if sentence == RIGHT:
                assert torch.equal(alone(make(plain)), plain) and torch.equal(added(make(plain)), plain + plain)
            elif sentence != TORCHS:
                refuses(1, lambda door=alone: door(make(plain)), f"^x .*{sentence}")
                refuses(1, lambda door=added: door(make(plain)), f"^x .*{sentence}")


@pytest.mark.parametrize("door", [native, native_op, functional, in_place], ids=lambda door: door.__name__)
@pytest.mark.parametrize("name", ["x1", "x2", "residual", "gamma"])
def test_negative_bit_of_every_argument(door, name, seed):
    """Alone, so that native_op's weights, which are local, can be among them."""
    case = make_case("f32", seed, [32], 4, 24)
    for make in (negative, negative_imaginary):
        with mmarn.Group(name=NAME, threads=1):
            arguments = tensors(case, 0)
            arguments[name] = make(arguments[name])
            if door in (native, native_op):
                refuses(1, lambda: door(case, arguments), f"^{name} has torch's negative bit")
            else:
                case.check(*map(dense, door(case, arguments)))


def test_zero_tensors_are_zeros(seed):
    """Where torch's dispatcher makes them what they stand for."""
    case = make_case("f32", seed, [32], 4, 24)
    with mmarn.Group(name=NAME, threads=1):
        arguments = tensors(case, 0)
        zeros = torch._efficientzerotensor(arguments["residual"].shape)
        results = functional(case, {**arguments, "residual": zeros})
        assert all(map(torch.equal, results, functional(case, {**arguments, "residual": torch.zeros(4, 24)})))
        refuses(1, lambda: in_place(case, {**arguments, "residual": zeros}), "^residual is a ZeroTensor")
        refuses(1, lambda: in_place(case, {**arguments, "x1": torch._efficientzerotensor((4, 32))}), "^x1 is a Zero")


# ------------------------------------------------------------------------------------------------------ outputs


@pytest.mark.parametrize("kind", ["negative bit", "imaginary part", "subclass", "sparse", "freed", "expanded"])
@pytest.mark.parametrize("name", ["y", "norm_out"])
def test_native_outputs(case, kind, name):
    make, sentence, _ = KINDS[kind]

    def call(group):
        arguments = tensors(case, group.rank)
        output = torch.full((4, 24), 7.0)
        other = {"y": "norm_out", "norm_out": "y"}[name]
        outputs = {name: make(output) if group.rank == 1 else output, other: torch.full((4, 24), 8.0)}
        refuses(group.rank, lambda: native(case, {**arguments, **outputs}), f"^{name} .*{sentence}")
        assert (output == 7).all() and (outputs[other] == 8).all()
        return native(case, arguments)

    for results in run_threads(2, call, name=NAME):
        case.check(*results)


def overlapping():
    whole = torch.full((60,), 7.0)
    return {"expanded": (whole[:24].expand(4, 24), whole), "windows": (whole.as_strided((4, 24), (12, 1)), whole)}


@pytest.mark.parametrize("kind", overlapping())
def test_in_place_on_shared_elements(case, kind):
    """A residual whose elements lie on one another cannot be written, and that is found out before anybody computes."""

    def call(group):
        arguments = tensors(case, group.rank)
        whole = torch.zeros(0)
        if group.rank == 1:
            arguments["residual"], whole = overlapping()[kind]
        refuses(group.rank, lambda: in_place(case, arguments), r"^residual is \(4, 24\) with strides.*share memory")
        assert (whole == 7).all()
        return in_place(case, tensors(case, group.rank))

    for results in run_threads(2, call, name=NAME):
        case.check(*results)


def test_in_place_through_the_negative_bit_is_counted(seed):
    case = make_case("f32", seed, [32], 4, 24)
    with mmarn.Group(name=NAME, threads=1):
        arguments = tensors(case, 0)
        memory = -arguments["residual"]
        arguments["residual"] = torch._neg_view(memory)
        version = memory._version
        y, norm_out = in_place(case, arguments)
        case.check(-memory.numpy(), norm_out)
        assert y.is_neg() and memory._version > version


def test_copy_on_write_memory(case):
    """A lazy clone's memory becomes its own before it is written."""
    with mmarn.Group(threads=1) as group:
        original = to_torch(case.residual).clone()
        lazy = torch._lazy_clone(original)
        group.all_reduce(to_torch(2 * case.residual), lazy)
        assert (original.numpy() == case.residual).all() and (lazy.numpy() == 2 * case.residual).all()


# ------------------------------------------------------------------------------- derivatives and transforms


@pytest.mark.parametrize("wants", [False, True], ids=["", "requires grad"])
@pytest.mark.parametrize("door", [native, functional, in_place, packed], ids=lambda door: door.__name__)
def test_tangents_are_not_lost(case, door, wants):
    forward = torch.autograd.forward_ad

    def call(group):
        arguments = tensors(case, group.rank)
        if group.rank == 0:
            refuses(0, lambda: door(case, arguments), "")
            group.all_reduce(arguments["residual"])
            return door(case, tensors(case, 0))
        with forward.dual_level():
            x1 = arguments["x1"].requires_grad_(wants)
            arguments["x1"] = forward.make_dual(x1, torch.randn_like(x1))
            refuses(1, lambda: door(case, arguments), "^x1 (has a forward-mode tangent|requires)")
            group.all_reduce(arguments["residual"])  # a tensor without one is none the worse
        return door(case, tensors(case, 1))

    for results in run_threads(2, call, name=NAME):
        case.check(*map(dense, results))


TRANSFORMS = {
    "vmap": lambda f, x: torch.vmap(f)(x[None]),
    "grad": lambda f, x: torch.func.grad(lambda x: f(x).sum())(x),
    "vjp": lambda f, x: torch.func.vjp(f, x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x,)),
    "jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "functionalize": lambda f, x: torch.func.functionalize(f)(x),
    "linearize": lambda f, x: torch.func.linearize(f, x),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("door", [native, functional, in_place, packed], ids=lambda door: door.__name__)
def test_transforms(case, door, transform):
    """A transform of torch.func sees only torch's own operators, so its tensors are refused; others are read."""

    def call(group):
        arguments = tensors(case, group.rank)
        options = [mmarn.torch.packed.PackedWeights()] if door is packed else []
        if transform == "linearize" and group.rank == 0:  # which computes the function itself before
            door(case, tensors(case, 0))
        if group.rank == 0:
            refuses(0, lambda: door(case, arguments), "")
            return door(case, tensors(case, 0))

        def f(x1):
            return door(case, {**arguments, "x1": x1}, *options)[0]

        refuses(1, lambda: TRANSFORMS[transform](f, arguments["x1"]),
                "^x[12] (is inside a transform of torch.func|has a forward-mode tangent|requires)")
        results, plain = [], tensors(case, 1)

        def constant(x):
            results.append(door(case, plain, *options))
            return x.square()

        TRANSFORMS["vmap"](constant, arguments["x1"])
        return results[0]

    for results in run_threads(2, call, name=NAME):
        case.check(*map(dense, results))


def test_autograd_is_as_ever(seed):
    """The gate lets gradients through, also inside an open forward-mode level that no argument belongs to."""
    case = make_case("f32", seed, [32], 4, 24)
    with mmarn.Group(name=NAME, threads=1), torch.autograd.forward_ad.dual_level():
        arguments = tensors(case, 0)
        arguments["x1"].requires_grad_()
        y, _ = functional(case, arguments)
        y.sum().backward()
        wanted = torch.ones(4, 24) @ to_torch(case.x2[0]).t()
        assert torch.allclose(arguments["x1"].grad, wanted, rtol=1e-5, atol=1e-5)


def test_packed_weights_that_cannot_be_packed(case):
    """Packing is local, but the operator is not: the peers hear of what cannot be packed, or is not there."""

    def call(group):
        arguments = tensors(case, group.rank)
        arguments["gamma"] = arguments["gamma"].double() if group.rank == 1 else arguments["gamma"]
        refuses(group.rank, lambda: packed(case, arguments), "^gamma is torch.float64")
        place = mmarn.torch.packed.PackedWeights()
        number = torch.tensor(2**40) if group.rank == 1 else place.number
        plain = tensors(case, group.rank)
        refuses(group.rank, lambda: ops.packed_mm_all_reduce_add_rms_norm(
            plain["x1"], plain["x2"].t(), plain["residual"], plain["gamma"], NAME, number), "^pack is 1099511627776")
        return packed(case, plain)

    for results in run_threads(2, call, name=NAME):
        case.check(*results)


def test_default_device_and_modes(case):
    """What torch makes by default has no say in where mmarn makes its arrays."""
    with mmarn.Group(threads=1) as group, torch.device("meta"):
        op = mmarn.Op(group, to_torch(case.x2[0]), to_torch(case.gamma))
        assert op.matmul(to_torch(case.x1[0])).device.type == "cpu"
        assert mmarn.trans_quant_param(to_torch(numpy.abs(case.gamma))).device.type == "cpu"
