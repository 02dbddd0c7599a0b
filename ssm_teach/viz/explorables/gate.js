// Gate: three gated states and one with a fixed gate read a sequence of data and noise, and hold on to it.
import { addButtons, addChoice, addHandle, addSlider, buildClock, buildShell, put, redrawOn } from "./controls.mjs";
import { bestFixedGate, TOKENS, valuesOf } from "./gate.math.mjs";
import { describe, draw, layoutOf, middleOf, stepAt } from "./gate.picture.mjs";
import { number } from "./plot.mjs";

const KEYS = ["data_logit", "noise_logit", "hold", "fixed_gate", "method", "step"];
const PAUSE = 700; // ms a token

// Positions are whole, hundredths of an octave, so that the slider keeps to whole tokens.
const HOLD_SCALE = { to: (hold) => 100 * Math.log2(hold), from: (position) => Math.round(2 ** (position / 100)) };
const GATE_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(4)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const shownOf = (state, { step, position, inputs, open, shut, fixed, lanes, fixed_lane, best }) => ({
  ...state,
  step,
  position,
  inputs: inputs.slice(0, TOKENS),
  open,
  shut,
  fixed,
  lanes: lanes.map(({ tokens, now }) => ({ tokens, now })),
  fixed_lane: { tokens: fixed_lane.tokens, now: fixed_lane.now },
  best,
});

const leftOf = ({ written, kept, weight, share }) =>
  `${number(written, 5)} × ${number(kept, 5)} = ${number(weight, 5)}; ${number(100 * share, 4)} %`;

const tableOf = (state, { step, position, open, shut, fixed, lanes, fixed_lane, best }) => [
  ["tokens read", `${position + 1}${step === TOKENS ? `, of which ${state.hold} are the hold` : ""}`],
  ...[
    ["data", open],
    ["noise", shut],
    ["fixed", fixed],
  ].map(([name, { z, A_bar, B_bar, sum }]) => [
    `${name}: z, Ā, B̄, Ā + B̄`,
    [number(z, 4), number(A_bar, 6), number(B_bar, 6), number(sum, 6)].join(", "),
  ]),
  ...lanes.map(({ now }, i) => [`state ${i + 1}`, number(now, 6)]),
  ["state with the fixed gate", number(fixed_lane.now, 6)],
  ...lanes.map(({ tokens: [left] }, i) => [`token ${i + 1} in state ${i + 1}: written × kept = weight; share`, leftOf(left)]),
  ...fixed_lane.tokens.map((token, i) => [`token ${i + 1} in the state with the fixed gate`, leftOf(token)]),
  ["best fixed gate for token 3, and the weight it leaves", `${number(best.gate, 5)}, ${number(best.weight, 5)}`],
];

const addSliders = (shell, model, stop) => {
  const one = (options) => addSlider(shell, model, options);
  const marksOf = (values) => values.map((value) => [value, String(value).replace("-", "−")]);
  const ends = [
    [0, "first"],
    [TOKENS, "recall"],
  ];
  return [
    one({ key: "step", text: "token read last", min: 0, max: TOKENS, step: 1, nudge: 1, marks: ends, moved: stop }),
    one({
      key: "hold",
      text: "length of the hold",
      unit: "tokens",
      min: 1,
      max: 4096,
      step: 1,
      nudge: 100,
      scale: HOLD_SCALE,
      marks: marksOf([1, 16, 256, 4096]),
    }),
    one({ key: "data_logit", text: "logit z for data", min: -10, max: 10, step: 0.1, nudge: 0.5, marks: marksOf([-10, 0, 10]) }),
    one({ key: "noise_logit", text: "logit z for noise", min: -20, max: 10, step: 0.1, nudge: 0.5, marks: marksOf([-20, -10, 0, 10]) }),
    one({
      key: "fixed_gate",
      text: "the fixed gate g",
      min: 0.0001,
      max: 0.99,
      step: 0.01,
      nudge: 0.1,
      scale: GATE_SCALE,
      marks: marksOf([0.001, 0.01, 0.1]),
    }),
  ];
};

const addControls = (shell, model, clock) => {
  const stop = () => clock.set(false);
  const step = (by) => {
    stop();
    put(model, { step: Math.min(Math.max(model.get("step") + by, 0), TOKENS) });
  };
  const best = () => Number(bestFixedGate(model.get("hold"), model.get("method")).toPrecision(4));
  const [play] = addButtons(shell, [
    ["Play", () => clock.set(!clock.playing)],
    ["Back", () => step(-1)],
    ["Step", () => step(1)],
    ["Best g", () => put(model, { fixed_gate: best() })],
  ]);
  // While it plays the sentence changes with every token: shown, but not announced.
  clock.onChange = () => {
    play.textContent = clock.playing ? "Pause" : "Play";
    shell.root.querySelector(".x-sentence").setAttribute("aria-live", clock.playing ? "off" : "polite");
  };
  return addSliders(shell, model, stop);
};

// One token further; from the recall, back to the start. False when there is nothing left to play.
const advance = (model) => {
  const now = model.get("step");
  model.set("step", now === TOKENS ? 0 : now + 1);
  return now + 1 !== TOKENS;
};

function render({ model, el }) {
  const shell = buildShell(el, { name: "gate", title: "a gate that opens for what matters" });
  const clock = buildClock(shell, model, { pause: PAUSE, advance: () => advance(model) });
  const refreshers = [
    addChoice(shell, model, {
      key: "method",
      text: "Input weight B̄",
      options: [
        ["zoh", "exact: σ(z)"],
        ["simplified", "Mamba’s ΔB: softplus(z)"],
      ],
    }),
    ...addControls(shell, model, clock),
  ];
  const moveHandle = addHandle(shell, "x-sideways", (x) => {
    clock.set(false);
    put(model, { step: stepAt(layoutOf(shell.width()), x) });
  });
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    const layout = layoutOf(shell.width());
    refreshers.forEach((refresh) => refresh());
    moveHandle(middleOf(layout, values.step), layout.strip.top + layout.strip.height / 2);
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
