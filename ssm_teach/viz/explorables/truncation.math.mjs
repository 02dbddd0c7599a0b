// Balanced truncation of a system with 16 diagonal states and b = 1: Hankel singular values, and what every number of
// kept states costs. Complex matrices are {rows, columns, re, im} with the entries row by row.
import { legsFrequencies } from "./legs.mjs";

export const STATES = 16;

const HALF = STATES / 2;

const frequenciesOf = {
  lin: () => Array.from({ length: HALF }, (_, n) => Math.PI * n),
  inv: () => Array.from({ length: HALF }, (_, n) => (STATES / Math.PI) * (STATES / (2 * n + 1) - 1)),
  legs: () => legsFrequencies(STATES),
};

// In place of a random readout a small congruential generator, which Python repeats exactly.
const drawn = () => {
  let seed = 12345;
  return Array.from({ length: STATES }, () => {
    seed = (75 * seed + 74) % 65537;
    return (2 * seed) / 65537 - 1;
  });
};

// Poles and readouts: first those with Im a ≥ 0, then their conjugates; or 16 real ones.
export const systemOf = ({ system, readout }) => {
  const given = readout === "ones" ? Array(STATES).fill(1) : drawn();
  if (system === "real") {
    return { poles: given.map((_, n) => [-(n + 1), 0]), weights: given.map((c) => [c, 0]) };
  }
  const upper = frequenciesOf[system]().map((omega) => [-0.5, omega]);
  const weights = upper.map((_, n) => [given[n], readout === "ones" ? 0 : given[n + HALF]]);
  const conjugated = (pairs) => pairs.map(([re, im]) => [re, -im]);
  return { poles: [...upper, ...conjugated(upper)], weights: [...weights, ...conjugated(weights)] };
};

// Matrices

const matrix = (rows, columns, entry) => {
  const made = { rows, columns, re: new Float64Array(rows * columns), im: new Float64Array(rows * columns) };
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) [made.re[i * columns + j], made.im[i * columns + j]] = entry(i, j);
  }
  return made;
};

const at = ({ columns, re, im }, i, j) => [re[i * columns + j], im[i * columns + j]];

const product = (p, q) =>
  matrix(p.rows, q.columns, (i, j) => {
    let [re, im] = [0, 0];
    for (let k = 0; k < p.columns; k += 1) {
      const [a, b] = [i * p.columns + k, k * q.columns + j];
      re += p.re[a] * q.re[b] - p.im[a] * q.im[b];
      im += p.re[a] * q.im[b] + p.im[a] * q.re[b];
    }
    return [re, im];
  });

const transposed = (p) => matrix(p.columns, p.rows, (i, j) => at(p, j, i));

const adjoint = (p) =>
  matrix(p.columns, p.rows, (i, j) => {
    const [re, im] = at(p, j, i);
    return [re, -im];
  });

const byComplex = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];

const overComplex = ([a, b], [c, d]) => {
  const square = c * c + d * d;
  return [(a * c + b * d) / square, (b * c - a * d) / square];
};

const scaledRows = (p, factors) => matrix(p.rows, p.columns, (i, j) => byComplex(factors[i], at(p, i, j)));

// M with M M* = −1/(a_i + ā_j), from the poles and not from the Gramian, which would lose half of the digits: entry
// (i, k) is √(−2 Re a_k)/(−(a_i + ā_k)) times the all-pass factors (a_i − a_m)/(a_i + ā_m), m < k, of which one is zero
// above the diagonal.
const gramianRoot = (poles) =>
  matrix(poles.length, poles.length, (i, k) => {
    const sum = (m) => [poles[i][0] + poles[m][0], poles[i][1] - poles[m][1]];
    let entry = overComplex([-Math.sqrt(-2 * poles[k][0]), 0], sum(k));
    for (let m = 0; m < k; m += 1) {
      entry = byComplex(entry, overComplex([poles[i][0] - poles[m][0], poles[i][1] - poles[m][1]], sum(m)));
    }
    return entry;
  });

// Turn columns p and q of `columns` (and those of V alike) until they are orthogonal; returns the cosine that they had.
const rotate = (H, V, p, q) => {
  let [alpha, beta, re, im] = [0, 0, 0, 0];
  for (let i = 0; i < H.rows; i += 1) {
    const [[a, b], [c, d]] = [at(H, i, p), at(H, i, q)];
    alpha += a * a + b * b;
    beta += c * c + d * d;
    re += a * c + b * d;
    im += a * d - b * c;
  }
  const inner = Math.hypot(re, im);
  if (inner === 0 || alpha === 0 || beta === 0) return 0;
  const zeta = (beta - alpha) / (2 * inner);
  const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  for (const X of [H, V]) {
    for (let i = 0; i < X.rows; i += 1) {
      const [left, right] = [at(X, i, p), byComplex(at(X, i, q), [re / inner, -im / inner])];
      [p, q].forEach((column, side) => {
        const [own, other, sign] = side === 0 ? [left, right, -1] : [right, left, 1];
        X.re[i * X.columns + column] = cosine * (own[0] + sign * tangent * other[0]);
        X.im[i * X.columns + column] = cosine * (own[1] + sign * tangent * other[1]);
      });
    }
  }
  return inner / Math.sqrt(alpha * beta);
};

