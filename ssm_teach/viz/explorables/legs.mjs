// The frequencies of HiPPO-LegS, which more than one figure needs.

const frequenciesKnown = new Map();

// Positive imaginary parts of the eigenvalues of the normal part −½I + S of the M×M HiPPO-LegS matrix, M even, highest
// first. Frequency m is where Σ_{n<M} arctan(ω/(n+½)), which only grows, reaches (π/2)(M − 1 − 2m): chapter 8. Halving an
// interval finds it without a matrix, so a slider can run over M.
export const legsFrequencies = (M) => {
  if (!frequenciesKnown.has(M)) {
    const offsets = Array.from({ length: M }, (_, n) => n + 0.5);
    const angle = (omega) => offsets.reduce((sum, offset) => sum + Math.atan(omega / offset), 0);
    const reached = (wanted) => {
      let [low, high] = [0, M * M];
      for (let middle = high / 2; low < middle && middle < high; middle = (low + high) / 2) {
        if (angle(middle) < wanted) low = middle;
        else high = middle;
      }
      return high;
    };
    frequenciesKnown.set(M, Array.from({ length: M / 2 }, (_, m) => reached((Math.PI / 2) * (M - 1 - 2 * m))));
  }
  return frequenciesKnown.get(M);
};
