// The Hankel singular values, kept and dropped; the error of every order between its bounds; kernel and gain. SVG text.
import { circle, clipped, curve, keyRows, label, line } from "./plot.mjs";
import { number, panel, picture, rectangle, xTicks, yTicks } from "./plot.mjs";
import { OMEGAS, STATES, TIMES, valuesOf } from "./truncation.math.mjs";

const FLOOR = -8.4; // log₁₀ of the bottom of the axis; what is smaller is drawn on the edge

export const layoutOf = (width) => {
  const narrow = width < 560;
  const [left, top, height] = [40, 26, 170];
  const across = narrow ? width - left - 8 : Math.round((width - 2 * left - 26) / 2);
  const second = narrow ? left : 2 * left + 18 + across;
  const below = top + height + 62;
  const row = (k) => top + k * (height + 62);
  const counts = { width: across, height, xDomain: [-0.6, STATES + 0.6], yDomain: [FLOOR, 1.8] };
  const values = panel({ left, top, ...counts });
  const errors = panel({ left: second, top: narrow ? row(1) : top, ...counts });
  const time = { width: across, height, xDomain: [0, TIMES.at(-1)], yDomain: [-1, 1] };
  const kernel = panel({ left, top: narrow ? row(2) : below, ...time });
  const pitch = { width: across, height, xDomain: [-1, Math.log10(OMEGAS.at(-1))], yDomain: [-4.2, 1.4] };
  const gain = panel({ left: second, top: narrow ? row(3) : below, ...pitch });
  return { narrow, values, errors, kernel, gain, bottom: gain.top + height + 34 };
};

export const keptAt = ({ values }, x) => Math.round(values.xDomain[0] + (x - values.left) / values.xScale - 0.5);

// The cut stands to the right of the last state that is kept.
export const gripOf = ({ values }, { kept }) => [values.x(kept + 0.5), values.top + values.height];

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const decade = (value) => (value === 0 ? "1" : `10⁻${"⁰¹²³⁴⁵⁶⁷⁸⁹"[-value]}`);

const levelOf = (value) => Math.max(Math.log10(value), FLOOR);

const rules = (frame, values) =>
  values.map((value) => line(frame.left, frame.y(value), frame.left + frame.width, frame.y(value), "x-grid")).join("");

const named = (frame, title, unit) =>
  frameBox(frame) +
  label(frame.left - 34, frame.top - 11, title, "x-title") +
  label(frame.left + frame.width, frame.top + frame.height + 29, unit, "x-axis", "end");

const ORDERS = [0, 4, 8, 12, 16];

const DECADES = [-8, -6, -4, -2, 0];

const valuesPanel = ({ values: frame }, { kept }, { sigma }) => {
  const cut = frame.x(kept + 0.5);
  const dots = sigma.map((value, k) =>
    circle(frame.x(k + 1), frame.y(levelOf(value)), 4, k < kept ? "x-mode" : "x-tail-line x-heavy"),
  );
  return (
    rules(frame, DECADES) +
    clipped(frame, dots.join("") + line(cut, frame.top, cut, frame.top + frame.height, "x-cut")) +
    yTicks(frame, DECADES, decade) +
    xTicks(frame, ORDERS) +
    named(frame, "Hankel singular values", "k") +
    circle(cut, frame.top + frame.height, 7, "x-grip")
  );
};

const errorsPanel = ({ errors: frame }, { kept }, { tail, error, order }) => {
  const shown = Array.from({ length: order }, (_, r) => r);
  const path = (values, factor = 1) => shown.map((r) => [frame.x(r), frame.y(Math.log10(factor * values[r]))]);
  const here = frame.x(kept);
  const mark = kept < order ? circle(here, frame.y(Math.log10(error[kept])), 5, "x-dot") : "";
  return (
    rules(frame, DECADES) +
    clipped(
      frame,
      line(here, frame.top, here, frame.top + frame.height, "x-cut") +
        curve(path(tail, 2), "x-kept-line x-heavy") +
        curve(path(tail), "x-ideal") +
        curve(path(error), "x-tail-line x-heavy") +
        path(error).map(([x, y]) => circle(x, y, 2.5, "x-dot")).join("") +
        mark,
    ) +
    yTicks(frame, DECADES, decade) +
    xTicks(frame, ORDERS) +
    named(frame, "Error of keeping r states", "r")
  );
};

