// Modes as SVG text: the eigenvalues after one step in the unit disc, the kernel beside them, the frequency response below.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture } from "./plot.mjs";
import { rectangle, xTicks, yTicks } from "./plot.mjs";
import { OMEGA, TAPS, valuesOf } from "./modes.math.mjs";

export const INIT_NAMES = { lin: "S4D-Lin", inv: "S4D-Inv", legs: "S4D-LegS", real: "S4D-Real" };
const METHOD_NAMES = { zoh: "zero-order hold", bilinear: "bilinear" };
const DECADES = 3; // of gain that are shown

const highest = (points) => points.reduce((most, [, gain]) => (Number.isFinite(gain) ? Math.max(most, gain) : most), 1e-12);

const leapAbove = (value) => {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1e-12)));
  return [1, 1.5, 2, 3, 5, 7, 10].map((m) => m * decade).find((high) => high >= value * 0.999);
};

const EMPTY = { kernel: [1], share: [0], sampled: [], ideal: [] };

export const layoutOf = (width, { kernel, share, sampled, ideal } = EMPTY) => {
  const narrow = width < 560;
  const [left, top] = [narrow ? 34 : 44, 26];
  const side = narrow ? Math.floor((width - left) * 0.42) : 216;
  const reach = leapAbove([...kernel, ...share].reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const kernelLeft = left + side + (narrow ? 44 : 64);
  const gainTop = Math.ceil(Math.log10(Math.max(highest(sampled), highest(ideal))) + 0.05);
  const below = top + side + (narrow ? 66 : 70);
  const gain = { left, top: below, width: width - left - 1, height: narrow ? 130 : 150 };
  return {
    narrow,
    disc: panel({ left, top, width: side, height: side, xDomain: [-1.15, 1.15], yDomain: [-1.15, 1.15] }),
    kernel: panel({ left: kernelLeft, top, width: width - kernelLeft - 1, height: side, xDomain: [-2, TAPS], yDomain: [-reach, reach] }),
    gain: panel({ ...gain, xDomain: OMEGA.map(Math.log10), yDomain: [gainTop - DECADES, gainTop] }),
    bottom: below + gain.height + 34,
  };
};

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const titled = (frame, title, xName) =>
  label(frame.left, frame.top - 10, title, "x-title") +
  label(frame.left + frame.width, frame.top + frame.height + 29, xName, "x-axis", "end");

const discPanel = ({ disc: frame, narrow }, { A_bar, mode, kept }) => {
  const dots = A_bar.flatMap(({ re, im }) => [im, -im].map((height) => circle(frame.x(re), frame.y(height), narrow ? 2 : 2.6, "x-other")));
  const picked = A_bar[mode];
  const twin = picked.im === 0 ? "" : circle(frame.x(picked.re), frame.y(-picked.im), 5, "x-wanted");
  const inside =
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-zero") +
    circle(frame.x(0), frame.y(0), frame.xScale, "x-unit") +
    dots.join("") +
    twin +
    circle(frame.x(picked.re), frame.y(picked.im), 7, "x-halo") +
    circle(frame.x(picked.re), frame.y(picked.im), 3, "x-other");
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, [-1, 0, 1]) +
    yTicks(frame, [-1, 0, 1]) +
    titled(frame, narrow ? "Ā in the disc" : "Ā, one step, in the unit disc", `|Ā| = ${number(kept, 4)}`)
  );
};

const kernelPanel = ({ kernel: frame, narrow }, { kernel, share, mode }) => {
  const path = (values) => values.map((value, l) => [frame.x(l), frame.y(value)]);
  const dots = narrow ? "" : path(kernel).map(([x, y]) => circle(x, y, 1.6, "x-of-state")).join("");
  const inside =
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    curve(path(kernel), "x-kept-line x-thin") +
    dots +
    curve(path(share), "x-tail-line");
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, narrow ? [0, 100, 200] : [0, 50, 100, 150, 200]) +
    yTicks(frame, [frame.yDomain[0], 0, frame.yDomain[1]]) +
    titled(frame, narrow ? "Kernel" : `Kernel K, and the share of mode ${mode}`, "step l")
  );
};

