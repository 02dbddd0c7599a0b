"""One linear time-invariant system, read four ways: differential equation, kernel, poles, transfer function.

And what the readings are for: how it answers a step and a sine, how far its state can rise before it decays, how much
louder its output can be than its input.

A system with ``dt=None`` is continuous, x' = Ax + Bu, y = Cx + Du. One with a step is discrete and follows the book's
convention (S4's): x_k = A x_{k−1} + B u_k, y_k = C x_k + D u_k. The output is read after u_k has acted on the state.

SciPy's ``dlti`` holds the same four matrices and reads the output before: x_{k+1} = A x_k + B u_k, y_k = C x_k + D u_k.
Therefore, for one and the same (A, B, C, D, dt),

- what passes through the state leaves SciPy's system one sample later, while D u_k does not: the impulse response is
  D + CB, CAB, CA²B, … here and D, CB, CAB, … there;
- the transfer function is D + C (I − A/z)^{-1} B = D + z·C (zI − A)^{-1} B here and D + C (zI − A)^{-1} B there.

`StateSpace.discretize` returns the matrices of ``scipy.signal.cont2discrete``. Read SciPy's way, after
`StateSpace.to_scipy`, they are Tustin's method, the first-order hold and so on with their full order. Read the book's
way, the zero-order hold stays exact: y_k is the output at the end of the step that holds u_k. The methods that change C
and D weigh them for an output at the start of the step; read those SciPy's way, or keep C and D as S4 does:
``StateSpace(*discretize(A, B, dt, "bilinear"), C, D, dt)``.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.signal
import torch

from ssm_teach.discretize import _ALPHA, METHODS, _augmented, _floating, _promoted, _shape, _step, discretize, foh
from ssm_teach.errors import UserError, choose, require
from ssm_teach.kernels import causal_conv, powers_kernel

__all__ = ["StateSpace"]


@dataclass(frozen=True, eq=False)
class StateSpace:
    """The system (A, B, C, D), continuous if ``dt`` is None, else discrete with step ``dt`` seconds. Immutable.

    Args:
        A: State matrix, (N, N); a number if N = 1.
        B: Input matrix, (N, m), or (N,) for one input.
        C: Output matrix, (p, N), or (N,) for one output.
        D: Feedthrough, (p, m); 0 means none; a number for one input and one output.
        dt: None, or the step in s, > 0.

    Held as two-dimensional NumPy arrays, float64, or complex128 if one of the four is complex.
    Raises: UserError: shapes that do not fit, NaN or infinity, a tensor, a step that is not positive; and, from a
    method, a reading that this kind of system does not have.

    >>> oscillator = StateSpace([[0, 1], [-4, 0]], B=[0, 1], C=[1, 0])
    >>> oscillator.poles
    array([0.+2.j, 0.-2.j])
    >>> sampled = oscillator.discretize(dt=0.1)
    >>> y = sampled.recurrence(np.ones(50))
    >>> bool(np.allclose(y, sampled.convolve(np.ones(50)))), bool(np.allclose(y[-1], (1 - np.cos(2 * 5)) / 4))
    (True, True)
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray = 0
    dt: float | None = None

    def __post_init__(self):
        for name, matrix in zip("ABCD", _matrices(self.A, self.B, self.C, self.D), strict=True):
            object.__setattr__(self, name, _frozen(matrix))
        if self.dt is not None:
            object.__setattr__(self, "dt", _step("StateSpace", self.dt, self.A))

    def discretize(self, dt, method="zoh", alpha=None):
        """The discrete system of ``scipy.signal.cont2discrete``; besides `METHODS`, ``"foh"``.

        `gbt` and its kin read the output at (1−α) x_{k−1} + α x_k, hence C (I − αΔA)^{-1} and D + α C B̄. `foh` has two
        input weights; the shifted state x_k − B1 u_k absorbs the second.
        """
        require(self.dt is None, "StateSpace.discretize: the system is discrete already; start from the continuous one")
        choose("StateSpace.discretize", "method", method, (*METHODS, "foh"))
        if method == "foh":
            require(alpha is None, "StateSpace.discretize: alpha belongs to method 'gbt' alone; leave it out for 'foh'")
            A_bar, B0, B1 = foh(self.A, self.B, dt)
            return StateSpace(A_bar, B0 + A_bar @ B1, self.C, self.D + self.C @ B1, dt)
        A_bar, B_bar = discretize(self.A, self.B, dt, method, alpha)
        if method == "zoh":
            return StateSpace(A_bar, B_bar, self.C, self.D, dt)
        alpha = _ALPHA.get(method, alpha)
        implicit = np.eye(len(self.A)) - alpha * dt * self.A
        return StateSpace(A_bar, B_bar, np.linalg.solve(implicit.T, self.C.T).T, self.D + alpha * self.C @ B_bar, dt)

    def recurrence(self, u, x0=None):
        """y_k = C x_k + D u_k with x_k = A x_{k−1} + B u_k, step by step.

        Args:
            u: Input, real, (L, m), or (L,) for one input.
            x0: The state before the first sample, x_{−1}, (N,); 0 if left out.

        Returns y, (L, p); (L,) if u is (L,) and there is one output.
        """
        inputs = self._input("recurrence", u)
        x = self._initial_state(x0)
        y = []
        for u_k in inputs:
            x = self.A @ x + self.B @ u_k
            y.append(self.C @ x + self.D @ u_k)
        return self._output(np.array(y), u)

    def kernel(self, L):
        """K_k = C A^k B for k < L: (L,) for one input and one output, else (L, p, m). D is not part of it."""
        self._require_discrete("kernel")
        return self._per_channel(powers_kernel(self.A, self.B, self.C, L))

    def convolve(self, u):
        """The output of `recurrence` from a state of zero, as one causal convolution with the kernel."""
        inputs = self._input("convolve", u)
        K = powers_kernel(self.A, self.B, self.C, len(inputs))  # (L, p, m)
        y = np.stack([_conv(inputs, K[:, i]) for i in range(len(self.C))], axis=-1)
        return self._output(y + inputs @ self.D.T, u)

    def impulse_response(self, t):
        """C e^{At} B at the times t, (L,), in s: (L,) for one input and one output, else (L, p, m). D is left out.

        It is the kernel of a continuous system, y(t) = ∫ C e^{Aτ} B u(t − τ) dτ + D u(t); a discrete one has `kernel`.
        """
        t = self._times("impulse_response", t, "kernel(L)")
        return self._per_channel(self.C @ scipy.linalg.expm(t[:, None, None] * self.A) @ self.B)

    def step_response(self, t):
        """The output from rest when the input is 1 from time 0 on, at the times t, (L,); shapes as `impulse_response`.

        A constant input is a state whose derivative is zero, so one exponential gives the integral, for a singular A
        as well. A discrete system has ``recurrence(np.ones(L))``.
        """
        t, N = self._times("step_response", t, "recurrence(np.ones(L))"), len(self.A)
        moved = scipy.linalg.expm(t[:, None, None] * _augmented(self.A, self.B))[:, :N, N:]
        return self._per_channel(self.C @ moved + self.D)

    @property
    def poles(self):
        """Eigenvalues of A, (N,). Stable: negative real parts if continuous, inside the unit circle if discrete."""
        return np.linalg.eigvals(self.A)

    @property
    def is_stable(self):
        """Whether every mode decays; a pole on the edge does not."""
        poles = self.poles
        return bool((poles.real < 0).all() if self.dt is None else (abs(poles) < 1).all())

    def transfer_function(self, s):
        """D + C (sI − A)^{-1} B if continuous; if discrete, with s for z, D + C (I − A/z)^{-1} B = D + Σ_k K_k z^{−k}.

        Returns the shape of ``s`` for one input and one output, else ``s``'s shape + (p, m).
        """
        s = np.asarray(s)
        resolvent = s[..., None, None] * np.eye(len(self.A)) - self.A
        H = self.C @ _solve_at(s, resolvent, self.B)
        if self.dt is not None:
            H = s[..., None, None] * H  # the book's index convention: the output is read after u_k has acted
        return self._per_channel(H + self.D)

    def frequency_response(self, omega):
        """H(iω), or H(e^{iωΔ}) if discrete, at ω in rad/s: what a steady e^{iωt} is multiplied by; shapes as above."""
        omega = _floating("StateSpace.frequency_response", "omega", omega)
        require(not np.iscomplexobj(omega), "StateSpace.frequency_response: omega must be real, in rad/s")
        return self.transfer_function(1j * omega if self.dt is None else np.exp(1j * omega * self.dt))

    def bode(self, omega):
        """The two halves of a Bode plot at ω, (L,), in rad/s: gain 20 log₁₀|H| in dB, and unwrapped phase in degrees.

        As ``scipy.signal.bode``. A ``dlti`` answers one sample later: if D = 0 its gain is ours and its phase lags by
        ωΔ more.
        """
        H = self.frequency_response(omega)
        with np.errstate(divide="ignore"):  # a gain of exactly zero is −∞ dB
            return 20 * np.log10(abs(H)), np.degrees(np.unwrap(np.angle(H), axis=0))

    def transient_growth(self):
        """The largest ‖A^k‖₂ over k ≥ 0 and the first k that has it, for a stable discrete system.

        The search ends at the first m ≥ 1 with ‖A^m‖ ≤ 1: with k = qm + r, ‖A^k‖ ≤ ‖A^m‖^q ‖A^r‖ ≤ ‖A^r‖ and r < m.
        For a continuous system sample e^{At}: ``system.discretize(dt).transient_growth()``.
        """
        self._require_discrete("transient_growth")
        self._require_stable("transient_growth", "some power grows without bound")
        power, norms = np.eye(len(self.A)), [1.0]
        while len(norms) == 1 or norms[-1] > 1:
            power = power @ self.A
            norms.append(float(np.linalg.norm(power, 2)))
        return max(norms), int(np.argmax(norms))

    def h_infinity_norm(self):
        """The largest singular value of H over all frequencies, and the ω ≥ 0 in rad/s (any ω if complex) that has it.

        No input is amplified more, in the root of the sum (the integral) of squares, and some come as close as one
        likes. γ is exceeded somewhere exactly when the Hamiltonian matrix of γ has imaginary eigenvalues, and they are
        the crossings; the best midpoint between crossings is the next γ. Right to a relative 1e-9. ω is inf where the
        supremum is the limit of high frequencies.

        Source: S. Boyd, V. Balakrishnan and P. Kabamba 1989; N. Bruinsma and M. Steinbuch 1990.

        >>> StateSpace(-1, 1, 1).h_infinity_norm()
        (1.0, 0.0)
        """
        self._require_stable("h_infinity_norm", "the norm is infinite")
        continuous = self if self.dt is None else _cayley(self)
        gamma, omega = _largest_gain(continuous)
        if np.isrealobj(self.A):
            omega = abs(omega)
        return gamma, omega if self.dt is None else float(2 * np.arctan(omega) / self.dt)

    def similar(self, T):
        """The same system in the coordinates x̃ with x = T x̃: (T^{-1}AT, T^{-1}B, CT, D). Nothing outside can tell."""
        T = _floating("StateSpace.similar", "T", T)
        N = len(self.A)
        require(T.shape == (N, N), f"StateSpace.similar: T must have shape {(N, N)} like A; got {_shape(T)}")
        try:
            A, B = np.linalg.solve(T, self.A @ T), np.linalg.solve(T, self.B)
        except np.linalg.LinAlgError:
            raise UserError("StateSpace.similar: T is singular; a change of coordinates must have an inverse") from None
        return StateSpace(A, B, self.C @ T, self.D, self.dt)

    def to_scipy(self):
        """``scipy.signal.lti`` or ``dlti`` with the same matrices, which a ``dlti`` reads one sample later (above)."""
        step = {} if self.dt is None else {"dt": self.dt}
        return scipy.signal.StateSpace(self.A, self.B, self.C, self.D, **step)

    @classmethod
    def from_scipy(cls, system):
        """The matrices of any ``scipy.signal`` system, kept as they are; a transfer function is realised first."""
        require(
            isinstance(system, scipy.signal.lti | scipy.signal.dlti),
            f"StateSpace.from_scipy: system must be a scipy.signal lti or dlti; got {type(system).__name__}",
        )
        require(system.dt is not True, "StateSpace.from_scipy: the dlti has no step; give it one, dlti(…, dt=…)")
        realised = system.to_ss()
        return cls(realised.A, realised.B, realised.C, realised.D, system.dt)

    def _per_channel(self, responses):
        """(…, p, m), or (…) for one input and one output."""
        return responses[..., 0, 0] if self.D.shape == (1, 1) else responses

    def _require_discrete(self, method):
        require(
            self.dt is not None,
            f"StateSpace.{method}: the system is continuous; discretise it first, system.discretize(dt).{method}(…)",
        )

    def _require_stable(self, method, otherwise):
        edge = "a real part of {:.4g}, not below 0" if self.dt is None else "modulus {:.4g}, not below 1"
        outermost = max(self.poles.real if self.dt is None else abs(self.poles))
        message = f"StateSpace.{method}: the system must be stable; a pole has {edge.format(outermost)}, so {otherwise}"
        require(self.is_stable, message)

    def _times(self, method, t, discrete):
        require(self.dt is None, f"StateSpace.{method}: the system is discrete; its response is a sequence, {discrete}")
        t = _floating(f"StateSpace.{method}", "t", t)
        require(
            isinstance(t, np.ndarray) and t.ndim == 1 and np.isrealobj(t),
            f"StateSpace.{method}: t must be a real NumPy array (L,) of times in s; got shape {_shape(t)}",
        )
        require(bool((np.isfinite(t) & (t >= 0)).all()), f"StateSpace.{method}: every time in t must be finite and ≥ 0")
        return t

    def _input(self, method, u):
        """u as (L, m)."""
        self._require_discrete(method)
        u = _floating(f"StateSpace.{method}", "u", u)
        m = self.B.shape[1]
        require(
            isinstance(u, np.ndarray) and not np.iscomplexobj(u), f"StateSpace.{method}: u must be a real NumPy array"
        )
        require(
            (u.ndim == 1 and m == 1) or (u.ndim == 2 and u.shape[1] == m),
            f"StateSpace.{method}: u must have shape {'(L,) or ' if m == 1 else ''}(L, {m}); got {_shape(u)}",
        )
        require(len(u) > 0, f"StateSpace.{method}: u is empty; give at least one sample")
        return u.reshape(len(u), m)

    def _initial_state(self, x0):
        if x0 is None:
            return np.zeros(len(self.A), self.A.dtype)
        x0, N = _floating("StateSpace.recurrence", "x0", x0), len(self.A)
        require(x0.shape == (N,), f"StateSpace.recurrence: x0 must have shape ({N},) like the state; got {_shape(x0)}")
        return x0

    def _output(self, y, u):
        return y[:, 0] if np.ndim(u) == 1 and y.shape[1] == 1 else y


