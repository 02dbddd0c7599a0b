// The s-plane with two poles; impulse, step and frequency response beside it; the recurrence, step by step, below. SVG text.
import { boxPath, circle, clipped, curve, keyRows, label, line, number, panel, picture } from "./plot.mjs";
import { complexNumber, rectangle, region, ticks, xTicks, yTicks } from "./plot.mjs";
import { DELTA, HORIZON, OMEGAS, STEPS, valuesOf } from "./poles.math.mjs";

export const REACH = { re: [-4, 0.5], im: 6, zero: [-4, 2] };
const PLANE = { xDomain: [-4.4, 2.4], yDomain: [-6.6, 6.6] };
const DECIBELS = (gain) => 20 * Math.log10(gain);

// The next of 1, 2, 5, 10, … above, so that an axis changes in leaps and the curves move in between.
const leapAbove = (value) => {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((m) => m * decade).find((high) => high >= value * 0.999);
};

const domainOf = (curves) => {
  const all = curves.flat();
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
  const top = leapAbove(Math.max(high, -low) * 1.02);
  return [low < -0.02 * top ? -top : -0.06 * top, high > 0.02 * top ? top : 0.06 * top];
};

const EMPTY = { impulse: [0, 1], push: [0, 1], run: [0, 1], input: [0, 1], gain: [-40, 0] };

const domainsOf = (state, { impulse, push, gains, outputs, inputs, gain }) => {
  const loud = 20 * Math.ceil(DECIBELS(Math.max(...gains, 1e-9)) / 20 + 0.01);
  const steady = state.input === "sine" && Number.isFinite(gain) ? [gain, -gain] : [];
  const run = Math.max(...steady) > 20 * Math.max(...outputs.map(Math.abs)) ? [outputs] : [outputs, steady];
  return { impulse: domainOf([impulse]), push: domainOf([push]), run: domainOf(run), input: domainOf([inputs]), gain: [loud - 60, loud] };
};

export const layoutOf = (width, domains = EMPTY) => {
  const narrow = width < 560;
  const left = narrow ? 40 : 30;
  const planeWidth = narrow ? width - left - 1 : Math.min(Math.round(width * 0.42), 310);
  const height = narrow ? 84 : 76;
  const apart = narrow ? 46 : 44;
  const planeHeight = narrow ? 230 : 3 * height + 2 * apart;
  const plane = panel({ left, top: 24, width: planeWidth, height: planeHeight, ...PLANE });
  const side = narrow ? left : left + planeWidth + 52;
  const first = narrow ? plane.top + planeHeight + 62 : 24;
  const row = (k, xDomain, yDomain) =>
    panel({ left: side, top: first + k * (height + apart), width: width - side - 8, height, xDomain, yDomain });
  const across = { left, width: width - left - 8, xDomain: [-1, STEPS + 1] };
  const below = Math.max(first + 3 * height + 2 * apart, plane.top + planeHeight) + 66;
  const input = panel({ ...across, top: below, height: 34, yDomain: domains.input });
  return {
    narrow,
    plane,
    impulse: row(0, [0, HORIZON], domains.impulse),
    push: row(1, [0, HORIZON], domains.push),
    gain: row(2, [-1, 1.5], domains.gain),
    input,
    run: panel({ ...across, top: below + 34 + 30, height: narrow ? 110 : 120, yDomain: domains.run }),
  };
};

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const zeroLine = (frame) => line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero");

const corner = (frame, text) => label(frame.left + frame.width, frame.top - 9, text, "x-axis", "end");

const crossMark = (x, y, size, kind) =>
  line(x - size, y - size, x + size, y + size, kind) + line(x - size, y + size, x + size, y - size, kind);

// Where a hand can take hold: the upper pole of a pair or both real poles, and the zero.
export const gripsOf = (frame, { kind, re, im, first, second, with_zero, zero }) => ({
  pole: kind === "pair" ? [frame.x(re), frame.y(im)] : [frame.x(first), frame.y(0)],
  other: kind === "pair" ? null : [frame.x(second), frame.y(0)],
  zero: with_zero ? [frame.x(zero), frame.y(0)] : null,
});

