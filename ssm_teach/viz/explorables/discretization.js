// Discretization: one pole, one step size, one method; the plane it lives in, the plane it lands in, what it answers.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { complexNumber, number } from "./plot.mjs";
import { poleOf, valuesOf } from "./discretization.math.mjs";
import { describe, draw, layoutOf, methodName } from "./discretization.picture.mjs";

const KEYS = ["system", "method", "delta", "alpha", "pole_re", "pole_im", "mode"];

// Δ is kept to three digits, so the number that is read is the number that is used.
const STEP_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const tableOf = (state, values) => [
  ["method", methodName(state)],
  ["step Δ", number(values.delta, 4)],
  ["pole a", complexNumber(values.pole, 6)],
  ["Ā, where the pole lands", complexNumber(values.A_bar, 6)],
  ["B̄", complexNumber(values.B_bar, 6)],
  ["|Ā|", number(values.modulus, 8)],
  ["verdict", values.verdict],
  ["exact e^(aΔ)", complexNumber(values.exact, 6)],
  ["largest stable Δ", values.limit === 0 ? "none" : number(values.limit, 6)],
  ["largest error of the step response", number(values.error, 6)],
];

const addControls = (shell, model) => [
  addChoice(shell, model, {
    key: "system",
    text: "System x′ = ax + u",
    options: [
      ["real", "real pole"],
      ["oscillator", "oscillator"],
      ["s4d", "S4D mode"],
    ],
  }),
  addChoice(shell, model, {
    key: "method",
    text: "Method",
    options: [
      ["gbt", "GBT(α)"],
      ["zoh", "zero-order hold"],
    ],
  }),
  addSlider(shell, model, {
    key: "delta",
    text: "step Δ",
    unit: "s",
    min: 0.001,
    max: 10,
    step: 0.01,
    nudge: 0.05,
    scale: STEP_SCALE,
    marks: [
      [0.001, "0.001"],
      [0.01, "0.01"],
      [0.1, "0.1"],
      [1, "1"],
      [10, "10"],
    ],
  }),
  addSlider(shell, model, {
    key: "alpha",
    text: "weight α",
    min: 0,
    max: 1,
    step: 0.01,
    nudge: 0.05,
    marks: [
      [0, "forward"],
      [0.5, "bilinear"],
      [1, "backward"],
    ],
    shownBy: () => (model.get("method") === "zoh" ? "disabled" : "shown"),
  }),
  ...addPoleSliders(shell, model),
];

const addPoleSliders = (shell, model) => {
  const shownFor = (systems) => () => (systems.includes(model.get("system")) ? "shown" : "hidden");
  const one = (options) => addSlider(shell, model, options);
  return [
    one({ key: "pole_re", text: "Re a", unit: "1/s", min: -6, max: 2, step: 0.05, nudge: 0.1, shownBy: shownFor(["real", "oscillator"]) }),
    one({ key: "pole_im", text: "Im a", unit: "rad/s", min: 0, max: 4, step: 0.05, nudge: 0.1, shownBy: shownFor(["oscillator"]) }),
    one({ key: "mode", text: "mode n of a = −½ + iπn", min: 0, max: 8, step: 1, nudge: 1, shownBy: shownFor(["s4d"]) }),
  ];
};

// A drag keeps to what the system allows: the real axis, the upper half plane, or the nearest mode.
const dragTo = (model, s) => {
  const near = (value, low, high, step) => Number((Math.round(Math.min(Math.max(value, low), high) / step) * step).toFixed(4));
  const system = model.get("system");
  if (system === "s4d") put(model, { mode: near(s.im / Math.PI, 0, 8, 1) });
  else if (system === "real") put(model, { pole_re: near(s.re, -6, 2, 0.05) });
  else put(model, { pole_re: near(s.re, -6, 2, 0.05), pole_im: near(s.im, 0, 4, 0.05) });
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "discretization", title: "from the s-plane to the z-plane" });
  const refreshers = addControls(shell, model);
  const moveHandle = addHandle(shell, "x-grab", (x, y) => {
    const { sFrame } = layoutOf(stateOf(model), shell.width());
    dragTo(model, { re: sFrame.xDomain[0] + (x - sFrame.left) / sFrame.xScale, im: (sFrame.y(0) - y) / sFrame.xScale });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const { sFrame } = layoutOf(state, shell.width());
    const pole = poleOf(state);
    refreshers.forEach((refresh) => refresh());
    moveHandle(sFrame.x(pole.re), sFrame.y(pole.im));
    shell.show({ markup: draw(state, shell.width(), values), text: describe(state, values), values, table: tableOf(state, values) });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
