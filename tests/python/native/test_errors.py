# SPDX-License-Identifier: MIT
"""Every kind of exception, with the library's sentence, its status and its code; and that a refusal costs nothing.

A call that one rank refuses is over for all: its peers are told at once, and the group goes on with the next one.
"""

import pickle
import subprocess
import sys
import threading
import time

import numpy
import pytest

import mmarn
from cases import make_case
from ranks import run_threads


@pytest.fixture
def group():
    with mmarn.Group(threads=1) as group:
        yield group


@pytest.fixture
def case():
    return make_case("f32", 11, [32, 32], 4, 24)


def refusal(error, status, code, match, function, *arguments, **options):
    with pytest.raises(error, match=match) as caught:
        function(*arguments, **options)
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.code) == (status, code)


def test_argument(group, case):
    refusal(ValueError, "MMARN_ERR_ARGUMENT", 161002, r"^x2 is \(31, 24\) but x1's last axis is 32$",
            mmarn.mm_all_reduce_add_rms_norm, case.x1[0], case.x2[0][:31], case.residual, case.gamma, group)
    refusal(ValueError, "MMARN_ERR_ARGUMENT", 561002, "^epsilon is 0, ", mmarn.Op, group, case.x2[0], case.gamma,
            epsilon=0)
    refusal(ValueError, "MMARN_ERR_ARGUMENT", 561002, "^rank is 3 but world_size is 2", mmarn.Group, mmarn.create_id(),
            3, 2)


def test_null(group, case):
    refusal(ValueError, "MMARN_ERR_NULL", 161001, "^dequant_scale and antiquant_scale are NULL", mmarn.Op, group,
            case.x2[0].astype(numpy.int8), case.gamma)
    refusal(ValueError, "MMARN_ERR_NULL", 161001, "^id is NULL but world_size is 2", mmarn.Group, None, 0, 2)


def test_unsupported(group, case):
    op = mmarn.Op, group, case.x2[0], case.gamma
    refusal(TypeError, "MMARN_ERR_UNSUPPORTED", 561002, '^reduce_op is "max"', *op, reduce_op="max")
    refusal(TypeError, "MMARN_ERR_UNSUPPORTED", 561002, "^comm_turn is 1 but", *op, comm_turn=1)
    refusal(TypeError, "MMARN_ERR_UNSUPPORTED", 561002, "the original's limits allow neither f32", *op, strict=True)
    refusal(TypeError, "MMARN_ERR_UNSUPPORTED", 561002, "transport", mmarn.Group, transport="pigeon")


def test_plain_arguments(group, case):
    def refused(error, match, **options):
        with pytest.raises(error, match=match):
            mmarn.Op(group, case.x2[0], case.gamma, **options)
        with pytest.raises(error, match=match):
            mmarn.mm_all_reduce_add_rms_norm(case.x1[0], case.x2[0], case.residual, case.gamma, group, **options)

    refused(ValueError, "^numerics is 'quick'; it must be 'default', 'ascend' or 'fp32'", numerics="quick")
    refused(TypeError, "^numerics is 1; it must be", numerics=1)
    refused(TypeError, "^epsilon is 'small'; it must be a number", epsilon="small")
    refused(TypeError, "^reduce_op is None; it must be a str", reduce_op=None)
    refused(TypeError, "^comm_turn is 0.5; it must be an integer", comm_turn=0.5)
    refused(ValueError, "^antiquant_group_size is 18446744073709551616; it must be", antiquant_group_size=2**64)
    refused(TypeError, "^strict is 1; it must be True or False", strict=1)
    refused(ValueError, "^x2_dtype is 'int2'; it must be None", x2_dtype="int2")
    refused(TypeError, "^x2 is float32; with x2_dtype 'int4' it must be int8 or uint8", x2_dtype="int4")
    refused(TypeError, "^bias is <class 'str'>; it must be an array", bias="none")
    refused(TypeError, "^dequant_scale is given but x2 is f32", dequant_scale=case.gamma)


