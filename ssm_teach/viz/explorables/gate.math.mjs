// Selective copying by recurrences h ← Ā h + B̄ u with Δ = softplus(z) and A = −1, so that Ā = e^{−Δ} = 1 − σ(z). The exact
// B̄ is the gate g = σ(z) itself, a convex mixture; Mamba's released ΔB is softplus(z).

export const TOKENS = 16;

// Where the data tokens stand and what they are. The last comes right before the hold, so it is held for exactly that long.
export const PLACES = [3, 8, 15];
const DATA = [0.9, -0.7, 0.6];

// Data among noise, which is a small congruential generator that Python repeats exactly.
export const inputOf = (length) => {
  let seed = 12345;
  const noise = Array.from({ length }, () => {
    seed = (75 * seed + 74) % 65537;
    return (2 * seed) / 65537 - 1;
  });
  PLACES.forEach((place, i) => (noise[place] = DATA[i]));
  return noise;
};

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));

export const weightsOf = (z, method) => {
  const A_bar = sigmoid(-z);
  const B_bar = method === "zoh" ? sigmoid(z) : softplus(z);
  return { z, gate: sigmoid(z), A_bar, B_bar, sum: A_bar + B_bar };
};

// One state over all tokens: its values, and what is left in it of the token at each of `places` when `now` has been read.
// A token's weight is what was written of it times what every later step has kept; `energy` is the sum of all squared weights,
// so weight²/energy is the token's share of the state's variance when all tokens are independent and equally loud.
const laneOf = (inputs, weightsAt, places, now) => {
  const left = places.map(() => ({ written: 0, kept: 1 }));
  const states = [];
  let [h, energy] = [0, 0];
  inputs.forEach((u, k) => {
    const { A_bar, B_bar } = weightsAt(k);
    h = A_bar * h + B_bar * u;
    states.push(h);
    if (k > now) return;
    energy = A_bar ** 2 * energy + B_bar ** 2;
    places.forEach((place, i) => {
      if (k === place) left[i].written = B_bar;
      if (k > place) left[i].kept *= A_bar;
    });
  });
  const tokens = left.map(({ written, kept }) => ({ written, kept, weight: written * kept, share: (written * kept) ** 2 / energy }));
  return { states, tokens, now: states[now] };
};

// The fixed gate that leaves the most of a token after `hold` more: the largest B̄ Āʰ.
export const bestFixedGate = (hold, method) => (method === "zoh" ? 1 / (hold + 1) : -Math.expm1(-1 / hold));

const logit = (g) => Math.log(g / (1 - g));

const fixedWeight = (gate, { hold, method }) => {
  const { A_bar, B_bar } = weightsOf(logit(gate), method);
  return B_bar * A_bar ** hold;
};

export const valuesOf = (state) => {
  const { data_logit, noise_logit, hold, fixed_gate, method } = state;
  const step = Math.min(state.step, TOKENS);
  const position = step < TOKENS ? step : TOKENS + hold - 1;
  const inputs = inputOf(TOKENS + hold);
  const [open, shut, fixed] = [data_logit, noise_logit, logit(fixed_gate)].map((z) => weightsOf(z, method));
  const best = bestFixedGate(hold, method);
  return {
    step,
    position,
    inputs,
    open,
    shut,
    fixed,
    lanes: PLACES.map((place) => laneOf(inputs, (k) => (k === place ? open : shut), [place], position)),
    fixed_lane: laneOf(inputs, () => fixed, PLACES, position),
    best: { gate: best, weight: fixedWeight(best, state) },
  };
};