// H = U Σ V* by Jacobi's rotations from one side, largest first.
const singular = (given) => {
  const n = given.columns;
  const H = matrix(n, n, (i, j) => at(given, i, j));
  const V = matrix(n, n, (i, j) => [i === j ? 1 : 0, 0]);
  for (let sweep = 0, worst = 1; sweep < 30 && worst > 1e-15; sweep += 1) {
    worst = 0;
    for (let p = 0; p < n - 1; p += 1) for (let q = p + 1; q < n; q += 1) worst = Math.max(worst, rotate(H, V, p, q));
  }
  const norms = Array.from({ length: n }, (_, j) => {
    let square = 0;
    for (let i = 0; i < n; i += 1) square += H.re[i * n + j] ** 2 + H.im[i * n + j] ** 2;
    return Math.sqrt(square);
  });
  const order = norms.map((_, j) => j).sort((p, q) => norms[q] - norms[p]);
  const picked = (X, scale) =>
    matrix(n, n, (i, k) => {
      const [re, im] = at(X, i, order[k]);
      return [re / scale(order[k]), im / scale(order[k])];
    });
  return { sigma: order.map((j) => norms[j]), U: picked(H, (j) => norms[j] || 1), V: picked(V, () => 1) };
};

// The system in coordinates in which both Gramians are diag(σ): its first r states are the reduced system of order r.
// States below rounding are left out: there is nothing in them.
const balance = (poles, weights) => {
  const S = gramianRoot(poles);
  const R = transposed(scaledRows(S, weights)); // R* of the book
  const { sigma, U, V } = singular(product(R, S));
  const order = sigma.filter((value) => value > 1e-13 * sigma[0]).length;
  const half = sigma.map((value) => 1 / Math.sqrt(value || 1));
  const trimmed = (X, rows, columns) => matrix(rows, columns, (i, j) => at(X, i, j));
  const scale = (count, i) => (count === 1 ? 1 : half[i]);
  const byHalf = (X, rows, columns) =>
    matrix(rows, columns, (i, j) => at(X, i, j).map((part) => part * scale(rows, i) * scale(columns, j)));
  const left = product(trimmed(adjoint(U), order, STATES), R);
  const right = product(S, trimmed(V, STATES, order));
  const ones = matrix(STATES, 1, () => [1, 0]);
  const row = matrix(1, STATES, (_, n) => weights[n]);
  return {
    sigma,
    order,
    A: byHalf(product(left, scaledRows(right, poles)), order, order),
    B: byHalf(product(left, ones), order, 1),
    C: byHalf(product(row, right), 1, order),
  };
};

// The share of each balanced state in G(iω). One elimination of iωI − A serves every order, because the reduced systems
// are the leading blocks of A: G_r is the sum of the first r shares, the error of keeping r the sum of the others.
const sharesAt = ({ A, B, C, order }, omega) => {
  const W = { re: A.re.map((value) => -value), im: A.im.map((value) => -value) };
  for (let k = 0; k < order; k += 1) W.im[k * (order + 1)] += omega;
  const [y, z] = [B, C].map(({ re, im }) => ({ re: re.slice(), im: im.slice() }));
  // X[to] −= factor · X[from]
  const takeOff = (X, to, factorRe, factorIm, from, Y = X) => {
    X.re[to] -= factorRe * Y.re[from] - factorIm * Y.im[from];
    X.im[to] -= factorRe * Y.im[from] + factorIm * Y.re[from];
  };
  for (let k = 0; k < order; k += 1) {
    const pivot = [W.re[k * (order + 1)], W.im[k * (order + 1)]];
    [z.re[k], z.im[k]] = overComplex([z.re[k], z.im[k]], pivot);
    for (let i = k + 1; i < order; i += 1) {
      const below = i * order + k;
      const [re, im] = overComplex([W.re[below], W.im[below]], pivot);
      for (let j = k + 1; j < order; j += 1) takeOff(W, i * order + j, re, im, k * order + j);
      takeOff(y, i, re, im, k);
      takeOff(z, i, z.re[k], z.im[k], k * order + i, W);
    }
  }
  return Array.from(y.re, (re, k) => byComplex([re, y.im[k]], [z.re[k], z.im[k]]));
};

const total = (values) => values.reduce((sum, value) => sum + value, 0);

const sizeOf = (shares) => {
  let [re, im] = [0, 0];
  for (const share of shares) [re, im] = [re + share[0], im + share[1]];
  return Math.hypot(re, im);
};