def test_plain_arguments_of_groups():
    for match, error, options in [
            ("^timeout is 0 s", ValueError, {"timeout": 0}), ("^timeout is nan", ValueError, {"timeout": float("nan")}),
            ("^timeout is 'long'", TypeError, {"timeout": "long"}), ("^id has 3 bytes", ValueError, {"id": b"abc"}),
            ("^id is <class 'str'>", TypeError, {"id": "abc"}), ("^id was not made by", ValueError,
                                                                 {"id": bytes(64), "world_size": 2}),
            ("^threads is -1", ValueError, {"threads": -1}),
            ("^threads is 1099511627776; it must be an integer of 32 bits", ValueError, {"threads": 2**40}),
            ("^threads is 'two'; it must be an integer", TypeError, {"threads": "two"}),
            ("^rank is 0.5; it must be an integer", TypeError, {"rank": 0.5}),
            ("^threads is 100000; a rank has 1 to 1024, or 0", ValueError, {"threads": 100000}),
            ("^name has 0 characters", ValueError, {"name": ""}),
            ("^name's character 1 is 0xc3", ValueError, {"name": "n\u00e4me"}),
            ("^name has at least 128", ValueError, {"name": "n" * 128}), ("null char", ValueError, {"name": "a\0b"})]:
        with pytest.raises(error, match=match):
            mmarn.Group(**options)


def test_no_group(case):
    arguments = case.x1[0], case.x2[0], case.residual, case.gamma
    with pytest.raises(TypeError, match="^group is <class 'NoneType'>; it must be a mmarn.Group or the name"):
        mmarn.mm_all_reduce_add_rms_norm(*arguments, None)
    refusal(ValueError, "MMARN_ERR_ARGUMENT", 561002, '^name is "nobody" but this process has no group of that name',
            mmarn.mm_all_reduce_add_rms_norm, *arguments, "nobody")
    with pytest.raises(TypeError):
        mmarn.find_group(5)


def test_closed(case):
    group = mmarn.Group(threads=1)
    op = mmarn.Op(group, case.x2[0], case.gamma)
    other = mmarn.Op(group, case.x2[0], case.gamma)
    op.close()
    op.close()
    for call in (lambda: op(case.x1[0], case.residual), lambda: op.matmul(case.x1[0])):
        with pytest.raises(ValueError, match="^this Op is closed$"):
            call()
    group.close()
    group.close()
    group.abort()
    assert group.closed and other.closed
    with pytest.raises(ValueError, match="^this Op's group is closed$"):
        other(case.x1[0], case.residual)
    for call in (lambda: group.all_reduce(case.residual), lambda: mmarn.Op(group, case.x2[0], case.gamma),
                 lambda: group.all_reduce_add_rms_norm(case.residual, case.residual, case.gamma)):
        with pytest.raises(ValueError, match="^this group is closed$"):
            call()


def test_aborted(case):
    group = mmarn.Group(threads=1)
    group.abort()
    refusal(ConnectionAbortedError, "MMARN_ERR_ABORTED", 561000, "^rank 0 aborted the group$", group.all_reduce,
            case.residual)


def test_timeout():
    id = mmarn.create_id()
    refusal(TimeoutError, "MMARN_ERR_TIMEOUT", 561000, "rank 1", mmarn.Group, id, 0, 2, timeout=0.1)


def test_late_peer(case):
    """A wait in a call that runs out, on the rank that came."""
    barrier = threading.Barrier(2)

    def call(group):
        if group.rank == 1:
            barrier.wait(30)
            return
        refusal(TimeoutError, "MMARN_ERR_TIMEOUT", 561000, "^rank 0 waited 300 ms for rank 1$", group.all_reduce,
                case.residual)
        barrier.wait(30)

    run_threads(2, call, timeout=0.3)


def test_peer_left(case):
    def call(group):
        if group.rank == 0:
            refusal(ConnectionError, "MMARN_ERR_PEER", 561000, "^rank 1 left the group$", group.all_reduce,
                    case.residual)

    run_threads(2, call)


def test_mismatch(case):
    def call(group):
        out = numpy.full_like(case.residual, 3)
        n = 24 if group.rank == 0 else 12
        x = case.residual[:, :n].copy()
        refusal(ValueError, "MMARN_ERR_MISMATCH", 561000, "^call 1: n is 24 on rank 0 but 12 on rank 1$",
                group.all_reduce_add_rms_norm, x, x, case.gamma[:n])
        group.all_reduce(case.residual, out)
        return out

    for out in run_threads(2, call):
        assert (out == 2 * case.residual).all()


@pytest.mark.parametrize("bad", [{"x1": "nonsense"}, {"x1": numpy.zeros((4, 32))}, {"residual": None},
                                 {"gamma": numpy.zeros(5, numpy.float32)}, {"bias": 3}, {"numerics": "quick"},
                                 {"epsilon": None}, {"strict": 2}, {"x1_scale": numpy.ones(4)}, {"y": "nowhere"},
                                 {"norm_out": (4, 24)}, {"x2_dtype": "int2"}, {"antiquant_group_size": "all"}],
                         ids=lambda bad: next(iter(bad)))
