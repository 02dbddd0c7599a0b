// The kernel of HiPPO-LegS from its answers at the roots of unity, with the correction C̃ = C(I − Ā^L) and without.
// LegS is lower triangular, so every linear system here is solved by forward or backward substitution, entry by entry:
// no Cauchy sums, no eigenvalues, hence independent of the way the chapter computes the same numbers.
import { complex, divide, multiply } from "./complex.mjs";
import { legsFrequencies } from "./legs.mjs";

const root = (n) => Math.sqrt(2 * n + 1);

// Entries of A below and on the diagonal, in S4's sign.
const entry = (n, k) => (n === k ? -(n + 1) : -root(n) * root(k));

// C that asks N Legendre coefficients for the input `delay` ago; the last ones are faded out, or the echo would ripple.
export const echoReadout = (N, delay) => {
  const x = 2 * Math.exp(-delay) - 1;
  const legendre = [1, x];
  for (let n = 1; n < N - 1; n += 1) legendre.push(((2 * n + 1) * x * legendre[n] - n * legendre[n - 1]) / (n + 1));
  const fade = (n) => (n === 0 ? 1 : Math.sin((Math.PI * n) / N) / ((Math.PI * n) / N));
  return Array.from({ length: N }, (_, n) => root(n) * legendre[n] * fade(n));
};

// (I + h A) x for a column, and x (I + h A) for a row.
const columnTimes = (x, h) => x.map((value, n) => value + h * x.slice(0, n + 1).reduce((sum, y, k) => sum + entry(n, k) * y, 0));
const rowTimes = (x, h) => x.map((value, k) => value + h * x.slice(k).reduce((sum, y, n) => sum + y * entry(n + k, k), 0));

// (I − h A)⁻¹ b downwards, and b (I − h A)⁻¹ upwards.
const columnSolve = (b, h) => {
  const x = [];
  b.forEach((value, n) => {
    const above = x.reduce((sum, y, k) => sum + entry(n, k) * y, 0);
    x.push((value + h * above) / (1 - h * entry(n, n)));
  });
  return x;
};
const rowSolve = (b, h) => {
  const x = new Array(b.length).fill(0);
  for (let k = b.length - 1; k >= 0; k -= 1) {
    const below = x.reduce((sum, y, n) => (n > k ? sum + y * entry(n, k) : sum), 0);
    x[k] = (b[k] + h * below) / (1 - h * entry(k, k));
  }
  return x;
};

const dot = (x, y) => x.reduce((sum, value, n) => sum + value * y[n], 0);

// C Ā^k B̄ for k < count, one power after the other.
export const powersKernel = (C, delta, count) => {
  let x = columnSolve(C.map((_, n) => delta * root(n)), delta / 2);
  return Array.from({ length: count }, () => {
    const sample = dot(C, x);
    x = columnSolve(columnTimes(x, delta / 2), delta / 2);
    return sample;
  });
};

export const correctedReadout = (C, delta, length) => {
  let row = C;
  for (let k = 0; k < length; k += 1) row = rowTimes(rowSolve(row, delta / 2), delta / 2);
  return C.map((value, n) => value - row[n]);
};

// e^{iφ} C (2i sin φ I − cos φ ΔA)⁻¹ ΔB at φ = πj/L: C (I − Āz)⁻¹ B̄ at z = e^{−2πij/L}, finite at z = −1 too.
const answerAt = (C, delta, j, length) => {
  const phi = (Math.PI * j) / length;
  const [sine, cosine] = [Math.sin(phi), 2 * j === length ? 0 : Math.cos(phi)];
  const x = [];
  C.forEach((_, n) => {
    let [re, im] = [delta * root(n), 0];
    for (let k = 0; k < n; k += 1) {
      re += cosine * delta * entry(n, k) * x[k].re;
      im += cosine * delta * entry(n, k) * x[k].im;
    }
    x.push(divide(complex(re, im), complex(-cosine * delta * entry(n, n), 2 * sine)));
  });
  const sum = complex(dot(C, x.map(({ re }) => re)), dot(C, x.map(({ im }) => im)));
  return multiply(complex(Math.cos(phi), sine), sum);
};

const inverseTransform = (answers) =>
  answers.map((_, k) => {
    const turned = answers.map(({ re, im }, j) => {
      const angle = (2 * Math.PI * ((j * k) % answers.length)) / answers.length;
      return re * Math.cos(angle) - im * Math.sin(angle);
    });
    return turned.reduce((sum, value) => sum + value, 0) / answers.length;
  });

// Where z_j goes: the imaginary part of g = (2/Δ)(1 − z)/(1 + z), counted from −L/2 to L/2; infinite at z = −1.
export const heightOf = (j, length, delta) => {
  const signed = 2 * j > length ? j - length : j;
  return 2 * signed === length ? Infinity : (2 / delta) * Math.tan((Math.PI * signed) / length);
};

export const valuesOf = ({ length, delta, states, delay, corrected, node }) => {
  const chosen = Math.min(node, length - 1);
  const C = echoReadout(states, delay);
  const truth = powersKernel(C, delta, 2 * length);
  const readout = correctedReadout(C, delta, length);
  const answersOf = (row) => Array.from({ length }, (_, j) => answerAt(row, delta, j, length));
  const [right, bare] = [answersOf(readout), answersOf(C)];
  const spectrum = corrected ? right : bare;
  const kernel = inverseTransform(spectrum);
  const peak = Math.max(...truth.slice(0, length).map(Math.abs));
  const angle = (-2 * Math.PI * chosen) / length;
  const frequencies = states === 1 ? [] : legsFrequencies(states);
  return {
    node: chosen,
    z: complex(Math.cos(angle), Math.sin(angle)),
    height: heightOf(chosen, length, delta),
    heights: Array.from({ length }, (_, j) => heightOf(j, length, delta)),
    poles: states === 1 ? [0] : [...frequencies, ...frequencies.map((omega) => -omega).reverse()],
    spectrum,
    other_spectrum: corrected ? bare : right,
    answer: spectrum[chosen],
    limit: (delta / 2) * dot(corrected ? readout : C, C.map((_, n) => root(n))),
    kernel,
    truth,
    error: Math.max(...kernel.map((value, k) => Math.abs(value - truth[k]))) / peak,
    peak,
  };
};
