// Frequency bias as SVG text: the modes' gradients over a logarithmic frequency axis, and below it a target and its fit.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture } from "./plot.mjs";
import { rectangle, xTicks, yTicks } from "./plot.mjs";
import { COUNT, TARGETS, TOP, kernelAt, valuesOf } from "./bias.math.mjs";

const OMEGA = [0.1, 1000]; // shown of the frequency axis
const DECADES = 7; // of gradient that are shown
const PLACE_NAMES = { loss: "loss", layer: "layer" };

export const layoutOf = (width, { peak } = { peak: 4 }) => {
  const narrow = width < 560;
  const [left, top, right] = [narrow ? 38 : 44, 26, 2];
  const high = Math.ceil(Math.log10(Math.max(peak, 4)) + 0.2);
  const kernel = { left, top, width: width - left - right, height: narrow ? 150 : 180 };
  const fit = { ...kernel, top: top + kernel.height + 70, height: narrow ? 120 : 140 };
  return {
    narrow,
    kernel: panel({ ...kernel, xDomain: OMEGA.map(Math.log10), yDomain: [high - DECADES, high] }),
    fit: panel({ ...fit, xDomain: [0, TOP], yDomain: [0, 1.3] }),
    bottom: fit.top + fit.height + 34,
  };
};

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const titled = (frame, title, xName) =>
  label(frame.left, frame.top - 10, title, "x-title") +
  label(frame.left + frame.width, frame.top + frame.height + 29, xName, "x-axis", "end");

const small = (error) => (error < 0.001 ? "< 0.001" : number(error, 2));

// Where a frequency stands on the logarithmic axis; what is slower than the axis stands at its left end.
export const standsAt = ({ kernel }, frequency) => kernel.x(Math.log10(Math.min(Math.max(Math.abs(frequency), OMEGA[0]), OMEGA[1])));

export const nearestMode = (layout, starts, x) =>
  starts.reduce((best, frequency, n) => (Math.abs(standsAt(layout, frequency) - x) < Math.abs(standsAt(layout, starts[best]) - x) ? n : best), 0);

// Evenly on the logarithmic axis, and closely around the mode, where the curve has its peak.
const frequenciesAround = (centre) => {
  const even = Array.from({ length: 81 }, (_, k) => 10 ** (-1 + k / 20));
  const near = Array.from({ length: 17 }, (_, k) => centre + (k - 8) / 4);
  return [...even, ...near.filter((s) => s > OMEGA[0] && s < OMEGA[1])].sort((p, q) => p - q);
};

const kernelCurve = ({ kernel: frame }, frequency, beta, kind) => {
  const height = (s) => frame.y(Math.max(Math.log10(kernelAt(s, frequency, beta)), frame.yDomain[0] - 1));
  return curve(frequenciesAround(frequency).map((s) => [frame.x(Math.log10(s)), height(s)]), kind);
};

const kernelPanel = (layout, { beta }, { mode, starts, nyquist, frequency, lands }) => {
  const { kernel: frame, narrow } = layout;
  const upright = (x, kind) => line(x, frame.top, x, frame.top + frame.height, kind);
  const edge = standsAt(layout, nyquist);
  const shown = nyquist < OMEGA[1];
  const limit = shown
    ? rectangle(edge, frame.top, frame.left + frame.width - edge, frame.height, "x-data-wash") +
      upright(edge, "x-nyquist") +
      label(edge - 5, frame.top + frame.height - 8, "π/Δ", "x-tick", "end")
    : "";
  const others = starts.map((one, n) => (n === mode ? "" : kernelCurve(layout, one, beta, "x-exact x-thin"))).join("");
  const marks = starts.map((one) => line(standsAt(layout, one), frame.top, standsAt(layout, one), frame.top + 7, "x-kernel-edge"));
  const [here, there] = [standsAt(layout, frequency), standsAt(layout, lands)];
  const jump =
    frequency >= nyquist
      ? line(here, frame.top + 20, there, frame.top + 20, "x-drop") + circle(there, frame.top + 20, 4.5, "x-wanted")
      : "";
  const targets = TARGETS.map((centre) => upright(standsAt(layout, centre), "x-past x-to-come")).join("");
  const inside =
    limit + targets + others + kernelCurve(layout, frequency, beta, "x-kept-line x-heavy") + marks.join("") + jump + circle(here, frame.top + 20, 4.5, "x-of-kernel");
  const decades = [0, 2, 4, 6].map((k) => frame.yDomain[1] - k);
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, [-1, 0, 1, 2, 3], (power) => number(10 ** power)) +
    yTicks(frame, decades, (power) => `10${power < 0 ? "⁻" : ""}${"⁰¹²³⁴⁵⁶⁷⁸⁹"[Math.abs(power)]}`) +
    titled(frame, narrow ? "Gradient by frequency, at the start" : "What each mode’s Im a feels of an error at ω, at the start", "frequency ω")
  );
};

