"""From x' = Ax + Bu to x_k = Ā x_{k−1} + B̄ u_k: six ways to take a step of length Δ.

Convention (S4's): u_k is the input during the step that ends in x_k. SciPy counts the same matrices as
x_{k+1} = Ā x_k + B̄ u_k, one sample later; `ssm_teach.lti` says what that changes.

Shapes: N states, m inputs. A is (N, N), or (N,) when it is diagonal; B is (N,) or (N, m); Δ (``dt``) is a positive
number. NumPy in, NumPy out; torch in, torch out, differentiable in A, in B and in ``dt``. A may be singular.

Sources: C. Van Loan 1978 (augmented exponential); G. Zhang, X. Chen and T. Chen 2009 (generalised bilinear transform);
A. Gu, K. Goel and C. Ré 2022, S4 (bilinear); A. Gu et al. 2022, S4D (diagonal).
"""

import functools
import math

import numpy as np
import scipy.linalg
import torch

from ssm_teach.errors import UserError, choose, require

__all__ = [
    "METHODS",
    "backward_euler",
    "bilinear",
    "discretize",
    "discretize_diagonal",
    "euler",
    "foh",
    "gbt",
    "phi1",
    "zoh",
]

METHODS = ("zoh", "bilinear", "gbt", "euler", "backward_euler")


def discretize(A, B, dt, method="zoh", alpha=None):
    """Return Ā and B̄ of the step x_k = Ā x_{k−1} + B̄ u_k, in the shapes of A and B.

    Args:
        A: State matrix, (N, N) dense or (N,) diagonal, in 1/s.
        B: Input matrix, (N,) or (N, m).
        dt: Step Δ > 0 in s, a number or a tensor of shape ().
        method: One of `METHODS`.
        alpha: Weight of the end of the step, 0 ≤ α ≤ 1; for ``"gbt"`` only.

    Raises:
        UserError: unknown method, α missing or out of place, wrong shapes, dt ≤ 0, NaN or infinity, NumPy mixed with
            torch, or a step for which I − αΔA has no inverse.

    >>> A_bar, B_bar = discretize(np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([0.0, 1.0]), dt=0.5)
    >>> A_bar
    array([[1. , 0.5],
           [0. , 1. ]])
    >>> B_bar
    array([0.125, 0.5  ])
    """
    _check_method("discretize", method, alpha)
    A, B, dt = _system("discretize", A, B, dt)
    if A.ndim == 2:
        return gbt(A, B, dt, alpha) if method == "gbt" else _DENSE[method](A, B, dt)
    _require_regular(A, dt, _ALPHA.get(method, alpha))
    A_bar, gain = discretize_diagonal(A, 1.0, dt, method, alpha)
    return A_bar, (gain[:, None] * B.reshape(len(A), -1)).reshape(B.shape)


def euler(A, B, dt):
    """Forward Euler, x_k = x_{k−1} + Δ(A x_{k−1} + B u_k): the slope at the start of the step."""
    A, B, dt = _dense_system("euler", A, B, dt)
    identity = _identity(A)
    return identity + dt * A, dt * B


def backward_euler(A, B, dt):
    """Backward Euler, x_k = x_{k−1} + Δ(A x_k + B u_k): the slope at the end of the step."""
    A, B, dt = _dense_system("backward_euler", A, B, dt)
    identity = _identity(A)
    return _solve(identity - dt * A, identity), _solve(identity - dt * A, dt * B)


def bilinear(A, B, dt):
    """Trapezoid, x_k = x_{k−1} + Δ(A (x_{k−1} + x_k)/2 + B u_k): the mean of both slopes.

    As in S4 the input enters by u_k alone, which makes the step first-order accurate for a smooth input. The textbook
    (Tustin's) method is of second order and weighs u_{k−1} and u_k; `StateSpace.discretize` returns its C and D.
    """
    A, B, dt = _dense_system("bilinear", A, B, dt)
    identity = _identity(A)
    left, right = identity - dt / 2 * A, identity + dt / 2 * A
    return _solve(left, right), _solve(left, dt * B)


def gbt(A, B, dt, alpha):
    """Generalised bilinear transform, x_k = x_{k−1} + Δ(A ((1−α) x_{k−1} + α x_k) + B u_k).

    α = 0 is `euler`, ½ is `bilinear`, 1 is `backward_euler`. A stable A stays stable for every Δ exactly when α ≥ ½.
    """
    _check_method("gbt", "gbt", alpha)
    A, B, dt = _dense_system("gbt", A, B, dt)
    identity = _identity(A)
    left, right = identity - alpha * dt * A, identity + (1 - alpha) * dt * A
    return _solve(left, right), _solve(left, dt * B)


