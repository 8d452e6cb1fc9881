# SPDX-License-Identifier: MIT
"""Which norms are RMSNorm: found by trying them, because neither a class's name nor its attributes tell.

A norm is taken if, whatever its weight, it makes y / sqrt(mean(y * y) + epsilon) * gamma of every row, where gamma is
its weight, or 1 + its weight, or ones, and epsilon is a number that it holds, or torch's own for eps=None. Rows from
1e-18 to 1e8 are tried, because epsilon shows in the small ones and a clamp in the large ones, with a mean, a row with
one large element, and a row of zeros; in training and in eval mode, as (rows, n) and as (b, s, n).

Tolerance: the norm is compared in fp32 with fp64. A sum of n squares in any order has a relative error of at most
n u (all terms are positive; u = 2^-24), of which the root halves; the quotient, the root, 1 + weight and the products
add fewer than 16 roundings. So an RMSNorm is within (n + 16) u, while what is none is off by far more on some row. The
norm is tried in the linear layer's dtype too, with that dtype's u for the 16 roundings.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import numbers
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from mmarn.torch import probe
from mmarn.torch.probe import Misfit

_SEED = 2026
_ROWS = 16  # of each trial
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)
_EPSILONS = ("eps", "epsilon", "variance_epsilon")


@dataclasses.dataclass(frozen=True)
class Fit:
    """What a norm was found to be: gamma is the tensor at path, or 1 + that, or ones where there is no path."""

    path: str | None
    plus_one: bool
    epsilon: float

    def gamma(self, norm: nn.Module) -> Tensor | None:
        if self.path is None:
            return None
        weight = probe.attribute(norm, self.path).detach().reshape(-1)
        return 1 + weight.float() if self.plus_one else weight


def fold(norm: nn.Module, features: int, dtype: torch.dtype) -> tuple[Tensor | None, float]:
    """(gamma, epsilon) of the RMSNorm that norm is on rows of so many features of that dtype; gamma None means ones.

    gamma is the norm's own weight if that is of dtype or fp32; a weight of another 16-bit type, or 1 + weight, is fp32.
    Errors: ValueError (not RMSNorm, or of another size), TypeError (no module, or a weight of another dtype).
    """
    norm = probe.checked(norm, "norm")
    weight = getattr(norm, "weight", None)
    if isinstance(weight, Tensor) and weight.numel() != features:
        raise ValueError(f"norm.weight is {tuple(weight.shape)} but linear.out_features is {features}")
    try:
        with probe.apart():
            fit = _fit(norm, features, dtype)
    except Misfit as misfit:
        raise ValueError(f"norm is {type(norm).__name__}, which is not RMSNorm: {misfit}") from misfit.__cause__
    if fit.path is not None and (its := probe.attribute(norm, fit.path).dtype) not in _DTYPES:
        raise TypeError(f"norm.{fit.path} is {its}, but must be float16, bfloat16 or float32: use norm.float()")
    gamma = fit.gamma(norm)
    return (gamma if gamma is None or gamma.dtype == dtype else gamma.float()), fit.epsilon


def _fit(norm: nn.Module, features: int, dtype: torch.dtype) -> Fit:
    random = probe.generator(_SEED)
    trial = _Trial(probe.stand_in(norm, torch.float32, random), features, torch.float32)
    fit = trial.guess(list(_epsilons(norm)))
    trial.confirm(fit)
    if probe.has_data(norm):
        trial = _Trial(probe.stand_in(norm, torch.float32), features, torch.float32)
        trial.confirm(fit, "with the values that it has now, ")
        if fit.path is not None:
            probe.check_current(probe.attribute(trial.module, fit.path), probe.attribute(norm, fit.path), fit.path)
    if dtype != torch.float32:
        trial = _Trial(probe.stand_in(norm, dtype, random), features, dtype)
        # What eps=None stands for depends on the dtype in some versions of torch.
        fit = trial.better(fit, dataclasses.replace(fit, epsilon=torch.finfo(dtype).eps))
        trial.confirm(fit, f"in {dtype}, ")
    return fit


class _Trial:
    """A stand-in for the norm, and rows to try it on."""

    def __init__(self, module: nn.Module, features: int, dtype: torch.dtype) -> None:
        self.module, self.features = module, features
        self.tolerance = 16 * torch.finfo(dtype).eps / 2 + features * 2.0**-24
        self.rows = _rows(features, dtype)
        self.shapes = self._shapes()

    def _shapes(self) -> list[tuple[int, ...]]:
        """Those of (rows, n) and (b, s, n) that the norm takes. Errors: Misfit, if it takes neither.

        The first call of the stand-in is here; a hook that makes the weight, as pruning's does, has then made it.
        """
        taken, misfits = [], []
        for shape in ((_ROWS, self.features), (2, _ROWS // 2, self.features)):
            try:
                self._call(self.rows, shape)
                taken.append(shape)
            except Misfit as misfit:
                misfits.append(misfit)
        if not taken:
            raise min(misfits, key=lambda misfit: misfit.__cause__ is not None)  # rather not what forward has raised
        return taken

    def _call(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return probe.call(self.module, rows.view(shape), self.features).reshape(rows.shape)

    def run(self, rows: Tensor) -> Tensor:
        return self._call(rows, self.shapes[0])

    def _near(self, out: Tensor, gamma: Tensor | None, epsilon: float) -> bool:
        return probe.near(out, _rms_norm(self.rows, gamma, epsilon), self.tolerance)

    def guess(self, epsilons: list[float]) -> Fit:
        """What the norm is on the rows. Errors: Misfit, if it is no RMSNorm."""
        self.module.train()
        out = self.run(self.rows)
        gammas = [Fit(path, plus_one, 0).gamma(self.module) for path, plus_one in self._weights()]
        for (path, plus_one), gamma in zip(self._weights(), gammas, strict=True):
            for epsilon in epsilons:
                if self._near(out, gamma, epsilon):
                    self._check_used(path)
                    return Fit(path, plus_one, epsilon)
        raise Misfit(_reason(self.run, gammas, self.rows, self.tolerance))

    def _check_used(self, path: str | None) -> None:
        """A forward bound to the given norm, and not to the stand-in, would hide what the weight does."""
        unused = [name for name, weight in self.module.named_parameters() if weight.numel() == self.features]
        if path is None and unused:
            raise Misfit(f"its output does not depend on its {unused[0]}")

    def _weights(self) -> list[tuple[str | None, bool]]:
        """(path, whether 1 is added) of all that may be gamma."""
        paths = [f"{prefix}.{name}" if prefix else name for prefix, part in self.module.named_modules()
                 for name in getattr(part, "parametrizations", ())]
        paths += [path for path, tensor in probe.tensors(self.module)
                  if tensor.is_floating_point() and tensor.numel() == self.features]
        return [(path, plus_one) for path in paths for plus_one in (False, True)] + [(None, False)]

    def better(self, fit: Fit, other: Fit) -> Fit:
        """other if that fits and fit does not."""
        out, gamma = self.run(self.rows), fit.gamma(self.module)
        worse = not self._near(out, gamma, fit.epsilon) and self._near(out, gamma, other.epsilon)
        return other if worse else fit

    def confirm(self, fit: Fit, when: str = "") -> None:
        """Errors: Misfit, if the norm is not that in both modes and shapes."""
        wanted = _rms_norm(self.rows, fit.gamma(self.module), fit.epsilon)
        for training, shape in itertools.product((True, False), self.shapes):
            self.module.train(training)
            out = self._call(self.rows, shape)
            if not probe.near(out, wanted, self.tolerance):
                raise Misfit(f"{when}in {'training' if training else 'eval'} mode, on {shape}, it is off by "
                             f"{_distance(out, wanted):.2g} of a row's largest number")


def _rows(features: int, dtype: torch.dtype) -> Tensor:
    """Rows of all sizes that the dtype has room for, also for their squares, as some norms square in it."""
    half = dtype == torch.float16
    low, high = (-4, 1) if half else (-8, 8)
    rows = torch.randn(_ROWS, features, generator=probe.generator(_SEED + 1), dtype=torch.float64) + 1
    rows[: _ROWS - 3] *= torch.logspace(low, high, _ROWS - 3, dtype=torch.float64)[:, None]
    rows[_ROWS - 3, features // 2] = 200 if half else 1e6
    rows[_ROWS - 2] *= 1e-4 if half else 1e-18
    rows[_ROWS - 1] = 0
    return rows.to(dtype)


def _rms_norm(rows: Tensor, gamma: Tensor | None, epsilon: float) -> Tensor:
    rows = rows.double()
    normed = rows / (rows.square().mean(-1, keepdim=True) + epsilon).sqrt()
    return normed if gamma is None else normed * gamma.double()


def _epsilons(norm: nn.Module) -> Iterator[float]:
    """Every number that the norm holds and that may be an epsilon in fp32, and torch's own for eps=None."""
    for part in norm.modules():
        # The names may be properties or the class's, and are not in vars() then.
        for value in (*(getattr(part, name, None) for name in _EPSILONS), *part._buffers.values(),
                      *vars(part).values()):
            if isinstance(value, Tensor) and value.numel() == 1 and not probe.lacks_data(value):
                value = value.item()
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                if torch.finfo(torch.float32).tiny <= value <= torch.finfo(torch.float32).max:
                    yield float(value)
    yield torch.finfo(torch.float32).eps


