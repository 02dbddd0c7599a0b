"""Exercises of chapter 06, "HiPPO: memory as a running fit"."""

import math

import numpy as np
import scipy.linalg
import sympy as sp

from ssm_teach.exercises import Exercise
from ssm_teach.hippo import transition

_t = sp.Symbol("t", positive=True)


def _state_and_sample(rng):
    N = int(rng.integers(2, 9))
    return rng.standard_normal(N), int(rng.integers(2, 40)), float(rng.standard_normal())


def _update(c, k, u):
    return _update_by(c, u, math.log(k / (k - 1)))


def _update_by(c, u, step):
    A, B = transition("legs", len(c))
    hold = scipy.linalg.expm(step * A)
    return hold @ c + np.linalg.solve(A, (hold - np.eye(len(c))) @ B) * u


def _update_without_input_weight(c, k, u):
    A, B = transition("legs", len(c))
    return scipy.linalg.expm(math.log(k / (k - 1)) * A) @ c + B * u / k


EXERCISES = [
    Exercise(
        "hippo.1",
        solution=np.array([[-1.0, 0.0], [-math.sqrt(3), -2.0]]),
        rtol=1e-3,
        wrong={
            "This is the sign of the HiPPO paper. Here a stable system has its eigenvalues left of zero.": np.array(
                [[1.0, 0.0], [math.sqrt(3), 2.0]]
            ),
            "Coefficient n listens to those below it: the zero belongs in the first row.": np.array(
                [[-1.0, -math.sqrt(3)], [0.0, -2.0]]
            ),
            "On the diagonal stands −(n + 1), and n starts at 0.": np.array([[0.0, 0.0], [-math.sqrt(3), -1.0]]),
        },
        hints=["The diagonal is −(n + 1) for n = 0, 1.", "The entry below it is −√((2·1 + 1)(2·0 + 1))."],
    ),
    Exercise(
        "hippo.2",
        solution=sp.Matrix([_t / 2, sp.sqrt(3) * _t / 6]),
        wrong={
            "The second coefficient misses the norm √3 of its basis function.": sp.Matrix([_t / 2, _t / 6]),
            "These are the integrals. The coefficients are means: divide by t.": sp.Matrix(
                [_t**2 / 2, sp.sqrt(3) * _t**2 / 6]
            ),
            "The trend goes up, so its coefficient is positive.": sp.Matrix([_t / 2, -sp.sqrt(3) * _t / 6]),
        },
        hints=[
            "The mean of s over [0, t] is t/2.",
            "The basis function is √3 (2s/t − 1). Integrate s times it from 0 to t and divide by t.",
        ],
    ),
    Exercise(
        "hippo.3",
        solution=np.array([0.5, -math.sqrt(3) / 4]),
        rtol=1e-3,
        wrong={
            "The two coefficients do not decay alone: A is not diagonal.": np.array([0.5, 0.0]),
            "Exponentials in t belong to S4's system. Here the clock is ln t.": np.array([math.exp(-1), 0.0]),
            "The past is in the first half, so the trend goes down.": np.array([0.5, math.sqrt(3) / 4]),
        },
        hints=[
            "Nothing but the definition is needed: f is 1 from 0 to 1 and 0 from 1 to 2.",
            "c_1 = ½ ∫₀¹ √3 (s − 1) ds.",
        ],
    ),
    Exercise(
        "hippo.4",
        solution=_update,
        inputs=_state_and_sample,
        wrong={
            "The step of log time is ln k − ln(k − 1). 1/k is only near it.": lambda c, k, u: _update_by(c, u, 1 / k),
            "This step starts at k and ends at k + 1; sample k ends at k.": lambda c, k, u: _update_by(
                c, u, math.log((k + 1) / k)
            ),
            "The old fit is stretched exactly, but the new sample enters by Euler.": _update_without_input_weight,
        },
        hints=[
            "discretize(A, B, step, 'zoh') is exact for a held input, and the time of this system is ln t.",
            "Sample k lasts from ln(k − 1) to ln k.",
        ],
    ),
    Exercise(
        "hippo.5",
        solution=63,
        rtol=1e-3,
        wrong={
            "That is right before rounding: the question asks for a whole number.": 20 * math.pi,
            "These are the angles ωt, not half of them.": 126,
            "Two samples per period are enough for sampling. A polynomial needs more.": 40,
            "One coefficient per period cannot even follow the sign.": 20,
        },
        hints=["The coefficients of a wave fall off once n exceeds ωt/2.", "With m periods, ωt/2 = πm."],
    ),
    Exercise(
        "hippo.6",
        solution=69,
        rtol=1e-3,
        wrong={
            "That is right before rounding: the question asks for a whole number.": 100 * math.log(2),
            "That is one unit of time, at which r = 1/e.": 100,
            "The ruler is not even in the age.": 50,
            "Here half of the ruler is left over, not half of a unit.": 35,
        },
        hints=["Half of the ruler lies between r = 1 and r = ½.", "r = e^{−a}, and one sample is Δ units of age."],
    ),
]