def zoh(A, B, dt):
    """Zero-order hold: exact when u keeps the value u_k for the whole step. Needs no inverse of A.

    A held input is a state whose derivative is zero, so exp(Δ [[A, B], [0, 0]]) = [[Ā, B̄], [0, I]].
    """
    A, B, dt = _dense_system("zoh", A, B, dt)
    N = len(A)
    step = _expm(dt * _augmented(A, B))
    return step[:N, :N], step[:N, N:].reshape(B.shape)


def foh(A, B, dt):
    """First-order hold: exact when u runs straight from u_k to u_{k+1}. Returns Ā, B0, B1 of

        x_{k+1} = Ā x_k + B0 u_k + B1 u_{k+1}.

    A straight input is a state whose derivative, the slope (u_{k+1} − u_k)/Δ, is held: `zoh` of the augmented system.
    """
    A, B, dt = _dense_system("foh", A, B, dt)
    N, ramp = len(A), _augmented(A, B)
    step, slope_gain = zoh(ramp, _identity(ramp)[:, N:], dt)
    B_bar, B1 = step[:N, N:], slope_gain[:N] / dt
    return step[:N, :N], (B_bar - B1).reshape(B.shape), B1.reshape(B.shape)


def discretize_diagonal(A, B, dt, method="zoh", alpha=None):
    """Discretise many scalar systems x' = ax + bu at once. A, B and dt broadcast: (d, N), (d, N), (d, 1).

    It runs in every forward pass of a layer, so it checks names, kinds and shapes but not values: dt > 0 is up to you.

    >>> A_bar, B_bar = discretize_diagonal(np.array([0.0, -1.0]), 1.0, dt=np.array([[0.1], [1.0]]))
    >>> B_bar.round(4)
    array([[0.1   , 0.0952],
           [1.    , 0.6321]])
    """
    _check_method("discretize_diagonal", method, alpha)
    xp, A, B, dt = _broadcastable("discretize_diagonal", A=A, B=B, dt=dt)
    z = dt * A
    if method == "zoh":
        return xp.exp(z), phi1(z) * (dt * B)
    alpha = _ALPHA.get(method, alpha)
    return (1 + (1 - alpha) * z) / (1 - alpha * z), dt * B / (1 - alpha * z)


def phi1(z):
    """φ₁(z) = (e^z − 1)/z = ∫₀¹ e^{sz} ds, elementwise, real or complex; φ₁(0) = 1.

    The quotient is 0/0 at zero, and its derivative loses digits all around zero; there the power series takes over.
    The inner ``where`` keeps each branch finite where the other one is chosen: a gradient sees both.

    >>> float(phi1(0.0)), float(phi1(-1e-10))
    (1.0, 0.99999999995)
    """
    xp, z = _broadcastable("phi1", z=np.asarray(z) if np.isscalar(z) else z)
    near = abs(z) < 0.5
    series = _horner(_PHI1_SERIES, xp.where(near, z, 0.0))
    away = xp.where(near, 1.0, z)
    return xp.where(near, series, xp.expm1(away) / away)


_DENSE = {"zoh": zoh, "bilinear": bilinear, "euler": euler, "backward_euler": backward_euler}
_ALPHA = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}
_PHI1_SERIES = [1 / math.factorial(k + 1) for k in range(15)]  # the first term left out is below 0.5¹⁵/16! < 2e-18

_SINGULAR = "discretize: I − αΔA is singular, for 1/(αΔ) is an eigenvalue of A; choose another dt, or method 'zoh'"


def _horner(coefficients, z):
    total = coefficients[-1] + 0 * z
    for coefficient in reversed(coefficients[:-1]):
        total = coefficient + z * total
    return total


def _augmented(A, B):
    """[[A, B], [0, 0]], square."""
    xp = _library(A)
    top = xp.hstack([A, B.reshape(len(A), -1)])
    return xp.vstack([top, _zeros(top, top.shape[1] - len(A), top.shape[1])])


def _library(array):
    return torch if isinstance(array, torch.Tensor) else np


def _zeros(like, *shape):
    return like.new_zeros(shape) if isinstance(like, torch.Tensor) else np.zeros(shape, like.dtype)


def _identity(A):
    if isinstance(A, torch.Tensor):
        return torch.eye(len(A), dtype=A.dtype, device=A.device)
    return np.eye(len(A), dtype=A.dtype)


def _expm(M):
    return torch.linalg.matrix_exp(M) if isinstance(M, torch.Tensor) else scipy.linalg.expm(M)


def _solve(left, right):
    try:
        return _library(left).linalg.solve(left, right)
    except (np.linalg.LinAlgError, torch.linalg.LinAlgError):
        raise UserError(_SINGULAR) from None


# What the user gave, checked once at the public edge.


