// The curves of a view on logarithmic axes, named at their right ends, with a line at the chosen length. SVG text.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture, px, rectangle, tag, xTicks, yTicks } from "./plot.mjs";
import { curvesOf, LONGEST, SHORTEST, valuesOf } from "./cost.math.mjs";

export const NAMES = {
  recurrence: "recurrence",
  blelloch: "Blelloch scan",
  fft: "FFT convolution",
  naive: "naive convolution",
  attention: "attention",
  kernel: "kernel alone",
  state: "state",
  history: "convolution’s inputs",
  cache: "keys and values",
};

const SHORT = { blelloch: "Blelloch", fft: "FFT conv.", naive: "naive conv.", history: "past inputs", cache: "KV cache" };

const UNITS = { training: "flop", decoding: "flop", memory: "B" };

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

// 2.6 Gflop, 131 kB.
export const amount = (value, view) => {
  const step = Math.min(Math.max(Math.floor(Math.log10(value) / 3 + 1e-9), 0), PREFIXES.length - 1);
  return `${number(value / 1000 ** step)} ${PREFIXES[step]}${UNITS[view]}`;
};

const lengths = Array.from({ length: 91 }, (_, k) => SHORTEST * (LONGEST / SHORTEST) ** (k / 90));

const spanOf = (state) => {
  const ends = curvesOf(state).flatMap(({ cost }) => [SHORTEST, LONGEST].map((L) => Math.log10(cost(L, state))));
  return [Math.floor(Math.min(...ends) - 0.2), Math.ceil(Math.max(...ends) + 0.1)];
};

export const layoutOf = (state, width) => {
  const narrow = width < 560;
  const names = narrow ? 90 : 132;
  const left = 52;
  const xDomain = [Math.log10(SHORTEST), Math.log10(LONGEST)];
  const frame = panel({ left, top: 40, width: width - left - names, height: narrow ? 330 : 380, xDomain, yDomain: spanOf(state) });
  return { narrow, frame, bottom: frame.top + frame.height + 40 };
};

export const lengthAt = ({ frame }, x) => {
  const length = Math.round(10 ** (frame.xDomain[0] + (x - frame.left) / frame.xScale));
  return Math.min(Math.max(Number(length.toPrecision(3)), SHORTEST), LONGEST);
};

export const cursorOf = ({ frame }, { length }) => [frame.x(Math.log10(length)), frame.top + frame.height];

