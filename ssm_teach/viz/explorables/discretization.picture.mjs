// The three panels of Discretization as SVG text: the s-plane, its image in the z-plane, the step response.
import { boxPath, circle, circlePath, clipped, complexNumber, curve, keyRows, label, line } from "./plot.mjs";
import { number, panel, picture, px, rectangle, region, tag, ticks, xTicks, yTicks } from "./plot.mjs";
import { complex, times } from "./complex.mjs";
import { exactStep, poleOf, transition, valuesOf } from "./discretization.math.mjs";

const MARGIN = { top: 24, bottom: 34 };
const Z_REACH = 2;

export const methodName = ({ method, alpha }) => {
  if (method === "zoh") return "zero-order hold";
  const named = { 0: "forward Euler", 0.5: "bilinear", 1: "backward Euler" };
  return named[alpha] ?? `generalised bilinear, α = ${number(alpha)}`;
};

// Window of the s-plane and the spacing of its grid; S4D modes need a window that reaches to 8πi.
const reachOf = (system) => (system === "s4d" ? { re: [-40, 20], im: 30, step: 5 } : { re: [-6, 2], im: 4, step: 1 });

// Where the panels lie for a picture of this width: planes side by side, the response below, the key last.
export const layoutOf = (state, width) => {
  const reach = reachOf(state.system);
  const narrow = width < 520;
  const left = narrow ? 26 : 38;
  const cell = (width - (narrow ? 10 : 16)) / 2;
  const side = Math.floor(Math.min(cell - left, 340));
  const plane = { top: MARGIN.top, width: side, height: side };
  const span = reach.re[1] - reach.re[0];
  const sFrame = panel({ ...plane, left: cell - side, xDomain: reach.re, yDomain: [-span / 2, span / 2] });
  const zFrame = panel({ ...plane, left: width - side - 1, xDomain: [-Z_REACH, Z_REACH], yDomain: [-Z_REACH, Z_REACH] });
  const top = MARGIN.top + side + MARGIN.bottom + MARGIN.top + 8;
  const response = { left: sFrame.left, top, width: width - sFrame.left - 1, height: narrow ? 120 : 140 };
  return { narrow, sFrame, zFrame, response, step: reach.step, below: top + response.height + MARGIN.bottom };
};

const gridValues = ([low, high], step) => {
  const values = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) values.push(value);
  return values;
};

const spread = ([low, high], count) => Array.from({ length: count + 1 }, (_, k) => low + ((high - low) * k) / count);

// Grid lines of the visible s-plane, each a list of points with the class that colours it.
const gridLines = (frame, step) => {
  const upright = gridValues(frame.xDomain, step).map((re) => ({
    kind: re === 0 ? "x-edge" : re < 0 ? "x-grid-re" : "x-grid-right",
    points: spread(frame.yDomain, 96).map((im) => complex(re, im)),
  }));
  const level = gridValues(frame.yDomain, step).flatMap((im) => [
    { kind: "x-grid-im", points: spread([frame.xDomain[0], 0], 64).map((re) => complex(re, im)) },
    { kind: "x-grid-right", points: spread([0, frame.xDomain[1]], 32).map((re) => complex(re, im)) },
  ]);
  const drawnLast = (kind) => (kind === "x-edge" ? 1 : 0);
  return [...level, ...upright].sort((p, q) => drawnLast(p.kind) - drawnLast(q.kind));
};

// A straight line: its two ends are enough.
const drawn = (frame, points, kind) => {
  const [first, last] = [points[0], points[points.length - 1]];
  return line(frame.x(first.re), frame.y(first.im), frame.x(last.re), frame.y(last.im), kind);
};

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const titled = (frame, title, xName, yName) =>
  label(frame.left, frame.top - 10, title, "x-title") +
  label(frame.left + frame.width, frame.top + frame.height + 29, xName, "x-axis", "end") +
  label(frame.left + frame.width, frame.top - 10, yName, "x-axis", "end");

const axisCross = (frame) =>
  line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
  line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-zero");

// The boundary of the s that the method makes stable: what maps to the unit circle.
const stableBoundary = (frame, { kind, edge, centre, radius }) => {
  if (kind === "half-plane") return line(frame.x(edge), frame.top, frame.x(edge), frame.top + frame.height, "x-unit");
  return circle(frame.x(centre), frame.y(0), radius * frame.xScale, "x-unit");
};

const crossMark = (x, y, size, kind) =>
  line(x - size, y - size, x + size, y + size, kind) + line(x - size, y + size, x + size, y - size, kind);