def _conv(u, K):
    """One output: Σ over the inputs of K[:, j] ∗ u[:, j]; u and K are (L, m), K may be complex."""
    real, imag = (causal_conv(u[None], part.T)[0].sum(-1) for part in (K.real, K.imag))
    return real + 1j * imag if np.iscomplexobj(K) else real


def _cayley(discrete):
    """The continuous system with H(s) = H_d(z) at z = (1 + s)/(1 − s): Tustin's map backwards, for a step of 2."""
    A, B, C = discrete.A, discrete.B, discrete.C @ discrete.A  # the control convention: the output read before u_k acts
    left = np.linalg.inv(A + np.eye(len(A)))  # −1 is no pole of a stable system
    D = discrete.D + discrete.C @ B
    return StateSpace(left @ (A - np.eye(len(A))), np.sqrt(2) * left @ B, np.sqrt(2) * C @ left, D - C @ left @ B)


def _largest_gain(system, tol=1e-10):
    """‖H‖∞ and its ω for a stable continuous system: raise γ from one midpoint of crossings to the next."""
    starts = np.concatenate([[0.0], system.poles.imag, abs(system.poles), -abs(system.poles)])
    best = max((float(np.linalg.norm(system.D, 2)), float("inf")), *(_gain(system, omega) for omega in starts))
    gamma = omega = 0.0
    while best[0] > gamma * (1 + tol):
        gamma, omega = best
        crossings = _crossings(system, gamma * (1 + tol))
        best = max((_gain(system, middle) for middle in (crossings[1:] + crossings[:-1]) / 2), default=best)
    return gamma, omega


