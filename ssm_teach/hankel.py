"""How many states a system needs: Gramians, Hankel singular values, balanced truncation and what it promises.

A Hankel operator takes the input of the past to the output of the future, and all that passes from one to the other
passes through the state. Its singular values σ_1 ≥ σ_2 ≥ … ≥ σ_N weigh the states of the system, in no coordinates:

    reachable:   P = ∫ e^{At} B B* e^{A*t} dt      AP + PA* + BB* = 0     or  P = Σ Ā^k B̄ B̄* Ā*^k,  P = Ā P Ā* + B̄ B̄*
    observable:  Q = ∫ e^{A*t} C* C e^{At} dt      A*Q + QA + C*C = 0     or  Q = Σ Ā*^k C* C Ā^k,  Q = Ā* Q Ā + C* C
    σ_i² = the eigenvalues of PQ

In the book's convention, K_k = C Ā^k B̄ with the output read after u_k has acted, the Hankel matrix of a discrete system
is H_ij = K_{i+j}, i, j = 0, 1, …; its singular values are the σ_i. The feedthrough D plays no part.

Nothing here computes P Q: squaring costs half of the digits. With P = R R* and Q = S S* the σ_i are the singular values
of S*R, and R and S come without P and Q (`gramian_factors`), so a σ_i is good to about ε σ_1 instead of √ε σ_1; of a
diagonal system even to about ε σ_i, however small.

Systems are `ssm_teach.lti.StateSpace`, continuous or discrete, real or complex, with any number of inputs and outputs,
and must be stable.

Sources: B. Moore 1981 (balancing); L. Pernebo and L. Silverman 1982; D. Enns 1984 and K. Glover 1984 (the bound 2Σσ);
U. Al-Saggaf and G. Franklin 1987, D. Hinrichsen and A. Pritchard 1990 (discrete time); A. Laub, M. Heath, C. Paige and
R. Ward 1987 and M. Safonov and R. Chiang 1989 (square roots); R. Smith 1968 (doubling).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

from ssm_teach.errors import UserError, require
from ssm_teach.lti import StateSpace

__all__ = [
    "Truncation",
    "balance",
    "balanced_truncation",
    "difference",
    "epsilon_rank",
    "gramian_factors",
    "gramians",
    "hankel_matrix",
    "hankel_singular_values",
]

# The factors of a diagonal system are graded, large columns first, and LAPACK's QR iteration keeps the digits of such a
# matrix's small singular values. Its divide-and-conquer driver, the default, loses them below ε σ_1.
_DRIVER = "gesvd"


def gramians(sys):
    """P and Q, (N, N), Hermitian and positive semidefinite: how much of each state is reached, and how much is seen.

    A diagonal A has them in closed form, P_ij = −b_i b̄_j / (a_i + ā_j), or b_i b̄_j / (1 − a_i ā_j) if discrete, with
    BB* for b b̄ where there are several inputs. A dense one goes through SciPy's Lyapunov or Stein solver.

    Raises: UserError: an unstable or marginal system, whose integrals have no limit.

    >>> P, Q = gramians(StateSpace([[-1, 0], [0, -3]], B=[1, 1], C=[1, 1]))
    >>> P.round(4)
    array([[0.5   , 0.25  ],
           [0.25  , 0.1667]])
    """
    _require_stable("gramians", sys)
    a = _diagonal(sys.A)
    return tuple(
        _closed_form(a_, B, sys.dt) if a is not None else _solved(A, B, sys.dt)
        for A, a_, B in ((sys.A, a, sys.B), (sys.A.conj().T, None if a is None else a.conj(), sys.C.conj().T))
    )


def gramian_factors(sys):
    """R and S with P = RR* and Q = SS*, never by way of P and Q. The number of columns is at most N (m N if diagonal).

    Returns R (N, ·) and S (N, ·). A diagonal system by elimination in closed form, every entry to a few units in its
    last place; a dense one by doubling.
    """
    _require_stable("gramian_factors", sys)
    a = _diagonal(sys.A)
    if a is None:
        step = sys if sys.dt is not None else _same_gramians(sys)
        return _doubled(step.A, step.B), _doubled(step.A.conj().T, step.C.conj().T)
    return _eliminated(a, sys.B, sys.dt), _eliminated(a.conj(), sys.C.conj().T, sys.dt)


def hankel_singular_values(sys):
    """σ_1 ≥ … ≥ σ_N, (N,): the singular values of the Hankel operator, by the square-root method.

    >>> hankel_singular_values(StateSpace([[-1, 0], [0, -3]], B=[1, 1], C=[1, 1])).round(4)
    array([0.6338, 0.0329])
    """
    _require_stable("hankel_singular_values", sys)
    R, S = gramian_factors(sys)
    return _padded(scipy.linalg.svd(S.conj().T @ R, compute_uv=False, lapack_driver=_DRIVER), len(sys.A))


def epsilon_rank(sys, eps):
    """The number of σ_i > ε σ_1, for a system or for its singular values, (N,), in any order.

    >>> epsilon_rank(StateSpace([[-1, 0], [0, -3]], B=[1, 1], C=[1, 1]), 0.1)
    1
    """
    require(0 < eps < 1, f"epsilon_rank: eps must lie between 0 and 1; got {eps!r}")
    sigma = hankel_singular_values(sys) if isinstance(sys, StateSpace) else np.asarray(sys)
    require(
        sigma.ndim == 1 and sigma.size > 0 and np.isrealobj(sigma),
        f"epsilon_rank: sys must be a StateSpace or its singular values (N,); got an array of shape {sigma.shape}",
    )
    return int((sigma > eps * sigma.max()).sum())


def hankel_matrix(K, n=None):
    """H_ij = K_{i+j} for i, j < n: the first n rows and columns of the Hankel operator of a discrete system.

    Args:
        K: Its kernel, (L,), or (L, p, m) with several inputs or outputs, which makes blocks, (n p, n m).
        n: Rows and columns. By default ⌊(L + 1)/2⌋, the most that K determines. Beyond the end of K stand zeros, so
            n = L gives the whole operator of a system whose kernel ends there.

    >>> hankel_matrix(np.array([4.0, 2.0, 1.0]))
    array([[4., 2.],
           [2., 1.]])
    >>> hankel_matrix(np.array([4.0, 2.0, 1.0]), n=3)
    array([[4., 2., 1.],
           [2., 1., 0.],
           [1., 0., 0.]])
    """
    K = np.asarray(K)
    require(
        K.ndim in (1, 3) and len(K) > 0, f"hankel_matrix: K must have shape (L,) or (L, p, m), L ≥ 1; got {K.shape}"
    )
    n = (len(K) + 1) // 2 if n is None else n
    require(isinstance(n, int) and n >= 1, f"hankel_matrix: n must be a whole number, at least 1; got {n!r}")
    known = K[: 2 * n - 1]
    taps = np.concatenate([known, np.zeros((2 * n - 1 - len(known), *K.shape[1:]), K.dtype)])
    blocks = taps[np.add.outer(np.arange(n), np.arange(n))]  # (n, n), or (n, n, p, m)
    return blocks if K.ndim == 1 else blocks.swapaxes(1, 2).reshape(n * K.shape[1], n * K.shape[2])


@dataclass(frozen=True)
class Truncation:
    """What is left of a system, and what is known of the loss: σ_{k+1} ≤ ‖G − G_k‖∞ ≤ 2 Σ of the distinct σ left out.

    Attributes:
        original: The system G as it was given.
        system: G_k, with the D and the step of the original, in balanced coordinates: P = Q = diag(σ_1 … σ_k) if
            continuous. A part of a discrete balanced system is not quite balanced.
        singular_values: All σ_i of the original, (N,).
    """

    original: StateSpace
    system: StateSpace
    singular_values: np.ndarray

    @property
    def order(self) -> int:
        """k, the number of states kept."""
        return len(self.system.A)

    @property
    def lower_bound(self) -> float:
        """σ_{k+1}: no system of k states comes closer, however it is found. 0 if nothing was left out."""
        return float(self.singular_values[self.order :].max(initial=0.0))

    @property
    def upper_bound(self) -> float:
        """2 Σ σ_i, i > k, where values that agree to ten digits are one value and count once."""
        tail = self.singular_values[self.order :]
        new = np.append(tail[:1] > 0, tail[1:] < tail[:-1] * (1 - 1e-10))[: len(tail)]
        return float(2 * tail[new].sum())

    @cached_property
    def error(self) -> float:
        """‖G − G_k‖∞ as measured: the largest gain of the difference over all frequencies."""
        return difference(self.original, self.system).h_infinity_norm()[0]


def balance(sys):
    """The system in coordinates in which P = Q = diag(σ): every state is reached as well as it is seen.

    States with a σ_i at the level of rounding cannot be told from nothing and are left out, so there may be fewer than
    N of them. Returns a `Truncation`.

    >>> balanced = balance(StateSpace([[-1, 0], [0, -3]], B=[1, 1], C=[1, 1]))
    >>> P, Q = gramians(balanced.system)
    >>> bool(np.allclose(P, np.diag(balanced.singular_values)) and np.allclose(Q, P))
    True
    """
    _require_stable("balance", sys)
    return balanced_truncation(sys, len(sys.A))


def balanced_truncation(sys, k):
    """The k states with the largest σ_i, in balanced coordinates. Returns a `Truncation`.

    With S*R = U Σ V*, the columns of T = R V Σ^{-1/2} are the balanced states and the rows of W* = Σ^{-1/2} U* S* read
    them: W*T = I. Cutting both to k leaves (W*AT, W*B, CT, D).

    Raises: UserError: k outside 1 … N; an unstable or marginal system.

    >>> cut = balanced_truncation(StateSpace([[-1, 0], [0, -3]], B=[1, 1], C=[1, 1]), k=1)
    >>> cut.system.A.round(4), round(cut.lower_bound, 4), round(cut.error, 4), round(cut.upper_bound, 4)
    (array([[-1.4453]]), 0.0329, 0.0657, 0.0657)
    """
    _require_stable("balanced_truncation", sys)
    N = len(sys.A)
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    require(whole and 1 <= k <= N, f"balanced_truncation: k must be a whole number from 1 to N = {N}; got {k!r}")
    R, S = gramian_factors(sys)
    U, sigma, Vh = scipy.linalg.svd(S.conj().T @ R, full_matrices=False, lapack_driver=_DRIVER)
    k = max(1, min(k, int((sigma > _rounding(R, S)).sum())))
    root = np.sqrt(np.maximum(sigma[:k], np.finfo(float).tiny))
    T, W = R @ Vh[:k].conj().T / root, S @ U[:, :k] / root
    kept = StateSpace(W.conj().T @ sys.A @ T, W.conj().T @ sys.B, sys.C @ T, sys.D, sys.dt)
    return Truncation(sys, kept, _padded(sigma, N))


def difference(first, second):
    """The system whose output is the one's minus the other's for the same input: G − H, with the states of both."""
    same = first.D.shape == second.D.shape and first.dt == second.dt
    require(same, "difference: the systems must have the same inputs, outputs and step")
    A = scipy.linalg.block_diag(first.A, second.A)
    return StateSpace(A, np.vstack([first.B, second.B]), np.hstack([first.C, -second.C]), first.D - second.D, first.dt)


def _require_stable(function, sys):
    require(isinstance(sys, StateSpace), f"{function}: sys must be a StateSpace; got {type(sys).__name__}")
    if sys.is_stable:
        return
    outermost = max(sys.poles.real if sys.dt is None else abs(sys.poles))
    edge = "real part {:.4g}, which must be below 0" if sys.dt is None else "modulus {:.4g}, which must be below 1"
    raise UserError(f"{function}: the system must be stable; it has a pole of {edge.format(outermost)}")


def _diagonal(A):
    """The diagonal of A, (N,), or None if there is anything beside it."""
    a = np.diagonal(A)
    return a if np.count_nonzero(A) == np.count_nonzero(a) else None


def _closed_form(a, B, dt):
    B_Bh = B @ B.conj().T
    return -B_Bh / np.add.outer(a, a.conj()) if dt is None else B_Bh / (1 - np.multiply.outer(a, a.conj()))


def _solved(A, B, dt):
    solver = scipy.linalg.solve_continuous_lyapunov if dt is None else scipy.linalg.solve_discrete_lyapunov
    P = solver(A, (-1 if dt is None else 1) * (B @ B.conj().T))
    return (P + P.conj().T) / 2


def _eliminated(a, B, dt):
    """R with RR* = P for a diagonal system: Gaussian elimination of P that never forms a difference of products.

    For one input, P_ij = b_i b̄_j / d_ij with d_ij = −(a_i + ā_j), or 1 − a_i ā_j. Taking out the pivot p leaves a
    matrix of the same kind, with the weights b_i (a_i − a_p) / d_ip: times the all-pass factor of the pole a_p. A step
    costs a few multiplications a state, and small entries keep all of their digits. Pivots go from the largest diagonal
    entry down.
    """
    factors = []
    for b in B.T:
        R = np.zeros((len(a), len(a)), np.result_type(a, b))
        remaining = np.ones(len(a), bool)
        size = -2 * a.real if dt is None else (1 - abs(a)) * (1 + abs(a))
        for column in R.T:
            p = int(np.argmax(np.where(remaining, abs(b) ** 2 / size, -1.0)))
            if b[p] == 0:
                break
            # From the exact d_pp: 1 − a_i ā_p as it stands has few digits near the unit circle
            d = size[p] - (a - a[p]) * (1 if dt is None else a[p].conj())
            column[:] = b * (b[p].conj() / abs(b[p])) * (np.sqrt(size[p]) / d)
            b = b * ((a - a[p]) / d)
            remaining[p] = False
        factors.append(R)
    return np.hstack(factors)


def _doubled(A, B):
    """R with RR* = Σ A^k B B* A*^k: [B, AB], then [B, …, A³B], and so on, each made N columns wide again by a QR."""
    R, power = B, A
    while True:
        more = power @ R
        R = _narrow(np.hstack([R, more]))
        if np.linalg.norm(more) <= np.finfo(float).eps * np.linalg.norm(R) / len(A):
            return R
        power = power @ power
        require(bool(np.isfinite(power).all()), "gramian_factors: the powers of A overflow before they decay")


def _narrow(R):
    """A factor of the same RR* with at most N columns."""
    return R if R.shape[1] <= len(R) else np.linalg.qr(R.conj().T, mode="r").conj().T


def _same_gramians(continuous):
    """The discrete system with the same P and Q: z = (p + s)/(p − s), which takes the left half plane to the disc."""
    A, poles = continuous.A, abs(continuous.poles)
    p = np.sqrt(poles.min() * poles.max())  # slow and fast poles are equally far from the edge of the disc
    right = np.linalg.inv(p * np.eye(len(A)) - A)
    A_bar, B_bar = right @ (p * np.eye(len(A)) + A), np.sqrt(2 * p) * right @ continuous.B
    return StateSpace(A_bar, B_bar, np.sqrt(2 * p) * continuous.C @ right, dt=1.0)


def _padded(sigma, N):
    """σ, (N,): zeros where a factor has fewer columns than N, and without those that a factor has too many."""
    return np.pad(sigma, (0, max(0, N - len(sigma))))[:N]


def _rounding(R, S):
    """The size of what rounding leaves in S*R. Like the σ_i, it does not change when the states are scaled."""
    return len(R) * np.finfo(float).eps * np.linalg.norm(abs(S.conj().T) @ abs(R))
