// Measures: choose what a memory should remember, and see what it says about the past at any moment.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { DT, LENGTH, valuesOf } from "./measures.math.mjs";
import { describe, draw, layoutOf, timeAt } from "./measures.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["measure", "closure", "signal", "order", "window", "now"];

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = (state, { states, heard, window, signal, c, projected, error, floor }) => ({
  ...state,
  states,
  heard,
  samples: window,
  u: signal.slice(0, heard),
  c,
  projected,
  error,
  floor,
});

const firstOf = (c) => c.slice(0, 6).map((value) => number(value, 5)).join(", ") + (c.length > 6 ? ", …" : "");

const tableOf = ({ states, heard, window, c, projected, error, floor }) => [
  ["states N", String(states)],
  ["samples heard, 0.01 s each", String(heard)],
  ["samples in a window", String(window)],
  ["coefficients of the memory", firstOf(c)],
  ["coefficients of the true projection", firstOf(projected)],
  ["rms error of the memory, weighted", number(error, 6)],
  ["rms error of the projection, weighted", number(floor, 6)],
];

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "measure",
    text: "Measure",
    options: [
      ["legs", "LegS"],
      ["legt", "LegT"],
      ["lagt", "LagT"],
      ["fout", "FouT"],
      ["chebyshev", "Cheb."],
    ],
  }),
  addChoice(shell, model, {
    key: "closure",
    text: "What leaves FouT’s window",
    options: [
      ["jump", "jump average"],
      ["series", "own series"],
    ],
    shownBy: () => (model.get("measure") === "fout" ? "shown" : "disabled"),
  }),
  addChoice(shell, model, {
    key: "signal",
    text: "Signal",
    options: [
      ["tones", "tones"],
      ["sweep", "sweep"],
      ["steps", "steps"],
      ["pulse", "pulses"],
    ],
  }),
];

const addSliders = (shell, model) => [
  addSlider(shell, model, { key: "now", text: "now", unit: "s", min: 0.2, max: LENGTH * DT, step: 0.01, nudge: 0.1 }),
  addSlider(shell, model, { key: "order", text: "states N", min: 1, max: 40, step: 1, nudge: 1 }),
  addSlider(shell, model, {
    key: "window",
    text: "window",
    unit: "s",
    min: 0.2,
    max: 2,
    step: 0.05,
    nudge: 0.05,
    shownBy: () => (model.get("measure") === "legs" ? "disabled" : "shown"),
  }),
];

function render({ model, el }) {
  const shell = buildShell(el, { name: "measures", title: "what a memory remembers, measure by measure" });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model)];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    put(model, { now: Number(timeAt(layoutOf(shell.width()), x).toFixed(2)) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const { signal } = layoutOf(shell.width());
    refreshers.forEach((refresh) => refresh());
    moveHandle(signal.x(values.heard * DT), signal.top + signal.height / 2);
    shell.show({
      markup: draw(state, shell.width(), values),
      text: describe(state, values),
      values: shownOf(state, values),
      table: tableOf(values),
    });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
