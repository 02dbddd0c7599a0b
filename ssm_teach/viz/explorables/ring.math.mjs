// N eigenvalues λ = exp(−decay + i phase) of a diagonal recurrence, from three laws, and how long each of them remembers.
// Ring (LRU): |λ|² uniform between r_min² and r_max², phase uniform up to a largest one. HiPPO (S5) and S4D-Lin:
// a = −½ + iω and λ = e^{aΔ}, with a Δ for each mode, log-uniform over `spread` decades around `delta`.
import { complex, exponential } from "./complex.mjs";
import { legsFrequencies } from "./legs.mjs";

export const COUNT = 32;

// In place of random numbers two sequences that fill the square evenly: n + ½ of N, and multiples of the golden ratio.
// On a ring they make a sunflower.
const GOLDEN = 0.6180339887498949;

export const quantilesOf = (n) => [(n + 0.5) / COUNT, (GOLDEN * (n + 1)) % 1];

const ringMode = ({ r_min, r_max, max_phase }, n) => {
  const [u, v] = quantilesOf(n);
  const [inner, outer] = [Math.min(r_min, r_max), Math.max(r_min, r_max)];
  return { decay: -0.5 * Math.log(inner ** 2 + (outer ** 2 - inner ** 2) * u), phase: max_phase * Math.PI * v };
};

const frequencyOf = ({ spectrum, blocks }, n) => {
  if (spectrum === "lin") return Math.PI * n;
  const frequencies = legsFrequencies((2 * COUNT) / blocks);
  return frequencies[n % frequencies.length];
};

export const stepOf = ({ delta, spread }, n) => delta * 10 ** (spread * (quantilesOf(n)[1] - 0.5));

const odeMode = (state, n) => {
  const step = stepOf(state, n);
  return { decay: 0.5 * step, phase: frequencyOf(state, n) * step };
};

export const modesOf = (state) =>
  Array.from({ length: COUNT }, (_, n) => (state.spectrum === "ring" ? ringMode(state, n) : odeMode(state, n)));

// Radii between which the eigenvalues lie by the law, not by the sample.
export const boundsOf = ({ spectrum, r_min, r_max, delta, spread }) => {
  if (spectrum === "ring") return [Math.min(r_min, r_max), Math.max(r_min, r_max)];
  return [0.5, -0.5].map((half) => Math.exp(-0.5 * delta * 10 ** (half * spread)));
};

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The mean of |λ|^k: how much of an impulse is left after k steps.
export const envelopeAt = (decays, k) => mean(decays.map((decay) => Math.exp(-decay * k)));

// The k at which a tenth is left. The envelope falls all the way, so halving an interval finds it.
const horizonOf = (decays) => {
  let low = 0;
  let high = 1e7;
  for (let round = 0; round < 100; round += 1) {
    const middle = (low + high) / 2;
    if (envelopeAt(decays, middle) > 0.1) low = middle;
    else high = middle;
  }
  return high;
};

const medianOf = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
};

// Steps on the time axis, four to a decade for the bars and sixteen for the curve.
export const DECADES = 5;

const binsOf = (halfLives) => {
  const bins = Array(4 * DECADES).fill(0);
  for (const life of halfLives) bins[Math.min(Math.max(Math.floor(4 * Math.log10(life)), 0), bins.length - 1)] += 1;
  return bins;
};

export const valuesOf = (state) => {
  const modes = modesOf(state);
  const decays = modes.map(({ decay }) => decay);
  const lambda = modes.map(({ decay, phase }) => exponential(complex(-decay, phase)));
  const half_lives = decays.map((decay) => Math.LN2 / decay);
  const gamma = decays.map((decay) => Math.sqrt(-Math.expm1(-2 * decay)));
  // Each state is driven by white noise of variance 1 with the weight 1 or γ: weight²·Σ|λ|^{2k} = weight²/(1 − |λ|²).
  const variances = (weights) => decays.map((decay, n) => weights[n] ** 2 / -Math.expm1(-2 * decay));
  const steps = Array.from({ length: 16 * DECADES + 1 }, (_, k) => 10 ** (k / 16));
  return {
    lambda,
    bounds: boundsOf(state),
    aliased: state.spectrum === "ring" ? [] : modes.flatMap(({ phase }, n) => (phase > Math.PI ? [n] : [])),
    half_lives,
    shortest: Math.min(...half_lives),
    median: medianOf(half_lives),
    longest: Math.max(...half_lives),
    bins: binsOf(half_lives),
    steps,
    envelope: steps.map((k) => envelopeAt(decays, k)),
    horizon: horizonOf(decays),
    gamma,
    variance: variances(state.normalised ? gamma : gamma.map(() => 1)),
    other_variance: variances(state.normalised ? gamma.map(() => 1) : gamma),
  };
};
