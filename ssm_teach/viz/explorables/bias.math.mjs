// Frequency bias: sixteen modes that start at α π n, the gradient of each mode's response by its imaginary part, and the
// recorded fits of a target with a slow and a fast resonance (`bias.fits.mjs`, from results/frequency_fits.json).
import { ALPHAS, BETAS, FITS } from "./bias.fits.mjs";

export const COUNT = 16;
export const REAL = -0.5; // Re a at the start
export const TARGETS = [6, 70];
export const TOP = 100; // the fits' grid ends here
const POINTS = 301; // of that grid
const WINDOW = 4; // half-width around a resonance in which its error is taken

export const nearestOf = (list, value) => list.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best), list[0]);

// (1 + s)^β, and its mean over the grid, by which the fits divide.
const weightAt = (s, beta) => (1 + s) ** beta;

const gridOf = () => Array.from({ length: POINTS }, (_, k) => (TOP * k) / (POINTS - 1));

// |∂G/∂Im a| of a mode b/(is − a) with b = 1, times the weight. It is the weight at the mode over (Re a)² on top of it.
export const kernelAt = (s, frequency, beta) => weightAt(s, beta) / ((s - frequency) ** 2 + REAL ** 2);

// Where ZOH with step Δ puts a frequency: 2π/Δ is a whole turn a sample.
export const folded = (frequency, delta) => {
  const turn = (2 * Math.PI) / delta;
  return frequency - turn * Math.round(frequency / turn);
};

// Σ c/(is − a) as [re, im].
const responseAt = (s, modes) => {
  let [re, im] = [0, 0];
  for (const [aRe, aIm, cRe, cIm] of modes) {
    const [x, y] = [-aRe, s - aIm];
    const square = x * x + y * y;
    re += (cRe * x + cIm * y) / square;
    im += (cIm * x - cRe * y) / square;
  }
  return [re, im];
};

const targetAt = (s) =>
  TARGETS.reduce(
    ([re, im], centre) => {
      const square = 1 + (s - centre) ** 2;
      return [re + 1 / square, im - (s - centre) / square];
    },
    [0, 0],
  );

const errorNear = (centre, grid, model, wanted) => {
  let [off, all] = [0, 0];
  grid.forEach((s, k) => {
    if (Math.abs(s - centre) > WINDOW + 1e-9) return;
    off += (model[k][0] - wanted[k][0]) ** 2 + (model[k][1] - wanted[k][1]) ** 2;
    all += wanted[k][0] ** 2 + wanted[k][1] ** 2;
  });
  return Math.sqrt(off / all);
};

// The recorded modes of a fit, rows of Re a, Im a, Re c, Im c.
export const fitOf = ({ alpha, beta, place }) => {
  const flat = FITS[place][ALPHAS.indexOf(alpha)][BETAS.indexOf(beta)];
  return Array.from({ length: COUNT }, (_, n) => flat.slice(4 * n, 4 * n + 4));
};

export const valuesOf = (state) => {
  const { alpha, beta, place, delta } = state;
  const mode = Math.min(state.mode, COUNT - 1);
  const starts = Array.from({ length: COUNT }, (_, n) => alpha * Math.PI * n);
  const nyquist = Math.PI / delta;
  const fit = fitOf(state);
  const grid = gridOf();
  const mean = grid.reduce((sum, s) => sum + weightAt(s, beta), 0) / POINTS;
  const scaleAt = (s) => (place === "layer" ? weightAt(s, beta) / mean : 1);
  const model = grid.map((s) => responseAt(s, fit).map((part) => part * scaleAt(s)));
  const wanted = grid.map(targetAt);
  return {
    mode,
    starts,
    nyquist,
    frequency: starts[mode],
    lands: folded(starts[mode], delta),
    beyond: starts.filter((frequency) => frequency >= nyquist).length,
    peak: kernelAt(starts[mode], starts[mode], beta),
    slope: beta - 2,
    at_targets: TARGETS.map((centre) => kernelAt(centre, starts[mode], beta)),
    ends: fit.map(([, frequency]) => frequency),
    errors: TARGETS.map((centre) => errorNear(centre, grid, model, wanted)),
    grid,
    model: model.map(([re, im]) => Math.hypot(re, im)),
    target: wanted.map(([re, im]) => Math.hypot(re, im)),
  };
};