const power = (value) => `10${String(value).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;

// The whole numbers between two others that `apart` divides.
const whole = (low, high, apart) => {
  const [first, last] = [Math.ceil(low / apart), Math.floor(high / apart)];
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * apart);
};

const grid = (frame) => {
  const across = whole(...frame.yDomain, 1).map((k) => line(frame.left, frame.y(k), frame.left + frame.width, frame.y(k), "x-grid"));
  const up = whole(...frame.xDomain, 1).map((k) => line(frame.x(k), frame.top, frame.x(k), frame.top + frame.height, "x-grid"));
  return across.join("") + up.join("");
};

const curveMarkup = (frame, state) => ({ key, cost }) =>
  curve(
    lengths.map((L) => [frame.x(Math.log10(L)), frame.y(Math.log10(cost(L, state)))]),
    `x-curve x-of-${key}`,
  );

// The names at the right ends, moved apart where curves end close together: down from the highest, then up from the floor.
const spread = (wanted, apart, floor) => {
  const order = wanted.map((y, k) => [y, k]).sort(([p], [q]) => p - q);
  const placed = [];
  order.forEach(([y, k], n) => (placed[k] = n === 0 ? y : Math.max(y, placed[order[n - 1][1]] + apart)));
  order.reverse().forEach(([, k], n) => (placed[k] = Math.min(placed[k], n === 0 ? floor : placed[order[n - 1][1]] - apart)));
  return placed;
};

const names = ({ frame, narrow }, state) => {
  const curves = curvesOf(state);
  const ends = curves.map(({ cost }) => frame.y(Math.log10(cost(LONGEST, state))));
  const places = spread(ends, 15, frame.top + frame.height - 2);
  const right = frame.left + frame.width;
  return curves
    .map(({ key }, k) => {
      const name = narrow ? (SHORT[key] ?? NAMES[key]) : NAMES[key];
      const lead = line(right + 1, ends[k], right + 9, places[k], `x-lead x-of-${key}`);
      return lead + label(right + 12, places[k] + 4, name, `x-name x-of-${key}`);
    })
    .join("");
};

const lengthTold = ({ length }) => `L = ${length}`;

const diamond = (x, y, r) => `M${px(x)} ${px(y - r)}L${px(x + r)} ${px(y)}L${px(x)} ${px(y + r)}L${px(x - r)} ${px(y)}Z`;

const crossingMark = (x, y) => tag("path", { d: diamond(x, y, 5), class: "x-crossing" });

const inView = ({ length }) => length !== null && length >= SHORTEST && length <= LONGEST;

const crossings = (frame, found) =>
  found
    .filter(inView)
    .map(({ length, cost }) => crossingMark(frame.x(Math.log10(length)), frame.y(Math.log10(cost))))
    .join("");

const cursor = (layout, state, { curves, cheapest }) => {
  const { frame } = layout;
  const [x, bottom] = cursorOf(layout, state);
  const dot = ({ key, cost }) => circle(x, frame.y(Math.log10(cost)), key === cheapest ? 6 : 3.5, `x-dot-of x-of-${key}`);
  return (
    line(x, frame.top, x, bottom, "x-cut") +
    curves.map(dot).join("") +
    circle(x, bottom, 7, "x-grip") +
    label(Math.min(Math.max(x, frame.left + 30), frame.left + frame.width - 30), frame.top - 6, lengthTold(state), "x-small", "middle")
  );
};

const TITLES = {
  training: ["Operations, one layer, L tokens at once", "Operations, one layer"],
  decoding: ["Operations, one layer, for the token after L others", "Operations for a token"],
  memory: ["Bytes kept between two tokens, one layer", "Bytes kept, one layer"],
};

// In words

const crossingTold = (crossings, first, second) => crossings.find((one) => one.first === first && one.second === second).length;

const below = (length) => (length === null ? "at no length" : `below L = ${number(length, length < 1000 ? 4 : 3)}`);

const CONCLUSIONS = {
  training: ({ crossings, curves }, { width }) => {
    const kernel = curves.find(({ key }) => key === "kernel").cost;
    return (
      `The naive convolution beats the FFT ${below(crossingTold(crossings, "naive", "fft"))}; the FFT beats the recurrence ` +
      `${below(crossingTold(crossings, "fft", "recurrence"))}. A convolution needs its kernel too, once for the batch: ` +
      `${amount(kernel, "training")}. Attention’s quadratic part overtakes its projections at L = 2d = ${2 * width}.`
    );
  },
  decoding: ({ crossings }, { width }) =>
    "The recurrence costs the same after any L. A convolution looks back over all inputs, and is the cheaper one " +
    `${below(crossingTold(crossings, "naive", "recurrence"))}; attention looks back over its keys and values, which costs more ` +
    `than its projections from L = 2d = ${2 * width} on.`,
  memory: ({ state_in_tokens }) =>
    `The float32 state does not grow. It is as large as the bfloat16 keys and values of E·N = ${state_in_tokens} tokens, whatever d.`,
};

const TASKS = {
  training: ["Training on", "the cheapest is"],
  decoding: ["Decoding after", "the cheapest is"],
  memory: ["After", "the smallest is"],
};

const RIVALS = { training: "attention", decoding: "attention", memory: "cache" };

export const describe = (state, values) => {
  const { curves, cheapest, next } = values;
  const costOf = (name) => curves.find(({ key }) => key === name).cost;
  const compared = [...new Set([next, RIVALS[state.view]])].filter((key) => key !== cheapest);
  const told = compared.map((key) => `${NAMES[key]} ${number(costOf(key) / costOf(cheapest))} times`).join(", ");
  const [task, found] = TASKS[state.view];
  return (
    `${task} ${lengthTold(state)} tokens, ${found} the ${NAMES[cheapest]}: ${amount(costOf(cheapest), state.view)} for the layer, ` +
    `${told} that. ${CONCLUSIONS[state.view](values, state)}`
  );
};

const KEY = [
  [(x, y) => crossingMark(x + 10, y - 4), "one overtakes another"],
  [(x, y) => circle(x + 10, y - 4, 6, "x-dot-of x-of-plain"), "cheapest at this L"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(state, width);
  const { frame, narrow } = layout;
  const key = keyRows(KEY, layout.bottom + 12, width);
  const [title, short] = TITLES[state.view];
  const content =
    grid(frame) +
    clipped(frame, curvesOf(state).map(curveMarkup(frame, state)).join("")) +
    rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
    crossings(frame, values.crossings) +
    cursor(layout, state, values) +
    names(layout, state) +
    yTicks(frame, whole(...frame.yDomain, frame.yDomain[1] - frame.yDomain[0] > 8 ? 2 : 1), power) +
    xTicks(frame, whole(...frame.xDomain, 1), power) +
    label(0, 14, narrow ? short : title, "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 31, "length L", "x-axis", "end");
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