def test_peers_hear_of_a_refusal(case, bad):
    """What one rank cannot even read is refused on all, at once, and the next call is met by the next call."""

    def call(group):
        arguments = {"x1": case.x1[group.rank], "x2": case.x2[group.rank], "residual": case.residual,
                     "gamma": case.gamma, "epsilon": case.epsilon}
        if group.rank == 1:
            with pytest.raises((TypeError, ValueError), match=f"^{next(iter(bad))} "):
                mmarn.mm_all_reduce_add_rms_norm(**{**arguments, **bad}, group=group)
        else:
            refusal(ValueError, "MMARN_ERR_MISMATCH", 561000, "^call 1: rank 1 refused the call: ",
                    mmarn.mm_all_reduce_add_rms_norm, **arguments, group=group)
        return mmarn.mm_all_reduce_add_rms_norm(**arguments, group=group)

    for y, norm_out in run_threads(2, call):
        case.check(y, norm_out)


def test_peers_hear_of_refusals_by_ops_and_parts(case):
    def refuse(group, function, *arguments, **options):
        with pytest.raises((TypeError, ValueError), match="^call [1-5]: rank 1 refused" if group.rank == 0 else "^(x1|x|y|out) is"):
            function(*arguments, **options)

    def call(group):
        bad = group.rank == 1
        op = mmarn.Op(group, case.x2[group.rank], case.gamma, epsilon=case.epsilon)
        refuse(group, op, [1] if bad else case.x1[group.rank], case.residual)
        refuse(group, op, case.x1[group.rank], case.residual, y=(1, 2) if bad else None)
        refuse(group, group.all_reduce, {} if bad else case.residual)
        refuse(group, group.all_reduce, case.residual, () if bad else None)
        refuse(group, group.all_reduce_add_rms_norm, None if bad else case.residual, case.residual, case.gamma)
        return op(case.x1[group.rank], case.residual)

    for y, norm_out in run_threads(2, call):
        case.check(y, norm_out)


def test_peers_hear_of_refused_weights_with_token_scales():
    case = make_case("int8-f32-f32", 3, [32, 32], 4, 24, per_token=True)

    def call(group):
        def arguments(**more):
            return {"x1": case.x1[group.rank], "x2": case.x2[group.rank], "residual": case.residual,
                    "gamma": case.gamma, "group": group, "x1_scale": case.x1_scale[group.rank],
                    **case.op_options(group.rank), **more}

        match = "^call 1: rank 1 refused the call" if group.rank == 0 else "^comm_turn"
        with pytest.raises((TypeError, ValueError), match=match):
            mmarn.mm_all_reduce_add_rms_norm(**arguments(comm_turn=group.rank))
        return mmarn.mm_all_reduce_add_rms_norm(**arguments())

    for y, norm_out in run_threads(2, call):
        case.check(y, norm_out)


def test_names(case):
    """Every door takes a name, of one call; calls that the ranks name otherwise do not meet."""

    def call(group):
        x1, x2, x, gamma = case.x1[group.rank], case.x2[group.rank], case.residual, case.gamma
        doors = (lambda name: mmarn.Op(group, x2, gamma, name=name)(x1, x),
                 lambda name: mmarn.mm_all_reduce_add_rms_norm(x1, x2, x, gamma, group, name=name),
                 lambda name: group.all_reduce_add_rms_norm(x, x, gamma, name=name),
                 lambda name: group.all_reduce(x, name=name))
        for at, door in enumerate(doors):
            door("same")
            for number, other in ((4 * at + 2, '"a"'), (4 * at + 3, "none")):
                match = f'^call {number}: the name is {other} on rank 0 but "b" on rank 1$'
                name = "b" if group.rank == 1 else None if other == "none" else "a"
                refusal(ValueError, "MMARN_ERR_MISMATCH", 561000, match, door, name)
            out = door(None)
        return out

    for out in run_threads(2, call):
        assert (out == 2 * case.residual).all()


@pytest.mark.parametrize("bad", [3, "", "x" * 128, "a\nb", "a\0b", "\udc80", "\u00e9"])
def test_peers_hear_of_a_bad_name(case, bad):
    def call(group):
        if group.rank == 1:
            with pytest.raises((TypeError, ValueError)):
                group.all_reduce(case.residual, name=bad)
        else:
            refusal(ValueError, "MMARN_ERR_MISMATCH", 561000, "^call 1: rank 1 refused the call: ", group.all_reduce,
                    case.residual)
        return group.all_reduce(case.residual)

    for out in run_threads(2, call):
        assert (out == 2 * case.residual).all()


