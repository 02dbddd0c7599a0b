// The gate timeline as SVG text: the tokens, and under them a lane for each state, with its gate as columns and the state as
// a line. The hold is one long cell, however many tokens it has.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture, rectangle, yTicks } from "./plot.mjs";
import { PLACES, TOKENS, valuesOf } from "./gate.math.mjs";

const DRAWN = 96; // points of the hold that are drawn, at most

const loudest = ({ lanes, fixed_lane }) =>
  [...lanes, fixed_lane].reduce((most, { states }) => states.reduce((high, h) => Math.max(high, Math.abs(h)), most), 1);

export const layoutOf = (width, high = 1) => {
  const narrow = width < 560;
  const left = 26;
  const cell = Math.floor(10 * (narrow ? 0.54 : 0.62) * (width - left)) / 10 / TOKENS;
  const holdLeft = left + TOKENS * cell;
  const recall = narrow ? 24 : 40;
  const [laneHeight, apart] = narrow ? [54, 30] : [58, 32];
  const strip = { left, top: 26, height: 44 };
  const first = strip.top + strip.height + 46;
  const lane = (k) =>
    panel({
      left,
      top: first + k * (laneHeight + apart),
      width: width - left - 1,
      height: laneHeight,
      xDomain: [0, 1],
      yDomain: [-1.08 * high, 1.08 * high],
    });
  return {
    narrow,
    width,
    left,
    cell,
    strip,
    holdLeft,
    holdRight: width - 1 - recall,
    right: width - 1,
    lanes: [0, 1, 2, 3].map(lane),
    bottom: first + 4 * (laneHeight + apart) - apart,
  };
};

// The middle of a step's cell; the recall is the narrow cell behind the hold.
export const middleOf = (layout, step) =>
  step < TOKENS ? layout.left + (step + 0.5) * layout.cell : (layout.holdRight + layout.right) / 2;

export const stepAt = (layout, x) => {
  if (x > (layout.holdLeft + layout.holdRight) / 2) return TOKENS;
  return Math.min(Math.max(Math.floor((x - layout.left) / layout.cell), 0), TOKENS - 1);
};

const token = (layout, u, k) => {
  const { strip, left, cell } = layout;
  const middle = strip.top + strip.height / 2;
  const height = (Math.abs(u) * strip.height) / 2.3;
  const data = PLACES.indexOf(k);
  const x = left + k * cell;
  const bar = (kind) => rectangle(x + 0.2 * cell, u > 0 ? middle - height : middle, 0.6 * cell, height, kind);
  if (data < 0) return bar("x-noise");
  const name = label(x + cell / 2, strip.top + strip.height + 15, String(data + 1), "x-small x-good", "middle");
  return rectangle(x, strip.top, cell, strip.height, "x-data-wash") + bar("x-data") + name;
};

const grouped = (count) => String(count).replace(/(\d)(?=(\d{3})$)/, "$1 ");

const tokenStrip = (layout, { hold }, { inputs }) => {
  const { strip, left, right, holdLeft, holdRight, narrow } = layout;
  const [middle, across] = [strip.top + strip.height / 2, (holdLeft + holdRight) / 2];
  const told = narrow ? [grouped(hold), "noise"] : [`${grouped(hold)} more`, "noise tokens"];
  return (
    label(0, strip.top - 11, "Tokens", "x-title") +
    label(left + 52, strip.top - 11, narrow ? "data 1–3, noise" : "data 1, 2, 3 among noise", "x-axis") +
    rectangle(holdLeft, strip.top, holdRight - holdLeft, strip.height, "x-outside") +
    inputs
      .slice(0, TOKENS)
      .map((u, k) => token(layout, u, k))
      .join("") +
    line(left, middle, holdLeft, middle, "x-zero") +
    label(across, middle - 3, told[0], "x-small", "middle") +
    label(across, middle + 13, told[1], "x-axis", "middle") +
    label((holdRight + right) / 2, middle + 6, "?", "x-centre", "middle") +
    label(right, strip.top - 11, "recall", "x-axis", "end") +
    rectangle(left, strip.top, right - left, strip.height, "x-frame")
  );
};

const gateColumns = (layout, frame, gateAt) => {
  const column = (x, width, gate) => rectangle(x, frame.top + frame.height * (1 - gate), width, frame.height * gate, "x-opening");
  const { left, cell, holdLeft, holdRight } = layout;
  const columns = Array.from({ length: TOKENS }, (_, k) => column(left + k * cell + 0.5, cell - 1, gateAt(k)));
  return columns.join("") + column(holdLeft + 0.5, holdRight - holdLeft - 1, gateAt(TOKENS));
};

// The states as points: one for a token, and no more than DRAWN for the hold.
const pointsOf = (layout, frame, states) => {
  const hold = states.length - TOKENS;
  const drawn = Math.min(hold, DRAWN);
  const points = states.slice(0, TOKENS).map((h, k) => [middleOf(layout, k), frame.y(h)]);
  for (let n = 1; n <= drawn; n += 1) {
    const k = Math.round((n * hold) / drawn);
    const x = layout.holdLeft + ((layout.holdRight - layout.holdLeft) * k) / hold;
    points.push([x, frame.y(states[TOKENS - 1 + k])]);
  }
  return points;
};

const trace = (layout, frame, { states }, step, kind) => {
  const points = pointsOf(layout, frame, states);
  const done = step < TOKENS ? step + 1 : points.length;
  const ahead = step < TOKENS ? curve(points.slice(step), `${kind} x-to-come`) : "";
  return ahead + curve(points.slice(0, done), `${kind} x-heavy`);
};

