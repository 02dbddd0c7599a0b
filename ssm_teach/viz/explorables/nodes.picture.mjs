// The unit circle with its nodes, the imaginary axis they go to, the answers there, and the kernel. SVG text.
import { modulus } from "./complex.mjs";
import { valuesOf } from "./nodes.math.mjs";
import { circle, clipped, complexNumber, curve, keyRows, label, line, number } from "./plot.mjs";
import { panel, picture, rectangle, ticks, xTicks, yTicks } from "./plot.mjs";

const DECADES = 4; // of the answers that are shown, below the loudest
const MIDDLE = 10; // |Im g| that lies half way to infinity on the axis

// The whole imaginary axis in a finite height, infinity at ±1.
const squeezed = (height) => (Number.isFinite(height) ? (2 / Math.PI) * Math.atan(height / MIDDLE) : 1);

export const layoutOf = (width, { length, extremes } = { length: 32, extremes: [0, 1] }, loudest = 1) => {
  const narrow = width < 560;
  const side = narrow ? 190 : 214;
  const circleFrame = panel({ left: 1, top: 24, width: side, height: side, xDomain: [-1.2, 1.2], yDomain: [-1.2, 1.2] });
  const axis = panel({
    left: side + 46,
    top: 24,
    width: narrow ? width - side - 50 : 130,
    height: side,
    xDomain: [-1, 0.5],
    yDomain: [-1.06, 1.06],
  });
  const third = side + 46 + 130 + 54;
  const answers = panel({
    left: narrow ? 44 : third,
    top: narrow ? 24 + side + 46 : 24,
    width: narrow ? width - 52 : width - third - 8,
    height: narrow ? 110 : side,
    xDomain: [-0.7, length - 0.3],
    yDomain: [Math.log10(loudest) - DECADES, Math.log10(loudest) + 0.3],
  });
  const kernel = panel({
    left: 44,
    top: answers.top + answers.height + 58,
    width: width - 52,
    height: 150,
    xDomain: [-0.5, 2 * length - 0.5],
    yDomain: extremes,
  });
  return { circle: circleFrame, axis, answers, kernel, bottom: kernel.top + kernel.height + 34 };
};

export const gripOf = (frame, { z }) => [frame.x(z.re), frame.y(z.im)];

export const pointOf = (frame, left, top) => [(left - frame.x(0)) / frame.xScale, (frame.y(0) - top) / frame.xScale];

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const cross = (frame) =>
  line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
  line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-zero");

const circlePanel = (frame, { length }, values) => {
  const places = Array.from({ length }, (_, j) => (-2 * Math.PI * j) / length);
  const marks = places.map((angle) => circle(frame.x(Math.cos(angle)), frame.y(Math.sin(angle)), 3.5, "x-node"));
  const [x, y] = gripOf(frame, values);
  return (
    clipped(frame, cross(frame) + circle(frame.x(0), frame.y(0), frame.xScale, "x-unit") + marks.join("") + circle(x, y, 7, "x-grip")) +
    frameBox(frame) +
    label(frame.left, frame.top - 9, "Roots of unity z", "x-title") +
    label(frame.x(1) - 9, frame.y(0) - 6, "j = 0", "x-tick", "end")
  );
};

const axisPanel = (frame, values) => {
  const nodes = values.heights.map((height) => circle(frame.x(0), frame.y(squeezed(height)), 3.5, "x-node"));
  const poles = values.poles.map((omega) => circle(frame.x(-0.5), frame.y(squeezed(omega)), 3, "x-node-pole"));
  const chosen = circle(frame.x(0), frame.y(squeezed(values.height)), 7, "x-grip");
  const scale = [-1, -0.5, 0, 0.5, 1];
  const names = ["−∞", number(-MIDDLE), "0", number(MIDDLE), "∞"];
  return (
    clipped(frame, cross(frame) + nodes.join("") + poles.join("") + chosen) +
    frameBox(frame) +
    yTicks(frame, scale, (place) => names[scale.indexOf(place)]) +
    xTicks(frame, [-0.5, 0]) +
    label(frame.left + frame.width, frame.top - 9, "Where they go: g", "x-title", "end")
  );
};

