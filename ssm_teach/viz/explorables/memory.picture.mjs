// The drawn signal with the fit over what has been read, and the coefficients as bars, as SVG text.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture, rectangle, yTicks } from "./plot.mjs";
import { ticks } from "./plot.mjs";
import { fitAt, SAMPLES, valuesOf } from "./memory.math.mjs";

const POINTS = 240; // of the fit

export const layoutOf = (width, { coefficients = 12 } = {}, largest = 1) => {
  const narrow = width < 560;
  const left = 30;
  const across = { left, width: width - left - 1 };
  const canvas = panel({ ...across, top: 24, height: narrow ? 170 : 210, xDomain: [0, SAMPLES], yDomain: [-1.1, 1.1] });
  const top = canvas.top + canvas.height + 62;
  const high = 1.1 * Math.min(Math.max(largest, 0.5), 2);
  const bars = panel({ ...across, top, height: 96, xDomain: [-0.6, coefficients - 0.4], yDomain: [-high, high] });
  return { narrow, width, canvas, bars, bottom: top + bars.height };
};

// Where a pointer is, as a place of the pen.
export const placeAt = ({ canvas }, x, y) => {
  const pen = Math.floor((x - canvas.left) / canvas.xScale) + 1;
  const height = canvas.yDomain[1] - (y - canvas.top) / (canvas.height / (canvas.yDomain[1] - canvas.yDomain[0]));
  return { pen: Math.min(Math.max(pen, 1), SAMPLES), height: Math.round(100 * Math.min(Math.max(height, -1), 1)) / 100 };
};

const stairs = (frame, signal, from) => signal.flatMap((u, k) => [from + k, from + k + 1].map((edge) => [frame.x(edge), frame.y(u)]));

const drawing = ({ canvas }, { signal, read, pen, height, pen_down }, { c }) => {
  const fit = Array.from({ length: POINTS + 1 }, (_, i) => [canvas.x((i * read) / POINTS), canvas.y(fitAt(c, i / POINTS))]);
  const unread = signal.slice(read);
  const right = canvas.left + canvas.width;
  return clipped(
    canvas,
    rectangle(canvas.x(read), canvas.top, right - canvas.x(read), canvas.height, "x-outside") +
      line(canvas.left, canvas.y(0), right, canvas.y(0), "x-zero") +
      curve(stairs(canvas, unread, read), "x-memory-signal x-to-come") +
      curve(stairs(canvas, signal.slice(0, read), 0), "x-memory-signal") +
      curve(fit, "x-kept-line x-heavy") +
      line(canvas.x(read), canvas.top, canvas.x(read), canvas.top + canvas.height, "x-cut") +
      circle(canvas.x(pen - 0.5), canvas.y(height), 6, pen_down ? "x-pen x-pen-down" : "x-pen"),
  );
};

const barsOf = (frame, c) => {
  const width = Math.min(0.7 * frame.xScale, 26);
  const cut = (value) => Math.min(Math.max(value, frame.yDomain[0]), frame.yDomain[1]);
  return c
    .map((value, n) => {
      const [zero, end] = [frame.y(0), frame.y(cut(value))];
      return rectangle(frame.x(n) - width / 2, Math.min(zero, end), width, Math.abs(end - zero), "x-kept");
    })
    .join("");
};

const framed = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const coefficients = (layout, { coefficients: N }, { c, largest }) => {
  const { bars, narrow } = layout;
  const told = largest > bars.yDomain[1] ? `largest ${number(largest)}` : narrow ? "" : "mean, trend, and finer and finer shapes";
  const orders = [...new Set([0, Math.floor((N - 1) / 2), N - 1])];
  return (
    clipped(bars, line(bars.left, bars.y(0), bars.left + bars.width, bars.y(0), "x-zero") + barsOf(bars, c)) +
    framed(bars) +
    yTicks(bars, ticks(...bars.yDomain, 3)) +
    orders.map((n) => label(bars.x(n), bars.top + bars.height + 14, String(n), "x-tick", "middle")).join("") +
    label(0, bars.top - 9, "Coefficients", "x-title") +
    label(bars.left + bars.width, bars.top - 9, told, "x-axis x-count", "end")
  );
};

// In words

const NAMES = { exact: "exact update", bilinear: "bilinear update with step 1/k", euler: "forward Euler with step 1/k" };

export const describe = ({ coefficients: N, read, method }, { error, size, largest }) => {
  const many = N === 1 ? "One coefficient holds" : `${N} coefficients hold`;
  const share = size === 0 ? "" : `, ${number((100 * error) / size)} % of the signal’s size`;
  const alarm = largest > 2 ? ` The largest coefficient is ${number(largest)}: no fit to this signal has any above 1.` : "";
  return (
    `After ${read} of ${SAMPLES} samples, ${NAMES[method]}. ${many} all that was read with a root mean square error of ` +
    `${number(error)}${share}.${alarm}`
  );
};

const KEY = [
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-memory-signal"), "signal"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line x-heavy"), "what the coefficients remember"],
  [(x, y) => circle(x + 10, y - 4, 5, "x-pen"), "pen"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, state, values.largest);
  const { canvas, narrow } = layout;
  const under = canvas.top + canvas.height + 14;
  const key = keyRows(KEY, layout.bottom + 36, width);
  const content =
    drawing(layout, state, values) +
    framed(canvas) +
    yTicks(canvas, [-1, 0, 1]) +
    label(0, canvas.top - 9, narrow ? "Draw here" : "The signal: draw here", "x-title") +
    label(canvas.left, under, "first sample", "x-tick") +
    label(Math.min(canvas.x(state.read), canvas.left + canvas.width), canvas.top - 9, `now, ${state.read} read`, "x-axis", "end") +
    coefficients(layout, state, values) +
    key.content;
  return picture(width, key.bottom, describe(state, values), content);
};
