// Nodes: the pitches at which S4 asks for its kernel, and what the correction is for.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { valuesOf } from "./nodes.math.mjs";
import { describe, draw, gripOf, layoutOf, pointOf } from "./nodes.picture.mjs";
import { complexNumber, number } from "./plot.mjs";

const KEYS = ["length", "delta", "states", "delay", "corrected", "node"];

const STEP_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const tableOf = (state, { node, z, height, answer, limit, error, peak }) => [
  ["nodes, and samples L", String(state.length)],
  ["window LΔ", number(state.length * state.delta, 5)],
  ["chosen node j", String(node)],
  ["z", complexNumber(z, 5)],
  ["g, as a multiple of i", number(height, 5)],
  ["answer K̂ at the node", complexNumber(answer, 5)],
  ["limit at z = −1, half of Δ times readout times B", number(limit, 5)],
  ["largest sample of the true kernel", number(peak, 5)],
  ["largest error of the kernel, relative to it", number(error, 3)],
];

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "corrected",
    text: "Readout",
    options: [
      [true, "C̃, corrected"],
      [false, "C, as it is"],
    ],
  }),
  addChoice(shell, model, { key: "states", text: "States N", options: [1, 2, 4, 8, 16].map((N) => [N, String(N)]) }),
];

const addSliders = (shell, model) => {
  const one = (options) => addSlider(shell, model, options);
  return [
    one({ key: "node", text: "node j", min: 0, max: () => model.get("length") - 1, step: 1, nudge: 1 }),
    one({
      key: "delay",
      text: "echo after",
      min: 0.05,
      max: 3,
      step: 0.05,
      nudge: 0.05,
      shownBy: () => (model.get("states") === 1 ? "disabled" : "shown"),
    }),
    one({ key: "length", text: "length L", min: 4, max: 64, step: 1, nudge: 1 }),
    one({
      key: "delta",
      text: "step Δ",
      min: 0.005,
      max: 0.5,
      step: 0.01,
      nudge: 0.05,
      scale: STEP_SCALE,
      marks: [0.005, 0.05, 0.5].map((delta) => [delta, String(delta)]),
    }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "nodes", title: "the pitches of S4, and the kernel they make" });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model)];
  const moveGrip = addHandle(shell, "x-grab", (left, top) => {
    const [x, y] = pointOf(layoutOf(shell.width()).circle, left, top);
    const length = model.get("length");
    const turned = Math.round((-Math.atan2(y, x) * length) / (2 * Math.PI));
    put(model, { node: (turned + length) % length });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    moveGrip(...gripOf(layoutOf(shell.width()).circle, values));
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
