// Landing: the moving picture of the first page. It moves by itself only where motion is welcome and while it is in view.
import { addButtons, addSlider, buildClock, buildShell, prefersStillness, put, redrawOn } from "./controls.mjs";
import { number } from "./plot.mjs";
import { SAMPLES, valuesOf } from "./landing.math.mjs";
import { describe, draw } from "./landing.picture.mjs";

const KEYS = ["delta", "sample"];
const FRAME = 60; // ms a sample: slow enough to follow, quick enough to read as motion

// Said while it plays, and not changed meanwhile, so that a screen reader is left in peace.
const CAPTION = "The state, a chain of turning arrows, and the kernel, laid backwards over the past, always land on the same output.";

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = ({ delta, sample, states, recurrence, convolution, difference }) => ({
  delta,
  sample,
  state: states[sample],
  recurrence,
  convolution,
  difference,
});

const tableOf = (values) => [
  ["sample k", String(values.sample)],
  ["step Δ", number(values.delta, 4)],
  ["recurrence", number(values.recurrence, 12)],
  ["convolution", number(values.convolution, 12)],
  ["difference", number(values.difference, 3)],
];

const addControls = (shell, model, clock) => {
  const step = (by) => {
    clock.set(false);
    put(model, { sample: (model.get("sample") + by + SAMPLES) % SAMPLES });
  };
  const [play] = addButtons(shell, [
    ["Play", () => clock.set(!clock.playing)],
    ["Back", () => step(-1)],
    ["Step", () => step(1)],
  ]);
  clock.onChange = () => (play.textContent = clock.playing ? "Pause" : "Play");
  const stop = () => clock.set(false);
  return [
    addSlider(shell, model, { key: "sample", text: "sample k", min: 0, max: SAMPLES - 1, step: 1, nudge: 1, moved: stop }),
    addSlider(shell, model, {
      key: "delta",
      unit: "s",
      text: "step Δ",
      min: 0.01,
      max: 0.2,
      step: 0.005,
      nudge: 0.005,
      marks: [
        [0.01, "long memory"],
        [0.2, "short memory"],
      ],
    }),
  ];
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "landing", title: "one system, read two ways" });
  const advance = () => {
    model.set("sample", (model.get("sample") + 1) % SAMPLES);
  };
  const clock = buildClock(shell, model, { pause: FRAME, advance });
  const refreshers = addControls(shell, model, clock);
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    const text = clock.playing ? CAPTION : describe(state, values);
    shell.show({ markup: draw(state, shell.width(), values), text, values: shownOf(values), table: tableOf(values) });
  };
  const changed = clock.onChange;
  clock.onChange = () => {
    changed();
    redraw();
  };
  redrawOn(shell, model, KEYS, redraw);
  redraw();
  clock.set(!prefersStillness());
  return shell.cleanup;
}

export default { render };
