// Cost: operations and bytes of a layer against the length of the sequence, and where one way overtakes another.
import { addChoice, addHandle, addSlider, buildShell, put, redrawOn } from "./controls.mjs";
import { LONGEST, SHORTEST, valuesOf } from "./cost.math.mjs";
import { amount, cursorOf, describe, draw, layoutOf, lengthAt, NAMES } from "./cost.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["view", "length", "width", "states", "batch", "expand"];

// Positions are whole, hundredths of an octave, so that a slider keeps to whole numbers.
const OCTAVES = { to: (value) => 100 * Math.log2(value), from: (position) => Math.round(2 ** (position / 100)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const FORMULAS = {
  training: {
    recurrence: "E d (5N − 1) L",
    blelloch: "E d (6N(L − 1) + (3N − 1) L)",
    fft: "E d (15 L log₂ 2L + 6(L + 1))",
    naive: "E d L²",
    attention: "4 L² d + 8 L d²",
    kernel: "E d · 3NL, once for the batch",
  },
  decoding: { recurrence: "E d (5N − 1)", naive: "E d (2L + 1)", attention: "4 L d + 8 d²" },
  memory: { state: "4 E d N", history: "4 E d L", cache: "2 · 2 L d" },
};

const meeting = ({ first, second }) =>
  first === "quadratic" ? "attention’s quadratic part = its projections" : `${NAMES[first]} = ${NAMES[second]}`;

const tableOf = (state, { curves, crossings, cheapest, state_in_tokens }) => [
  ["L, d, N, batch, E", [state.length, state.width, state.states, state.batch, state.expand].join(", ")],
  ...curves.map(({ key, cost }) => [
    `${NAMES[key]}: ${FORMULAS[state.view][key]}`,
    amount(cost, state.view) + (key === cheapest ? ", the least" : ""),
  ]),
  ...crossings.map((crossing) => [`${meeting(crossing)} at L`, crossing.length === null ? "never" : number(crossing.length, 6)]),
  ["state, in tokens of keys and values", String(state_in_tokens)],
];

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "view",
    text: "Cost of",
    options: [
      ["training", "training"],
      ["decoding", "decoding"],
      ["memory", "memory"],
    ],
  }),
  addChoice(shell, model, {
    key: "expand",
    text: "Channels of the state space layer",
    options: [
      [1, "d"],
      [2, "2d, as in Mamba"],
    ],
  }),
];

const addSliders = (shell, model) => {
  const one = (options) => addSlider(shell, model, { step: 1, nudge: 100, scale: OCTAVES, ...options });
  const marksOf = (values) => values.map((value) => [value, String(value)]);
  const lengths = [
    [4, "4"],
    [64, "64"],
    [1024, "1k"],
    [2 ** 14, "16k"],
    [LONGEST, "1M"],
  ];
  return [
    one({ key: "length", text: "length L", min: SHORTEST, max: LONGEST, marks: lengths }),
    one({ key: "width", text: "width d", min: 16, max: 8192, marks: marksOf([16, 128, 1024, 8192]) }),
    one({ key: "states", text: "states N", min: 1, max: 256, marks: marksOf([1, 4, 16, 64, 256]) }),
    one({ key: "batch", text: "batch", min: 1, max: 256, marks: marksOf([1, 16, 256]) }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "cost", title: "what a layer costs" });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model)];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    put(model, { length: lengthAt(layoutOf(stateOf(model), shell.width()), x) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    moveHandle(...cursorOf(layoutOf(state, shell.width()), state));
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
