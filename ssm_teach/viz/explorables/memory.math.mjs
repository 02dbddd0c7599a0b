// HiPPO-LegS on a signal of samples u_k, each held for one step: the coefficients of the best Legendre fit to all samples read,
// c_n = mean over the history of u g_n, g_n = √(2n+1) P_n(2r − 1), with r from 0, the first sample, to 1, now.

export const SAMPLES = 60;

const SHAPES = {
  waves: (r) => 0.6 * Math.sin(3 * Math.PI * r) + 0.3 * Math.sin(10 * Math.PI * r + 1),
  jump: (r) => (r < 0.4 ? 0.7 : -0.5),
  burst: (r) => 0.9 * Math.exp(-(((r - 0.3) / 0.04) ** 2)),
  flat: () => 0,
};

export const shapeOf = (name) => Array.from({ length: SAMPLES }, (_, k) => SHAPES[name]((k + 0.5) / SAMPLES));

// P_0 … P_count at x, by (n+1) P_{n+1} = (2n+1) x P_n − n P_{n−1}.
const legendre = (count, x) => {
  const P = [1, x];
  for (let n = 1; n < count; n += 1) P.push(((2 * n + 1) * x * P[n] - n * P[n - 1]) / (n + 1));
  return P;
};

const rootOf = (n) => Math.sqrt(2 * n + 1);

export const basisAt = (N, r) =>
  legendre(N, 2 * r - 1)
    .slice(0, N)
    .map((value, n) => rootOf(n) * value);

// ∫₀^r g_n: ∫P_n = (P_{n+1} − P_{n−1})/(2n+1), and P_{−1} stands for the constant that makes it zero at r = 0.
const cumulativeAt = (N, r) => {
  const P = legendre(N, 2 * r - 1);
  return Array.from({ length: N }, (_, n) => (P[n + 1] - (n === 0 ? -1 : P[n - 1])) / (2 * rootOf(n)));
};

// The exact update gives the projection of everything read (chapter 6), and a projection is a sum over steps.
const projection = (u, N) => {
  const c = new Array(N).fill(0);
  let before = cumulativeAt(N, 0);
  u.forEach((value, k) => {
    const after = cumulativeAt(N, (k + 1) / u.length);
    after.forEach((integral, n) => (c[n] += value * (integral - before[n])));
    before = after;
  });
  return c;
};

// Solve (I − hA) x = b, or multiply (I + hA) c: below its diagonal row n of A is −√(2n+1) times all √(2k+1), so one running sum does.
const solve = (h, b) => {
  let sum = 0;
  return b.map((value, n) => {
    const x = (value - h * rootOf(n) * sum) / (1 + h * (n + 1));
    sum += rootOf(n) * x;
    return x;
  });
};

const multiply = (h, c) => {
  let sum = 0;
  return c.map((value, n) => {
    const product = value - h * (rootOf(n) * sum + (n + 1) * value);
    sum += rootOf(n) * value;
    return product;
  });
};

const updates = {
  bilinear: (c, h, u) => solve(h / 2, multiply(h / 2, c).map((value, n) => value + h * rootOf(n) * u)),
  euler: (c, h, u) => multiply(h, c).map((value, n) => value + h * rootOf(n) * u),
};

export const coefficientsOf = (u, N, method) => {
  if (method === "exact") return projection(u, N);
  return u.reduce((c, value, k) => updates[method](c, 1 / (k + 1), value), new Array(N).fill(0));
};

export const fitAt = (c, r) => basisAt(c.length, r).reduce((sum, value, n) => sum + c[n] * value, 0);

const rootMean = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

// The samples that a pen passes on a straight line between two places {pen, height}, counted from one.
export const drawn = (signal, from, to) => {
  const changed = [...signal];
  const step = Math.sign(to.pen - from.pen);
  for (let k = from.pen; k !== to.pen; k += step) {
    changed[k - 1] = from.height + ((to.height - from.height) * (k - from.pen)) / (to.pen - from.pen);
  }
  changed[to.pen - 1] = to.height;
  return changed;
};

export const valuesOf = ({ signal, coefficients, read, method }) => {
  const past = signal.slice(0, read);
  const c = coefficientsOf(past, coefficients, method);
  const fit = past.map((_, k) => fitAt(c, (k + 0.5) / read));
  const largest = c.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { c, fit, largest, error: rootMean(past.map((u, k) => u - fit[k])), size: rootMean(past) };
};
