// The frequencies of HiPPO-LegS, which more than one figure needs.

// Turn two columns of a matrix until they are orthogonal (one-sided Jacobi); says whether they were not.
const turn = (p, q) => {
  const [pp, qq, pq] = p.reduce(([a, b, c], value, k) => [a + value * value, b + q[k] * q[k], c + value * q[k]], [0, 0, 0]);
  if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) return false;
  const zeta = (qq - pp) / (2 * pq);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  p.forEach((value, k) => {
    p[k] = c * (value - t * q[k]);
    q[k] = c * (t * value + q[k]);
  });
  return true;
};

const frequenciesKnown = new Map();

// Positive imaginary parts of the eigenvalues of the normal part −½I + S of the M×M HiPPO-LegS matrix, highest first.
// S is skew, so they are its singular values, each of which comes twice.
export const legsFrequencies = (M) => {
  if (!frequenciesKnown.has(M)) {
    const entry = (n, k) => Math.sign(k - n) * 0.5 * Math.sqrt((2 * n + 1) * (2 * k + 1));
    const columns = Array.from({ length: M }, (_, k) => Array.from({ length: M }, (__, n) => entry(n, k)));
    for (let sweep = 0, turned = true; turned && sweep < 40; sweep += 1) {
      turned = false;
      for (let p = 0; p < M; p += 1) for (let q = p + 1; q < M; q += 1) turned = turn(columns[p], columns[q]) || turned;
    }
    const values = columns.map((column) => Math.hypot(...column)).sort((a, b) => b - a);
    frequenciesKnown.set(M, values.filter((_, k) => k % 2 === 0));
  }
  return frequenciesKnown.get(M);
};
