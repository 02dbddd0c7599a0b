"""Exercises of chapter 05, "Recurrence = convolution"."""

import numpy as np

from ssm_teach.exercises import Exercise
from ssm_teach.kernels import causal_conv_direct


def _dense_system(rng):
    N = rng.integers(1, 5)
    return (*(rng.standard_normal(shape) for shape in ((N, N), N, N)), rng.standard_normal())


def _to_control(A_bar, B_bar, C, D):
    return A_bar, B_bar, C @ A_bar, float(D + C @ B_bar)


def _batch_and_kernel(rng):
    """Odd and even lengths, kernels shorter and longer than the input, never a length of 1 (where nothing can wrap)."""
    b, L, M = rng.integers(1, 4), rng.integers(2, 40), rng.integers(2, 40)
    return rng.standard_normal((b, L)), rng.standard_normal(M)


def _convolve(u, K):
    return np.stack([causal_conv_direct(row, K) for row in u])


def _convolve_on_a_circle(u, K, P):
    return np.fft.irfft(np.fft.rfft(u, P) * np.fft.rfft(K, P), P)[..., : u.shape[-1]]


def _diagonal_system_and_chunk(rng):
    N, L = rng.integers(1, 6), rng.integers(2, 30)
    B_bar, C, x = rng.standard_normal((3, N))
    return rng.uniform(-1, 1, N), B_bar, C, rng.standard_normal(L), x


def _continue_chunk(A_bar, B_bar, C, u, x):
    y = []
    for u_k in u:
        x = A_bar * x + B_bar * u_k
        y.append(C @ x)
    return np.array(y), x


def _continue_in_control(A_bar, B_bar, C, u, x):
    y = []
    for u_k in u:
        y.append(C @ x)
        x = A_bar * x + B_bar * u_k
    return np.array(y), x


EXERCISES = [
    Exercise(
        "convolution.1",
        solution=np.array([1.0, 2.5, 4.25, 6.125]),
        wrong={
            "Every output is one sample late: here the state reads the input of the same step.": np.array(
                [0.0, 1.0, 2.5, 4.25]
            ),
            "This is the sum of all inputs so far. Older inputs have decayed.": np.array([1.0, 3.0, 6.0, 10.0]),
        },
        hints=["The first output is the first input: $x_{-1} = 0$.", "Then y_k = y_{k−1}/2 + u_k."],
    ),
    Exercise(
        "convolution.2",
        solution=4.0,
        wrong={"This is the right output. What does the end of the input add to it?": 1.0},
        hints=[
            "On a clock with four hours, lag −1 is the same as lag 3.",
            "y_0 collects K_0 u_0, K_1 u_3, K_2 u_2 and K_3 u_1.",
        ],
    ),
    Exercise(
        "convolution.3",
        solution=127,
        wrong={
            "At this length the last product, K_63 u_63, still lands on the first output.": 126,
            "Long enough, and the next power of two; but a shorter one is right, too.": 128,
            "Without any padding the whole tail wraps around.": 64,
        },
        hints=["The highest power of z in the product is 63 + 63.", "How many coefficients has such a polynomial?"],
    ),
    Exercise(
        "convolution.4",
        solution=_to_control,
        inputs=_dense_system,
        wrong={
            "The input of the same step no longer reaches the output.": lambda *system: (
                *_to_control(*system)[:3],
                system[3],
            ),
            "The direct path is right; the readout is still one step behind.": lambda A, B, C, D: (A, B, C, D + C @ B),
            "Read in the other convention, this system answers one sample late.": lambda *system: system,
            "The step multiplies the readout from the right.": lambda A, B, C, D: (A, B, A @ C, D + C @ B),
        },
        hints=[
            "Write y_k = C x_k + D u_k and insert x_k = Ā x_{k−1} + B̄ u_k.",
            "Sort by what multiplies x_{k−1} and what multiplies u_k. The first is the new C, the second the new D.",
        ],
    ),
    Exercise(
        "convolution.5",
        solution=_convolve,
        inputs=_batch_and_kernel,
        wrong={
            "The end of the input leaks into the beginning: pad.": lambda u, K: _convolve_on_a_circle(
                u, K, max(u.shape[-1], len(K))
            ),
            "One zero is missing.": lambda u, K: _convolve_on_a_circle(u, K, u.shape[-1] + len(K) - 2),
            "This is the tail, not the outputs.": lambda u, K: np.stack(
                [np.convolve(row, K)[-len(row) :] for row in u]
            ),
        },
        hints=[
            "How many coefficients has the product of polynomials with L and M coefficients?",
            "Pass that length to both rfft and to irfft, and keep the first L entries.",
        ],
    ),
    Exercise(
        "convolution.6",
        solution=_continue_chunk,
        inputs=_diagonal_system_and_chunk,
        wrong={
            "The chunk is treated as if silence came before it.": lambda A, B, C, u, x: _continue_chunk(
                A, B, C, u, np.zeros_like(x)
            ),
            "The output is read before the state is updated: that is the control convention.": _continue_in_control,
            "The state is not carried on.": lambda A, B, C, u, x: (_continue_chunk(A, B, C, u, x)[0], x),
        },
        hints=[
            "The outputs are those of the chunk alone, by convolution, plus C Ā^{i+1} x for i = 0, 1, …",
            "The new state is Ā^L x plus the sum of Ā^{L−1−j} B̄ u_j.",
        ],
    ),
]
