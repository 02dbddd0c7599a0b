"""HiPPO: a state that holds the coefficients of the past in a basis, and the linear system that keeps it up to date.

A *measure* says which past counts and how much; an orthonormal basis g_n of that measure says what a coefficient means:

    c_n(t) = ∫ f(t − age · window) g_n(age) w(age) d(age),        f(t − age · window) ≈ Σ_n c_n g_n(age).

Age is counted back from now in windows: age 0 is this moment, age 1 the far end. Differentiate c_n, and a linear system
c' = A c + B f appears, with A and B below in S4's sign (stable = left half plane; HiPPO prints −A).

| measure         | window                   | weight w       | basis g_n(age)               | the system             |
|-----------------|--------------------------|----------------|------------------------------|------------------------|
| ``legs``        | all of the past, t       | 1              | √(2n+1) P_n(1 − 2 age)       | exact; c' = (Ac + Bf)/t|
| ``legt``        | the last θ               | 1              | the same                     | closed by c itself     |
| ``lmu``         | the last θ               | 1              | P_n(2 age − 1), no norm      | ``legt``, rescaled     |
| ``lagt``        | all, in units of θ       | e^−age         | L_n(age)                     | exact                  |
| ``fout``        | the last θ               | 1              | 1, √2 cos 2πj age, √2 sin …  | closed at the jump     |
| ``fout-series`` | the last θ               | 1              | the same                     | closed by c itself     |
| ``chebyshev``   | the last θ               | 1/(π√(a(1−a))) | √2 T_n(1 − 2 age), a = age   | ``legt``, converted    |

"Closed": a window that slides must know f(t − θ), what drops out of it, and can only ask c. Time is counted in windows
in all but ``legs``: a window of θ seconds and samples every Δ seconds make dt = Δ/θ.

What was not derived: a system for the projection in Chebyshev's weight, which is infinite at both ends of the window.
``transition("chebyshev", N)`` keeps the polynomial of ``legt`` and writes it in Chebyshev polynomials; ``project`` is
the projection in the weight. HiPPO's tilted Chebyshev systems are neither.

Sources: A. Gu, T. Dao, S. Ermon, A. Rudra and C. Ré 2020, "HiPPO"; A. Voelker, I. Kajić and C. Eliasmith 2019,
"Legendre Memory Units"; A. Gu, I. Johnson, A. Timalsina, A. Rudra and C. Ré 2023, "How to Train Your HiPPO".
"""

import math
from numbers import Integral

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.polynomial.laguerre import lagvander
from numpy.polynomial.legendre import legvander
from scipy import linalg

from ssm_teach.discretize import METHODS, discretize
from ssm_teach.errors import choose, require

__all__ = ["MEASURES", "basis", "gramian", "nplr", "online", "project", "reconstruct", "transition"]

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "fout-series", "chebyshev")


def transition(measure: str, N: int) -> tuple[np.ndarray, np.ndarray]:
    """A (N, N) and B (N,) of c' = Ac + Bf, float64, dimensionless; of c' = (Ac + Bf)/t for ``"legs"``.

    B_n is g_n at age 0, how strongly this moment enters c_n, with three exceptions: ``"fout"`` doubles it, for its
    closure, and ``"lmu"`` and ``"chebyshev"`` are ``"legt"`` in other coordinates.
    S4 takes the ``"legs"`` matrices without the 1/t: a time-invariant system whose memory is another; see chapter 6.

    Raises:
        UserError: unknown measure, N < 1, or an even N for Fourier (a constant and pairs of cosine and sine).

    >>> A, B = transition("legs", 2)
    >>> A.round(4)
    array([[-1.    ,  0.    ],
           [-1.7321, -2.    ]])
    >>> B.round(4)
    array([1.    , 1.7321])
    """
    _check("transition", measure, N)
    return _TABLE[measure][0](N)


