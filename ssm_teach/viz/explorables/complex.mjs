// Complex numbers as {re, im}, and the two functions of w = aΔ that the exact step needs: e^w and φ₁(w) = (e^w − 1)/w.

export const complex = (re, im = 0) => ({ re, im });

export const multiply = (p, q) => complex(p.re * q.re - p.im * q.im, p.re * q.im + p.im * q.re);

export const divide = (p, q) => {
  const square = q.re * q.re + q.im * q.im;
  return complex((p.re * q.re + p.im * q.im) / square, (p.im * q.re - p.re * q.im) / square);
};

export const times = (factor, p) => complex(factor * p.re, factor * p.im);

export const modulus = (p) => Math.hypot(p.re, p.im);

export const exponential = (w) => complex(Math.exp(w.re) * Math.cos(w.im), Math.exp(w.re) * Math.sin(w.im));

// e^w − 1 without cancellation: e^x cos y − 1 = expm1(x) cos y − 2 sin²(y/2).
const expm1 = (w) =>
  complex(
    Math.expm1(w.re) * Math.cos(w.im) - 2 * Math.sin(w.im / 2) ** 2,
    Math.exp(w.re) * Math.sin(w.im),
  );

export const phi1 = (w) => (w.re === 0 && w.im === 0 ? complex(1) : divide(expm1(w), w));

export const add = (p, q) => complex(p.re + q.re, p.im + q.im);
