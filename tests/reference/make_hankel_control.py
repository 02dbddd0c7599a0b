"""Ask python-control (with slycot) for the Hankel singular values of 50 systems and write them to hankel_control.json.

    python tests/reference/make_hankel_control.py

It needs ``pip install control slycot``, which the package and its tests do not: slycot is Fortran and has no wheel for
every machine. So the answers are recorded here once, with the systems themselves, and the tests read the record.

Systems are drawn by NumPy and rounded to three decimals before anybody computes with them. Kept are those that are
stable, not too close to the edge, and whose smallest value is at least 1e-4 of the largest: below that, two correct
programs in double precision need not agree to 1e-8 of each value. How many draws that costs is in the record.

python-control has no Hankel singular values of a discrete system. Those are asked for through the bilinear map
s = (z − 1)/(z + 1), which keeps them: A_c = (A + I)^{-1} (A − I), B_c = √2 (A + I)^{-1} B, C_c = √2 C (A + I)^{-1}.
"""

import json
from pathlib import Path

import control
import numpy as np
import scipy
import slycot

SEED, EACH, SMALLEST = 6, 25, 1e-4


def drawn(rng, discrete):
    """A, B, C with 2 to 8 states and 1 to 3 inputs and outputs, rounded."""
    N, m, p = rng.integers(2, 9), rng.integers(1, 4), rng.integers(1, 4)
    A = rng.normal(size=(N, N))
    poles = np.linalg.eigvals(A)
    A = A * (rng.uniform(0.5, 0.98) / abs(poles).max()) if discrete else A - (poles.real.max() + 0.1) * np.eye(N)
    return [np.round(matrix, 3) for matrix in (A, rng.normal(size=(N, m)), rng.normal(size=(p, N)))]


def continuous(A, B, C):
    """The continuous system with the Hankel singular values of a discrete one."""
    identity = np.eye(len(A))
    inverse = np.linalg.inv(A + identity)
    return inverse @ (A - identity), np.sqrt(2) * inverse @ B, np.sqrt(2) * C @ inverse


def asked(A, B, C, discrete):
    """python-control's values, or None for a system that is to be left out."""
    poles = np.linalg.eigvals(A)
    if (abs(poles).max() > 0.995) if discrete else (poles.real.max() > -0.05):
        return None
    A, B, C = continuous(A, B, C) if discrete else (A, B, C)
    sigma = np.sort(control.hankel_singular_values(control.ss(A, B, C, np.zeros((len(C), B.shape[1])))))[::-1]
    return sigma if sigma[-1] >= SMALLEST * sigma[0] else None


def main():
    rng, systems, draws = np.random.default_rng(SEED), [], 0
    for discrete in (False, True):
        kept = 0
        while kept < EACH:
            draws += 1
            A, B, C = drawn(rng, discrete)
            sigma = asked(A, B, C, discrete)
            if sigma is not None:
                matrices = {name: matrix.tolist() for name, matrix in zip("ABC", (A, B, C), strict=True)}
                systems.append({"discrete": discrete, **matrices, "sigma": sigma.tolist()})
                kept += 1
    head = {
        "made_by": "tests/reference/make_hankel_control.py",
        "versions": {m.__name__: m.__version__ for m in (control, slycot, np, scipy)},
        "seed": SEED,
        "draws": draws,
        "smallest_over_largest_at_least": SMALLEST,
    }
    lines = ",\n".join(json.dumps(system) for system in systems)
    text = json.dumps(head, indent=1)[:-2] + ',\n "systems": [\n' + lines + "\n]}\n"
    Path(__file__).with_name("hankel_control.json").write_text(text)


if __name__ == "__main__":
    main()
