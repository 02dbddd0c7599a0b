// Ring: eigenvalues drawn from a ring, from HiPPO or from S4D-Lin, and how long each of them remembers.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { COUNT, valuesOf } from "./ring.math.mjs";
import { describe, draw, gripsOf, layoutOf } from "./ring.picture.mjs";

const KEYS = ["spectrum", "r_min", "r_max", "max_phase", "blocks", "delta", "spread", "normalised"];

// Even in −log₁₀(1 − r), the logarithm of the memory, and kept to five places so that what is read is what is used.
const RADIUS_SCALE = { to: (r) => -Math.log10(1 - r), from: (position) => Number((1 - 10 ** -position).toFixed(5)) };
const STEP_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const spanOf = (values) => `${number(Math.min(...values), 5)} to ${number(Math.max(...values), 5)}`;

const tableOf = (state, { lambda, bounds, half_lives, median, horizon, aliased, gamma, variance }) => [
  ["eigenvalues", String(COUNT)],
  ["bounds of |λ|", `${number(bounds[0], 6)}, ${number(bounds[1], 6)}`],
  ["|λ|, smallest to largest", spanOf(lambda.map(({ re, im }) => Math.hypot(re, im)))],
  ["half-life, steps", spanOf(half_lives)],
  ["median half-life, steps", number(median, 5)],
  ["a tenth of an impulse left after, steps", number(horizon, 5)],
  ["modes that turn by more than π a step", String(aliased.length)],
  ["γ = √(1 − |λ|²)", spanOf(gamma)],
  [`state variance, input weight ${state.normalised ? "γ" : "1"}`, spanOf(variance)],
];

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "spectrum",
    text: "Spectrum",
    options: [
      ["ring", "LRU ring"],
      ["legs", "HiPPO blocks"],
      ["lin", "S4D-Lin"],
    ],
  }),
  addChoice(shell, model, {
    key: "normalised",
    text: "Input weight of a state",
    options: [
      [false, "1"],
      [true, "γ = √(1 − |λ|²)"],
    ],
  }),
  addChoice(shell, model, {
    key: "blocks",
    text: "HiPPO blocks",
    options: [1, 2, 4, 8].map((blocks) => [blocks, `${blocks} of ${(2 * COUNT) / blocks}`]),
    shownBy: () => (model.get("spectrum") === "legs" ? "shown" : "hidden"),
  }),
];

const addSliders = (shell, model) => {
  const ofRing = () => (model.get("spectrum") === "ring" ? "shown" : "hidden");
  const ofStep = () => (model.get("spectrum") === "ring" ? "hidden" : "shown");
  const one = (options) => addSlider(shell, model, options);
  const radius = { min: 0, max: 0.9999, step: 0.02, nudge: 0.1, scale: RADIUS_SCALE, shownBy: ofRing };
  const radii = [0, 0.9, 0.99, 0.9999].map((r) => [r, String(r)]);
  const turns = [
    [0, "0"],
    [1, "π"],
    [2, "2π"],
  ];
  return [
    one({ key: "max_phase", text: "largest phase", unit: "× π", min: 0, max: 2, step: 0.01, nudge: 0.05, marks: turns, shownBy: ofRing }),
    one({ key: "r_min", text: "inner radius r_min", marks: radii, ...radius }),
    one({ key: "r_max", text: "outer radius r_max", marks: radii, ...radius }),
    one({
      key: "delta",
      text: "step Δ",
      min: 0.001,
      max: 1,
      step: 0.01,
      nudge: 0.05,
      scale: STEP_SCALE,
      marks: [0.001, 0.01, 0.1, 1].map((delta) => [delta, String(delta)]),
      shownBy: ofStep,
    }),
    one({
      key: "spread",
      text: "spread of Δ",
      unit: "decades",
      min: 0,
      max: 2,
      step: 0.05,
      nudge: 0.25,
      marks: [
        [0, "one Δ for all"],
        [2, "as S5 draws it"],
      ],
      shownBy: ofStep,
    }),
  ];
};

// The grip follows the hand; a radius moves only when the hand clearly leaves it, so the phase can be turned alone.
const dragTo = (model, key, x, y) => {
  const r = Math.min(Math.max(Number(Math.hypot(x, y).toFixed(2)), 0), 0.9999);
  if (Math.abs(r - model.get(key)) > 0.04) put(model, { [key]: r });
  if (key !== "r_max") return;
  const turned = Math.atan2(y, x) / Math.PI;
  const now = model.get("max_phase");
  const [near] = [turned, turned + 2]
    .map((phase) => Number(Math.min(Math.max(phase, 0), 2).toFixed(2)))
    .sort((p, q) => Math.abs(p - now) - Math.abs(q - now));
  put(model, { max_phase: near });
};

const addGrips = (shell, model) =>
  ["r_max", "r_min"].map((key) =>
    addHandle(shell, "x-grab", (left, top) => {
      const { disc } = layoutOf(shell.width());
      dragTo(model, key, (left - disc.x(0)) / disc.xScale, (disc.y(0) - top) / disc.xScale);
    }),
  );

function render({ model, el }) {
  const shell = buildShell(el, { name: "ring", title: "where eigenvalues start, and what they remember" });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model)];
  const moveGrips = addGrips(shell, model);
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const grips = gripsOf(layoutOf(shell.width()).disc, state);
    refreshers.forEach((refresh) => refresh());
    moveGrips.forEach((move, k) => move(...(grips[k] ?? [null])));
    shell.show({
      markup: draw(state, shell.width(), values),
      text: describe(state, values),
      values: { ...state, ...values },
      table: tableOf(state, values),
    });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