// What is left of a token can fall below anything worth a figure, down to the last bit that a number has.
export const leftover = (weight) => (weight < 1e-30 ? "almost 0" : number(weight));

const product = ({ written, kept, weight }, narrow) => {
  if (narrow) return `${number(written)} × ${leftover(kept)}`;
  return `written ${number(written)} × kept ${leftover(kept)} = ${leftover(weight)}`;
};

const laneMarkup = (layout, k, { lane, step, told, title, gateAt, kind, wanted }) => {
  const frame = layout.lanes[k];
  const [x, y] = [middleOf(layout, step), frame.y(lane.now)];
  const zero = line(frame.left, frame.y(0), layout.right, frame.y(0), "x-zero");
  return (
    clipped(frame, gateColumns(layout, frame, gateAt) + zero + trace(layout, frame, lane, step, kind)) +
    circle(middleOf(layout, TOKENS), frame.y(wanted), 6, "x-wanted") +
    circle(x, y, 4, `x-state-dot ${kind}`) +
    rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
    yTicks(frame, [-1, 0, 1]) +
    label(0, frame.top - 9, title, "x-title") +
    label(layout.right, frame.top - 9, told, "x-axis x-count", "end")
  );
};

const unread = (place, { step }) => step < TOKENS && step < place;

const lanesMarkup = (layout, state, values) => {
  const { lanes, fixed_lane, open, shut, fixed, step, inputs } = values;
  const own = lanes.map((lane, i) =>
    laneMarkup(layout, i, {
      lane,
      step,
      title: layout.narrow ? `State ${i + 1}` : `State ${i + 1}, opens for data token ${i + 1}`,
      told: unread(PLACES[i], values) ? "token not read yet" : product(lane.tokens[0], layout.narrow),
      gateAt: (k) => (k === PLACES[i] ? open.gate : shut.gate),
      kind: "x-kept-line",
      wanted: inputs[PLACES[i]],
    }),
  );
  const last = fixed_lane.tokens.length - 1;
  const rest = laneMarkup(layout, lanes.length, {
    lane: fixed_lane,
    step,
    title: layout.narrow ? "Fixed gate" : `Fixed gate ${number(state.fixed_gate)}`,
    told: unread(PLACES[last], values) ? "token 3 not read yet" : product(fixed_lane.tokens[last], layout.narrow),
    gateAt: () => fixed.gate,
    kind: "x-tail-line",
    wanted: inputs[PLACES[last]],
  });
  return own.join("") + rest;
};

const playhead = (layout, { step }) => {
  const half = Math.max(step < TOKENS ? layout.cell / 2 : (layout.right - layout.holdRight) / 2, 5);
  const middle = middleOf(layout, step);
  return rectangle(middle - half, layout.strip.top, 2 * half, layout.bottom - layout.strip.top, "x-now-band");
};

// In words

const percent = (share) => `${leftover(100 * share)} %`;

const whenOf = ({ hold }, { step }) => {
  if (step === TOKENS) return `After ${TOKENS} tokens and a hold of ${hold} more`;
  const data = PLACES.indexOf(step);
  return `After token ${step + 1} of ${TOKENS}, ${data < 0 ? "noise" : `data token ${data + 1}`}`;
};

const mixtureOf = ({ method }, { open, shut }) => {
  if (method === "zoh") return "";
  const [data, noise] = [open, shut].map(({ sum }) => number(sum, 5));
  return ` Ā + B̄ is ${data} for data and ${noise} for noise: no mixture, so the state can outgrow its inputs.`;
};

const ownTold = (i, { written, kept, weight, share }) =>
  `state ${i + 1} holds data token ${i + 1} with weight ${leftover(weight)}: ${number(written)} of it was written, and ` +
  `${leftover(kept)} of that is left. It makes ${percent(share)} of the state’s variance.`;

const fixedTold = ({ fixed_gate }, { step, best }, { weight, share }) => {
  const bound = step === TOKENS ? ` The best fixed gate, ${number(best.gate)}, would leave ${leftover(best.weight)}.` : "";
  return `A fixed gate of ${number(fixed_gate)} leaves weight ${leftover(weight)}, ${percent(share)}.${bound}`;
};

// The last data token that has been read, in its own state and in the one with the fixed gate.
export const describe = (state, values) => {
  const { lanes, fixed_lane, open, shut } = values;
  const gates = `The gate is ${number(open.gate)} for data and ${number(shut.gate)} for noise.`;
  const last = PLACES.findLastIndex((place) => !unread(place, values));
  const when = whenOf(state, values);
  if (last < 0) return `${when}, no data token has been read. ${gates}`;
  return (
    `${when}, ${ownTold(last, lanes[last].tokens[0])} ${gates} ` +
    `${fixedTold(state, values, fixed_lane.tokens[last])}${mixtureOf(state, values)}`
  );
};

const KEY = [
  [(x, y) => rectangle(x, y - 9, 22, 11, "x-opening"), "gate, 0 to 1"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line x-heavy"), "state, gated"],
  [(x, y) => line(x, y - 4, x + 22, y - 4, "x-tail-line x-heavy"), "state, fixed gate"],
  [(x, y) => circle(x + 10, y - 4, 6, "x-wanted"), "what should be recalled"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, loudest(values));
  const key = keyRows(KEY, layout.bottom + 24, width);
  const content = playhead(layout, values) + tokenStrip(layout, state, values) + lanesMarkup(layout, state, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