def _check_method(function, method, alpha):
    require(
        method != "foh",
        f"{function}: 'foh' weighs u_k and u_{{k+1}}, so it has no single B̄; "
        "use StateSpace.discretize(dt, 'foh'), or foh(A, B, dt) for both weights",
    )
    choose(function, "method", method, METHODS)
    if method != "gbt":
        require(alpha is None, f"{function}: alpha belongs to method 'gbt' alone; leave it out for {method!r}")
        return
    require(alpha is not None, f"{function}: method 'gbt' needs alpha, 0 ≤ alpha ≤ 1; 0.5 is the bilinear method")
    require(
        isinstance(alpha, (int, float)) and 0 <= alpha <= 1,
        f"{function}: alpha must be a number with 0 ≤ alpha ≤ 1; got {alpha!r}",
    )


def _require_regular(A, dt, alpha):
    """No entry of a diagonal A makes 1 − αΔa zero; `_solve` sees to it for a dense one."""
    require(alpha is None or bool((1 - alpha * dt * A != 0).all()), _SINGULAR)


def _dense_system(function, A, B, dt):
    A, B, dt = _system(function, A, B, dt)
    require(
        A.ndim == 2, f"{function}: A must be dense, (N, N); got shape {_shape(A)}. For a diagonal A call discretize"
    )
    return A, B, dt


def _system(function, A, B, dt):
    """A, B and dt as arrays of one library and one dtype (dt a plain number unless it is a tensor), or `UserError`."""
    A, B = _arrays(function, A=A, B=B)
    diagonal, square = A.ndim == 1, A.ndim == 2 and A.shape[0] == A.shape[1]
    require(
        (diagonal or square) and len(A) > 0,
        f"{function}: A must be square (N, N), or (N,) if diagonal; got shape {_shape(A)}",
    )
    require(
        B.ndim in (1, 2) and len(B) == len(A),
        f"{function}: B must have shape (N,) or (N, m) with N = {len(A)} like A; got shape {_shape(B)}",
    )
    for name, array in (("A", A), ("B", B)):
        finite = bool(_library(array).isfinite(array).all())
        require(finite, f"{function}: {name} must be finite; it holds NaN or infinity")
    return *_promoted(A, B), _step(function, dt, A)


def _step(function, dt, like):
    tensor = isinstance(dt, torch.Tensor)
    number = dt.detach().cpu().numpy() if tensor else np.asarray(dt)
    require(not tensor or isinstance(like, torch.Tensor), f"{function}: dt is a tensor but A is NumPy; give float(dt)")
    require(number.ndim == 0, f"{function}: dt must be one number; got shape {number.shape}. See discretize_diagonal")
    require(number.dtype.kind in "iuf", f"{function}: dt must be a positive number; got {dt!r}")
    value = float(number)
    require(math.isfinite(value) and value > 0, f"{function}: dt must be positive and finite; got {value:g}")
    return dt if tensor else value


def _arrays(function, **given):
    """The given arrays in order, all NumPy or all torch, integers made floating."""
    tensors = [isinstance(value, torch.Tensor) for value in given.values()]
    names = " and ".join(given)
    require(
        all(tensors) or not any(tensors),
        f"{function}: {names} must come from one library, all NumPy or all torch; torch.from_numpy converts an array",
    )
    return [_floating(function, name, value) for name, value in given.items()]


def _floating(function, name, value):
    if isinstance(value, torch.Tensor):
        return value if value.is_floating_point() or value.is_complex() else value.to(torch.get_default_dtype())
    try:
        array = np.asarray(value)
    except ValueError:  # ragged lists
        array = np.asarray(None)
    require(array.dtype.kind in "biufc", f"{function}: {name} must be an array of numbers; got {value!r}")
    return array.astype(float) if array.dtype.kind in "biu" else array


def _promoted(*arrays):
    """The arrays in their common dtype: real beside complex becomes complex, never the other way."""
    if isinstance(arrays[0], torch.Tensor):
        dtype = functools.reduce(torch.promote_types, (array.dtype for array in arrays))
        return [array.to(dtype) for array in arrays]
    dtype = np.result_type(*arrays)
    return [array.astype(dtype, copy=False) for array in arrays]


def _broadcastable(function, **given):
    """The library, then the given arrays, whose shapes must broadcast; plain numbers stay plain, so dtypes are kept."""
    arrays = {name: value for name, value in given.items() if not isinstance(value, (int, float, complex))}
    arrays = dict(zip(arrays, _arrays(function, **arrays), strict=True))
    try:
        np.broadcast_shapes(*(tuple(array.shape) for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {_shape(array)}" for name, array in arrays.items())
        raise UserError(f"{function}: shapes must broadcast together; got {shapes}") from None
    library = _library(next(iter(arrays.values()), None))
    return library, *(arrays.get(name, value) for name, value in given.items())


def _shape(array):
    return tuple(np.shape(array))
