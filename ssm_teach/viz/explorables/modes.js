// Modes: where a diagonal layer's eigenvalues start, and what the step and the method make of them.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { complexNumber, number } from "./plot.mjs";
import { valuesOf } from "./modes.math.mjs";
import { describe, draw, layoutOf, nearestMode, standsAt } from "./modes.picture.mjs";

const KEYS = ["init", "method", "readout", "delta", "count", "mode"];
const STEP_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const tableOf = ({ count, delta }, { A, A_bar, mode, nyquist, frequency, lands, kept, half_life, beyond, kernel }) => [
  ["modes stored", String(count)],
  ["step Δ, and π/Δ", `${number(delta, 4)}, ${number(nyquist, 5)}`],
  ["modes beyond π/Δ", String(beyond)],
  ["picked mode n, eigenvalue a", `${mode}, ${complexNumber(A[mode], 6)}`],
  ["Ā", complexNumber(A_bar[mode], 6)],
  ["|Ā|, and half-life in steps", `${number(kept, 6)}, ${number(half_life, 5)}`],
  ["its frequency, and where it lands", `${number(frequency, 6)}, ${number(lands, 6)}`],
  ["kernel at l = 0, 1, 2, 3", kernel.slice(0, 4).map((value) => number(value, 5)).join(", ")],
];

const shownOf = (state, { sampled, ideal, ...values }) => ({
  ...state,
  ...values,
  sampled: sampled.filter((_, k) => k % 20 === 0),
  ideal: ideal.filter((_, k) => k % 20 === 0),
});

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "init",
    text: "Eigenvalues",
    options: [
      ["lin", "Lin"],
      ["inv", "Inv"],
      ["legs", "LegS"],
      ["real", "Real"],
    ],
  }),
  addChoice(shell, model, {
    key: "method",
    text: "Method",
    options: [
      ["zoh", "zero-order hold"],
      ["bilinear", "bilinear"],
    ],
  }),
  addChoice(shell, model, {
    key: "readout",
    text: "Readout C",
    options: [
      ["equal", "all ones"],
      ["mixed", "mixed"],
    ],
  }),
];

const addSliders = (shell, model) => {
  const one = (options) => addSlider(shell, model, options);
  return [
    one({
      key: "delta",
      text: "step Δ",
      min: 0.001,
      max: 1,
      step: 0.01,
      nudge: 0.05,
      scale: STEP_SCALE,
      marks: [0.001, 0.01, 0.1, 1].map((delta) => [delta, String(delta)]),
    }),
    one({ key: "count", text: "stored modes N", min: 1, max: 32, step: 1, nudge: 1 }),
    one({ key: "mode", text: "picked mode n", min: 0, max: () => model.get("count") - 1, step: 1, nudge: 1 }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "modes", title: "the modes of a diagonal layer" });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model)];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    const values = valuesOf(stateOf(model));
    put(model, { mode: nearestMode(layoutOf(shell.width(), values), values.A, x) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const layout = layoutOf(shell.width(), values);
    refreshers.forEach((refresh) => refresh());
    moveHandle(standsAt(layout, values.A[values.mode]), layout.gain.top + 20);
    shell.show({
      markup: draw(state, shell.width(), values),
      text: describe(state, values),
      values: shownOf(state, values),
      table: tableOf(state, values),
    });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
