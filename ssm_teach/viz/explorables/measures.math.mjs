// A memory of N numbers reads a signal of 400 samples, one every 0.01 s, and says at the moment `now` what the past was.
// Measures and closures are those of ssm_teach.hippo: ages count back from now, in windows; c' = Ac + Bf, stepped exactly.

export const DT = 0.01;
export const LENGTH = 400;

const bump = (t, middle, width) => Math.exp(-0.5 * ((t - middle) / width) ** 2);

const LEVELS = [
  [0.3, 0.8],
  [0.9, -0.5],
  [1.5, 0.3],
  [2.2, 1],
  [2.65, -0.8],
  [3.3, 0.4],
];

const SIGNALS = {
  tones: (t) => Math.sin(1.2 * Math.PI * t + 0.4) + 0.6 * Math.sin(6.2 * Math.PI * t) * Math.cos(2.1 * t) ** 2,
  sweep: (t) => Math.sin(2 * Math.PI * (0.4 * t + 0.7 * t * t)),
  steps: (t) => LEVELS.reduce((level, [start, next]) => (t >= start ? next : level), 0),
  pulse: (t) => bump(t, 1.2, 0.06) - 0.7 * bump(t, 2.1, 0.12),
};

// Sample k is the signal in the middle of the step that ends at time (k + 1)·DT.
export const signalOf = (name) => Float64Array.from({ length: LENGTH }, (_, k) => SIGNALS[name]((k + 0.5) * DT));

// The bases: g(age) as an array of N values.

const legendrePolynomials = (count, x) => {
  const P = [1, x];
  for (let n = 1; n + 1 < count; n += 1) P.push(((2 * n + 1) * x * P[n] - n * P[n - 1]) / (n + 1));
  return P.slice(0, count);
};

const legendre = (N, age) => legendrePolynomials(N, 1 - 2 * age).map((P, n) => Math.sqrt(2 * n + 1) * P);

const laguerre = (N, age) => {
  const L = [1, 1 - age];
  for (let n = 1; n + 1 < N; n += 1) L.push(((2 * n + 1 - age) * L[n] - n * L[n - 1]) / (n + 1));
  return L.slice(0, N);
};

const fourier = (N, age) =>
  Array.from({ length: N }, (_, n) => {
    if (n === 0) return 1;
    const phase = 2 * Math.PI * Math.ceil(n / 2) * age;
    return Math.SQRT2 * (n % 2 ? Math.cos(phase) : Math.sin(phase));
  });

const chebyshev = (N, age) => {
  const phi = Math.acos(Math.min(Math.max(1 - 2 * age, -1), 1));
  return Array.from({ length: N }, (_, n) => (n === 0 ? 1 : Math.SQRT2 * Math.cos(n * phi)));
};

// Their integrals from age 0 with the weight, so that a sample that lasts from one age to another needs no quadrature.

const legendreCumulative = (N, age) => {
  const P = legendrePolynomials(N + 1, 1 - 2 * age);
  return Array.from({ length: N }, (_, n) => ((n === 0 ? P[0] : P[n - 1]) - P[n + 1]) / (2 * Math.sqrt(2 * n + 1)));
};

const laguerreCumulative = (N, age) => {
  const L = laguerre(N, age);
  return L.map((value, n) => (n === 0 ? 1 : 0) - Math.exp(-age) * (value - (n === 0 ? 0 : L[n - 1])));
};

const fourierCumulative = (N, age) =>
  Array.from({ length: N }, (_, n) => {
    if (n === 0) return age;
    const omega = 2 * Math.PI * Math.ceil(n / 2);
    return (Math.SQRT2 * (n % 2 ? Math.sin(omega * age) : 1 - Math.cos(omega * age))) / omega;
  });

const chebyshevCumulative = (N, age) => {
  const phi = Math.acos(Math.min(Math.max(1 - 2 * age, -1), 1));
  return Array.from({ length: N }, (_, n) => (n === 0 ? phi : (Math.SQRT2 * Math.sin(n * phi)) / n) / Math.PI);
};

const flat = () => 1;

export const MEASURES = {
  legs: { name: "LegS", basis: legendre, cumulative: legendreCumulative, weight: flat },
  legt: { name: "LegT", basis: legendre, cumulative: legendreCumulative, weight: flat },
  lagt: { name: "LagT", basis: laguerre, cumulative: laguerreCumulative, weight: (age) => Math.exp(-age) },
  fout: { name: "FouT", basis: fourier, cumulative: fourierCumulative, weight: flat },
  chebyshev: {
    name: "Chebyshev",
    basis: chebyshev,
    cumulative: chebyshevCumulative,
    weight: (age) => 1 / (Math.PI * Math.sqrt(age * (1 - age))),
  },
};

// A constant and pairs of cosine and sine: an even number of states becomes the next odd one.
export const statesOf = ({ measure, order }) => (measure === "fout" ? order + 1 - (order % 2) : order);

// The matrices, as rows.

const rows = (N, entry) => Array.from({ length: N }, (_, n) => Float64Array.from({ length: N }, (__, k) => entry(n, k)));

const legtSystem = (N) => {
  const root = (n) => Math.sqrt(2 * n + 1);
  const sign = (n, k) => (k <= n || (k - n) % 2 === 0 ? -1 : 1);
  return { A: rows(N, (n, k) => sign(n, k) * root(n) * root(k)), B: legendre(N, 0) };
};