const marksOf = (frame, state, { poles }) => {
  const { pole, other, zero } = gripsOf(frame, state);
  const twin = state.kind === "pair" ? crossMark(frame.x(poles[1].re), frame.y(poles[1].im), 5, "x-twin") : "";
  const held = [pole, other].filter(Boolean);
  const crosses = held.map(([x, y]) => circle(x, y, 11, "x-halo") + crossMark(x, y, 5.5, "x-pole"));
  return twin + crosses.join("") + (zero ? circle(...zero, 7, "x-zero-mark") : "");
};

const plane = ({ plane: frame, narrow }, state, values) => {
  const half = region(boxPath(frame.left, frame.top, frame.x(0) - frame.left, frame.height), "x-left");
  const sine = [1, -1].map((sign) => circle(frame.x(0), frame.y(sign * state.omega), 3.5, "x-tone"));
  const edge = line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-edge");
  return (
    clipped(frame, half + zeroLine(frame) + edge + sine.join("") + marksOf(frame, state, values)) +
    frameBox(frame) +
    xTicks(frame, [-4, -3, -2, -1, 0, 1, 2]) +
    yTicks(frame, [-6, -4, -2, 0, 2, 4, 6]) +
    label(frame.left, frame.top - 9, narrow ? "s-plane: drag a pole" : "Drag a pole", "x-title") +
    corner(frame, "Im s (rad/s)") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "Re s (1/s)", "x-axis", "end") +
    label(frame.left + 6, frame.top + 17, values.verdict, `x-verdict x-${values.verdict === "stable" ? "stable" : "unstable"}`)
  );
};

const responsePanel = (frame, title, values, times, level, xName) => {
  const points = times.map((t, n) => [frame.x(t), frame.y(values[n])]);
  const settled = level === null ? "" : line(frame.left, frame.y(level), frame.left + frame.width, frame.y(level), "x-gap");
  return (
    clipped(frame, zeroLine(frame) + settled + curve(points, "x-kept-line x-heavy")) +
    frameBox(frame) +
    yTicks(frame, ticks(...frame.yDomain, 2)) +
    xTicks(frame, [0, 2, 4, 6, 8, 10]) +
    label(frame.left, frame.top - 9, title, "x-title") +
    corner(frame, xName)
  );
};

const gainPanel = ({ gain: frame }, state, { gains, gain, loudest, peak }) => {
  const at = (omega, value) => [frame.x(Math.log10(omega)), frame.y(DECIBELS(value))];
  const points = OMEGAS.map((omega, n) => at(omega, gains[n]));
  const top = loudest === null || loudest < 0.1 || !Number.isFinite(peak) ? "" : circle(...at(loudest, peak), 4, "x-exact-ring");
  const upright = frame.x(Math.log10(state.omega));
  const tone = Number.isFinite(gain) && gain > 0 ? circle(...at(state.omega, gain), 4, "x-tone") : "";
  return (
    clipped(frame, line(upright, frame.top, upright, frame.top + frame.height, "x-gap") + curve(points, "x-kept-line x-heavy") + top + tone) +
    frameBox(frame) +
    yTicks(frame, ticks(...frame.yDomain, 3)) +
    xTicks(frame, [-1, 0, 1], (power) => number(10 ** power)) +
    label(frame.left, frame.top - 9, "Frequency response, dB", "x-title") +
    corner(frame, "ω, rad/s")
  );
};

const inputWords = { kick: "a kick at step 0", push: "a constant push of 1", sine: "a sine" };

export const placeOf = (layout, step) => layout.run.x(step);

export const stepAt = (layout, x) =>
  Math.min(Math.max(Math.round((x - layout.run.left) / layout.run.xScale + layout.run.xDomain[0]), 0), STEPS);

