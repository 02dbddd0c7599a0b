// Memory: draw a signal, and watch the Legendre coefficients of LegS and what they reconstruct.
import { addButtons, addChoice, addSlider, buildShell, element, put, redrawOn } from "./controls.mjs";
import { drawn, SAMPLES, shapeOf, valuesOf } from "./memory.math.mjs";
import { describe, draw, layoutOf, placeAt } from "./memory.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["signal", "coefficients", "read", "method", "pen", "height", "pen_down"];

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const tableOf = ({ signal, read, coefficients, pen }, { c, error, size, largest }) => [
  ["samples read", `${read} of ${SAMPLES}`],
  ["coefficients N", String(coefficients)],
  ["root mean square error", number(error, 5)],
  ["root mean square of the signal read", number(size, 5)],
  ["largest coefficient", number(largest, 5)],
  ["coefficients", c.map((value) => number(value, 4)).join(", ")],
  [`signal at the pen, sample ${pen}`, number(signal[pen - 1], 4)],
];

// The sliders of the pen: while it is down, what they pass is drawn.
const pencil = (model) => ({
  get: (key) => model.get(key),
  save_changes: () => model.save_changes(),
  set: (key, value) => {
    const from = { pen: model.get("pen"), height: model.get("height") };
    if (model.get("pen_down")) model.set("signal", drawn(model.get("signal"), from, { ...from, [key]: value }));
    model.set(key, value);
  },
});

// The whole panel takes a mouse or a finger; it stays while the picture below it is redrawn, so a stroke survives.
const addCanvas = (shell, model) => {
  const canvas = element("div", { class: "x-canvas", "aria-hidden": "true" });
  shell.stage.append(canvas);
  let last = null;
  const stroke = (event) => {
    const box = shell.stage.getBoundingClientRect();
    const to = placeAt(layoutOf(shell.width()), event.clientX - box.left, event.clientY - box.top);
    put(model, { signal: drawn(model.get("signal"), last ?? to, to), ...to });
    last = to;
  };
  shell.listen(canvas, "pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  shell.listen(canvas, "pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && stroke(event));
  return () => {
    const { left, top, width, height } = layoutOf(shell.width()).canvas;
    Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  };
};

const addControls = (shell, model) => {
  const pen = pencil(model);
  const ends = [
    [1, "1"],
    [SAMPLES, String(SAMPLES)],
  ];
  const choices = [
    addChoice(shell, model, {
      key: "method",
      text: "Update",
      options: [
        ["exact", "exact"],
        ["bilinear", "bilinear"],
        ["euler", "Euler"],
      ],
    }),
    addChoice(shell, model, {
      key: "pen_down",
      text: "Pen of the sliders",
      options: [
        [false, "up"],
        [true, "down, draws"],
      ],
    }),
  ];
  const shape = (name) => () => put(model, { signal: shapeOf(name) });
  addButtons(
    shell,
    ["Waves", "Jump", "Burst", "Flat"].map((name) => [name, shape(name.toLowerCase())]),
  );
  return [
    ...choices,
    addSlider(shell, model, { key: "coefficients", text: "coefficients N", min: 1, max: 40, step: 1, nudge: 1, marks: [[1, "1"], [40, "40"]] }),
    addSlider(shell, model, { key: "read", text: "samples read", min: 1, max: SAMPLES, step: 1, nudge: 1, marks: ends }),
    addSlider(shell, pen, { key: "pen", text: "pen at sample", min: 1, max: SAMPLES, step: 1, nudge: 1, marks: ends }),
    addSlider(shell, pen, { key: "height", text: "height of the pen", min: -1, max: 1, step: 0.05, nudge: 0.05, marks: [[-1, "−1"], [0, "0"], [1, "1"]] }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "memory", title: "what a few coefficients remember of a signal" });
  const refreshers = [...addControls(shell, model), addCanvas(shell, model)];
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
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