const foutSystem = (N, closure) => {
  const p = fourier(N, 0);
  const twice = closure === "jump" ? 2 : 1;
  const turn = (n, k) => {
    if (n === 0 || k === 0 || n === k || Math.ceil(n / 2) !== Math.ceil(k / 2)) return 0;
    return (n < k ? -2 : 2) * Math.PI * Math.ceil(n / 2);
  };
  return { A: rows(N, (n, k) => turn(n, k) - twice * p[n] * p[k]), B: p.map((value) => twice * value) };
};

const systemOf = ({ measure, closure }, N) => {
  if (measure === "lagt") return { A: rows(N, (n, k) => (k <= n ? -1 : 0)), B: Array(N).fill(1) };
  return measure === "fout" ? foutSystem(N, closure) : legtSystem(N);
};

const product = (P, Q) =>
  P.map((row) => {
    const out = new Float64Array(Q.length);
    row.forEach((value, k) => {
      if (value !== 0) Q[k].forEach((entry, j) => (out[j] += value * entry));
    });
    return out;
  });

const TERMS = 16;

// Scaling and squaring of the Taylor series, which has converged to the last bit where it is summed.
const exponential = (M) => {
  const norm = Math.max(...M.map((row) => row.reduce((sum, value) => sum + Math.abs(value), 0)));
  const squarings = Math.max(0, Math.ceil(Math.log2(norm / 0.5)));
  const scaled = M.map((row) => row.map((value) => value / 2 ** squarings));
  const identity = rows(M.length, (n, k) => (n === k ? 1 : 0));
  let sum = identity;
  for (let term = TERMS; term > 0; term -= 1) {
    sum = product(scaled, sum).map((row, n) => row.map((value, k) => value / term + identity[n][k]));
  }
  for (let k = 0; k < squarings; k += 1) sum = product(sum, sum);
  return sum;
};

// Ā and B̄ of a step of dt windows, from one exponential of [[A, B], [0, 0]].
const zoh = ({ A, B }, dt) => {
  const N = B.length;
  const step = exponential(rows(N + 1, (n, k) => (n === N ? 0 : dt * (k === N ? B[n] : A[n][k]))));
  return { A_bar: step.slice(0, N).map((row) => row.slice(0, N)), B_bar: step.slice(0, N).map((row) => row[N]) };
};

const dot = (p, q) => p.reduce((sum, value, n) => sum + value * q[n], 0);

// By Gauss and Chebyshev's rule, exact for polynomials: Legendre coefficients to Chebyshev coefficients.
const toChebyshev = (c) => {
  const N = c.length;
  const said = Array.from({ length: N }, (_, j) => {
    const age = 0.5 * (1 - Math.cos((Math.PI * (j + 0.5)) / N));
    const q = dot(legendre(N, age), c);
    return chebyshev(N, age).map((g) => (g * q) / N);
  });
  return c.map((_, n) => said.reduce((sum, row) => sum + row[n], 0));
};

// The coefficients that the recurrence has after the samples u.
const memoryOf = (state, N, u, dt) => {
  const { A_bar, B_bar } = zoh(systemOf(state, N), dt);
  let c = new Float64Array(N);
  for (const sample of u) c = c.map((_, n) => dot(A_bar[n], c) + B_bar[n] * sample);
  return state.measure === "chebyshev" ? toChebyshev(Array.from(c)) : Array.from(c);
};

// By definition: each sample times the integral of the weighted basis over its step.
const projectionOf = ({ measure }, N, u, dt) => {
  const { cumulative } = MEASURES[measure];
  const reach = measure === "lagt" ? Infinity : 1;
  const edges = Array.from({ length: u.length + 1 }, (_, k) => cumulative(N, Math.min(k * dt, reach)));
  const c = Array(N).fill(0);
  for (let k = 0; k < u.length; k += 1) {
    const sample = u[u.length - 1 - k];
    for (let n = 0; n < N; n += 1) c[n] += sample * (edges[k + 1][n] - edges[k][n]);
  }
  return c;
};

// The weighted rms of an error at each sample's age, newest first; the weights are integrals over the samples' steps.
const weightedSize = ({ measure }, errors, dt) => {
  const { cumulative } = MEASURES[measure];
  const weights = errors.map((_, k) => cumulative(1, (k + 1) * dt)[0] - cumulative(1, k * dt)[0]);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Math.sqrt(errors.reduce((sum, error, k) => sum + weights[k] * error * error, 0) / total);
};

export const valuesOf = (state) => {
  const { measure } = state;
  const N = statesOf(state);
  const heard = Math.min(Math.max(Math.round(state.now / DT), 1), LENGTH);
  const window = measure === "legs" ? heard : Math.max(Math.round(state.window / DT), 1); // in samples
  const dt = 1 / window;
  const signal = signalOf(state.signal);
  const past = signal.slice(0, heard);
  const projected = projectionOf(state, N, past, dt);
  const c = measure === "legs" ? projected : memoryOf(state, N, past, dt); // its exact update is the projection
  const seen = measure === "lagt" ? heard : Math.min(window, heard);
  const at = Array.from({ length: seen }, (_, k) => MEASURES[measure].basis(N, (k + 0.5) * dt));
  const said = at.map((g) => dot(g, c));
  const ideal = at.map((g) => dot(g, projected));
  const truth = Array.from({ length: seen }, (_, k) => past[heard - 1 - k]);
  const errorOf = (values) => weightedSize(state, values.map((value, k) => value - truth[k]), dt);
  const errors = { error: errorOf(said), floor: errorOf(ideal) };
  return { states: N, heard, window, signal: Array.from(signal), c, projected, said, ideal, truth, ...errors };
};