def nplr(measure: str, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Normal plus low rank: (Λ, P, B, V) with A = V (diag(Λ) − P P*) V*, V unitary, P and B in the basis of V.

    Λ is the whole spectrum of the normal part, (N,), highest frequency first, so the conjugates come last; P is
    (N, rank), always two-dimensional; B, (N,), is V*B; V is (N, N). All but B are complex128. The rank is 1 for
    ``"legs"``, ``"lagt"``, ``"fout"`` and ``"fout-series"``, and 2 for ``"legt"``.

    The normal part is −½I + S (``"legs"``, ``"lagt"``) or S (the others) with S real and skew, so Λ and V are those of
    the Hermitian −iS: real eigenvalues and unitary eigenvectors to the last bit, which A itself cannot offer. An
    eigenvector's phase is anybody's choice; here it makes every entry of V*B positive, and V the same everywhere.

    >>> Lambda, P, B, V = nplr("legs", 4)
    >>> Lambda.imag.round(4)
    array([ 4.6033,  0.5565, -0.5565, -4.6033])
    """
    _check("nplr", measure, N)
    require(
        measure not in ("lmu", "chebyshev"),
        f"nplr: {measure!r} is not in orthonormal coordinates, so no unitary V exists; "
        "use 'legt', which is the same system in coordinates that are",
    )
    A, B = transition(measure, N)
    P = _low_rank(measure, N, B)
    shift = -0.5 if measure in ("legs", "lagt") else 0.0
    skew = A + P @ P.T - shift * np.eye(N)
    omega, V = np.linalg.eigh(-1j * np.tril(skew, -1))  # of a Hermitian matrix eigh reads the lower triangle alone
    omega, V = omega[::-1], V[:, ::-1]
    V = V * np.exp(1j * np.angle(V.conj().T @ B))
    return shift + 1j * omega, V.conj().T @ P, abs(V.conj().T @ B), V


def basis(measure: str, N: int, age) -> np.ndarray:
    """g_n(age) for n < N, age ≥ 0 in windows and of any shape: (…,) → (…, N).

    >>> basis("legt", 3, [0.0, 1.0]).round(4)
    array([[ 1.    ,  1.7321,  2.2361],
           [ 1.    , -1.7321,  2.2361]])
    """
    _check("basis", measure, N)
    return _TABLE[measure][1](N, _ages("basis", measure, age))


def project(measure: str, N: int, u, dt: float | None = None) -> np.ndarray:
    """The coefficients (N,) of the past that u (L,) describes, by their definition; oldest sample first.

    The past is taken as piecewise constant, u_k during the step that ends at time k + 1, and zero before the first.
    Every integral over a step is then known in closed form: nothing here is a quadrature. ``"legs"`` looks at all of it
    and needs no dt; the others need the step ``dt`` in windows. ``"chebyshev"`` is the projection in its own weight.

    >>> project("legs", 2, [1.0, 3.0]).round(4)
    array([2.   , 0.866])
    """
    _check("project", measure, N)
    u, dt = _samples("project", u), _step("project", measure, dt)
    edges = np.arange(len(u), -1, -1) * (1 / len(u) if dt is None else dt)
    cumulative = _TABLE[measure][2](N, edges if measure == "lagt" else np.minimum(edges, 1.0))
    return u @ (cumulative[:-1] - cumulative[1:])


def online(measure: str, N: int, u, dt: float | None = None, method: str = "zoh") -> np.ndarray:
    """The coefficients after every sample, one update a sample: (L,) → (L, N).

    For ``"legs"`` c' = (Ac + Bf)/t is c' = Ac + Bf in the time log t, in which the k-th sample (k = 1, 2, …) lasts
    log(k/(k−1)). ``"zoh"`` takes that step exactly, and so equals `project`; it has no dt, for no scale of time is in
    it. The other methods freeze 1/t over the sample, a step of 1/k. The other measures take steps of ``dt`` windows.

    >>> online("legs", 2, [1.0, 3.0]).round(4)
    array([[1.   , 0.   ],
           [2.   , 0.866]])
    """
    _check("online", measure, N)
    choose("online", "method", method, tuple(name for name in METHODS if name != "gbt"))
    u, dt = _samples("online", u), _step("online", measure, dt)
    A, B = transition(measure, N)
    updates = _legs_updates(A, B, len(u), method) if dt is None else [discretize(A, B, dt, method)] * len(u)
    c, history = np.zeros(N), np.empty((len(u), N))
    for k, (A_bar, B_bar) in enumerate(updates):
        c = history[k] = A_bar @ c + B_bar * u[k]
    return history


def reconstruct(measure: str, c, age) -> np.ndarray:
    """Σ_n c_n g_n(age), what the coefficients c (…, N) say about the past at ``age`` (M,): (…, M).

    >>> reconstruct("legs", [2.0, 0.866025], [0.0, 0.5, 1.0]).round(3)
    array([3.5, 2. , 0.5])
    """
    c = np.asarray(c)
    return c @ basis(measure, c.shape[-1], np.atleast_1d(age)).T


def gramian(measure: str, N: int) -> np.ndarray:
    """∫ e^{tA} B Bᵀ e^{tAᵀ} dt over t ≥ 0, (N, N): how far inputs of unit energy push the state of c' = Ac + Bf.

    Entry n, k is the inner product of the impulse responses of states n and k.

    >>> gramian("legs", 2).round(4)
    array([[0.5   , 0.2887],
           [0.2887, 0.5   ]])
    """
    A, B = transition(measure, N)
    return linalg.solve_continuous_lyapunov(A, -np.outer(B, B))


def _legs_updates(A, B, L, method):
    """Ā and B̄ of sample k = 1 … L. The first step of log time is endless: e^{−∞} = 0, and c_0 = u_1 is all there is.

    A constant past fits itself, A e_0 = −B, so the exact B̄ = A⁻¹(Ā − I)B is (I − Ā) e_0.
    """
    if method != "zoh":
        yield from (discretize(A, B, 1 / k, method) for k in range(1, L + 1))
        return
    constant = np.eye(len(A))[0]
    yield np.zeros_like(A), constant
    for k in range(2, L + 1):
        A_bar = linalg.expm(math.log(k / (k - 1)) * A)
        yield A_bar, constant - A_bar[:, 0]


# The matrices, measure by measure.


def _legs(N):
    root = np.sqrt(2 * np.arange(N) + 1)
    return np.tril(-np.outer(root, root), -1) + np.diag(-1.0 - np.arange(N)), root


def _legt(N):
    n, root = np.arange(N), np.sqrt(2 * np.arange(N) + 1)
    sign = np.where(n[:, None] >= n, 1.0, _alternating(N)[:, None] * _alternating(N))
    return -np.outer(root, root) * sign, root


def _lmu(N):
    return _similar(*_legt(N), np.diag(_alternating(N) * np.sqrt(2 * np.arange(N) + 1)))


def _lagt(N):
    return np.tril(-np.ones((N, N))), np.ones(N)


def _fout_series(N):
    p = _fourier(N, np.zeros(()))
    turn = 2 * np.pi * np.repeat(np.arange(1, N // 2 + 1), 2)
    turn[1::2] = 0  # a cosine and a sine turn into one another; neither meets the next pair
    derivative = np.zeros((N, N))  # g' in the basis g: cos → −sin, sin → cos
    derivative[np.arange(1, N - 1), np.arange(2, N)] = -turn[:-1]
    derivative -= derivative.T
    return derivative - np.outer(p, p), p


def _fout(N):
    A, p = _fout_series(N)
    return A - np.outer(p, p), 2 * p


def _chebyshev(N):
    return _similar(*_legt(N), _legendre_to_chebyshev(N))


def _similar(A, B, T):
    """(A, B) in the coordinates T c."""
    return T @ A @ linalg.inv(T), T @ B


def _alternating(N):
    return (-1.0) ** np.arange(N)


def _legendre_to_chebyshev(N):
    """Orthonormal Legendre coefficients to orthonormal Chebyshev coefficients of the same polynomial, (N, N)."""
    columns = [np.polynomial.Legendre.basis(n).convert(kind=np.polynomial.Chebyshev).coef for n in range(N)]
    T = np.array([np.pad(column, (0, N - len(column))) for column in columns]).T
    return T * np.sqrt(2 * np.arange(N) + 1) / np.where(np.arange(N), math.sqrt(2), 1.0)[:, None]


def _low_rank(measure, N, B):
    """P, (N, rank), real, such that A + PPᵀ is normal."""
    if measure == "legt":  # both ends of the window: what comes in and what drops out
        return np.stack([B, _alternating(N) * B], axis=1) / math.sqrt(2)
    return B[:, None] * (1.0 if measure == "fout-series" else math.sqrt(0.5))


# The bases g_n(age), and G_n(age) = ∫₀^age g_n w, which makes integrals over a step differences.


def _legendre(N, age):
    return np.sqrt(2 * np.arange(N) + 1) * _table(legvander, 1 - 2 * age, N)


def _legendre_cumulative(N, age):
    """∫P_n = (P_{n+1} − P_{n−1})/(2n+1), with P_{−1} = P_0."""
    P = _table(legvander, 1 - 2 * age, N + 1)
    below = np.concatenate([P[..., :1], P[..., : N - 1]], axis=-1)
    return (below - P[..., 1:]) / (2 * np.sqrt(2 * np.arange(N) + 1))


def _shifted(N, age):
    return _table(legvander, 2 * age - 1, N)


def _shifted_cumulative(N, age):
    return _alternating(N) * np.sqrt(2 * np.arange(N) + 1) * _legendre_cumulative(N, age)


def _laguerre(N, age):
    return _table(lagvander, age, N)


def _laguerre_cumulative(N, age):
    """∫ L_n e^{−s} = −e^{−s}(L_n − L_{n−1}), with L_{−1} = 0."""
    L = _laguerre(N, age)
    steps = L - np.concatenate([np.zeros_like(L[..., :1]), L[..., :-1]], axis=-1)
    return np.eye(N)[0] - np.exp(-age)[..., None] * steps


def _fourier(N, age):
    phase = 2 * np.pi * np.arange(1, N // 2 + 1) * age[..., None]
    pairs = math.sqrt(2) * np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    return np.concatenate([np.ones_like(age)[..., None], pairs.reshape(*age.shape, N - 1)], axis=-1)


def _fourier_cumulative(N, age):
    omega = 2 * np.pi * np.arange(1, N // 2 + 1)
    phase = omega * age[..., None]
    pairs = math.sqrt(2) * np.stack([np.sin(phase), 1 - np.cos(phase)], axis=-1) / omega[:, None]
    return np.concatenate([age[..., None], pairs.reshape(*age.shape, N - 1)], axis=-1)


def _chebyshev_basis(N, age):
    return np.where(np.arange(N), math.sqrt(2), 1.0) * _table(chebvander, 1 - 2 * age, N)


def _chebyshev_cumulative(N, age):
    """With 1 − 2 age = cos φ the weight is dφ/π and T_n is cos nφ."""
    phi, n = np.arccos(1 - 2 * age)[..., None], np.arange(1, N)
    return np.concatenate([phi, math.sqrt(2) * np.sin(n * phi) / n], axis=-1) / np.pi


def _table(vander, x, N):
    """Polynomials of order 0 … N − 1 at x, (…, N); by themselves NumPy's tables make an axis of a single number."""
    return vander(x, N - 1).reshape(*x.shape, N)


_TABLE = {  # the system, the basis, and its integral from age 0
    "legs": (_legs, _legendre, _legendre_cumulative),
    "legt": (_legt, _legendre, _legendre_cumulative),
    "lmu": (_lmu, _shifted, _shifted_cumulative),
    "lagt": (_lagt, _laguerre, _laguerre_cumulative),
    "fout": (_fout, _fourier, _fourier_cumulative),
    "fout-series": (_fout_series, _fourier, _fourier_cumulative),
    "chebyshev": (_chebyshev, _chebyshev_basis, _chebyshev_cumulative),
}


# What the user gave.


def _check(function, measure, N):
    choose(function, "measure", measure, MEASURES)
    whole = isinstance(N, Integral) and not isinstance(N, bool) and N >= 1
    require(whole, f"{function}: N must be an integer, at least 1; got {N!r}")
    require(
        N % 2 == 1 or not measure.startswith("fout"),
        f"{function}: N must be odd for {measure!r}, a constant and pairs of cosine and sine; got {N}, try {N + 1}",
    )


def _ages(function, measure, age):
    age = np.asarray(age, dtype=float)
    most = math.inf if measure == "lagt" else 1.0
    require(
        bool(((age >= 0) & (age <= most)).all()),
        f"{function}: age must lie between 0 (now) and {most:g} windows for {measure!r}; "
        f"got {age.min():g} to {age.max():g}",
    )
    return age


def _samples(function, u):
    u = np.asarray(u, dtype=float)
    require(u.ndim == 1 and len(u) > 0, f"{function}: u must have shape (L,) with L at least 1; got {u.shape}")
    return u


def _step(function, measure, dt):
    if measure == "legs":
        require(dt is None, f"{function}: 'legs' has no scale of time and takes no dt; leave it out (got {dt!r})")
        return None
    require(dt is not None, f"{function}: {measure!r} needs dt, the step in windows; a window of M samples has dt=1/M")
    require(0 < dt < math.inf, f"{function}: dt must be positive and finite; got {dt!r}")
    return float(dt)
