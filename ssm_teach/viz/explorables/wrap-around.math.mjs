// Linear convolution, full[k] = Σ_j K_j u_{k−j}, has 2L − 1 values. A discrete Fourier transform of length F multiplies
// circularly: index k − j is taken modulo F, so full[F + k] is added to full[k].

// Inputs of length L: a pulse at the end, a ramp, and noise from a small congruential generator that Python repeats exactly.
export const inputOf = (kind, length) => {
  if (kind === "pulse") return Array.from({ length }, (_, k) => (k === length - 1 ? 1 : 0));
  if (kind === "ramp") return Array.from({ length }, (_, k) => (k + 1) / length);
  let seed = 12345;
  return Array.from({ length }, () => {
    seed = (75 * seed + 74) % 65537;
    return (2 * seed) / 65537 - 1;
  });
};

export const kernelOf = (decay, length) => Array.from({ length }, (_, k) => decay ** k);

export const linearConvolution = (u, K) => {
  const full = new Array(u.length + K.length - 1).fill(0);
  u.forEach((value, k) => K.forEach((weight, j) => (full[k + j] += weight * value)));
  return full;
};

// By its definition, not by folding `linearConvolution`, so that comparing the two is a test.
export const circularConvolution = (u, K, size) =>
  Array.from({ length: size }, (_, k) => K.reduce((sum, weight, j) => sum + weight * (u[(k - j + size) % size] ?? 0), 0));

export const valuesOf = ({ length, pad, decay, input }) => {
  const u = inputOf(input, length);
  const K = kernelOf(decay, length);
  const size = length + pad;
  const full = linearConvolution(u, K);
  const circular = circularConvolution(u, K, size);
  const error = circular.slice(0, length).reduce((worst, y, k) => Math.max(worst, Math.abs(y - full[k])), 0);
  return { length, pad, fft_length: size, needed: 2 * length - 1, wrapped: Math.max(2 * length - 1 - size, 0), u, K, full, circular, error };
};
