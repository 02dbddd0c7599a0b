// WrapAround: pad the Fourier transform, and watch the tail of the convolution stop landing on its head.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { valuesOf } from "./wrap-around.math.mjs";
import { describe, draw, layoutOf } from "./wrap-around.picture.mjs";

const KEYS = ["pad", "decay", "input"];

const stateOf = (model) => ({ length: model.get("length"), ...Object.fromEntries(KEYS.map((key) => [key, model.get(key)])) });

const tableOf = ({ length, pad, fft_length, needed, wrapped, full, circular, error }) => [
  ["length L of input and kernel", String(length)],
  ["zeros of padding", String(pad)],
  ["FFT length F = L + padding", String(fft_length)],
  ["values of the convolution, 2L − 1", String(needed)],
  ["outputs that are wrong", String(wrapped)],
  ["output 0: right, returned", `${number(full[0], 6)}, ${number(circular[0], 6)}`],
  ["largest error", number(error, 6)],
];

const addControls = (shell, model, length) => [
  addChoice(shell, model, {
    key: "input",
    text: "Input u",
    options: [
      ["pulse", "pulse at the end"],
      ["ramp", "ramp"],
      ["noise", "noise"],
    ],
  }),
  addSlider(shell, model, {
    key: "pad",
    text: "zeros of padding",
    min: 0,
    max: length,
    step: 1,
    nudge: 1,
    marks: [
      [0, "none"],
      [length - 1, "L − 1"],
    ],
  }),
  addSlider(shell, model, { key: "decay", text: "kernel K = ρᵏ, decay ρ", min: 0.5, max: 1, step: 0.01, nudge: 0.01 }),
];

function render({ model, el }) {
  const shell = buildShell(el, { name: "wrap-around", title: "why a convolution by FFT needs padding" });
  const length = model.get("length");
  const refreshers = addControls(shell, model, length);
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    const { tape } = layoutOf(stateOf(model), shell.width());
    const size = Math.round((x - tape.left) / tape.xScale + tape.xDomain[0] + 0.5);
    put(model, { pad: Math.min(Math.max(size - length, 0), length) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const { tape } = layoutOf(state, shell.width());
    refreshers.forEach((refresh) => refresh());
    moveHandle(Math.min(tape.x(values.fft_length - 0.5), tape.left + tape.width), tape.top + tape.height / 2);
    shell.show({ markup: draw(state, shell.width(), values), text: describe(state, values), values, table: tableOf(values) });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