def _gain(system, omega):
    """The largest singular value of H(iω), and ω, to be compared."""
    resolved = np.linalg.solve(1j * omega * np.eye(len(system.A)) - system.A, system.B)
    return float(np.linalg.norm(system.C @ resolved + system.D, 2)), float(omega)


def _crossings(system, gamma):
    """The ω at which γ is a singular value of H(iω), ascending: the imaginary eigenvalues of the Hamiltonian of γ."""
    A, B, C, D = system.A, system.B, system.C, system.D
    feedback = np.linalg.solve(gamma**2 * np.eye(D.shape[1]) - D.conj().T @ D, np.vstack([C.conj().T @ D, B]).conj().T)
    N = len(A)
    closed = A + B @ feedback[:, :N]
    corner = C.conj().T @ C + C.conj().T @ D @ feedback[:, :N]
    hamiltonian = np.block([[closed, B @ feedback[:, N:]], [-corner, -closed.conj().T]])
    eigenvalues = np.linalg.eigvals(hamiltonian)
    # Near a peak two crossings merge, and rounding moves a double eigenvalue by its square root; a point too many is
    # only tried in vain.
    return np.sort(eigenvalues.imag[abs(eigenvalues.real) <= 1e-6 * (1 + abs(eigenvalues))])


def _solve_at(s, resolvent, B):
    try:
        return np.linalg.solve(resolvent, np.broadcast_to(B, (*s.shape, *B.shape)))
    except np.linalg.LinAlgError:
        raise UserError("StateSpace.transfer_function: s is a pole, where the transfer function is infinite") from None


