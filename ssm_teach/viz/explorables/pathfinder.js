// Pathfinder: draw a picture, trace its lines, and read it one pixel at a time.
import { addButtons, addChoice, addHandle, addSlider, buildClock, buildShell, put, redrawOn } from "./controls.mjs";
import { valuesOf } from "./pathfinder.math.mjs";
import { describe, draw, layoutOf, stepAt } from "./pathfinder.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["picture", "size", "difficulty", "traced", "cursor"];
const LAST = 999; // picture
const PAUSE = 120; // ms a row

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = (state, { pixels, snakes, ...values }) => ({
  ...state,
  ...values,
  brightness: pixels[values.cursor],
  total: pixels.reduce((sum, value) => sum + value, 0),
  paddles: snakes.map((snake) => snake.length),
});

const tableOf = (state, values) => [
  ["length of the sequence", String(values.length)],
  ["step, row, column, brightness", [values.cursor, values.row, values.column, values.pixels[values.cursor]].join(", ")],
  ["pixels that are not black", String(values.bright)],
  ["steps of the discs’ middles", values.discs.join(", ")],
  ["the discs’ distance: pixels, steps", `${number(values.apart, 4)}, ${values.steps_apart}`],
  ...(state.traced
    ? [
        ["label", values.label ? "1: ends of one line" : "0: ends of two lines"],
        ["paddles of the lines, long ones first", values.snakes.map((snake) => snake.length).join(", ")],
        ["farthest from one paddle to the next, in steps", String(values.longest_hop)],
        ["steps that a long line spans, at most", String(values.span)],
      ]
    : []),
];

const optionsOf = (entries) => entries.map(([value, name = String(value)]) => [value, name]);

const addChoices = (shell, model) => {
  const one = (key, text, entries) => addChoice(shell, model, { key, text, options: optionsOf(entries) });
  return [
    one("size", "Pixels a side", [[32], [64], [128, "128: Path-X"]]),
    one("difficulty", "Paddles a line", [
      ["easy", "easy: 6"],
      ["intermediate", "9"],
      ["hard", "hard: 14"],
    ]),
    one("traced", "The lines", [
      [false, "as given"],
      [true, "traced"],
    ]),
  ];
};

const addControls = (shell, model, clock) => {
  const stop = () => clock.set(false);
  const turn = (by) => put(model, { picture: (model.get("picture") + by + LAST + 1) % (LAST + 1) });
  const [play] = addButtons(shell, [
    ["Play", () => clock.set(!clock.playing)],
    ["Previous", () => turn(-1)],
    ["Next picture", () => turn(1)],
  ]);
  // While it plays the sentence changes with every row: shown, but not announced.
  clock.onChange = () => {
    play.textContent = clock.playing ? "Pause" : "Play";
    shell.root.querySelector(".x-sentence").setAttribute("aria-live", clock.playing ? "off" : "polite");
  };
  return [
    addSlider(shell, model, { key: "picture", text: "picture", min: 0, max: LAST, step: 1, nudge: 1 }),
    addSlider(shell, model, {
      key: "cursor",
      text: "step read last",
      min: 0,
      max: () => model.get("size") ** 2 - 1,
      step: 1,
      nudge: 1,
      moved: stop,
    }),
  ];
};

// One row further; from the last pixel, back to the first. False when there is nothing left to play.
const advance = (model) => {
  const [size, now] = [model.get("size"), model.get("cursor")];
  const last = size * size - 1;
  const next = now >= last ? 0 : Math.min(now + size, last);
  model.set("cursor", next);
  return next < last;
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "pathfinder", title: "Pathfinder as a picture and as a sequence" });
  const clock = buildClock(shell, model, { pause: PAUSE, advance: () => advance(model) });
  const refreshers = [...addChoices(shell, model), ...addControls(shell, model, clock)];
  const layoutNow = () => layoutOf({ length: model.get("size") ** 2 }, shell.width());
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    clock.set(false);
    put(model, { cursor: stepAt(layoutNow(), x) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const { strip } = layoutNow();
    refreshers.forEach((refresh) => refresh());
    moveHandle(strip.x(values.cursor + 0.5), strip.top + strip.height / 2);
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
