// Bias: which frequencies the modes of a layer feel where they start, and which of a target's a fit then reaches.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { ALPHAS, BETAS } from "./bias.fits.mjs";
import { COUNT, nearestOf, valuesOf } from "./bias.math.mjs";
import { describe, draw, layoutOf, nearestMode, standsAt } from "./bias.picture.mjs";

const KEYS = ["alpha", "beta", "place", "delta", "mode"];
const STEP_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

// A slider over a list: a tenth of its track for each entry. Tenths, because a slider of whole steps rounds its value.
const scaleOver = (list) => ({
  to: (value) => list.indexOf(nearestOf(list, value)) / 10,
  from: (position) => list[Math.round(10 * position)],
});

// α and β may be typed by hand or set from Python, but fits are only recorded for those of the lists.
const stateOf = (model) => ({
  ...Object.fromEntries(KEYS.map((key) => [key, model.get(key)])),
  alpha: nearestOf(ALPHAS, model.get("alpha")),
  beta: nearestOf(BETAS, model.get("beta")),
});

const listed = (values, digits) => values.map((value) => number(value, digits)).join(", ");

const tableOf = ({ alpha, beta, delta }, { mode, starts, nyquist, frequency, lands, beyond, peak, slope, at_targets, ends, errors }) => [
  ["α, β", `${number(alpha)}, ${number(beta)}`],
  ["step Δ, and π/Δ", `${number(delta, 4)}, ${number(nyquist, 5)}`],
  ["fastest mode at the start", number(starts[COUNT - 1], 5)],
  ["modes at π/Δ or beyond", String(beyond)],
  ["picked mode n, its frequency, what it passes for", `${mode}, ${number(frequency, 5)}, ${number(lands, 5)}`],
  ["its gradient: at its frequency, at 6, at 70", `${number(peak, 5)}, ${listed(at_targets, 4)}`],
  ["slope of its gradient far away", number(slope)],
  ["error after training, at 6 and at 70", listed(errors, 3)],
  ["frequencies of the modes after training", listed([...ends].sort((p, q) => p - q), 3)],
];

const shownOf = (state, { grid, model, target, ...values }) => {
  const some = (all) => all.filter((_, k) => k % 10 === 0);
  return { ...state, ...values, grid: some(grid), model: some(model), target: some(target) };
};

const addSliders = (shell, model) => {
  const one = (options) => addSlider(shell, model, options);
  const over = (list, options) =>
    one({
      ...options,
      min: list[0],
      max: list[list.length - 1],
      step: 0.1,
      nudge: 0.1,
      scale: scaleOver(list),
      marks: list.filter((_, k) => list.length < 6 || k % 2 === 0 || k === list.length - 1).map((value) => [value, number(value)]),
    });
  return [
    over(ALPHAS, { key: "alpha", text: "scale α" }),
    over(BETAS, { key: "beta", text: "weight β" }),
    one({ key: "mode", text: "picked mode n", min: 0, max: COUNT - 1, step: 1, nudge: 1 }),
    one({
      key: "delta",
      text: "step Δ",
      min: 0.003,
      max: 1,
      step: 0.01,
      nudge: 0.05,
      scale: STEP_SCALE,
      marks: [0.01, 0.1, 1].map((delta) => [delta, String(delta)]),
    }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "bias", title: "frequency bias" });
  const place = addChoice(shell, model, {
    key: "place",
    text: "β weighs",
    options: [
      ["loss", "the error, in the loss"],
      ["layer", "the output, in the layer"],
    ],
  });
  const refreshers = [place, ...addSliders(shell, model)];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    const values = valuesOf(stateOf(model));
    put(model, { mode: nearestMode(layoutOf(shell.width(), values), values.starts, x) });
  });
  const redraw = () => {
    const state = stateOf(model);
    if (state.alpha !== model.get("alpha") || state.beta !== model.get("beta")) {
      put(model, { alpha: state.alpha, beta: state.beta }); // which redraws
      return;
    }
    const values = valuesOf(state);
    const layout = layoutOf(shell.width(), values);
    refreshers.forEach((refresh) => refresh());
    moveHandle(standsAt(layout, values.frequency), layout.kernel.top + 20);
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
