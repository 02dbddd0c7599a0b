// The parts every explorable is built of: the shell, sliders, choices, buttons, drag handles. DOM only, no mathematics.
// Every listener, observer and timer is registered with `shell.onCleanup`, so `render` can return one cleanup function.

export const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export const prefersStillness = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

const LIVE_PAUSE = 150; // ms of quiet before the sentence changes, so a screen reader is not flooded while a slider moves

// The frame of an explorable: choices, picture, sliders, one sentence (announced), the numbers as a folded table.
// The sliders stand below the picture, so that on a phone a thumb does not cover what it moves.
export const buildShell = (el, { name, title }) => {
  const choices = element("div", { class: "x-controls" });
  const sliders = element("div", { class: "x-controls" });
  const stage = element("div", { class: "x-stage" });
  const drawing = element("div", { class: "x-drawing" });
  const sentence = element("p", { class: "x-sentence", "aria-live": "polite" });
  const rows = element("tbody");
  const table = element("table", { class: "x-table" }, element("caption", {}, `${title}: the numbers shown`), rows);
  const numbers = element("details", { class: "x-numbers" }, element("summary", {}, "The numbers"), table);
  const root = element("div", { class: `x-live x-${name}`, role: "group", "aria-label": `Explorable: ${title}` });
  stage.append(drawing);
  root.append(choices, stage, sliders, sentence, numbers);
  el.classList.add("ssm-explorable");
  el.append(root);

  const cleanups = [() => root.remove()];
  const onCleanup = (undo) => cleanups.push(undo);
  let timer = 0;
  onCleanup(() => clearTimeout(timer));
  const listen = (target, type, heard, options) => {
    target.addEventListener(type, heard, options);
    onCleanup(() => target.removeEventListener(type, heard, options));
  };
  // JupyterLab takes arrow keys and Enter for itself, unless the very element that has the focus says they are its own.
  listen(root, "focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));

  const say = (text) => {
    clearTimeout(timer);
    const change = () => {
      if (sentence.textContent !== text) sentence.textContent = text;
    };
    if (sentence.textContent === "") change();
    else timer = setTimeout(change, LIVE_PAUSE);
  };
  const show = ({ markup, text, values, table: numbersShown }) => {
    drawing.innerHTML = markup;
    root.dataset.values = JSON.stringify(values);
    say(text);
    rows.replaceChildren(
      ...numbersShown.map(([what, value]) => element("tr", {}, element("th", { scope: "row" }, what), element("td", {}, value))),
    );
  };
  const cleanup = () => cleanups.splice(0).forEach((undo) => undo());
  const width = () => Math.max(Math.floor(stage.clientWidth), 280);
  return { root, choices, sliders, stage, onCleanup, listen, show, cleanup, width };
};

// Redraw when a trait changes, from either side, and when the figure gets wider or narrower.
export const redrawOn = (shell, model, keys, redraw) => {
  for (const key of keys) {
    model.on(`change:${key}`, redraw);
    shell.onCleanup(() => model.off(`change:${key}`, redraw));
  }
  let drawnWidth = shell.width();
  const observer = new ResizeObserver(() => {
    if (shell.width() === drawnWidth) return;
    drawnWidth = shell.width();
    redraw();
  });
  observer.observe(shell.stage);
  shell.onCleanup(() => observer.disconnect());
};

export const put = (model, changes) => {
  for (const [key, value] of Object.entries(changes)) model.set(key, value);
  model.save_changes();
};

const rounded = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));

