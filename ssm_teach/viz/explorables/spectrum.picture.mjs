// Three laws of frequencies against their rank, the same frequencies near zero, and the price of LegS's own
// eigenvectors. SVG text.
import { circle, clipped, curve, keyRows, label, line } from "./plot.mjs";
import { number, panel, picture, rectangle, region, tag, ticks, xTicks, yTicks } from "./plot.mjs";
import { conditionBounds, LARGEST, LAWS, SMALLEST, valuesOf } from "./spectrum.math.mjs";

const NAMES = { legs: "LegS, normal part", inv: "S4D-Inv", lin: "S4D-Lin" };
const SHORT = { legs: "LegS", inv: "Inv", lin: "Lin" };

const DIGITS = 16; // of a double

export const layoutOf = ({ size, zoom }, width) => {
  const narrow = width < 560;
  const left = 46;
  const top = 26;
  const height = narrow ? 210 : 250;
  const ranks = panel({
    left,
    top,
    width: narrow ? width - left - 8 : Math.round(0.56 * width) - left,
    height,
    xDomain: [-0.5, size / 2 - 0.5],
    yDomain: [-1, Math.log10(size ** 2 / Math.PI) + 0.25],
  });
  const right = narrow ? left : ranks.left + ranks.width + 62;
  const condition = panel({
    left: right,
    top: narrow ? ranks.top + height + 66 : top,
    width: width - right - 12,
    height: narrow ? 150 : height,
    xDomain: [Math.log2(SMALLEST), Math.log2(LARGEST)],
    yDomain: [-4, 102],
  });
  const near = panel({
    left,
    top: condition.top + condition.height + 66,
    width: width - left - 12,
    height: 84,
    xDomain: [0, zoom],
    yDomain: [0, 3],
  });
  return { narrow, ranks, condition, near, bottom: near.top + near.height + 36 };
};

export const modeAt = ({ ranks }, x) => Math.round(ranks.xDomain[0] + (x - ranks.left) / ranks.xScale);

export const sizeAt = ({ condition }, x) => {
  const size = 2 * Math.round(2 ** (condition.xDomain[0] + (x - condition.left) / condition.xScale - 1));
  return Math.min(Math.max(size, SMALLEST), LARGEST);
};

const digitsOf = (value) => Math.log10(value);

export const gripsOf = ({ ranks, condition }, { size }, { mode, condition: bound }) => ({
  mode: [ranks.x(mode), ranks.top + ranks.height],
  size: [condition.x(Math.log2(size)), condition.y(digitsOf(bound))],
});

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const MARKS = {
  legs: (x, y) => circle(x, y, 3.5, "x-of-legs x-full"),
  inv: (x, y) => tag("path", { d: `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`, class: "x-of-inv x-stroke" }),
  lin: (x, y) => tag("path", { d: `M${x} ${y - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5Z`, class: "x-of-lin x-stroke" }),
};

const tenth = (value) => Math.round(value * 10) / 10;

const mark = (law, x, y) => MARKS[law](tenth(x), tenth(y));

const power = (value) => (value < 0 ? "0.1" : value < 3 ? String(10 ** value) : `10${"⁰¹²³⁴"[value]}`);

