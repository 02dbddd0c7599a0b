// One S4D system with four modes a_n = −½ + iπn, held for a step Δ (zero-order hold), and one input, read two ways.
// Recurrence: x ← Ā x + B̄ u_k, y_k = 2 Re Σ C_n x_n.   Convolution: y_k = Σ_j K_j u_{k−j}, K_j = 2 Re Σ C_n B̄_n Ā_n^j.
import { add, complex, exponential, multiply, phi1, times } from "./complex.mjs";

export const SAMPLES = 200;

const WEIGHTS = [0.12, 0.6, 0.5, 0.3];

// A hill, a block and a burst of waves.
export const inputAt = (k) => {
  const hill = Math.exp(-(((k - 24) / 7) ** 2));
  const block = k >= 62 && k < 92 ? 0.8 : 0;
  const burst = k >= 122 && k <= 170 ? 0.9 * Math.sin((Math.PI * (k - 122)) / 48) ** 2 * Math.sin((Math.PI * (k - 122)) / 6) : 0;
  return hill + block + burst;
};

export const INPUT = Array.from({ length: SAMPLES }, (_, k) => inputAt(k));

export const modesOf = (delta) =>
  WEIGHTS.map((C, n) => {
    const w = times(delta, complex(-0.5, Math.PI * n));
    return { C, A_bar: exponential(w), B_bar: times(delta, phi1(w)) };
  });

// The states after sample 0, 1, …: for each k one complex number a mode.
export const statesOf = (modes) => {
  let x = modes.map(() => complex(0));
  return INPUT.map((u) => {
    x = modes.map(({ A_bar, B_bar }, n) => add(multiply(A_bar, x[n]), times(u, B_bar)));
    return x;
  });
};

// Joints of the phasor chain: 0, 2C₀x₀, 2C₀x₀ + 2C₁x₁, …; the real part of the last is the output.
export const chainOf = (modes, x) => {
  const joints = [complex(0)];
  modes.forEach(({ C }, n) => joints.push(add(joints[n], times(2 * C, x[n]))));
  return joints;
};

// By powers, K_j = 2 Re Σ C B̄ e^{jw}: not by stepping the recurrence.
export const kernelOf = (delta) =>
  INPUT.map((_, j) =>
    modesOf(delta).reduce((sum, { C, B_bar }, n) => {
      const power = exponential(times(j * delta, complex(-0.5, Math.PI * n)));
      return sum + 2 * C * multiply(B_bar, power).re;
    }, 0),
  );

// Running sums Σ_{i≤j} K_{k−i} u_i for j = 0 … k; the last one is y_k.
export const runningSums = (kernel, k) => {
  let sum = 0;
  return INPUT.slice(0, k + 1).map((u, i) => (sum += kernel[k - i] * u));
};

export const valuesOf = ({ delta, sample }) => {
  const modes = modesOf(delta);
  const states = statesOf(modes);
  const kernel = kernelOf(delta);
  const chains = states.map((x) => chainOf(modes, x));
  const sums = runningSums(kernel, sample);
  const recurrence = chains[sample][modes.length].re;
  const convolution = sums[sample];
  return { delta, sample, states, chains, kernel, sums, recurrence, convolution, difference: Math.abs(recurrence - convolution) };
};