// A labelled range with − and + beside it (JupyterLab keeps arrow keys from sliders) and a field for an exact value.
// `scale` maps the model's value to the slider's position and back; `marks` are [value, text] written under the track;
// `shownBy` says "shown", "disabled" or "hidden"; `moved` hears of the reader's hand, not of the model's own changes.
// `max` may be a function, for an end that depends on other controls.
export const addSlider = (shell, model, { key, text, unit = "", min, max, step, nudge, scale, marks = [], shownBy, moved }) => {
  const { to, from } = scale ?? { to: (value) => value, from: (position) => position };
  const end = typeof max === "function" ? max : () => max;
  const range = element("input", { type: "range", min: to(min), max: to(end()), step, "aria-label": text });
  const field = element("input", { type: "number", min, max: end(), step: "any", "aria-label": `${text}, exact value`, inputmode: "decimal" });
  const [less, more] = [
    ["−", "Decrease"],
    ["+", "Increase"],
  ].map(([sign, verb]) => element("button", { type: "button", "aria-label": `${verb} ${text}` }, sign));
  const track = element("div", { class: "x-track" }, range, markRow(marks, to, to(min), to(end())));
  const head = element("div", { class: "x-head" }, element("span", { "aria-hidden": "true" }, text), field);
  if (unit) head.append(element("span", { class: "x-unit-name" }, unit));
  const box = element("div", { class: "x-slider" }, head, element("div", { class: "x-row" }, less, track, more));
  shell.sliders.append(box);

  const current = () => Math.min(model.get(key), end());
  const choose = (value) => {
    moved?.();
    put(model, { [key]: Math.min(Math.max(Number.isInteger(step) ? Math.round(value) : value, min), end()) });
  };
  const moveTo = (position) => choose(from(Math.min(Math.max(position, to(min)), to(end()))));
  shell.listen(range, "input", () => moveTo(Number(range.value)));
  shell.listen(less, "click", () => moveTo(rounded(to(current()) - nudge, step)));
  shell.listen(more, "click", () => moveTo(rounded(to(current()) + nudge, step)));
  shell.listen(field, "change", () => {
    if (field.value !== "" && Number.isFinite(field.valueAsNumber)) choose(field.valueAsNumber);
    refresh();
  });
  const refresh = () => {
    const value = current();
    range.max = to(end());
    field.max = end();
    range.value = to(value);
    range.setAttribute("aria-valuetext", `${Number(value.toPrecision(4))}${unit ? ` ${unit}` : ""}`);
    field.value = Number(value.toPrecision(6));
    if (!shownBy) return;
    const state = shownBy();
    box.hidden = state === "hidden";
    for (const input of [range, field, less, more]) input.disabled = state === "disabled";
  };
  refresh();
  return refresh;
};

const markRow = (marks, to, low, high) => {
  const row = element("div", { class: "x-marks", "aria-hidden": "true" });
  for (const [value, text] of marks) {
    const share = (to(value) - low) / (high - low);
    const mark = element("span", { class: share === 0 ? "x-first" : share === 1 ? "x-last" : "" }, text);
    mark.style.setProperty("--share", share.toFixed(4));
    row.append(mark);
  }
  return row;
};

// One of a few, values of any kind: radio buttons drawn as one bar. The name only groups them. `shownBy` as for sliders.
export const addChoice = (shell, model, { key, text, options, shownBy }) => {
  const group = `${key}-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([value, name]) => {
    const input = element("input", { type: "radio", name: group, value });
    shell.listen(input, "change", () => put(model, { [key]: value }));
    return [input, element("label", {}, input, element("span", {}, name))];
  });
  const bar = element("div", { class: "x-bar" }, ...inputs.map(([, labelled]) => labelled));
  const box = element("fieldset", { class: "x-choice" }, element("legend", {}, text), bar);
  shell.choices.append(box);
  const refresh = () => {
    inputs.forEach(([input], k) => (input.checked = options[k][0] === model.get(key)));
    if (!shownBy) return;
    box.hidden = shownBy() === "hidden";
    box.disabled = shownBy() === "disabled";
  };
  refresh();
  return refresh;
};

// A row of buttons, each [text, pressed]; returns them, so that a caller can rename one.
export const addButtons = (shell, entries) => {
  const buttons = entries.map(([text, pressed]) => {
    const button = element("button", { type: "button" }, text);
    shell.listen(button, "click", pressed);
    return button;
  });
  shell.sliders.append(element("div", { class: "x-play" }, ...buttons));
  return buttons;
};

// Time for a figure that plays: `advance` moves the model one step every `pause` ms, while `playing` and in view, and
// returns false to stop. The kernel of a live notebook hears of a step when it stops.
export const buildClock = (shell, model, { pause, advance }) => {
  const clock = { playing: false, inView: true, onChange: () => {} };
  let timer = 0;
  const tick = () => {
    if (clock.inView && advance() === false) clock.set(false);
    else timer = setTimeout(tick, pause);
  };
  clock.set = (playing) => {
    if (playing === clock.playing) return;
    clock.playing = playing;
    clearTimeout(timer);
    if (playing) timer = setTimeout(tick, pause);
    else model.save_changes();
    clock.onChange();
  };
  const observer = new IntersectionObserver((entries) => (clock.inView = entries.some((entry) => entry.isIntersecting)));
  observer.observe(shell.stage);
  shell.onCleanup(() => observer.disconnect());
  shell.onCleanup(() => clearTimeout(timer));
  return clock;
};

// A finger-sized invisible handle over the picture. It stays while the picture below it is redrawn, so a drag survives.
// Returns a function that moves it, or hides it when it is given null.
export const addHandle = (shell, kind, moved) => {
  const handle = element("div", { class: `x-handle ${kind}`, "aria-hidden": "true" });
  shell.stage.append(handle);
  const follow = (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = shell.stage.getBoundingClientRect();
    moved(event.clientX - box.left, event.clientY - box.top);
  };
  shell.listen(handle, "pointerdown", (event) => {
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
  });
  shell.listen(handle, "pointermove", follow);
  return (x, y) => {
    handle.hidden = x === null;
    handle.style.transform = `translate(${x}px, ${y}px)`;
  };
};
