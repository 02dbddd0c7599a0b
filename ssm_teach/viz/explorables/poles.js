// Poles: two poles and a zero to drag, and the same system as impulse, step and frequency response and as a recurrence.
import { addButtons, addChoice, addHandle, addSlider, buildClock, buildShell, put, redrawOn } from "./controls.mjs";
import { complexNumber, number } from "./plot.mjs";
import { STEPS, valuesOf } from "./poles.math.mjs";
import { describe, draw, gripsOf, layoutOf, placeOf, REACH, stepAt } from "./poles.picture.mjs";

const KEYS = ["kind", "re", "im", "first", "second", "with_zero", "zero", "input", "omega", "step"];
const PAUSE = 120; // ms a step

const TONE_SCALE = { to: Math.log10, from: (position) => Number((10 ** position).toPrecision(3)) };

const stateOf = (model) => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));

const pairOf = (values) => values.map((value) => number(value, 6)).join(", ");

const tableOf = (state, values) => {
  const { poles, system, verdict, half_life, weights, settles, gain, phase, loudest, peak, A_bar, B_bar, states, outputs } = values;
  return [
    ["poles", poles.map((pole) => complexNumber(pole, 6)).join("; ")],
    ["zero", state.with_zero ? number(state.zero, 6) : "none"],
    ["stiffness k, damping c", pairOf([system.k, system.c])],
    ["verdict", verdict],
    ["half-life of the slowest pole, s", half_life === null ? "none" : number(half_life, 6)],
    ["weights of the two exponentials", weights === null ? "a pair or a double pole" : pairOf(weights)],
    ["answer to a constant 1", settles === null ? "none" : number(settles, 6)],
    ["gain and phase (degrees) at ω", pairOf([gain, (phase * 180) / Math.PI])],
    ["largest gain, at ω", peak === null ? "none" : pairOf([peak, loudest])],
    ["Ā, row by row", pairOf(A_bar.flat())],
    ["B̄", pairOf(B_bar)],
    ["state at this step", pairOf(states[state.step])],
    ["output at this step", number(outputs[state.step], 6)],
  ];
};

const addChoices = (shell, model) => [
  addChoice(shell, model, {
    key: "kind",
    text: "Poles",
    options: [
      ["pair", "a conjugate pair"],
      ["real", "two real ones"],
    ],
  }),
  addChoice(shell, model, {
    key: "with_zero",
    text: "Output",
    options: [
      [false, "the position"],
      [true, "with a zero"],
    ],
  }),
  addChoice(shell, model, {
    key: "input",
    text: "Input of the recurrence",
    options: [
      ["kick", "kick"],
      ["push", "push"],
      ["sine", "sine"],
    ],
  }),
];

const addSliders = (shell, model, stop) => {
  const shownIf = (holds) => ({ shownBy: () => (holds() ? "shown" : "hidden") });
  const [paired, real, zeroed] = [() => model.get("kind") === "pair", () => model.get("kind") === "real", () => model.get("with_zero")];
  const one = (options) => addSlider(shell, model, options);
  const place = { min: REACH.re[0], max: REACH.re[1], step: 0.05, nudge: 0.1, unit: "1/s" };
  return [
    one({ key: "re", text: "real part", ...place, ...shownIf(paired) }),
    one({ key: "im", text: "imaginary part", unit: "rad/s", min: 0, max: REACH.im, step: 0.05, nudge: 0.1, ...shownIf(paired) }),
    one({ key: "first", text: "first pole", ...place, ...shownIf(real) }),
    one({ key: "second", text: "second pole", ...place, ...shownIf(real) }),
    one({ key: "zero", text: "the zero", ...place, max: REACH.zero[1], ...shownIf(zeroed) }),
    one({
      key: "omega",
      text: "frequency ω",
      unit: "rad/s",
      min: 0.1,
      max: 30,
      step: 0.01,
      nudge: 0.05,
      scale: TONE_SCALE,
      marks: [0.1, 1, 10].map((omega) => [omega, String(omega)]),
    }),
    one({ key: "step", text: "step shown", min: 0, max: STEPS, step: 1, nudge: 1, moved: stop }),
  ];
};

