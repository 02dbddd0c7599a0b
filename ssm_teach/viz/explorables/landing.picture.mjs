// One output, reached twice: by the state, a chain of turning arrows, and by the kernel laid over the past. SVG text.
import { circle, curve, label, line, number, panel, picture, px, rectangle, region } from "./plot.mjs";
import { INPUT, SAMPLES, valuesOf } from "./landing.math.mjs";

// Where the panels lie: the plane of the state stands left of the output and shares its scale, so a level line joins them.
export const layoutOf = (width, reach) => {
  const narrow = width < 560;
  const side = narrow ? Math.round(width * 0.38) : Math.min(Math.round(width * 0.3), 230);
  const left = side + (narrow ? 12 : 28);
  const head = narrow ? 72 : 24;
  const inputHeight = narrow ? 84 : 110;
  const row = { left, width: width - left - 1, xDomain: [0, SAMPLES - 1] };
  const top = head + inputHeight + 40;
  const input = panel({ ...row, top: head, height: inputHeight, yDomain: [-1.15, 1.25] });
  const output = panel({ ...row, top, height: side, yDomain: [-reach, reach] });
  const plane = panel({ left: 1, top, width: side, height: side, xDomain: [-reach, reach], yDomain: [-reach, reach] });
  return { narrow, input, output, plane, words: [0, narrow ? 14 : head + 14], height: top + side + 22 };
};

// The largest excursion of the whole run, so that scales stand still while time passes.
export const reachOf = ({ chains }) =>
  1.08 * Math.max(...chains.map((joints) => Math.max(...joints.map(({ re, im }) => Math.max(Math.abs(re), Math.abs(im))))));

const area = (frame, values, kind, first = 0) => {
  const points = values.map((value, k) => `L${px(frame.x(first + k))} ${px(frame.y(value))}`).join("");
  const [start, end] = [px(frame.x(first)), px(frame.x(first + values.length - 1))];
  return region(`M${start} ${px(frame.y(0))}${points}L${end} ${px(frame.y(0))}Z`, kind);
};

const trace = (frame, values, kind, first = 0) => curve(values.map((value, k) => [frame.x(first + k), frame.y(value)]), kind);

const base = (frame) => line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero");

const inputRow = ({ input: frame, narrow }, { kernel, sample }) => {
  const high = Math.max(...kernel.map(Math.abs));
  const laid = kernel.slice(0, sample + 1).map((weight) => weight / high).reverse();
  return (
    area(frame, laid, "x-kernel") +
    trace(frame, laid, "x-kernel-edge") +
    base(frame) +
    trace(frame, INPUT.slice(sample), "x-ahead", sample) +
    trace(frame, INPUT.slice(0, sample + 1), "x-exact") +
    circle(frame.x(sample), frame.y(INPUT[sample]), 3.5, "x-now") +
    label(frame.left, frame.top - 8, "input u", "x-title") +
    label(frame.left + 62, frame.top - 8, narrow ? "and kernel, reversed" : "and the kernel, laid backwards over it", "x-axis x-in-kernel")
  );
};

const outputRow = ({ output: frame, narrow }, { chains, sums, sample }) => {
  const y = chains.map((joints) => joints[joints.length - 1].re);
  return (
    base(frame) +
    trace(frame, y.slice(sample), "x-ahead", sample) +
    trace(frame, y.slice(0, sample + 1), "x-exact") +
    trace(frame, sums, "x-sum") +
    label(frame.left, frame.top - 8, "output y", "x-title") +
    label(frame.left + 74, frame.top - 8, narrow ? "and running sum" : "and the running sum of kernel × input", "x-axis x-in-kernel")
  );
};

const plate = (frame) =>
  rectangle(frame.left, frame.top, frame.width, frame.height, "x-plate") +
  line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
  line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-zero");

const phasors = (frame, { chains, sample }) => {
  // The real part points up, so that the tip stands at the height of the output.
  const at = ({ re, im }) => [frame.x(-im), frame.y(re)];
  const trail = chains.slice(Math.max(sample - 40, 0), sample + 1).map((joints) => at(joints[joints.length - 1]));
  const joints = chains[sample].map(at);
  const arrows = joints.slice(1).map(([x, y], n) => {
    const [x0, y0] = joints[n];
    return circle(x0, y0, Math.hypot(x - x0, y - y0), "x-orbit") + line(x0, y0, x, y, "x-arm");
  });
  return (
    curve(trail, "x-trail") +
    arrows.join("") +
    joints.slice(0, -1).map(([x, y]) => circle(x, y, 2.5, "x-joint")).join("") +
    label(frame.left, frame.top - 8, "state x", "x-title") +
    label(frame.x(0) + 5, frame.top + 13, "Re", "x-tick")
  );
};

const tipOf = ({ chains, sample }) => chains[sample][chains[sample].length - 1];

// The two ways to the dot: level from the tip of the chain, straight down from now.
const ways = ({ plane, input, output }, values) => {
  const tip = tipOf(values);
  const [x, y] = [output.x(values.sample), output.y(tip.re)];
  const foot = input.top + input.height;
  return line(plane.x(-tip.im), y, x, y, "x-level") + line(x, input.top, x, foot, "x-drop") + line(x, foot, x, y, "x-drop x-faint");
};

const landing = ({ plane, output }, values) => {
  const tip = tipOf(values);
  const [x, y] = [output.x(values.sample), output.y(tip.re)];
  return (
    circle(plane.x(-tip.im), y, 4, "x-tip") +
    circle(x, y, 7.5, "x-arrived") +
    circle(x, y, 4, "x-tip") +
    label(output.left + output.width, output.top + output.height + 16, "time →", "x-axis", "end")
  );
};

const words = ({ words: [x, y], plane, narrow }, { recurrence, convolution }) => {
  const fixed = (value) => value.toFixed(4).replace("-", "−");
  return [
    ["Recurrence", "x ← Āx + B̄u", "carries a state", fixed(recurrence), "x-of-state"],
    ["Convolution", "y = K ∗ u", "weighs the past", fixed(convolution), "x-of-kernel"],
  ]
    .map(([name, rule, gist, value, kind], k) => {
      const [left, top] = narrow ? [x + k * plane.width * 1.32, y] : [x, y + k * 46];
      const lines = narrow ? [name, gist] : [`${name}  ${value}`, `${rule},  ${gist}`];
      return circle(left + 5, top - 4, 5, kind) + label(left + 16, top, lines[0], "x-title") + label(left + 16, top + 18, lines[1], "x-axis");
    })
    .join("");
};

export const describe = ({ delta, sample }, values) =>
  `Sample ${sample + 1} of ${SAMPLES}, step Δ = ${number(delta)}: the recurrence, which carries a state, gives ${values.recurrence.toFixed(4).replace("-", "−")}; ` +
  `the convolution, which weighs the past with a kernel, gives ${values.convolution.toFixed(4).replace("-", "−")}. They differ by ${number(values.difference, 2)}.`;

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, reachOf(values));
  const backdrop = plate(layout.plane) + ways(layout, values);
  const content = inputRow(layout, values) + outputRow(layout, values) + phasors(layout.plane, values) + landing(layout, values);
  return picture(width, layout.height, describe(state, values), words(layout, values) + backdrop + content);
};
