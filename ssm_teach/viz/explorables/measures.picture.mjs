// A signal and what a memory says of its past, as SVG text; below it the basis over age, and the error over age.
import { clipped, curve, keyRows, label, line, number, panel, picture, px, rectangle, region, xTicks, yTicks } from "./plot.mjs";
import { DT, LENGTH, MEASURES, valuesOf } from "./measures.math.mjs";

const SHOWN = 4; // basis functions after the constant one
const FADED = 4; // windows of LagT's weight that the basis is drawn over
const LOWEST = -5; // powers of ten of the error
const HIGHEST = 0.5;

export const layoutOf = (width) => {
  const narrow = width < 560;
  const left = 26;
  const top = { left, top: 24, width: width - left - 1, height: narrow ? 150 : 190 };
  const below = top.top + top.height + 66;
  const half = narrow ? top.width : Math.floor((top.width - 62) / 2);
  const height = narrow ? 110 : 130;
  return {
    narrow,
    signal: panel({ ...top, xDomain: [0, LENGTH * DT], yDomain: [-1.9, 1.9] }),
    basis: { left, top: below, width: half, height },
    error: narrow
      ? { left, top: below + height + 66, width: half, height }
      : { left: left + half + 62, top: below, width: half, height },
    bottom: below + height + (narrow ? height + 66 : 0) + 40,
  };
};

export const timeAt = (layout, x) => {
  const frame = layout.signal;
  return Math.min(Math.max(DT * Math.round((x - frame.left) / frame.xScale / DT), 0.2), LENGTH * DT);
};

const framed = (frame, content) =>
  clipped(frame, content) + rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

// The weight as a wash that grows from the bottom of a panel; a weight of 1 fills `share` of it.
const wash = (frame, points, share) => {
  const bottom = frame.top + frame.height;
  const heightOf = (weight) => Math.min(weight, 1.6) * share * frame.height;
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const edge = points.map(([x, weight]) => `L${px(x)} ${px(bottom - heightOf(weight))}`).join("");
  return region(`M${px(first)} ${px(bottom)}${edge}L${px(last)} ${px(bottom)}Z`, "x-weight");
};

// Chebyshev's weight is infinite at ages 0 and 1.
const weightOf = (measure, age) => {
  const last = measure === "lagt" ? Infinity : 0.996;
  return MEASURES[measure].weight(Math.min(Math.max(age, 0.004), last));
};

const signalPanel = (layout, { measure }, { heard, window, signal, said, ideal }) => {
  const frame = layout.signal;
  const now = heard * DT;
  const xOf = (k) => frame.x(now - (k + 0.5) * DT);
  const points = (values) => values.map((value, k) => [xOf(k), frame.y(value)]);
  const heardPoints = Array.from(signal, (value, k) => [frame.x((k + 0.5) * DT), frame.y(value)]);
  const weights = said.map((_, k) => [xOf(k), weightOf(measure, (k + 0.5) / window)]);
  const upright = (time, kind) => line(frame.x(time), frame.top, frame.x(time), frame.top + frame.height, kind);
  const content =
    wash(frame, weights, 0.22) +
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    curve(heardPoints.slice(heard - 1), "x-not-yet") +
    curve(heardPoints.slice(0, heard), "x-heard") +
    (measure === "lagt" ? "" : upright(now - window * DT, "x-gap")) +
    curve(points(said), "x-said") +
    curve(points(ideal), "x-ideal") +
    upright(now, "x-cut");
  return (
    framed(frame, content) +
    xTicks(frame, [0, 1, 2, 3, 4]) +
    yTicks(frame, [-1, 0, 1]) +
    label(0, frame.top - 9, layout.narrow ? "Signal and memory" : "The signal, and what the memory says of it now", "x-title") +
    label(frame.left + frame.width, frame.top - 9, `now = ${number(now)} s`, "x-axis x-count", "end") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "time (s)", "x-axis", "end")
  );
};

