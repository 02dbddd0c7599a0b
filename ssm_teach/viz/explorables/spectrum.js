// Spectrum: move N and see the frequencies of LegS, Inv and Lin, and what LegS's own eigenvectors cost.
import { addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { LARGEST, SMALLEST, valuesOf } from "./spectrum.math.mjs";
import { describe, draw, gripsOf, layoutOf, modeAt, sizeAt } from "./spectrum.picture.mjs";

const KEYS = ["size", "mode", "zoom"];

// Positions are whole numbers, halves of N, so that the slider keeps to even N.
const EVEN = { to: (size) => size / 2, from: (position) => 2 * Math.round(position) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const three = ({ legs, inv, lin }, digits = 6) => [legs, inv, lin].map((value) => number(value, digits)).join(", ");

const tableOf = ({ size, zoom }, { legs, inv, lin, mode, here, error, sag, last_error, near, lowest_gap, condition }) => [
  ["size N", String(size)],
  [`frequency ${mode} from the top: LegS, Inv, Lin`, three(here)],
  ["error of Inv there", `${number(100 * error, 4)} %`],
  ["Inv is lowest", `${number(100 * sag.error, 4)} % at ${sag.mode}`],
  ["error of Inv at the last", `${number(100 * last_error, 4)} %`],
  ["highest: LegS, Inv, Lin", three({ legs: legs[0], inv: inv[0], lin: lin[0] })],
  ["lowest: LegS, Inv, Lin", three({ legs: legs.at(-1), inv: inv.at(-1), lin: lin.at(-1) })],
  ["gap of LegS around zero", number(lowest_gap, 5)],
  [`frequencies up to ${number(zoom)}: LegS, Inv, Lin`, three(near)],
  ["condition number of LegS’s eigenvectors, at least", number(condition, 5)],
  ["condition number of its normal part’s", "1"],
];

const addSliders = (shell, model) => [
  addSlider(shell, model, {
    key: "size",
    text: "size N",
    min: SMALLEST,
    max: LARGEST,
    step: 1,
    nudge: 1,
    scale: EVEN,
    marks: [4, 32, 64, 128].map((size) => [size, String(size)]),
  }),
  addSlider(shell, model, {
    key: "mode",
    text: "rank m",
    min: 0,
    max: () => model.get("size") / 2 - 1,
    step: 1,
    nudge: 1,
  }),
  addSlider(shell, model, { key: "zoom", text: "close-up up to ω", min: 2, max: 40, step: 0.5, nudge: 1 }),
];

const addGrips = (shell, model) => ({
  mode: addHandle(shell, "x-sideways", (x) => {
    const mode = modeAt(layoutOf(stateOf(model), shell.width()), x);
    put(model, { mode: Math.min(Math.max(mode, 0), model.get("size") / 2 - 1) });
  }),
  size: addHandle(shell, "x-sideways", (x) => put(model, { size: sizeAt(layoutOf(stateOf(model), shell.width()), x) })),
});

function render({ model, el }) {
  const shell = buildShell(el, { name: "spectrum", title: "three laws of frequencies, and the eigenvectors of LegS" });
  const refreshers = addSliders(shell, model);
  const grips = addGrips(shell, model);
  const redraw = () => {
    const state = stateOf(model);
    if (state.size % 2) return put(model, { size: state.size + 1 }); // typed by hand; this draws, and comes back here
    const values = valuesOf(state);
    const places = gripsOf(layoutOf(state, shell.width()), state, values);
    refreshers.forEach((refresh) => refresh());
    Object.entries(grips).forEach(([key, move]) => move(...places[key]));
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