def _distance(out: Tensor, wanted: Tensor) -> float:
    out, wanted = out.double(), wanted.double()
    return float(((out - wanted).abs().amax(-1) / wanted.abs().amax(-1)).nan_to_num(0).max())


# ------------------------------------------------------------------------------------------ why it is not RMSNorm


def _reason(run: Callable[[Tensor], Tensor], gammas: list[Tensor | None], rows: Tensor, tolerance: float) -> str:
    """In what the norm, called by run, differs from RMSNorm with any of the gammas. rows are of all sizes."""
    size = 1e4  # so large that no usual epsilon shows, and so small that no usual clamp does
    ordinary = size * (torch.randn(rows.shape, generator=probe.generator(_SEED + 2), dtype=torch.float32) + 1)
    out = run(ordinary)

    def same(one: Tensor, other: Tensor) -> bool:
        return probe.near(one, other, 1e-3)

    if not same(run(ordinary), out):
        return "it does not give the same output each time"
    others = ordinary.clone()
    others[::2] = others[::2].flip(-1) * 3
    if not same(run(others)[1::2], out[1::2]):
        return "its output for a row depends on other rows"
    if same(run(ordinary + 3 * size), out):
        return "it subtracts the mean"
    if run(torch.zeros_like(rows)).nan_to_num(0).any():
        return "it adds a bias"
    for gamma in gammas:
        if probe.near(out, _rms_norm(ordinary, gamma, 0), tolerance):
            return _reason_for_epsilon(run(rows).double(), gamma, rows)
    if any(probe.near(out, _rms_norm(ordinary, gamma, 0), 0.02) for gamma in gammas):
        return "it rounds more coarsely than fp32"
    if not same(run(ordinary * 2), out):
        return "its output grows with its input"
    factors = out.double() / _rms_norm(ordinary, None, 0)
    if not same(factors, factors[:1].expand_as(factors)):
        return "it does not divide each row by its root mean square"
    return "it multiplies by something else than weight or 1 + weight"


def _reason_for_epsilon(out: Tensor, gamma: Tensor | None, rows: Tensor) -> str:
    """The norm is RMSNorm on ordinary rows, and so differs on very large or very small ones."""
    sizes = rows.double().square().mean(-1)
    large = sizes > 1e8  # rows above 1e4
    if not probe.near(out[large], _rms_norm(rows[large], gamma, 0), 1e-3):
        return "it treats very large numbers otherwise"
    smallest = int(torch.where(sizes > 0, sizes, math.inf).argmin())
    ratio = (_rms_norm(rows, gamma, 0)[smallest] / out[smallest]).median()
    epsilon = float(sizes[smallest] * (ratio.square() - 1))
    if epsilon > 0 and probe.near(out, _rms_norm(rows, gamma, epsilon), 1e-2):
        return f"it adds {epsilon:.4g} to the mean square, and no attribute such as norm.eps holds that number"
    return "it adds no epsilon to the mean square, which shows in very small rows"
