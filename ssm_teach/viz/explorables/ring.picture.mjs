// The eigenvalues in the unit disc, and beside them, over one axis of steps, what they remember. SVG text.
import { boxPath, circle, circlePath, clipped, curve, keyRows, label, line } from "./plot.mjs";
import { number, panel, picture, px, rectangle, region, tag, xTicks, yTicks } from "./plot.mjs";
import { legsFrequencies } from "./legs.mjs";
import { COUNT, DECADES, valuesOf } from "./ring.math.mjs";

const REACH = 1.12;
const LOUDEST = 4.4; // log₁₀ of the top of the variance axis

export const layoutOf = (width, most = COUNT / 2) => {
  const narrow = width < 560;
  const side = narrow ? Math.min(width - 2, 320) : Math.min(Math.round(width * 0.45), 330);
  const plane = { xDomain: [-REACH, REACH], yDomain: [-REACH, REACH] };
  const disc = panel({ left: narrow ? (width - side) / 2 : 1, top: 24, width: side, height: side, ...plane });
  const left = narrow ? 36 : side + 62;
  const first = narrow ? 24 + side + 40 : 24;
  const height = narrow ? 74 : Math.floor((side - 2 * 40) / 3);
  const across = { left, width: width - left - 8, height, xDomain: [0, DECADES] };
  const row = (k, yDomain) => panel({ ...across, top: first + k * (height + 40), yDomain });
  const panels = { envelope: row(0, [0, 1.05]), bars: row(1, [0, most]), variance: row(2, [-0.5, LOUDEST]) };
  return { disc, ...panels, bottom: Math.max(panels.variance.top + height, 24 + side) + 36 };
};

const frameBox = (frame) => rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame");

const at = (frame, radius, phase) => [frame.x(radius * Math.cos(phase)), frame.y(radius * Math.sin(phase))];

// Where the law puts the eigenvalues: a ring, or the part of it up to the largest phase.
const sector = (frame, [inner, outer], phase) => {
  if (phase >= 2 * Math.PI - 1e-9) {
    const discs = [outer, inner].map((radius) => circlePath(frame.x(0), frame.y(0), radius * frame.xScale));
    return region(discs.join(""), "x-left");
  }
  const bend = phase > Math.PI ? 1 : 0;
  const arcTo = (radius, angle, sweep) => {
    const [[x, y], r] = [at(frame, radius, angle), px(radius * frame.xScale)];
    return `A${r} ${r} 0 ${bend} ${sweep} ${px(x)} ${px(y)}`;
  };
  const [[x1, y1], [x2, y2]] = [at(frame, outer, 0), at(frame, inner, phase)];
  const path = `M${px(x1)} ${px(y1)}${arcTo(outer, phase, 0)}L${px(x2)} ${px(y2)}${arcTo(inner, 0, 1)}Z`;
  return region(path, "x-left");
};

// Where a hand can take hold of the ring: its outer corner, and the middle of its inner edge.
export const gripsOf = (frame, { spectrum, r_min, r_max, max_phase }) => {
  if (spectrum !== "ring") return [];
  return [at(frame, Math.max(r_min, r_max), max_phase * Math.PI), at(frame, Math.min(r_min, r_max), (max_phase * Math.PI) / 2)];
};

const square = (x, y, r, kind) => tag("path", { d: boxPath(x - r, y - r, 2 * r, 2 * r), class: kind });

const dots = (frame, { lambda, aliased }) =>
  lambda
    .map(({ re, im }, n) => {
      const [x, y] = [frame.x(re), frame.y(im)];
      const twin = circle(x, frame.y(-im), 2.5, "x-mode-twin");
      return twin + (aliased.includes(n) ? square(x, y, 3.5, "x-aliased") : circle(x, y, 3.5, "x-mode"));
    })
    .join("");

const disc = ({ disc: frame }, state, values) => {
  const phase = state.spectrum === "ring" ? state.max_phase * Math.PI : 2 * Math.PI;
  const axes =
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    line(frame.x(0), frame.top, frame.x(0), frame.top + frame.height, "x-zero");
  const grips = gripsOf(frame, state).map(([x, y]) => circle(x, y, 7, "x-grip"));
  const backdrop = axes + sector(frame, values.bounds, phase) + circle(frame.x(0), frame.y(0), frame.xScale, "x-unit");
  return (
    clipped(frame, backdrop + dots(frame, values) + grips.join("")) +
    frameBox(frame) +
    label(frame.left, frame.top - 9, "Eigenvalues λ in the unit disc", "x-title") +
    label(frame.left + frame.width - 5, frame.y(0) - 5, "1", "x-tick", "end")
  );
};

const power = (value) => (value < 3 ? String(10 ** value) : `10${"⁰¹²³⁴⁵"[value]}`);

const decades = [0, 1, 2, 3, 4, 5];

const upright = (frame, k, kind) => {
  const x = frame.x(Math.min(Math.max(Math.log10(k), 0), DECADES));
  return line(x, frame.top, x, frame.top + frame.height, kind);
};

