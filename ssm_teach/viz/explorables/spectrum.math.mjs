// The frequencies of the normal part of an N×N HiPPO-LegS matrix beside those of S4D-Inv and S4D-Lin, and how good the
// eigenvectors of LegS itself could be at best.
import { legsFrequencies } from "./legs.mjs";

export const SMALLEST = 4;
export const LARGEST = 128;

export const LAWS = ["legs", "inv", "lin"];

// Highest first, N/2 of them.
const frequenciesOf = {
  legs: legsFrequencies,
  inv: (N) => Array.from({ length: N / 2 }, (_, m) => (N / Math.PI) * (N / (2 * m + 1) - 1)),
  lin: (N) => Array.from({ length: N / 2 }, (_, m) => Math.PI * (N / 2 - 1 - m)),
};

// ‖w_j‖² of row j of the inverse: ballot numbers, from the diagonal to the left, in LegS's units.
const rowSquare = (j) => {
  let binomial = 1; // C(2j, j − i)
  let sum = 0;
  for (let i = j; i >= 0; i -= 1) {
    const ballot = ((2 * i + 1) / (j + i + 1)) * binomial;
    sum += ballot ** 2 / (2 * i + 1);
    binomial *= (j + i) / (j - i + 1);
  }
  return sum;
};

// The largest κ_j = ‖v_j‖‖w_j‖ for every N up to LARGEST: no scaling of LegS's eigenvectors has a smaller condition
// number. Column j of V grows downwards with N, so one pass serves all N. Everything is positive: nothing cancels.
export const conditionBounds = (() => {
  const [columns, entries, rows, bounds] = [[], [], [], [1]];
  for (let n = 0; n < LARGEST; n += 1) {
    columns.push(0);
    entries.push(1);
    rows.push(rowSquare(n));
    for (let j = 0; j <= n; j += 1) {
      columns[j] += (2 * n + 1) * entries[j] ** 2;
      entries[j] *= (n + 1 + j) / (n + 1 - j); // C(n + j, n − j) of the next row
    }
    bounds.push(Math.sqrt(Math.max(...columns.map((square, j) => square * rows[j]))));
  }
  return bounds;
})();

export const valuesOf = ({ size, mode, zoom }) => {
  const laws = Object.fromEntries(LAWS.map((law) => [law, frequenciesOf[law](size)]));
  const chosen = Math.min(mode, size / 2 - 1);
  const errors = laws.inv.map((omega, m) => omega / laws.legs[m] - 1);
  return {
    ...laws,
    mode: chosen,
    here: Object.fromEntries(LAWS.map((law) => [law, laws[law][chosen]])),
    error: errors[chosen],
    sag: { mode: errors.indexOf(Math.min(...errors)), error: Math.min(...errors) }, // where Inv is lowest against LegS
    last_error: errors.at(-1),
    near: Object.fromEntries(LAWS.map((law) => [law, laws[law].filter((omega) => omega <= zoom).length])),
    lowest_gap: 2 * laws.legs[size / 2 - 1], // from the lowest frequency to its conjugate
    condition: conditionBounds[size],
  };
};
