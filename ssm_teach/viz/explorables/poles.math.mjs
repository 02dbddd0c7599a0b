// A unit mass on a spring with a damper, x″ + c x′ + k x = u: two poles and, if wanted, a zero. The state is position and
// velocity, the output is the position or, with a zero at z, the mixture velocity − z · position.
import { complex } from "./complex.mjs";

export const DELTA = 0.1; // s, the step of the recurrence
export const STEPS = 100;
export const HORIZON = DELTA * STEPS;
const FINE = 4; // points of a curve to a step

export const polesOf = ({ kind, re, im, first, second }) =>
  kind === "pair" ? [complex(re, im), complex(re, 0 - im)] : [complex(first), complex(second)];

export const systemOf = ({ kind, re, im, first, second, with_zero, zero }) => {
  const [k, c] = kind === "pair" ? [re * re + im * im, -2 * re] : [first * second, -(first + second)];
  return { k, c, C: with_zero ? [-zero, 1] : [1, 0] };
};

// e^{At} = e^{mt} (cosh(rt) I + sinh(rt)/r (A − mI)) with m = −c/2, r² = m² − k; where r² < 0 these are cosine and sine.
export const exponentialOf = ({ k, c }, t) => {
  const m = -c / 2;
  const square = (m * m - k) * t * t;
  const root = Math.sqrt(Math.abs(square));
  const even = square < 0 ? Math.cos(root) : Math.cosh(root);
  const odd = t * (root < 1e-4 ? 1 + square / 6 : (square < 0 ? Math.sin(root) : Math.sinh(root)) / root);
  const growth = Math.exp(m * t);
  return [
    [growth * (even - m * odd), growth * odd],
    [-growth * k * odd, growth * (even + m * odd)],
  ];
};

// B̄ = ∫₀^Δ e^{Aτ} B dτ by its series, which needs no inverse of A.
export const heldInput = ({ k, c }, dt) => {
  let term = [0, dt];
  let sum = term;
  for (let j = 2; j < 60; j += 1) {
    term = [(term[1] * dt) / j, ((-k * term[0] - c * term[1]) * dt) / j];
    sum = [sum[0] + term[0], sum[1] + term[1]];
  }
  return sum;
};

const dot = (p, q) => p[0] * q[0] + p[1] * q[1];

// x_k = Ā x_{k−1} + B̄ u_k, y_k = C x_k from rest.
export const runOf = (system, dt, inputs) => {
  const [A_bar, B_bar] = [exponentialOf(system, dt), heldInput(system, dt)];
  let x = [0, 0];
  const states = inputs.map((u) => (x = [dot(A_bar[0], x) + B_bar[0] * u, dot(A_bar[1], x) + B_bar[1] * u]));
  return { A_bar, B_bar, states, outputs: states.map((state) => dot(system.C, state)) };
};

export const inputsOf = ({ input, omega }) =>
  Array.from({ length: STEPS + 1 }, (_, k) => {
    if (input === "kick") return k === 0 ? 1 / DELTA : 0;
    return input === "push" ? 1 : Math.sin(omega * DELTA * k);
  });

export const gainAt = ({ k, c, C }, omega) => Math.hypot(C[0], C[1] * omega) / Math.hypot(k - omega * omega, c * omega);

export const phaseAt = ({ k, c, C }, omega) =>
  Math.atan2(C[1] * omega, C[0]) - Math.atan2(c * omega, k - omega * omega);

// The frequency of the largest gain: |H|² is a fraction in w = ω², and its derivative vanishes at the root of a quadratic.
const loudestOf = ({ k, c, C }) => {
  const beta = c * c - 2 * k;
  const z2 = C[0] * C[0];
  const w = C[1] === 0 ? -beta / 2 : -z2 + Math.sqrt(Math.max(z2 * z2 + k * k - z2 * beta, 0));
  return Math.sqrt(Math.max(w, 0));
};

// h(t) = Σ r e^{pt}: the weights of two real poles. Where they meet the weights are infinite, with opposite signs.
const weightsOf = ({ kind, first, second }, { C }) => {
  if (kind === "pair" || first === second) return null;
  const numerator = (p) => C[0] + C[1] * p;
  return [numerator(first) / (first - second), numerator(second) / (second - first)];
};

export const OMEGAS = Array.from({ length: 121 }, (_, n) => 10 ** (n / 48 - 1)); // 0.1 to 10^1.5 rad/s

export const valuesOf = (state) => {
  const system = systemOf(state);
  const poles = polesOf(state);
  const slowest = Math.max(poles[0].re, poles[1].re);
  const times = Array.from({ length: STEPS * FINE + 1 }, (_, n) => (n * DELTA) / FINE);
  const inputs = inputsOf(state);
  const { A_bar, B_bar, states, outputs } = runOf(system, DELTA, inputs);
  const loudest = slowest < 0 ? loudestOf(system) : null;
  return {
    poles,
    system,
    verdict: slowest < 0 ? "stable" : slowest === 0 ? "on the edge" : "unstable",
    half_life: slowest < 0 ? Math.LN2 / -slowest : null,
    weights: weightsOf(state, system),
    times,
    impulse: times.map((t) => {
      const power = exponentialOf(system, t);
      return dot(system.C, [power[0][1], power[1][1]]);
    }),
    push: [0, ...runOf(system, DELTA / FINE, Array(STEPS * FINE).fill(1)).outputs],
    settles: slowest < 0 ? system.C[0] / system.k : null,
    gains: OMEGAS.map((omega) => gainAt(system, omega)),
    gain: gainAt(system, state.omega),
    phase: phaseAt(system, state.omega),
    loudest,
    peak: loudest === null ? null : gainAt(system, loudest),
    A_bar,
    B_bar,
    inputs,
    states,
    outputs,
  };
};