const envelopePanel = ({ envelope: frame }, { steps, envelope, horizon }) => {
  const points = steps.map((k, n) => [frame.x(Math.log10(k)), frame.y(envelope[n])]);
  return (
    clipped(frame, curve(points, "x-kept-line x-heavy") + upright(frame, horizon, "x-gap")) +
    frameBox(frame) +
    yTicks(frame, [0, 0.5, 1]) +
    label(frame.left, frame.top - 9, "Left of an impulse: mean |λ|ᵏ", "x-title") +
    label(frame.left + frame.width - 5, frame.top + 15, `a tenth at ${number(horizon)}`, "x-tick", "end")
  );
};

const barsPanel = ({ bars: frame }, { bins, median }) => {
  const bars = bins.map((count, k) => {
    const top = frame.y(count);
    return rectangle(frame.x(k / 4) + 1, top, frame.xScale / 4 - 2, frame.y(0) - top, "x-kept");
  });
  return (
    clipped(frame, bars.join("")) +
    frameBox(frame) +
    yTicks(frame, [0, frame.yDomain[1] / 2, frame.yDomain[1]]) +
    label(frame.left, frame.top - 9, "Half-lives", "x-title") +
    label(frame.left + frame.width - 5, frame.top + 15, `median ${number(median)}`, "x-tick", "end")
  );
};

const variancePanel = ({ variance: frame }, { normalised }, { half_lives, variance, other_variance }) => {
  const place = (life, value) => [frame.x(Math.min(Math.max(Math.log10(life), 0), DECADES)), frame.y(Math.log10(value))];
  const marks = half_lives.flatMap((life, n) => [
    circle(...place(life, other_variance[n]), 3, "x-mode-twin"),
    circle(...place(life, variance[n]), 3, "x-mode"),
  ]);
  return (
    line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero") +
    clipped(frame, marks.join("")) +
    frameBox(frame) +
    yTicks(frame, [0, 2, 4], power) +
    xTicks(frame, decades, power) +
    label(frame.left, frame.top - 9, "Variance under noise", "x-title") +
    label(frame.left + frame.width, frame.top - 9, normalised ? "weight γ" : "weight 1", "x-axis", "end") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "steps, half-life", "x-axis", "end")
  );
};

// In words

const NAMES = { ring: "LRU ring", legs: "HiPPO blocks", lin: "S4D-Lin" };

const range = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high - low <= 1e-9 * high ? number(high) : `${number(low)} to ${number(high)}`;
};

const lawOf = ({ spectrum, max_phase, blocks, delta, spread }, { bounds }) => {
  if (spectrum === "ring") {
    const [inner, outer] = bounds.map((radius) => number(radius, 5));
    return `${COUNT} eigenvalues with |λ| from ${inner} to ${outer} and phases up to ${number(max_phase)}π.`;
  }
  const [low, high] = [-0.5, 0.5].map((half) => number(delta * 10 ** (half * spread)));
  const steps = spread === 0 ? `Δ = ${low}` : `Δ from ${low} to ${high}`;
  if (spectrum === "lin") return `a = −½ + iπn for n below ${COUNT}, ${steps}.`;
  const size = (2 * COUNT) / blocks;
  return `${blocks} of size ${size}, a = −½ + iω with ω up to ${number(legsFrequencies(size)[0])}, ${steps}.`;
};

export const describe = (state, values) => {
  const { half_lives, median, horizon, aliased, variance, other_variance } = values;
  const [plain, normalised] = state.normalised ? [other_variance, variance] : [variance, other_variance];
  const turned = aliased.length ? ` ${aliased.length} of ${COUNT} turn by more than π a step: aliased.` : "";
  return (
    `${NAMES[state.spectrum]}: ${lawOf(state, values)} Half-lives of ${range(half_lives)} steps, median ${number(median)}; ` +
    `a tenth of an impulse is left after ${number(horizon)}.${turned} White noise gives states of variance ${range(plain)} ` +
    `with weight 1, and ${range(normalised)} with γ.`
  );
};

const keyEntries = ({ spectrum }, { aliased }) => [
  [(x, y) => circle(x + 10, y - 4, 3.5, "x-mode"), "eigenvalue"],
  [(x, y) => circle(x + 10, y - 4, 2.5, "x-mode-twin"), "its conjugate; the other weight"],
  [(x, y) => rectangle(x, y - 9, 22, 11, "x-plate"), spectrum === "ring" ? "the ring" : "where e^(aΔ) can lie"],
  ...(aliased.length ? [[(x, y) => square(x + 10, y - 4, 3.5, "x-aliased"), "aliased"]] : []),
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, 4 * Math.ceil(Math.max(COUNT / 2, ...values.bins) / 4));
  const key = keyRows(keyEntries(state, values), layout.bottom + 10, width);
  const panels = [envelopePanel(layout, values), barsPanel(layout, values), variancePanel(layout, state, values)];
  return picture(width, key.bottom, describe(state, values), disc(layout, state, values) + panels.join("") + key.content);
};