const kernelPanel = ({ kernel: frame }, { kernel, reduced }) => {
  const top = Math.max(...kernel, ...reduced, 0.1);
  const bottom = Math.min(...kernel, ...reduced, 0);
  const scaled = panel({ ...frame, yDomain: [bottom - 0.06 * (top - bottom), top + 0.06 * (top - bottom)] });
  const path = (values) => values.map((value, k) => [scaled.x(TIMES[k]), scaled.y(value)]);
  return (
    line(frame.left, scaled.y(0), frame.left + frame.width, scaled.y(0), "x-zero") +
    clipped(frame, curve(path(kernel), "x-exact") + curve(path(reduced), "x-kept-line x-heavy x-faint")) +
    yTicks(scaled, [0, Number(top.toPrecision(2))]) +
    xTicks(frame, [0, 1, 2, 3, 4]) +
    named(frame, "Kernel", "t")
  );
};

const gainPanel = ({ gain: frame }, { gain, reduced_gain, error_gain }) => {
  const path = (values) => values.map((value, k) => [frame.x(Math.log10(OMEGAS[k])), frame.y(Math.log10(value))]);
  const levels = [-4, -2, 0];
  return (
    rules(frame, levels) +
    clipped(
      frame,
      curve(path(error_gain), "x-tail-line x-heavy") +
        curve(path(gain), "x-exact") +
        curve(path(reduced_gain), "x-kept-line x-heavy x-faint"),
    ) +
    yTicks(frame, levels, decade) +
    xTicks(frame, [-1, 0, 1, 2], (value) => (value === -1 ? "0.1" : String(10 ** value))) +
    named(frame, "Gain |G(iω)|, and of the error", "ω")
  );
};

const NAMES = { real: "S4D-Real, −1 to −16", lin: "S4D-Lin, −½ + iπn", inv: "S4D-Inv", legs: "S4D-LegS" };

export const describe = ({ system, readout, kept }, { sigma, order, tail, error }) => {
  const weights = readout === "ones" ? "1 everywhere" : "drawn";
  const said = `${NAMES[system]}, readout ${weights}, ${kept} of ${STATES} states kept.`;
  const values = `The largest Hankel singular value is ${number(sigma[0])}, `;
  if (kept >= order) return `${said} ${values}and nothing is lost: only ${order} are above rounding.`;
  return (
    `${said} ${values}the first that is dropped ${number(sigma[kept])}. The largest error at any frequency is ` +
    `${number(error[kept])}. It must lie between that value and the bound, ${number(2 * tail[kept])}, and is ` +
    `${number(error[kept] / tail[kept])} times the tail sum.`
  );
};

const keyEntries = () => [
  [(x, y) => circle(x + 10, y - 4, 4, "x-mode"), "kept"],
  [(x, y) => circle(x + 10, y - 4, 4, "x-tail-line x-heavy"), "dropped"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-tail-line x-heavy"), "error"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-ideal"), "tail sum Σσ"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line x-heavy"), "2Σσ, the bound"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-exact"), "full system"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line x-heavy x-faint"), "reduced"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width);
  const key = keyRows(keyEntries(), layout.bottom + 12, width);
  const panels = [valuesPanel(layout, state, values), errorsPanel(layout, state, values)];
  panels.push(kernelPanel(layout, values), gainPanel(layout, values));
  return picture(width, key.bottom, describe(state, values), panels.join("") + key.content);
};
