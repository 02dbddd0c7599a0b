// Truncation: move the number of kept states, and see the error stay between the first value dropped and twice the sum.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { STATES, valuesOf } from "./truncation.math.mjs";
import { describe, draw, gripOf, keptAt, layoutOf } from "./truncation.picture.mjs";

const KEYS = ["system", "readout", "kept"];

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = (state, { gain, reduced_gain, error_gain, ...values }) => ({ ...state, ...values });

const tableOf = ({ kept }, { sigma, order, tail, error }) => [
  ["states kept", `${kept} of ${STATES}`],
  ["states above rounding", String(order)],
  ...sigma.map((value, k) => [`Hankel singular value ${k + 1}`, number(value, 6)]),
  ["largest error at any frequency", number(error[kept], 6)],
  ["first value dropped: no system of this order does better", number(sigma[kept] ?? 0, 6)],
  ["tail sum", number(tail[kept], 6)],
  ["twice the tail sum: the bound", number(2 * tail[kept], 6)],
];

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "system",
    text: "Initialisation",
    options: [
      ["real", "Real"],
      ["lin", "Lin"],
      ["inv", "Inv"],
      ["legs", "LegS"],
    ],
  }),
  addChoice(shell, model, {
    key: "readout",
    text: "Readout",
    options: [
      ["ones", "1 everywhere"],
      ["drawn", "drawn"],
    ],
  }),
];

function render({ model, el }) {
  const shell = buildShell(el, { name: "truncation", title: "how many states to keep, and what the others were worth" });
  const marks = [0, 4, 8, 12, 16].map((kept) => [kept, String(kept)]);
  const refreshers = [
    ...addChoices(shell, model),
    addSlider(shell, model, { key: "kept", text: "states kept", min: 0, max: STATES, step: 1, nudge: 1, marks }),
  ];
  const moveGrip = addHandle(shell, "x-sideways", (x) => {
    put(model, { kept: Math.min(Math.max(keptAt(layoutOf(shell.width()), x), 0), STATES) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    moveGrip(...gripOf(layoutOf(shell.width()), state));
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
