// Scan: one parallel scan, or two side by side, step by step, with the operands of the down-sweep swapped if wanted.
import { addButtons, addChoice, addHandle, addSlider, buildClock, buildShell, put, redrawOn } from "./controls.mjs";
import { lastStepOf, valuesOf } from "./scan.math.mjs";
import { describe, draw, layoutOf, written } from "./scan.picture.mjs";

const KEYS = ["length", "algorithm", "operator", "inclusive", "swapped", "step"];
const PAUSE = 1100; // ms a step: time to read what a step did

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = (state, { step, last, runs }) => ({
  ...state,
  step,
  last,
  runs: runs.map(({ trace, now, cells, wrong, work, depth, total }) => ({
    algorithm: trace.algorithm,
    width: trace.width,
    steps: trace.steps.length,
    now,
    phase: now === 0 ? "" : trace.steps[now - 1].phase,
    cells,
    wrong,
    work,
    depth,
    total,
  })),
});

const tableOf = (state, { step, last, runs }) => {
  const each = (tell) => runs.map(tell).join(";  ");
  const whole = (cell) => written(cell, state.operator, Infinity);
  const cell = ({ cells, rightCells, wrong }, k) =>
    whole(cells[k]) + (wrong.includes(k) ? ` (wrong: ${whole(rightCells[k])} is right)` : "");
  return [
    ["algorithm", each(({ trace }) => trace.algorithm.replace("hillis-steele", "Hillis–Steele").replace("blelloch", "Blelloch"))],
    ["elements n, cells", `${state.length}, ${each(({ trace }) => trace.width)}`],
    ["step", `${step} of ${last}`],
    ["phase", each(({ trace, now }) => (now === 0 ? "not begun" : trace.steps[now - 1].phase))],
    ["work so far", each(({ work, total }) => `${work} of ${total.work}`)],
    ["depth so far", each(({ depth, total }) => `${depth} of ${total.depth}`)],
    ["a loop, to compare: work, depth", `${state.length - 1}, ${state.length - 1}`],
    ...Array.from({ length: state.length }, (_, k) => [`cell ${k}`, each((run) => cell(run, k))]),
  ];
};

const addChoices = (shell, model) => {
  const withoutBlelloch = () => (model.get("algorithm") === "hillis-steele" ? "disabled" : "shown");
  const one = (key, text, options, shownBy) => addChoice(shell, model, { key, text, options, shownBy });
  return [
    one("algorithm", "Algorithm", [
      ["blelloch", "Blelloch"],
      ["hillis-steele", "Hillis–Steele"],
      ["both", "both"],
    ]),
    one("operator", "Elements and operator ∘", [
      ["text", "letters, join"],
      ["sum", "numbers, +"],
      ["affine", "x ↦ ax + b"],
    ]),
    one(
      "inclusive",
      "Blelloch’s result",
      [
        [false, "exclusive"],
        [true, "inclusive"],
      ],
      withoutBlelloch,
    ),
    one(
      "swapped",
      "Right child in the down-sweep",
      [
        [false, "parent ∘ left"],
        [true, "left ∘ parent: a bug"],
      ],
      withoutBlelloch,
    ),
  ];
};

const addControls = (shell, model, clock) => {
  const last = () => lastStepOf(stateOf(model));
  const stop = () => clock.set(false);
  const step = (by) => {
    stop();
    put(model, { step: Math.min(Math.max(Math.min(model.get("step"), last()) + by, 0), last()) });
  };
  const [play] = addButtons(shell, [
    ["Play", () => clock.set(!clock.playing)],
    ["Back", () => step(-1)],
    ["Step", () => step(1)],
  ]);
  // While it plays the sentence changes with every step: shown, but not announced.
  clock.onChange = () => {
    play.textContent = clock.playing ? "Pause" : "Play";
    shell.root.querySelector(".x-sentence").setAttribute("aria-live", clock.playing ? "off" : "polite");
  };
  return [
    addSlider(shell, model, { key: "step", text: "step", min: 0, max: last, step: 1, nudge: 1, moved: stop }),
    addSlider(shell, model, {
      key: "length",
      text: "elements n",
      min: 2,
      max: 32,
      step: 1,
      nudge: 1,
      marks: [2, 4, 8, 16, 32].map((n) => [n, String(n)]),
    }),
  ];
};

// One step further; from the end, back to the start. False when there is nothing left to play.
const advance = (model) => {
  const last = lastStepOf(stateOf(model));
  const now = Math.min(model.get("step"), last);
  model.set("step", now === last ? 0 : now + 1);
  return now + 1 !== last;
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "scan", title: "a parallel scan, step by step" });
  const clock = buildClock(shell, model, { pause: PAUSE, advance: () => advance(model) });
  const refreshers = [...addChoices(shell, model), ...addControls(shell, model, clock)];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    clock.set(false);
    const [panel] = layoutOf(stateOf(model), shell.width()).panels;
    put(model, { step: Math.min(Math.max(Math.round((x - panel.x(0)) / panel.column), 0), lastStepOf(stateOf(model))) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const [panel] = layoutOf(state, shell.width(), values).panels;
    refreshers.forEach((refresh) => refresh());
    moveHandle(panel.x(values.runs[0].now), panel.y(0) - panel.rowHeight / 2);
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