const fitPanel = ({ fit: frame, narrow }, { grid, model, target, ends, errors }) => {
  const path = (values) => grid.map((s, k) => [frame.x(s), frame.y(Math.min(values[k], 2))]);
  const marks = ends.filter((end) => end >= 0 && end <= TOP);
  const inside =
    curve(path(target), "x-exact x-thin") +
    curve(path(model), "x-kept-line x-heavy") +
    marks.map((end) => line(frame.x(end), frame.top + frame.height, frame.x(end), frame.top + frame.height - 9, "x-kernel-edge")).join("");
  const told = TARGETS.map((centre, k) => label(frame.x(centre) + 8, frame.top + 14, `error ${small(errors[k])}`, "x-axis")).join("");
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    told +
    xTicks(frame, [0, 20, 40, 60, 80, 100]) +
    yTicks(frame, [0, 0.5, 1]) +
    titled(frame, narrow ? "Target and fit after training" : "The target, the fit after training, and where its modes went", "frequency ω")
  );
};

// In words

const verdict = (error) => (error < 0.1 ? "found" : error > 0.8 ? "missed" : "half found");

export const describe = (state, values = valuesOf(state)) => {
  const { alpha, beta, place } = state;
  const { starts, errors, mode, peak, slope, beyond, frequency, lands, nyquist } = values;
  const weighed = beta === 0 ? "" : `, in the ${PLACE_NAMES[place]}`;
  const [slow, fast] = errors;
  const fit = `After training the resonance at ${TARGETS[0]} is ${verdict(slow)} (error ${small(slow)}) and the one at ${TARGETS[1]} ${verdict(fast)} (${small(fast)}).`;
  const reach = `α = ${number(alpha)}, β = ${number(beta)}${weighed}: the modes start at frequencies from 0 to ${number(starts[COUNT - 1])}.`;
  const gradient = `The gradient of mode ${mode} is ${number(peak)} at ${number(frequency)} and falls with slope ${number(slope)} far away.`;
  const fold =
    beyond === 0
      ? ""
      : ` ${beyond} mode${beyond === 1 ? "" : "s"} start${beyond === 1 ? "s" : ""} at π/Δ = ${number(nyquist)} or beyond${frequency >= nyquist ? `: mode ${mode} passes for ${number(lands)}` : ""}.`;
  return `${reach} ${fit} ${gradient}${fold}`;
};

const KEY = [
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line"), "the picked mode; the fit"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-exact x-thin"), "the other modes; the target"],
  [(x, y) => line(x + 10, y - 10, x + 10, y + 1, "x-kernel-edge"), "a mode, before and after"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-nyquist"), "Nyquist, π/Δ"],
  [(x, y) => circle(x + 10, y - 4, 4.5, "x-wanted"), "what an aliased mode passes for"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, values);
  const key = keyRows(KEY, layout.bottom + 12, width);
  const content = kernelPanel(layout, state, values) + fitPanel(layout, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