// Where on the frequency axis a mode stands: |a|, which is its frequency, or the corner of a real one.
export const standsAt = ({ gain }, { re, im }) =>
  gain.x(Math.log10(Math.min(Math.max(Math.hypot(re, im), OMEGA[0]), OMEGA[1])));

export const nearestMode = (layout, A, x) =>
  A.reduce((best, a, n) => (Math.abs(standsAt(layout, a) - x) < Math.abs(standsAt(layout, A[best]) - x) ? n : best), 0);

const gainPanel = (layout, { A, mode, nyquist, lands, frequency, sampled, ideal }) => {
  const { gain: frame, narrow } = layout;
  const path = (points) => points.map(([omega, gain]) => [frame.x(Math.log10(omega)), frame.y(Math.log10(Math.max(gain, 1e-12)))]);
  const upright = (x, kind) => line(x, frame.top, x, frame.top + frame.height, kind);
  const edge = frame.x(Math.log10(nyquist));
  const marks = A.map((a) => line(standsAt(layout, a), frame.top, standsAt(layout, a), frame.top + 7, "x-kernel-edge"));
  const landing = frame.x(Math.log10(Math.max(lands, OMEGA[0])));
  const here = standsAt(layout, A[mode]);
  const moved = frequency > 0 && Math.abs(landing - here) > 3;
  const jump = moved ? line(here, frame.top + 20, landing, frame.top + 20, "x-drop") + circle(landing, frame.top + 20, 4.5, "x-wanted") : "";
  const limit = nyquist < OMEGA[1] ? upright(edge, "x-nyquist") + label(edge + 5, frame.top + frame.height - 8, "π/Δ", "x-tick") : "";
  const inside =
    limit + curve(path(ideal), "x-exact x-thin") + curve(path(sampled), "x-kept-line") + marks.join("") + jump + circle(here, frame.top + 20, 4.5, "x-of-kernel");
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, [-1, 0, 1, 2, 3], (power) => number(10 ** power)) +
    yTicks(frame, [0, 1, 2, 3].map((k) => frame.yDomain[0] + k), (power) => `10${power < 0 ? "⁻" : ""}${"⁰¹²³⁴⁵⁶⁷⁸⁹"[Math.abs(power)] ?? ""}`) +
    titled(frame, narrow ? "Frequency response |H|" : "Frequency response |H|, and the modes’ own frequencies", "ω, rad per unit of time")
  );
};

// In words

const modeTold = ({ init, method }, { A, mode, frequency, lands, nyquist, half_life }) => {
  const rest = `half of it is left after ${number(half_life)} steps.`;
  if (init === "real") return `Mode ${mode} decays at rate ${number(-A[mode].re)} without oscillating; ${rest}`;
  if (frequency === 0) return `Mode 0 does not oscillate, so doubling it adds nothing new; ${rest}`;
  const told = `Mode ${mode} oscillates at ${number(frequency, 4)}`;
  if (frequency > nyquist && method === "zoh")
    return `${told}, beyond π/Δ = ${number(nyquist, 4)}: sampled, it passes for ${number(lands, 4)}; ${rest}`;
  if (method === "bilinear") return `${told}, which the bilinear map turns into ${number(lands, 4)}; ${rest}`;
  return `${told} and keeps its frequency; ${rest}`;
};

export const describe = (state, values = valuesOf(state)) => {
  const { init, method, count, delta } = state;
  const beyond = method === "zoh" && values.beyond > 0 ? ` ${values.beyond} of its modes are too fast for this step.` : "";
  const what = `${INIT_NAMES[init]} with ${count} mode${count === 1 ? "" : "s"}, Δ = ${number(delta)}, ${METHOD_NAMES[method]}.`;
  return `${what} ${modeTold(state, values)}${beyond}`;
};

const KEY = [
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line"), "discrete: kernel and gain"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-exact x-thin"), "gain of the differential equation"],
  [(x, y) => circle(x + 10, y - 4, 4.5, "x-of-kernel"), "the picked mode"],
  [(x, y) => circle(x + 10, y - 4, 4.5, "x-wanted"), "where it lands; its conjugate"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, values);
  const key = keyRows(KEY, layout.bottom + 12, width);
  const content = discPanel(layout, values) + kernelPanel(layout, values) + gainPanel(layout, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