const logarithmic = (low, high, count) =>
  Array.from({ length: count }, (_, k) => low * (high / low) ** (k / (count - 1)));

export const OMEGAS = logarithmic(0.1, 300, 161);

// Where the largest error may lie. A reduced system can ring more sharply than the full one, so the steps are fine, a fifth
// of the half-width of every full resonance; what is shown is right to three digits.
const PLACES = [0, ...OMEGAS, ...Array.from({ length: 900 }, (_, k) => (k + 1) / 10)].sort((p, q) => p - q);

const GOLDEN_CUT = (Math.sqrt(5) - 1) / 2;

const peakBetween = (f, low, high) => {
  let [a, b] = [low, high];
  for (let round = 0; round < 24; round += 1) {
    const [p, q] = [b - GOLDEN_CUT * (b - a), a + GOLDEN_CUT * (b - a)];
    if (f(p) > f(q)) b = q;
    else a = p;
  }
  return Math.max(f(low), f((a + b) / 2), f(high));
};

const errorsOf = (balanced) => {
  const shares = PLACES.map((omega) => sharesAt(balanced, omega));
  return Array.from({ length: STATES + 1 }, (_, kept) => {
    if (kept >= balanced.order) return 0;
    const sizes = shares.map((all) => sizeOf(all.slice(kept)));
    const f = (omega) => sizeOf(sharesAt(balanced, omega).slice(kept));
    const isTop = (k) => sizes[k] >= (sizes[k - 1] ?? 0) && sizes[k] >= (sizes[k + 1] ?? 0);
    const hills = [...sizes.keys()].filter(isTop).sort((p, q) => sizes[q] - sizes[p]);
    const around = (k) => [PLACES[Math.max(k - 1, 0)], PLACES[Math.min(k + 1, PLACES.length - 1)]];
    return Math.max(...hills.slice(0, 2).map((k) => peakBetween(f, ...around(k))));
  });
};

// The kernel C e^{At} B at equal steps, by the exponential of one: a Taylor series of A·step/32, squared five times.
const DURATION = 4;
const SAMPLES = 321;

export const TIMES = Array.from({ length: SAMPLES }, (_, k) => (k * DURATION) / (SAMPLES - 1));

const exponentialOf = (A, step) => {
  const scaled = matrix(A.rows, A.rows, (i, j) => at(A, i, j).map((part) => (part * step) / 32));
  let [term, sum] = [scaled, matrix(A.rows, A.rows, (i, j) => [i === j ? 1 : 0, 0])];
  for (let k = 2; k < 16; k += 1) {
    const now = term;
    const before = sum;
    sum = matrix(A.rows, A.rows, (i, j) => at(before, i, j).map((part, side) => part + at(now, i, j)[side]));
    const next = product(now, scaled);
    term = matrix(A.rows, A.rows, (i, j) => at(next, i, j).map((part) => part / k));
  }
  for (let k = 0; k < 5; k += 1) sum = product(sum, sum);
  return sum;
};

const kernelOf = ({ A, B, C }, kept) => {
  if (kept === 0) return TIMES.map(() => 0);
  const lead = (X, rows, columns) => matrix(rows, columns, (i, j) => at(X, i, j));
  const step = exponentialOf(lead(A, kept, kept), TIMES[1]);
  const row = lead(C, 1, kept);
  let state = lead(B, kept, 1);
  return TIMES.map(() => {
    const value = product(row, state).re[0];
    state = product(step, state);
    return value;
  });
};

const fullKernel = ({ poles, weights }) =>
  TIMES.map((t) =>
    poles.reduce((sum, [re, im], n) => {
      const [c, d] = weights[n];
      return sum + Math.exp(re * t) * (c * Math.cos(im * t) - d * Math.sin(im * t));
    }, 0),
  );

// What does not depend on how many states are kept is computed once for each of the few systems.
const known = new Map();

const analysed = (state) => {
  const name = `${state.system} ${state.readout}`;
  if (!known.has(name)) {
    const system = systemOf(state);
    const balanced = balance(system.poles, system.weights);
    known.set(name, { system, balanced, error: errorsOf(balanced), kernel: fullKernel(system) });
  }
  return known.get(name);
};

export const valuesOf = (state) => {
  const { balanced, error, kernel } = analysed(state);
  const { sigma, order } = balanced;
  const shares = OMEGAS.map((omega) => sharesAt(balanced, omega));
  return {
    sigma,
    order,
    tail: Array.from({ length: STATES + 1 }, (_, kept) => total(sigma.slice(kept, order))),
    error,
    kernel,
    reduced: kernelOf(balanced, Math.min(state.kept, order)),
    gain: shares.map(sizeOf),
    reduced_gain: shares.map((all) => sizeOf(all.slice(0, state.kept))),
    error_gain: shares.map((all) => sizeOf(all.slice(state.kept))),
  };
};
