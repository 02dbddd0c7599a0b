"""How fast do the Hankel singular values of an initialisation fall, and how does the ε-rank grow with the states?

Laws of a random system of n real states, one input, one output; `LAWS` says what each draws. Those of S4D are taken
in continuous time, where Δ is only a unit of time: stretching time multiplies all σ_i by the same number, and Tustin's
map keeps them. Zero-order hold does not, so the rows called "zoh" give the discrete system of a layer at its Δ.

C is random throughout: standard normal, complex for complex modes (E|c|² = 1), whose conjugates have the conjugate c.
Every number is a median over draws, with the least and the largest. Ratios below 1e-16 are to be believed for diagonal
systems alone (S4D and the rings); those of dense matrices are rounding there.
"""

import numpy as np

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.hankel import epsilon_rank, hankel_matrix, hankel_singular_values
from ssm_teach.hippo import nplr, transition
from ssm_teach.layers.s4d import initial_A
from ssm_teach.lti import StateSpace

__all__ = ["LAWS", "run", "values"]


def _pairs(a, b, rng, dt=None):
    """The σ_i of the real system of conjugate pairs with these poles and input weights and a random C."""
    b = np.broadcast_to(b, a.shape)
    c = (rng.normal(size=len(a)) + 1j * rng.normal(size=len(a))) / np.sqrt(2)
    a, b, c = (np.concatenate([half, half.conj()]) for half in (a, b, c))
    return hankel_singular_values(StateSpace(np.diag(a), b, c, dt=dt))


def _s4d(init, dt=None):
    def law(n, rng):
        a, b = initial_A(init, n // 2), 1.0
        if dt is not None:
            a, b = discretize_diagonal(a, 1.0, dt, "zoh")
        return _pairs(a, b, rng, dt)

    return law


def _legs_projected(n, rng):
    a, _, b, _ = nplr("legs", n)
    return _pairs(a[: n // 2], b[: n // 2], rng)


def _s4(n, rng):
    A, B = transition("legs", n)
    return hankel_singular_values(StateSpace(A, B, rng.normal(size=n)))


def _real(n, rng):
    return hankel_singular_values(StateSpace(np.diag(initial_A("real", n)), np.ones(n), rng.normal(size=n)))


def _dense(n, rng):
    A = rng.normal(size=(n, n))
    A = A - (np.linalg.eigvals(A).real.max() + 0.5) * np.eye(n)
    return hankel_singular_values(StateSpace(A, rng.normal(size=n), rng.normal(size=n)))


def _dense_discrete(n, rng):
    A = rng.normal(size=(n, n))
    A = 0.9 * A / abs(np.linalg.eigvals(A)).max()
    return hankel_singular_values(StateSpace(A, rng.normal(size=n), rng.normal(size=n), dt=1.0))


def _ring(r_min, r_max):
    def law(n, rng):
        modulus = np.sqrt(rng.uniform(r_min**2, r_max**2, n // 2))
        a = modulus * np.exp(1j * rng.uniform(0, np.pi, n // 2))
        return _pairs(a, np.sqrt(1 - modulus**2), rng, dt=1.0)

    return law


def _hankel(n, rng):
    return np.linalg.svd(hankel_matrix(rng.normal(size=2 * n - 1)), compute_uv=False)


def _hope(n, rng):
    return np.linalg.svd(hankel_matrix(rng.normal(size=n), n), compute_uv=False)


LAWS = {
    "s4d-legs": (_s4d("legs"), "S4D-LegS with B = 1"),
    "s4d-legs-projected": (_legs_projected, "S4D-LegS with B = V*B, the weights of the theory"),
    "s4d-inv": (_s4d("inv"), "S4D-Inv, B = 1"),
    "s4d-lin": (_s4d("lin"), "S4D-Lin, B = 1; its first pair is real and counts once, so σ_n = 0"),
    "s4d-real": (_real, "S4D-Real, a = −1 … −n, B = 1"),
    "s4-legs": (_s4, "S4: the HiPPO-LegS matrix itself and its B"),
    "dense": (_dense, "A with normal entries, shifted until its slowest pole has real part −½; B normal"),
    "dense-discrete": (_dense_discrete, "A with normal entries, scaled to spectral radius 0.9; B normal; discrete"),
    "ring-0-1": (_ring(0.0, 1.0), "LRU: poles uniform in the unit disc, in pairs; B = √(1 − |λ|²)"),
    "ring-0-0.9": (_ring(0.0, 0.9), "LRU: poles uniform in the disc of radius 0.9"),
    "ring-0.9-0.999": (_ring(0.9, 0.999), "LRU: poles uniform in the ring 0.9 … 0.999"),
    "hankel": (_hankel, "a Hankel matrix with independent normal entries h_0 … h_{2n−2}, not a system of n states"),
    "hope": (_hope, "HOPE: the same with h_n, h_{n+1}, … = 0, zero below the antidiagonal"),
    "s4d-lin-zoh-0.001": (_s4d("lin", 0.001), "S4D-Lin as a layer has it, ZOH at Δ = 0.001"),
    "s4d-lin-zoh-0.1": (_s4d("lin", 0.1), "S4D-Lin, ZOH at Δ = 0.1: beyond mode 10 the frequencies alias"),
    "s4d-legs-zoh-0.001": (_s4d("legs", 0.001), "S4D-LegS, ZOH at Δ = 0.001"),
    "s4d-legs-zoh-0.1": (_s4d("legs", 0.1), "S4D-LegS, ZOH at Δ = 0.1"),
}


def values(law: str, n: int, draws: int, seed: int = 0) -> np.ndarray:
    """σ_1 ≥ … ≥ σ_n of independent draws, (draws, n). Draw i depends on the seed, n and i alone."""
    return np.stack([LAWS[law][0](n, np.random.default_rng([seed, n, draw])) for draw in range(draws)])


def run(
    laws=tuple(LAWS),
    n: int = 64,
    draws: int = 20,
    eps=(1e-1, 1e-2, 1e-4),
    sizes=(32, 64, 128, 256, 512),
    sizes_eps: float = 1e-2,
    sizes_draws: int = 5,
    seed: int = 0,
) -> dict:
    """Both tables.

    Args:
        laws: Names in `LAWS`.
        n, draws, eps: Of the first table: decay and ε-ranks at one size.
        sizes, sizes_eps, sizes_draws: Of the second: the ε-rank at one ε and many sizes.

    Returns ``{"decay": {law: {"about", "ratios", "ranks"}}, "scaling": {law: {n: …}}}``, where "ratios" holds σ_k/σ_1
    for all k, "ranks" one entry for each ε, and each entry is ``{"median", "least", "largest"}``.
    """
    decay = {law: _decay(values(law, n, draws, seed), LAWS[law][1], eps) for law in laws}
    scaling = {
        law: {str(size): _ranks(values(law, size, sizes_draws, seed), sizes_eps) for size in sizes} for law in laws
    }
    return {"decay": decay, "scaling": scaling}


def _decay(sigma, about, eps):
    ratios = _summary(sigma / sigma[:, :1])
    return {"about": about, "ratios": ratios, "ranks": {str(e): _ranks(sigma, e) for e in eps}}


def _ranks(sigma, eps):
    return _summary(np.array([epsilon_rank(row, eps) for row in sigma]))


def _summary(draws):
    """Over the first axis; four digits say all there is to say of a random number."""
    statistics = {"median": np.median(draws, 0), "least": draws.min(0), "largest": draws.max(0)}
    return {name: np.vectorize(lambda x: float(f"{x:.4g}"))(value).tolist() for name, value in statistics.items()}