const ranksPanel = ({ ranks: frame }, values) => {
  const dots = [...LAWS].reverse().map((law) =>
    values[law].map((omega, m) => (omega > 0 ? mark(law, frame.x(m), frame.y(Math.log10(omega))) : "")).join(""),
  );
  const x = frame.x(values.mode);
  const decades = [-1, 0, 1, 2, 3].filter((value) => value < frame.yDomain[1]);
  const grid = decades.map((value) => line(frame.left, frame.y(value), frame.left + frame.width, frame.y(value), "x-grid"));
  const whole = ticks(0, values.legs.length - 1, 6).filter(Number.isInteger);
  return (
    clipped(frame, grid.join("") + line(x, frame.top, x, frame.top + frame.height, "x-cut") + dots.join("")) +
    frameBox(frame) +
    yTicks(frame, decades, power) +
    xTicks(frame, whole) +
    circle(x, frame.top + frame.height, 7, "x-grip") +
    label(0, frame.top - 11, "Frequencies, highest first", "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "rank m", "x-axis", "end")
  );
};

const conditionPanel = ({ condition: frame }, { size }, { condition }) => {
  const sizes = Array.from({ length: (LARGEST - SMALLEST) / 2 + 1 }, (_, k) => SMALLEST + 2 * k);
  const points = sizes.map((N) => [frame.x(Math.log2(N)), frame.y(digitsOf(conditionBounds[N]))]);
  const across = (digits, kind) => line(frame.left, frame.y(digits), frame.left + frame.width, frame.y(digits), kind);
  const lost = region(
    `M${frame.left} ${frame.top}h${frame.width}V${tenth(frame.y(DIGITS))}h${-frame.width}Z`,
    "x-nothing-left",
  );
  const [x, y] = [frame.x(Math.log2(size)), frame.y(digitsOf(condition))];
  return (
    clipped(frame, lost + across(0, "x-of-legs x-line") + across(DIGITS, "x-unit") + curve(points, "x-of-own x-line")) +
    frameBox(frame) +
    yTicks(frame, [0, 16, 50, 100]) +
    xTicks(frame, [4, 8, 16, 32, 64, 128].map(Math.log2), (value) => String(2 ** value)) +
    circle(x, frame.y(0), 4, "x-of-legs x-full") +
    circle(x, y, 7, "x-grip") +
    label(frame.left - 34, frame.top - 11, "Digits lost in the eigenvectors", "x-title") +
    label(frame.left + 8, frame.top + 18, "no digit of a double is left", "x-tick") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "size N", "x-axis", "end")
  );
};

const nearPanel = ({ near: frame }, { zoom }, values) => {
  const rows = LAWS.map((law, row) => {
    const y = frame.y(2.5 - row);
    const dots = values[law].filter((omega) => omega <= zoom).map((omega) => mark(law, frame.x(omega), y));
    const count = label(frame.left - 6, y + 4, SHORT[law], "x-tick", "end");
    return [line(frame.left, y, frame.left + frame.width, y, "x-grid") + dots.join(""), count];
  });
  return (
    clipped({ ...frame, left: frame.left - 6, width: frame.width + 12 }, rows.map(([dots]) => dots).join("")) +
    frameBox(frame) +
    rows.map(([, name]) => name).join("") +
    xTicks(frame, ticks(0, zoom, 6)) +
    label(0, frame.top - 11, "Near zero", "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "frequency ω", "x-axis", "end")
  );
};

// In words

const percent = (share) => `${number(100 * share)} %`;

export const describe = ({ size, zoom }, { mode, here, error, sag, last_error, near, condition }) =>
  `N = ${size}: frequency ${mode} from the top is ${number(here.legs, 4)} for LegS, ${number(here.inv, 4)} for Inv ` +
  `(${percent(error)}) and ${number(here.lin, 4)} for Lin; Inv sags most at ${sag.mode}, by ${percent(sag.error)}, and ends ${percent(last_error)} off. ` +
  `Up to ${number(zoom)} there are ${near.legs} frequencies of LegS, ${near.inv} of Inv and ${near.lin} of Lin. ` +
  `LegS’s own eigenvectors have a condition number of at least ${number(condition)}, those of its normal part 1.`;

const KEY = [
  ...LAWS.map((law) => [(x, y) => mark(law, x + 11, y - 4), NAMES[law]]),
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-of-own x-line"), "LegS itself, at best"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-of-legs x-line"), "its normal part"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(state, width);
  const key = keyRows(KEY, layout.bottom + 10, width);
  const panels = [ranksPanel(layout, values), conditionPanel(layout, state, values), nearPanel(layout, state, values)];
  return picture(width, key.bottom, describe(state, values), panels.join("") + key.content);
};