def _frozen(matrix):
    matrix = matrix.copy()
    matrix.setflags(write=False)
    return matrix


def _matrices(A, B, C, D):
    """A (N, N), B (N, m), C (p, N) and D (p, m) in double precision, or `UserError`."""
    for name, matrix in zip("ABCD", (A, B, C, D), strict=True):
        tensor = isinstance(matrix, torch.Tensor)
        require(not tensor, f"StateSpace: {name} is a torch tensor; give NumPy, {name}.detach().numpy()")
    A, B, C, D = (_floating("StateSpace", name, M) for name, M in zip("ABCD", (A, B, C, D), strict=True))
    A = A.reshape(1, 1) if A.ndim == 0 else A
    require(
        A.ndim == 2 and A.shape[0] == A.shape[1] and A.size > 0,
        f"StateSpace: A must be square (N, N); got shape {_shape(A)}. Give a diagonal as np.diag(A)",
    )
    N = len(A)
    B = B.reshape(-1, 1) if B.ndim < 2 else B
    C = C.reshape(1, -1) if C.ndim < 2 else C
    require(B.ndim == 2 and len(B) == N, f"StateSpace: B must have shape (N,) or (N, m) with N = {N}; got {_shape(B)}")
    require(
        C.ndim == 2 and C.shape[1] == N, f"StateSpace: C must have shape (N,) or (p, N) with N = {N}; got {_shape(C)}"
    )
    p, m = len(C), B.shape[1]
    if D.size == 1 and (p == m == 1 or not D.any()):
        D = np.broadcast_to(D.reshape(1, 1), (p, m))
    require(D.shape == (p, m), f"StateSpace: D must be 0 or have shape (p, m) = {(p, m)}; got {_shape(D)}")
    for name, matrix in zip("ABCD", (A, B, C, D), strict=True):
        require(bool(np.isfinite(matrix).all()), f"StateSpace: {name} must be finite; it holds NaN or infinity")
    return _promoted(*(np.asarray(M, np.result_type(M, np.float64)) for M in (A, B, C, D)))