const runPanel = (layout, state, { outputs, inputs, states, gain, verdict }) => {
  const { input, run, narrow } = layout;
  const { step } = state;
  const now = run.x(step);
  const dots = (frame, values, from, to, kind) =>
    values.slice(from, to).map((value, n) => circle(frame.x(from + n), frame.y(value), narrow ? 1.3 : 2, kind)).join("");
  const promise = state.input === "sine" && verdict === "stable" ? [gain, -gain] : [];
  const levels = promise.map((level) => line(run.left, run.y(level), run.left + run.width, run.y(level), "x-gap"));
  const x = states[step].map((value) => number(value));
  const past = curve(outputs.slice(0, step + 1).map((value, k) => [run.x(k), run.y(value)]), "x-kept-line x-thin");
  return (
    rectangle(now - 4, input.top, 8, run.top + run.height - input.top, "x-now-band") +
    clipped(input, zeroLine(input) + dots(input, inputs, 0, STEPS + 1, "x-of-input")) +
    frameBox(input) +
    label(input.left, input.top - 9, `Input u: ${inputWords[state.input]}`, "x-title") +
    corner(input, `u = ${number(inputs[step])}`) +
    clipped(run, zeroLine(run) + levels.join("") + past + dots(run, outputs, step + 1, STEPS + 1, "x-of-later") + dots(run, outputs, 0, step + 1, "x-of-state")) +
    circle(now, run.y(outputs[step]), 4.5, "x-of-state") +
    frameBox(run) +
    yTicks(run, ticks(...run.yDomain, 3)) +
    xTicks(run, [0, 20, 40, 60, 80, 100]) +
    label(run.left, run.top - 9, narrow ? `Step ${step}: y = ${number(outputs[step])}` : `Recurrence at step ${step}: y = ${number(outputs[step])}`, "x-title") +
    corner(run, `x = (${x.join(", ")})`) +
    label(run.left + run.width, run.top + run.height + 29, `step k of Δ = ${number(DELTA)} s`, "x-axis", "end")
  );
};

// In words

const polesTold = ({ kind }, { poles }) =>
  kind === "pair"
    ? `Poles at ${complexNumber({ re: poles[0].re, im: 0 })} ± ${number(poles[0].im)}i`
    : `Poles at ${number(poles[0].re)} and ${number(poles[1].re)}`;

const fateTold = ({ kind, im }, { verdict, half_life }) => {
  const ringing = kind === "pair" && im > 0 ? ` rings at ${number(im)} rad/s and` : "";
  if (verdict === "stable") return `stable: what is stored${ringing} in the end falls by half every ${number(half_life)} s.`;
  return verdict === "unstable" ? `unstable: what is stored${ringing} grows.` : `on the edge: what is stored${ringing} does not decay.`;
};

const weightsTold = ({ kind, first, second }, { weights }) => {
  if (kind === "pair") return "";
  if (weights === null) return " The two poles coincide: the impulse response has a term t·eᵖᵗ.";
  return ` The impulse response is ${number(weights[0])} e^(${number(first)}t) ${weights[1] < 0 ? "−" : "+"} ${number(Math.abs(weights[1]))} e^(${number(second)}t).`;
};

const loudnessTold = ({ omega }, { loudest, peak, gain, settles }) => {
  if (peak === null) return "";
  return (
    ` A constant push of 1 is answered by ${number(settles)}; a sine of ${number(omega)} rad/s is multiplied by ${number(gain)}, ` +
    `and no input by more than ${number(peak)}, at ${number(loudest)} rad/s.`
  );
};

export const describe = (state, values) =>
  `${polesTold(state, values)}${state.with_zero ? `, a zero at ${number(state.zero)}` : ""}, ${fateTold(state, values)}` +
  `${weightsTold(state, values)}${loudnessTold(state, values)}`;

const KEY = [
  [(x, y) => crossMark(x + 10, y - 4, 5, "x-pole"), "pole"],
  [(x, y) => circle(x + 10, y - 4, 6, "x-zero-mark"), "zero"],
  [(x, y) => circle(x + 10, y - 4, 4, "x-tone"), "frequency of the sine"],
  [(x, y) => circle(x + 10, y - 4, 4, "x-exact-ring"), "loudest frequency"],
  [(x, y) => circle(x + 10, y - 4, 3, "x-of-state"), "output, so far"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, domainsOf(state, values));
  const key = keyRows(KEY, layout.run.top + layout.run.height + (layout.narrow ? 54 : 46), width);
  const { times, impulse, push, settles } = values;
  const content =
    plane(layout, state, values) +
    responsePanel(layout.impulse, "Impulse response", impulse, times, null, "time, s") +
    responsePanel(layout.push, "Step response", push, times, settles, "time, s") +
    gainPanel(layout, state, values) +
    runPanel(layout, state, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