const poleMarks = (frame, state, pole) => {
  const x = frame.x(pole.re);
  let marks = "";
  if (state.system === "s4d") {
    for (let mode = 0; mode <= 8; mode += 1) {
      const other = poleOf({ ...state, mode });
      marks += circle(frame.x(other.re), frame.y(other.im), 2.5, "x-other") + circle(frame.x(other.re), frame.y(-other.im), 2.5, "x-other");
    }
  }
  if (pole.im !== 0) marks += crossMark(x, frame.y(-pole.im), 4, "x-twin");
  return `${marks}${circle(x, frame.y(pole.im), 11, "x-halo")}${crossMark(x, frame.y(pole.im), 5.5, "x-pole")}`;
};

const sPlane = ({ sFrame: frame, step, narrow }, state, values) => {
  const half = region(boxPath(frame.left, frame.top, frame.x(0) - frame.left, frame.height), "x-left");
  const lines = gridLines(frame, step).map(({ kind, points }) => drawn(frame, points, kind));
  const nyquist = state.method === "zoh" ? nyquistLines(frame, values.delta) : "";
  const inside = half + lines.join("") + nyquist + stableBoundary(frame, values.region) + poleMarks(frame, state, values.pole);
  const title = narrow ? "s-plane" : "s-plane: continuous time";
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, gridValues(frame.xDomain, 2 * step)) +
    yTicks(frame, gridValues(frame.yDomain, 2 * step)) +
    titled(frame, title, "Re s  (1/s)", narrow ? "Im s" : "Im s  (rad/s)")
  );
};

// Beyond ±π/Δ the exponential has wrapped once round: another frequency lands on the same z.
const nyquistLines = (frame, delta) => {
  const edge = Math.PI / delta;
  if (edge > frame.yDomain[1]) return "";
  const right = frame.left + frame.width;
  return [edge, -edge]
    .map((im) => line(frame.left, frame.y(im), right, frame.y(im), "x-nyquist"))
    .concat(label(right - 5, frame.y(edge) - 5, "π/Δ", "x-tick", "end"))
    .join("");
};

// A Möbius image leaves the paper near its pole 1/α; far points lift the pen.
const mapped = (frame, points, kind, delta, state) =>
  curve(
    points.map((s) => {
      const z = transition(times(delta, s), state);
      return Math.hypot(z.re, z.im) > 8 * Z_REACH ? null : [frame.x(z.re), frame.y(z.im)];
    }),
    kind,
  );

const imageFill = (frame, image) => {
  if (image.kind === "half-plane")
    return region(boxPath(frame.left, frame.top, frame.x(image.edge) - frame.left, frame.height), "x-left");
  return region(circlePath(frame.x(image.centre), frame.y(0), image.radius * frame.xScale), "x-left");
};

const zPlane = ({ zFrame: frame, sFrame, step, narrow }, state, values) => {
  const lines = gridLines(sFrame, step).map(({ kind, points }) => mapped(frame, points, kind, values.delta, state));
  const inside =
    imageFill(frame, values.image) + axisCross(frame) + lines.join("") + circle(frame.x(0), frame.y(0), frame.xScale, "x-unit");
  return (
    clipped(frame, inside + zMarks(frame, state, values)) +
    frameBox(frame) +
    xTicks(frame, [-2, -1, 0, 1, 2]) +
    yTicks(frame, [-2, -1, 0, 1, 2]) +
    titled(frame, narrow ? "z-plane" : "z-plane: after one step", "Re z", "Im z")
  );
};

const zMarks = (frame, state, { A_bar, exact, delta, modulus, verdict }) => {
  let marks = "";
  if (state.system === "s4d") {
    for (let mode = 0; mode <= 8; mode += 1) {
      const s = poleOf({ ...state, mode });
      const z = transition(times(delta, s), state);
      marks += circle(frame.x(z.re), frame.y(z.im), 2.5, "x-other") + circle(frame.x(z.re), frame.y(-z.im), 2.5, "x-other");
    }
  }
  if (A_bar.im !== 0) marks += crossMark(frame.x(A_bar.re), frame.y(-A_bar.im), 4, "x-twin");
  marks += imageMark(frame, A_bar);
  if (state.method !== "zoh") {
    marks += line(frame.x(exact.re), frame.y(exact.im), frame.x(A_bar.re), frame.y(A_bar.im), "x-gap");
    marks += circle(frame.x(exact.re), frame.y(exact.im), 4.5, "x-exact-ring");
  }
  const text = `|z| = ${number(modulus, 4)}${frame.width > 200 ? `, ${verdict}` : ""}`;
  return marks + label(frame.left + 7, frame.top + 18, text, `x-verdict x-${verdict.replaceAll(" ", "-")}`);
};

