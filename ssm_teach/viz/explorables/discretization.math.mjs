// x' = a x + u, y = Re x, in discrete time: x_k = Ā x_{k−1} + B̄ u_k.
// GBT(α): Ā = (1 + (1−α)w)/(1 − αw), B̄ = Δ/(1 − αw), w = aΔ.   ZOH: Ā = e^w, B̄ = Δ φ₁(w).
import { add, complex, divide, exponential, modulus, multiply, phi1, times } from "./complex.mjs";

export const transition = (w, { method, alpha }) => {
  if (method === "zoh") return exponential(w);
  return divide(complex(1 + (1 - alpha) * w.re, (1 - alpha) * w.im), complex(1 - alpha * w.re, -alpha * w.im));
};

export const inputWeight = (w, delta, { method, alpha }) => {
  if (method === "zoh") return times(delta, phi1(w));
  return divide(complex(delta), complex(1 - alpha * w.re, -alpha * w.im));
};

// The pole a that the state describes. S4D-Lin places mode n at −½ + iπn.
export const poleOf = ({ system, pole_re, pole_im, mode }) => {
  if (system === "s4d") return complex(-0.5, Math.PI * mode);
  return complex(pole_re, system === "real" ? 0 : pole_im);
};

// Where the left half plane lands: a half plane for α = 0, else the disc on the diameter from 1 − 1/α to 1.
export const leftHalfPlaneImage = ({ method, alpha }) => {
  if (method === "zoh") return { kind: "disc", centre: 0, radius: 1 };
  if (alpha === 0) return { kind: "half-plane", edge: 1 };
  return { kind: "disc", centre: 1 - 1 / (2 * alpha), radius: 1 / (2 * alpha) };
};

// Which s the method makes stable, {s : |z(sΔ)| < 1}: inside a disc, a half plane, or outside a disc.
export const stableRegion = (delta, { method, alpha }) => {
  if (method === "zoh" || alpha === 0.5) return { kind: "half-plane", edge: 0 };
  const centre = -1 / ((1 - 2 * alpha) * delta);
  return { kind: alpha < 0.5 ? "inside" : "outside", centre, radius: Math.abs(centre) };
};

// The largest step for which a stable pole stays stable: 2|Re a|/((1−2α)|a|²), infinite for α ≥ ½ and ZOH.
export const stepLimit = (a, { method, alpha }) => {
  if (a.re >= 0) return 0;
  if (method === "zoh" || alpha >= 0.5) return Infinity;
  return (-2 * a.re) / ((1 - 2 * alpha) * (a.re * a.re + a.im * a.im));
};

// y(t) = Re ∫₀ᵗ e^{a(t−τ)} dτ = Re t φ₁(at): the exact answer to a unit step.
export const exactStep = (a, t) => t * phi1(times(t, a)).re;

// y after 0, 1, …, count steps of input one. With x_{−1} = 0, x_k has seen k + 1 inputs: it sits at t = (k+1)Δ.
export const discreteStep = (A_bar, B_bar, count) => {
  const y = [0];
  let x = complex(0);
  for (let k = 0; k < count; k += 1) {
    x = add(multiply(A_bar, x), B_bar);
    y.push(x.re);
  }
  return y;
};

export const verdictOf = (size) => {
  if (Math.abs(size - 1) < 1e-12) return "on the edge";
  return size < 1 ? "stable" : "unstable";
};

// Everything the explorable shows, from its state. Seconds on the time axis: 10, 4 for S4D modes, at least four steps.
export const valuesOf = (state) => {
  const { delta } = state;
  const pole = poleOf(state);
  const w = times(delta, pole);
  const A_bar = transition(w, state);
  const B_bar = inputWeight(w, delta, state);
  const horizon = Math.max(state.system === "s4d" ? 4 : 10, 4 * delta);
  const samples = discreteStep(A_bar, B_bar, Math.floor(horizon / delta + 1e-9));
  const error = samples.reduce((worst, y, k) => Math.max(worst, Math.abs(y - exactStep(pole, k * delta))), 0);
  const size = modulus(A_bar);
  return {
    delta,
    alpha: state.alpha,
    method: state.method,
    pole,
    A_bar,
    B_bar,
    modulus: size,
    exact: exponential(w),
    verdict: verdictOf(size),
    image: leftHalfPlaneImage(state),
    region: stableRegion(delta, state),
    limit: stepLimit(pole, state),
    horizon,
    samples,
    error,
  };
};