// Age 0 is at the right, as now is in the panel above.
const basisPanel = (layout, { measure }, { states }) => {
  const reach = measure === "lagt" ? FADED : 1;
  const frame = panel({ ...layout.basis, xDomain: [reach, 0], yDomain: [-3.4, 3.4] });
  const ages = Array.from({ length: 161 }, (_, k) => (reach * k) / 160);
  const rows = ages.map((age) => MEASURES[measure].basis(states, age));
  const drawn = Math.min(SHOWN, states - 1);
  const curves = Array.from({ length: drawn + 1 }, (_, n) =>
    curve(ages.map((age, k) => [frame.x(age), frame.y(rows[k][n])]), `x-basis x-basis-${n}`),
  );
  const content =
    wash(frame, ages.map((age) => [frame.x(age), weightOf(measure, age)]), 0.3) +
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    curves.reverse().join("");
  const title = drawn ? `Weight, and the first ${drawn + 1} of ${states} functions` : "Weight, and the only function";
  const unit = measure === "legs" ? "age (share of all time)" : measure === "lagt" ? "age (time constants)" : "age (windows)";
  return (
    framed(frame, content) +
    xTicks(frame, measure === "lagt" ? [4, 3, 2, 1, 0] : [1, 0.5, 0]) +
    yTicks(frame, [-2, 0, 2]) +
    label(0, frame.top - 9, title, "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, unit, "x-axis", "end")
  );
};

const powerOfTen = (power) => ({ 0: "1", [-2]: "10⁻²", [-4]: "10⁻⁴" })[power];

const errorPanel = (layout, _, { said, ideal, truth }) => {
  const seconds = said.length * DT;
  const frame = panel({ ...layout.error, xDomain: [seconds, 0], yDomain: [LOWEST, HIGHEST] });
  const points = (values) =>
    values.map((value, k) => [frame.x((k + 0.5) * DT), frame.y(Math.max(Math.log10(Math.abs(value - truth[k])), LOWEST - 1))]);
  const powers = [-4, -2, 0];
  const grid = powers.map((power) => line(frame.left, frame.y(power), frame.left + frame.width, frame.y(power), "x-grid"));
  return (
    framed(frame, grid.join("") + curve(points(said), "x-said x-fine") + curve(points(ideal), "x-ideal")) +
    xTicks(frame, [seconds, seconds / 2, 0]) +
    yTicks(frame, powers, powerOfTen) +
    label(layout.narrow ? 0 : frame.left, frame.top - 9, "Error by age", "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "age (s)", "x-axis", "end")
  );
};

// In words

const REACH = {
  legs: () => "everything heard so far",
  legt: (seconds) => `the last ${seconds} s`,
  lagt: (seconds) => `the past, forgotten by 1/e every ${seconds} s,`,
  fout: (seconds) => `the last ${seconds} s`,
  chebyshev: (seconds) => `the last ${seconds} s`,
};

const closureTold = ({ measure, closure }) => {
  if (measure === "legs" || measure === "lagt") return "Nothing drops out of its past, so it is its projection exactly.";
  if (measure === "fout" && closure === "jump") return "What leaves the window it takes from the average at the jump.";
  if (measure === "fout")
    return "What leaves the window it takes from its own series, which shows the average of both ends: older windows linger.";
  if (measure === "chebyshev") return "It runs as LegT in other coordinates; only the projection weighs the ends more.";
  return "What leaves the window it takes from its own picture of the far end.";
};

export const describe = (state, { states, heard, window, error, floor }) => {
  const told = REACH[state.measure](number(window * DT));
  const count = `${states} number${states > 1 ? "s" : ""}`;
  return (
    `${MEASURES[state.measure].name} describes ${told} by ${count}. At ${number(heard * DT)} s its error is ${number(error)}, ` +
    `root mean square in its own weight; that of the true projection is ${number(floor)}. ${closureTold(state)}`
  );
};

const KEY = [
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-heard"), "signal"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-said"), "memory"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-ideal"), "true projection"],
  [(x, y) => rectangle(x, y - 10, 22, 12, "x-weight"), "weight"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-basis x-basis-1"), "basis"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width);
  const key = keyRows(KEY, layout.bottom + 12, width);
  const content = signalPanel(layout, state, values) + basisPanel(layout, state, values) + errorPanel(layout, state, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