// The image of the pole, or an arrow at the paper's edge that points to it.
const imageMark = (frame, z) => {
  const far = Math.max(Math.abs(z.re), Math.abs(z.im)) / (Z_REACH * 0.93);
  if (far <= 1) {
    return circle(frame.x(z.re), frame.y(z.im), 11, "x-halo") + crossMark(frame.x(z.re), frame.y(z.im), 5.5, "x-pole");
  }
  const angle = (Math.atan2(-z.im, z.re) * 180) / Math.PI;
  const place = `translate(${px(frame.x(z.re / far))} ${px(frame.y(z.im / far))}) rotate(${px(angle)})`;
  return tag("path", { d: "M9 0L-6 -7L-2 0L-6 7Z", transform: place, class: "x-away" });
};

// Height of the response axis: room for the exact curve, and for the samples while they stay near it.
const responseDomain = (exact, samples) => {
  const low = Math.min(0, ...exact);
  const high = Math.max(0, ...exact);
  const room = Math.max(high - low, 1e-6);
  const near = samples.filter((y) => y > low - room && y < high + room);
  const bottom = Math.min(low, ...near);
  const top = Math.max(high, ...near);
  const margin = 0.08 * (top - bottom);
  return [bottom - margin, top + margin];
};

const responsePanel = (place, state, values) => {
  const { pole, samples, delta, horizon, error } = values;
  const instants = spread([0, horizon], Math.round(place.width / 2));
  const exact = instants.map((t) => exactStep(pole, t));
  const stride = Math.max(1, Math.floor(samples.length / place.width));
  const shown = samples.map((y, k) => [k * delta, y]).filter((_, k) => k % stride === 0);
  const frame = panel({ ...place, xDomain: [0, horizon], yDomain: responseDomain(exact, shown.map(([, y]) => y)) });
  const inside =
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    curve(instants.map((t, k) => [frame.x(t), frame.y(exact[k])]), "x-exact") +
    sampleMarks(frame, shown, samples.length);
  return (
    clipped(frame, inside) +
    frameBox(frame) +
    xTicks(frame, ticks(0, horizon, 6)) +
    yTicks(frame, ticks(...frame.yDomain, 3)) +
    titled(frame, "y = Re x after a unit step", "time t  (s)", `${frame.width > 400 ? "largest " : ""}error ${number(error)}`)
  );
};

const sampleMarks = (frame, shown, count) => {
  const points = shown.map(([t, y]) => [frame.x(t), frame.y(Math.max(Math.min(y, 1e6), -1e6))]);
  if (count * 3 > frame.width) return curve(points, "x-discrete");
  const dots = points.map(([x, y]) => circle(x, y, count * 8 > frame.width ? 2 : 3.2, "x-dot"));
  return curve(points, "x-discrete x-thin") + dots.join("");
};

export const describe = (state, values = valuesOf(state)) => {
  const { pole, A_bar, modulus, verdict, exact, error, delta, limit } = values;
  const name = methodName(state);
  const where = `${name[0].toUpperCase()}${name.slice(1)} with Δ = ${number(delta)} sends the pole ${complexNumber(pole)} to z = ${complexNumber(A_bar)}.`;
  const size = `|z| = ${number(modulus, 4)}: ${verdict}.`;
  const compare = state.method === "zoh" ? "" : ` Exactly, e^(aΔ) = ${complexNumber(exact)}.`;
  const bound = pole.re < 0 && Number.isFinite(limit) ? ` Stable only for Δ below ${number(limit)}.` : "";
  return `${where} ${size}${compare}${bound} Largest error of the step response: ${number(error)}.`;
};

const keyEntries = ({ method }) => [
  [(x, y) => region(boxPath(x, y - 9, 22, 11), "x-left") + line(x + 22, y - 9, x + 22, y + 2, "x-edge"), "left half plane and its image"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-unit"), "edge of stability, |z| = 1"],
  [(x, y) => crossMark(x + 11, y - 4, 4.5, "x-pole"), "discrete"],
  [(x, y) => circle(x + 5, y - 4, 4, "x-exact-ring") + line(x + 12, y - 4, x + 22, y - 4, "x-exact"), "exact"],
  ...(method === "zoh" ? [[(x, y) => line(x, y - 4, x + 22, y - 4, "x-nyquist"), "aliasing begins, π/Δ"]] : []),
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(state, width);
  const key = keyRows(keyEntries(state), layout.below + 12, width);
  const content = sPlane(layout, state, values) + zPlane(layout, state, values) + responsePanel(layout.response, state, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
