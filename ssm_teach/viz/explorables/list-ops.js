// ListOps: an expression is grown and changed at a place, and read there by a stack and by readers who skip.
import { addButtons, addChoice, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { drawn, grown, OPERATORS, valuesOf, withDigit, withOneMore, withOperator, withoutThis } from "./list-ops.math.mjs";
import { describe, draw, layoutOf, placeAt } from "./list-ops.picture.mjs";

const KEYS = ["expression", "place", "levels", "seed"];

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const rowsOf = ({ open, value }) => (open.length > 0 ? open.map(({ operator, values }) => [operator, ...values]) : [[value]]);

const shownOf = (state, { nodes, list, place, levels, step, answer, lazy }) => ({
  ...state,
  place,
  levels,
  list: [nodes[list].start + 1, nodes[list].end + 1, nodes[list].value],
  stack: rowsOf(step),
  answer,
  readers: lazy.map(({ read, answer: said }) => [read, said]),
});

const tableOf = (state, { words, nodes, list, place, step, answer, lazy }) => [
  ["the expression", state.expression],
  ["answer", String(answer)],
  ["symbol read last", `${words[place - 1]}, ${place} of ${words.length}`],
  ["its list: symbols, value", `${nodes[list].start + 1} to ${nodes[list].end + 1}, ${nodes[list].value}`],
  ...rowsOf(step).map((row, k) => [`stack, row ${k + 1} from the bottom`, row.join(" ")]),
  ...lazy.map(({ levels, read, answer: said }) => [`reader of ${levels} level${levels > 1 ? "s" : ""}: symbols read, answer`, `${read}, ${said}`]),
];

const change = (model, changes) => changes && put(model, changes);

const nodeOf = (model) => {
  const { nodes, at } = valuesOf(stateOf(model));
  return nodes[at];
};

// What stands at the place, as if it were traits of the model, for the two choices.
const atThePlace = (model) => ({
  get: (key) => {
    const { operator, value } = nodeOf(model);
    return key === "operator" ? operator : operator === null ? value : null;
  },
  set: (key, value) => change(model, (key === "operator" ? withOperator : withDigit)(stateOf(model), value)),
  save_changes: () => model.save_changes(),
});

const addPlaces = (shell, model) => {
  shell.listen(shell.stage, "click", (event) => {
    const box = shell.stage.getBoundingClientRect();
    const values = valuesOf(stateOf(model));
    const place = placeAt(layoutOf(shell.width(), values), values, event.clientX - box.left, event.clientY - box.top);
    if (place !== null) put(model, { place });
  });
};

const addGrowth = (shell, model) => {
  const ways = [
    ["Add a digit", withOneMore],
    ["Remove", withoutThis],
    ["Grow a list", grown],
    ["New tree", drawn],
  ];
  const buttons = addButtons(
    shell,
    ways.map(([text, way]) => [text, () => change(model, way(stateOf(model)))]),
  );
  return () => buttons.forEach((button, k) => (button.disabled = ways[k][1](stateOf(model)) === null));
};

const addControls = (shell, model) => {
  const here = atThePlace(model);
  const words = () => valuesOf(stateOf(model)).words.length;
  const deepest = () => valuesOf(stateOf(model)).deepest;
  return [
    addChoice(shell, here, {
      key: "operator",
      text: "At the marked place: a list",
      options: OPERATORS.map((operator) => [operator, operator]),
      shownBy: () => (withOperator(stateOf(model), "MAX") === null ? "disabled" : "shown"),
    }),
    addChoice(shell, here, { key: "digit", text: "or a digit", options: Array.from({ length: 10 }, (_, digit) => [digit, digit]) }),
    addGrowth(shell, model),
    addSlider(shell, model, { key: "place", text: "marked place: symbols read", min: 1, max: words, step: 1, nudge: 1 }),
    addSlider(shell, model, { key: "levels", text: "levels the lazy reader reads", min: 1, max: deepest, step: 1, nudge: 1 }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "list-ops", title: "a ListOps tree, and the row of symbols it becomes" });
  const refreshers = addControls(shell, model);
  addPlaces(shell, model);
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    shell.show({
      markup: draw(state, shell.width(), values),
      text: describe(values),
      values: shownOf(state, values),
      table: tableOf(state, values),
    });
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  return shell.cleanup;
}

export default { render };