const addPlay = (shell, model, clock) => {
  const walk = (by) => {
    clock.set(false);
    put(model, { step: Math.min(Math.max(model.get("step") + by, 0), STEPS) });
  };
  const [play] = addButtons(shell, [
    ["Play", () => clock.set(!clock.playing)],
    ["Back", () => walk(-1)],
    ["Step", () => walk(1)],
  ]);
  // While it plays the picture changes ten times a second: shown, but not announced.
  clock.onChange = () => {
    play.textContent = clock.playing ? "Pause" : "Play";
    shell.root.querySelector(".x-sentence").setAttribute("aria-live", clock.playing ? "off" : "polite");
  };
};

// One step further; from the last, back to the first. False when there is nothing left to play.
const advance = (model) => {
  const now = model.get("step");
  model.set("step", now === STEPS ? 0 : now + 1);
  return now + 1 !== STEPS;
};

const near = (value, [low, high]) => Number((Math.round(Math.min(Math.max(value, low), high) / 0.05) * 0.05).toFixed(2));

const addGrips = (shell, model, clock) => {
  const planeAt = (x, y) => {
    const { plane } = layoutOf(shell.width());
    return [plane.xDomain[0] + (x - plane.left) / plane.xScale, (plane.y(0) - y) / (plane.y(0) - plane.y(1))];
  };
  return {
    pole: addHandle(shell, "x-grab", (x, y) => {
      const [re, im] = planeAt(x, y);
      if (model.get("kind") === "pair") put(model, { re: near(re, REACH.re), im: near(im, [0, REACH.im]) });
      else put(model, { first: near(re, REACH.re) });
    }),
    other: addHandle(shell, "x-sideways", (x, y) => put(model, { second: near(planeAt(x, y)[0], REACH.re) })),
    zero: addHandle(shell, "x-sideways", (x, y) => put(model, { zero: near(planeAt(x, y)[0], REACH.zero) })),
    tone: addHandle(shell, "x-sideways", (x) => {
      const { gain } = layoutOf(shell.width());
      const power = gain.xDomain[0] + (x - gain.left) / gain.xScale;
      put(model, { omega: TONE_SCALE.from(Math.min(Math.max(power, -1), Math.log10(30))) });
    }),
    now: addHandle(shell, "x-sideways", (x) => {
      clock.set(false);
      put(model, { step: stepAt(layoutOf(shell.width()), x) });
    }),
  };
};

const moveGrips = (move, state, layout) => {
  for (const [name, place] of Object.entries(gripsOf(layout.plane, state))) move[name](...(place ?? [null]));
  move.tone(layout.gain.x(Math.log10(state.omega)), layout.gain.top + layout.gain.height / 2);
  move.now(placeOf(layout, state.step), layout.run.top + layout.run.height / 2);
};

const shownOf = (state, { times, push, impulse, gains, inputs, states, outputs, ...values }) => ({
  ...state,
  ...values,
  impulse: impulse.filter((_, n) => n % 40 === 0),
  push: push.filter((_, n) => n % 40 === 0),
  outputs: outputs.filter((_, k) => k % 10 === 0),
  x: states[state.step],
  y: outputs[state.step],
});

function render({ model, el }) {
  const shell = buildShell(el, { name: "poles", title: "two poles, and the system they make" });
  const clock = buildClock(shell, model, { pause: PAUSE, advance: () => advance(model) });
  const refreshers = [...addChoices(shell, model), ...addSliders(shell, model, () => clock.set(false))];
  addPlay(shell, model, clock);
  const move = addGrips(shell, model, clock);
  const redraw = () => {
    const state = stateOf(model);
    const values = valuesOf(state);
    refreshers.forEach((refresh) => refresh());
    moveGrips(move, state, layoutOf(shell.width()));
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
