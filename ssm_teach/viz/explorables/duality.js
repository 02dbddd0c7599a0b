// Duality: the matrix of a small state space layer, cut into chunks; one row told in full; the work three ways.
import { addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { valuesOf } from "./duality.math.mjs";
import { describe, draw, inMatrix, layoutOf, gripOf, rowAt } from "./duality.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["length", "states", "decay", "reset", "chunk", "row", "channels"];

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const listed = (values) => values.map((value) => number(value, 4)).join(", ");

const spanOf = ({ start, end }) => (end - start === 1 ? String(start) : `${start} to ${end - 1}`);

const differenceOf = ({ y, y_matrix, y_chunked }) =>
  Math.max(...y.map((value, i) => Math.max(Math.abs(value - y_chunked[i]), Math.abs(value - y_matrix[i]))));

const tableOf = (values) => {
  const { length, states, chunk, decay, reset, blocks, told, row, counts, channels } = values;
  return [
    ["positions T, states N, chunk", `${length}, ${states}, ${chunk}`],
    ["decay a; reset", `${number(decay, 4)}; ${reset === 0 ? "none" : `at ${reset}`}`],
    [`row ${row}: terms M x`, listed(told.terms)],
    [`row ${row}: from its own chunk`, number(told.inside, 6)],
    [`row ${row}: state handed over`, told.start === 0 ? "none" : listed(told.handed)],
    [`row ${row}: through the state`, number(told.carried, 6)],
    [`row ${row}: y`, number(told.y, 6)],
    ["all y: largest difference between recurrence, chunks and matrix", number(differenceOf(values))],
    ...blocks.map(({ rows, columns, rank }) => [`rank of rows ${spanOf(rows)}, columns ${spanOf(columns)}`, String(rank)]),
    [`multiplications, channels: ${channels}`, `recurrence ${counts.recurrence}, in chunks ${counts.chunked}, quadratic ${counts.quadratic}`],
  ];
};

const addSliders = (shell, model) => {
  const one = (options) => addSlider(shell, model, { step: 1, nudge: 1, ...options });
  const last = () => model.get("length") - 1;
  return [
    one({ key: "chunk", text: "chunk", unit: "positions", min: 1, max: () => model.get("length") }),
    one({ key: "row", text: "row i", min: 0, max: last }),
    one({ key: "decay", text: "decay a", min: 0.5, max: 1, step: 0.01, nudge: 0.05 }),
    one({ key: "reset", text: "reset, a = 0 at", min: 0, max: last, marks: [[0, "none"]] }),
    one({ key: "length", text: "positions T", min: 4, max: 16, marks: [4, 8, 12, 16].map((value) => [value, String(value)]) }),
    one({ key: "states", text: "states N", min: 1, max: 3, marks: [1, 2, 3].map((value) => [value, String(value)]) }),
    one({ key: "channels", text: "channels p", min: 1, max: 64, marks: [1, 16, 32, 64].map((value) => [value, String(value)]) }),
  ];
};

const addRowGrip = (shell, model) => {
  const layout = () => layoutOf(stateOf(model), shell.width());
  const chooseAt = (y) => put(model, { row: Math.min(Math.max(rowAt(layout(), y), 0), model.get("length") - 1) });
  shell.listen(shell.stage, "click", (event) => {
    const box = shell.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (inMatrix(layout(), x, y)) chooseAt(y);
  });
  return addHandle(shell, "x-updown", (x, y) => chooseAt(y));
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "duality", title: "one matrix, attention in chunks and a state between them" });
  const refreshers = addSliders(shell, model);
  const moveGrip = addRowGrip(shell, model);
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    moveGrip(...gripOf(layoutOf(values, shell.width()), values.row));
    shell.show({
      markup: draw(state, shell.width(), values),
      text: describe(state, values),
      values,
      table: tableOf(values),
    });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