def test_peers_hear_of_a_closed_op(case):
    """It counts as a call, so the next one is met by the next one."""

    def call(group):
        op = mmarn.Op(group, case.x2[group.rank], case.gamma, epsilon=case.epsilon)
        if group.rank == 1:
            op.close()
        with pytest.raises(ValueError, match="^this Op is closed$" if group.rank else "^call 1: rank 1 refused the call"):
            op(case.x1[group.rank], case.residual)
        return group.all_reduce(case.residual)

    for out in run_threads(2, call):
        assert (out == 2 * case.residual).all()


def test_what_need_not_agree():
    """A rank's scales, bias and way of keeping weights are its own: only what would change the sum must agree."""
    case = make_case("int8-f32-f32", 3, [32, 32], 4, 24, per_token=True)

    def call(group):
        options = case.op_options(group.rank)
        arguments = case.x1[group.rank], case.residual
        op = mmarn.Op(group, case.x2[group.rank], case.gamma, borrow_x2=group.rank == 1, **options)
        if group.rank == 0:
            return op(*arguments, x1_scale=case.x1_scale[0])
        # The same without a scale of each token: rows are scaled alike, by 1.
        return op(*arguments)

    def wanted(group):
        ones = numpy.ones(len(case.x1_scale[1]), numpy.float32)
        op = mmarn.Op(group, case.x2[group.rank], case.gamma, **case.op_options(group.rank))
        return op(case.x1[group.rank], case.residual, x1_scale=(case.x1_scale[0], ones)[group.rank])

    for one, other in zip(run_threads(2, call), run_threads(2, wanted), strict=True):
        assert (one[0] == other[0]).all() and (one[1] == other[1]).all()


def test_busy(case):
    """Two threads of one rank: the second is told; the group and the Op cannot be closed under the first."""
    refused = threading.Event()

    def call(group):
        op = mmarn.Op(group, case.x2[group.rank], case.gamma, epsilon=case.epsilon)
        seen = []

        def second():
            time.sleep(0.3)
            for function in (lambda: group.all_reduce(case.residual), lambda: op.matmul(case.x1[0]), group.close,
                             op.close):
                try:
                    function()
                except RuntimeError as error:
                    seen.append(error.status)
            refused.set()

        if group.rank == 1:
            assert refused.wait(30)
            return op(case.x1[1], case.residual)
        thread = threading.Thread(target=second)
        thread.start()
        results = op(case.x1[0], case.residual)
        thread.join(30)
        assert seen == ["MMARN_ERR_BUSY"] * 4
        return results

    for y, norm_out in run_threads(2, call):
        case.check(y, norm_out)


def test_forked():
    """A child may use none of its parent's groups; dropping them disturbs nobody."""
    program = """
import os, numpy, mmarn
ones = numpy.ones((1, 4), numpy.float32)
group = mmarn.Group(threads=1)
op = mmarn.Op(group, numpy.eye(4, dtype=numpy.float32), ones[0])
child = os.fork()
if child == 0:
    for function in (lambda: group.all_reduce(ones), lambda: op(ones, ones),
                     lambda: mmarn.Op(group, numpy.eye(4, dtype=numpy.float32), ones[0])):
        try:
            function()
        except RuntimeError as error:
            assert error.status == "MMARN_ERR_FORKED" and "parent" in str(error)
        else:
            raise AssertionError("a forked child could use the group")
    own = mmarn.Group(threads=1)
    assert own.all_reduce(ones).sum() == 4
    group.close()
    raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert group.all_reduce(ones).sum() == 4
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_pickling(group):
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(group)


def test_memory(group):
    """Weights that no machine can pack: an exception, and no crash."""
    huge = numpy.lib.stride_tricks.as_strided(numpy.zeros(1, numpy.float32), (2**24, 2**24), (2**26, 4))
    with pytest.raises(MemoryError, match="^no memory for the operator's copy of x2") as caught:
        mmarn.Op(group, huge, numpy.zeros(2**24, numpy.float32))
    assert caught.value.status == "MMARN_ERR_MEMORY"


def test_a_caller_refuses():
    """In its own words; the next calls meet."""
    def member(group):
        total = numpy.ones(3, numpy.float32)
        if group.rank:
            with pytest.raises(TypeError, match="sentence is 5; it must be a str"):
                group.refuse(5)
            group.refuse("no weights here")
        else:
            with pytest.raises(ValueError, match="call 1: rank 1 refused the call: no weights here"):
                group.all_reduce(total)
        assert (group.all_reduce(total) == 2).all()

    run_threads(2, member)
    group = mmarn.Group()
    group.close()
    with pytest.raises(ValueError, match="closed"):
        group.refuse("too late")
