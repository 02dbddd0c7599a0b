// Operations and bytes of one layer, by formula. A state space layer has E·d channels, each a real diagonal system with N
// states, whose cost is that of one channel times E·d; attention is d wide. A multiplication is one operation, an addition
// another. Everything counts for `batch` sequences, but a convolution's kernel, which all of them share.

export const SHORTEST = 4;
export const LONGEST = 2 ** 20;

// One channel, one sequence of L.
const channel = {
  recurrence: (L, N) => (5 * N - 1) * L,
  naive: (L) => L ** 2,
  fft: (L) => 15 * L * Math.log2(2 * L) + 6 * (L + 1),
  kernel: (L, N) => 3 * N * L,
  blelloch: (L, N) => 6 * N * (L - 1) + (3 * N - 1) * L,
};

// Each curve of a view: its cost at L; `aside` for what is not a way of its own, and therefore never the cheapest.
const CURVES = {
  training: [
    { key: "recurrence", cost: (L, s) => inner(s) * channel.recurrence(L, s.states) },
    { key: "blelloch", cost: (L, s) => inner(s) * channel.blelloch(L, s.states) },
    { key: "fft", cost: (L, s) => inner(s) * channel.fft(L) },
    { key: "naive", cost: (L, s) => inner(s) * channel.naive(L) },
    { key: "attention", cost: (L, { width: d, batch }) => batch * (4 * L ** 2 * d + 8 * L * d ** 2) },
    { key: "kernel", aside: true, cost: (L, s) => s.expand * s.width * channel.kernel(L, s.states) },
  ],
  decoding: [
    { key: "recurrence", cost: (L, s) => inner(s) * channel.recurrence(1, s.states) },
    { key: "naive", cost: (L, s) => inner(s) * (2 * L + 1) },
    { key: "attention", cost: (L, { width: d, batch }) => batch * (4 * L * d + 8 * d ** 2) },
  ],
  memory: [
    { key: "state", cost: (L, s) => 4 * inner(s) * s.states },
    { key: "history", cost: (L, s) => 4 * inner(s) * L },
    { key: "cache", cost: (L, { width: d, batch }) => 2 * batch * 2 * L * d },
  ],
};

const inner = ({ batch, expand, width }) => batch * expand * width;

export const curvesOf = ({ view }) => CURVES[view];

// The length at which `first` stops being the smaller one, or null if it always or never is. Each pair that is asked for
// crosses at most once, so halving an interval, of log L, finds it.
const crossingOf = (first, second) => {
  const gap = (position) => first(2 ** position) - second(2 ** position);
  let [low, high] = [0, 40];
  if (gap(low) >= 0 || gap(high) <= 0) return null;
  for (let round = 0; round < 100; round += 1) {
    const middle = (low + high) / 2;
    if (gap(middle) < 0) low = middle;
    else high = middle;
  }
  return 2 ** high;
};

// Where the curves of a view cross, [key that stops being the smaller, key that becomes it]. The two parts of attention are
// no curves: their crossing is marked on attention's own.
const CROSSINGS = {
  training: [
    ["naive", "fft"],
    ["naive", "recurrence"],
    ["fft", "recurrence"],
  ],
  decoding: [["naive", "recurrence"]],
  memory: [
    ["cache", "state"],
    ["history", "state"],
  ],
};

const crossingsOf = (state) => {
  const costOf = (key) => {
    const { cost } = curvesOf(state).find((curve) => curve.key === key);
    return (L) => cost(L, state);
  };
  const crossings = CROSSINGS[state.view].map(([first, second]) => {
    const length = crossingOf(costOf(first), costOf(second));
    return { first, second, length, cost: length === null ? null : costOf(second)(length) };
  });
  if (state.view === "memory") return crossings;
  // 4 L² d against 8 L d², and a token's share of both: equal at the same length.
  const length = 2 * state.width;
  return [...crossings, { first: "quadratic", second: "projections", length, cost: costOf("attention")(length) }];
};

export const valuesOf = (state) => {
  const curves = curvesOf(state).map(({ key, aside = false, cost }) => ({ key, aside, cost: cost(state.length, state) }));
  const [cheapest, next] = curves.filter(({ aside }) => !aside).sort((p, q) => p.cost - q.cost);
  return {
    curves,
    cheapest: cheapest.key,
    next: next.key,
    crossings: crossingsOf(state),
    // 4 E d N bytes of state against 4 d bytes of keys and values a token.
    state_in_tokens: state.expand * state.states,
  };
};