const answersPanel = (frame, { length }, { spectrum, other_spectrum: other, node }) => {
  const floor = frame.yDomain[0];
  const heightOf = (answer) => frame.y(Math.max(Math.log10(modulus(answer)), floor));
  const stems = spectrum.map((answer, j) => {
    const [x, y] = [frame.x(j), heightOf(answer)];
    return line(x, frame.y(floor), x, y, "x-kept-line") + circle(x, y, j === node ? 6 : 2.5, j === node ? "x-grip" : "x-mode");
  });
  const rings = other.map((answer, j) => circle(frame.x(j), heightOf(answer), 3.5, "x-mode-twin"));
  const powers = ticks(...frame.yDomain, 5).filter(Number.isInteger);
  return (
    clipped(frame, stems.join("") + rings.join("")) +
    frameBox(frame) +
    yTicks(frame, powers, (power) => number(10 ** power, 1)) +
    xTicks(frame, [0, Math.floor(length / 2), length - 1]) +
    label(frame.left, frame.top - 9, "The answers |K̂|", "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "node j", "x-axis", "end")
  );
};

const kernelPanel = (frame, { length, corrected }, { kernel, truth }) => {
  const end = frame.x(length - 0.5);
  const window = rectangle(frame.left, frame.top, end - frame.left, frame.height, "x-answer");
  const part = (from, to, kind) => curve(truth.slice(from, to).map((value, k) => [frame.x(from + k), frame.y(value)]), kind);
  const dots = kernel.map((value, k) => circle(frame.x(k), frame.y(value), 3, corrected ? "x-mode" : "x-dot"));
  return (
    clipped(
      frame,
      window +
        line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
        part(0, length, "x-exact") +
        part(length - 1, 2 * length, corrected ? "x-unused-line x-heavy" : "x-tail-line x-heavy") +
        dots.join("") +
        line(end, frame.top, end, frame.top + frame.height, "x-cut"),
    ) +
    frameBox(frame) +
    yTicks(frame, ticks(...frame.yDomain, 4)) +
    xTicks(frame, [0, length - 1, 2 * length - 1]) +
    label(frame.left, frame.top - 9, "The kernel, and what rings on", "x-title") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "sample k", "x-axis", "end")
  );
};

// In words

export const describe = (state, values) => {
  const { length, delta, states, delay, corrected } = state;
  const { node, z, height, answer, error } = values;
  const system = states === 1 ? "One state, plain decay." : `${states} states, echo after ${number(delay)}.`;
  const image = Number.isFinite(height) ? `g = ${number(height)}i` : "g at infinity";
  const place = `Node ${node} of ${length}: z = ${complexNumber(z)} goes to ${image}, the answer is ${complexNumber(answer)}.`;
  const window = `The window has the length LΔ = ${number(length * delta)}.`;
  const verdict = corrected
    ? `With C̃ the inverse transform is the kernel, up to ${number(error, 2)} of its peak.`
    : states === 1
      ? `Without the correction every sample is ${number(1 + error, 5)} times too large.`
      : `Without the correction what rings after the window is folded back: error ${number(error)} times the peak.`;
  return `${system} ${window} ${place} ${verdict}`;
};

const keyEntries = ({ corrected }) => [
  [(x, y) => circle(x + 10, y - 4, 3.5, "x-node"), "node"],
  [(x, y) => circle(x + 10, y - 4, 3, "x-node-pole"), "pole of the normal part"],
  [(x, y) => circle(x + 10, y - 4, 3, "x-mode-twin"), `answer with ${corrected ? "C" : "C̃"}`],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-exact"), "kernel by powers"],
  [(x, y) => circle(x + 10, y - 4, 3, corrected ? "x-mode" : "x-dot"), `kernel from ${corrected ? "C̃" : "C"}`],
];

const domainOf = ({ kernel, truth }) => {
  const all = [0, ...kernel, ...truth];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return [low - 0.06 * (high - low), high + 0.1 * (high - low)];
};

export const draw = (state, width, values = valuesOf(state)) => {
  const loudest = Math.max(...values.spectrum.map(modulus), ...values.other_spectrum.map(modulus));
  const layout = layoutOf(width, { length: state.length, extremes: domainOf(values) }, loudest);
  const key = keyRows(keyEntries(state), layout.bottom + 10, width);
  const content =
    circlePanel(layout.circle, state, values) +
    axisPanel(layout.axis, values) +
    answersPanel(layout.answers, state, values) +
    kernelPanel(layout.kernel, state, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
