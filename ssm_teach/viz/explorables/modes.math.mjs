// A diagonal state space layer with one channel: N stored eigenvalues a, weights C (B = 1), a step Δ, a method. Its kernel
// K_l = 2 Re Σ C B̄ Āˡ, its frequency response, and where a mode's frequency lands. Real modes are not doubled.
import { add, complex, divide, exponential, modulus, multiply, phi1, times } from "./complex.mjs";
import { legsFrequencies } from "./legs.mjs";

export const TAPS = 200;

const conjugate = ({ re, im }) => complex(re, -im);

export const eigenvaluesOf = ({ init, count }) => {
  const M = 2 * count;
  const frequency = {
    lin: (n) => Math.PI * n,
    inv: (n) => (M / Math.PI) * (M / (2 * n + 1) - 1),
    legs: (n) => legsFrequencies(M)[n],
    real: () => 0,
  }[init];
  return Array.from({ length: count }, (_, n) => complex(init === "real" ? -(n + 1) : -0.5, frequency(n)));
};

// Weights: all one, or scattered over a square by a small congruential generator that Python repeats exactly.
export const readoutOf = ({ init, count, readout }) => {
  let seed = 12345;
  const next = () => {
    seed = (75 * seed + 74) % 65537;
    return (2 * seed) / 65537 - 1;
  };
  return Array.from({ length: count }, () => {
    const drawn = complex(next(), next());
    if (readout === "equal") return complex(1);
    return init === "real" ? complex(drawn.re) : drawn;
  });
};

// Ā and B̄ of one mode with B = 1.
export const stepOf = (a, { delta, method }) => {
  const w = times(delta, a);
  if (method === "zoh") return { A_bar: exponential(w), B_bar: times(delta, phi1(w)) };
  const below = complex(1 - w.re / 2, -w.im / 2);
  return { A_bar: divide(complex(1 + w.re / 2, w.im / 2), below), B_bar: divide(complex(delta), below) };
};

// κ Re w Āˡ for l < TAPS.
const echoOf = (A_bar, weight, kappa) => {
  const echo = [];
  let power = weight;
  for (let l = 0; l < TAPS; l += 1) {
    echo.push(kappa * power.re);
    power = multiply(power, A_bar);
  }
  return echo;
};

// Σ w/(1 − Ā/z) at z = e^{iθ}, with the conjugate modes if there are any.
const discreteGain = (modes, kappa, theta) => {
  const back = complex(Math.cos(theta), -Math.sin(theta));
  const term = (weight, A_bar) => {
    const turned = multiply(A_bar, back);
    return divide(weight, complex(1 - turned.re, -turned.im));
  };
  return modulus(sumOf(modes.map(({ weight, A_bar }) => withTwin(weight, A_bar, kappa, term))));
};

// Σ C/(iω − a), the same for the continuous system.
const exactGain = (modes, kappa, omega) => {
  const term = (C, a) => divide(C, complex(-a.re, omega - a.im));
  return modulus(sumOf(modes.map(({ C, a }) => withTwin(C, a, kappa, term))));
};

const sumOf = (terms) => terms.reduce(add, complex(0));

const withTwin = (weight, pole, kappa, term) =>
  kappa === 1 ? term(weight, pole) : add(term(weight, pole), term(conjugate(weight), conjugate(pole)));

// Frequencies at which the curves are drawn: evenly on a logarithmic axis, and around every resonance, which is narrow.
export const OMEGA = [0.1, 3000];

const frequenciesOf = (centres, top) => {
  const [low, high] = [Math.log10(OMEGA[0]), Math.log10(top)];
  const even = Array.from({ length: 241 }, (_, k) => 10 ** (low + ((high - low) * k) / 240));
  const near = centres.flatMap((centre) => [-2, -0.5, 0, 0.5, 2].map((off) => centre + off));
  return [...even, ...near.filter((omega) => omega > OMEGA[0] && omega < top)].sort((p, q) => p - q);
};

export const valuesOf = (state) => {
  const { init, delta, count } = state;
  const kappa = init === "real" ? 1 : 2;
  const mode = Math.min(state.mode, count - 1);
  const readout = readoutOf(state);
  const modes = eigenvaluesOf(state).map((a, n) => {
    const { A_bar, B_bar } = stepOf(a, state);
    return { a, C: readout[n], A_bar, B_bar, weight: multiply(readout[n], B_bar), lands: Math.abs(Math.atan2(A_bar.im, A_bar.re)) / delta };
  });
  const echoes = modes.map(({ A_bar, weight }) => echoOf(A_bar, weight, kappa));
  const nyquist = Math.PI / delta;
  const { a, A_bar, lands } = modes[mode];
  const sampled = frequenciesOf(modes.map((one) => one.lands), Math.min(nyquist, OMEGA[1]));
  const ideal = frequenciesOf(modes.map((one) => one.a.im), OMEGA[1]);
  return {
    mode,
    nyquist,
    A: modes.map((one) => one.a),
    A_bar: modes.map((one) => one.A_bar),
    kernel: Array.from({ length: TAPS }, (_, l) => echoes.reduce((sum, echo) => sum + echo[l], 0)),
    share: echoes[mode],
    frequency: a.im,
    lands,
    kept: modulus(A_bar),
    half_life: modulus(A_bar) > 0 ? Math.LN2 / -Math.log(modulus(A_bar)) : 0,
    beyond: modes.filter((one) => one.a.im > nyquist).length,
    sampled: sampled.map((omega) => [omega, discreteGain(modes, kappa, omega * delta)]),
    ideal: ideal.map((omega) => [omega, exactGain(modes, kappa, omega)]),
  };
};
