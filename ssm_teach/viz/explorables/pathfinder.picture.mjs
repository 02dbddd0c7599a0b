// A Pathfinder picture, the same pixels in one row, and how a line jumps about in that row, as SVG text.
import { circle, clipped, curve, keyRows, label, line, number, panel, picture, px, rectangle, tag, xTicks, yTicks } from "./plot.mjs";
import { valuesOf } from "./pathfinder.math.mjs";

const LEVELS = 16; // of brightness that are drawn

export const layoutOf = ({ length }, width) => {
  const narrow = width < 680;
  const side = narrow ? Math.min(width, 300) : 288;
  const left = narrow ? 26 : side + 62;
  const top = narrow ? 30 + side + 42 : 26;
  const frame = { left, width: width - left - 16, xDomain: [0, length] };
  const strip = panel({ ...frame, top, height: 84, yDomain: [0, 255] });
  return {
    narrow,
    short: frame.width < 360, // of the titles, which share their line with a count
    width,
    square: { left: narrow ? (width - side) / 2 : 0, top: 26, side },
    strip,
    walk: { ...frame, top: top + 84 + 68, height: 148 },
    bottom: narrow ? top + 84 + 68 + 148 + 34 : Math.max(26 + side + 26, top + 84 + 68 + 148 + 34),
  };
};

export const stepAt = ({ strip }, x) => {
  const step = Math.floor(((x - strip.left) / strip.width) * strip.xDomain[1]);
  return Math.min(Math.max(step, 0), strip.xDomain[1] - 1);
};

const levelOf = (value) => Math.round((value / 255) * LEVELS);

// One path a level of brightness; neighbours of one level in a row are one box.
const litPixels = (pixels, size) => {
  const paths = Array.from({ length: LEVELS + 1 }, () => "");
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; ) {
      const level = levelOf(pixels[row * size + column]);
      let end = column + 1;
      while (end < size && levelOf(pixels[row * size + end]) === level) end += 1;
      if (level > 0) paths[level] += `M${column} ${row}h${end - column}v1h${column - end}z`;
      column = end;
    }
  }
  return paths
    .map((d, level) => (d === "" ? "" : tag("path", { d, class: "x-lit", "fill-opacity": String(Math.round((100 * level) / LEVELS) / 100) })))
    .join("");
};

const kindOf = (s, marked) => (s > 1 ? "x-stray-line" : s === marked ? "x-kept-line" : "x-tail-line");

// A line through its paddles, in the pixels' own coordinates: a pixel's middle is half a unit from its corner.
const traced = (snake, kind, scale) => {
  const points = snake.flatMap(([y0, x0, y1, x1]) => [
    [scale * (x0 + 0.5), scale * (y0 + 0.5)],
    [scale * (x1 + 0.5), scale * (y1 + 0.5)],
  ]);
  return curve(points, `x-traced ${kind}`);
};

const square = ({ square: { left, top, side } }, state, values) => {
  const { size } = state;
  const { pixels, snakes, marked, row, column, markers, radius } = values;
  const scale = side / size;
  const box = { x: left, y: top, width: side, height: side };
  const lit = tag("svg", { ...box, viewBox: `0 0 ${size} ${size}`, class: "x-pixels" }, litPixels(pixels, size));
  const unread =
    rectangle(left + (column + 1) * scale, top + row * scale, (size - column - 1) * scale, scale, "x-unread") +
    rectangle(left, top + (row + 1) * scale, side, (size - row - 1) * scale, "x-unread");
  const lines = state.traced ? snakes.map((snake, s) => traced(snake, kindOf(s, marked), scale)).reverse() : [];
  const discs = markers.map(([y, x]) => circle((x + 0.5) * scale, (y + 0.5) * scale, (radius + 0.7) * scale, "x-disc-ring"));
  const over = tag("svg", { ...box, viewBox: `0 0 ${px(side)} ${px(side)}`, class: "x-clip" }, lines.join("") + discs.join(""));
  return (
    rectangle(left, top, side, side, "x-night") +
    lit +
    unread +
    over +
    rectangle(left + column * scale - 1, top + row * scale - 1, scale + 2, scale + 2, "x-cursor") +
    label(left, top - 9, `${size} × ${size} pixels`, "x-title") +
    label(left + side, top - 9, `row ${row}, column ${column}`, "x-axis x-count", "end")
  );
};

// Brightness along the sequence, the brightest of the pixels that share a column of the screen.
const brightness = ({ strip }, { pixels, length }) => {
  const columns = Math.floor(strip.width);
  const high = new Array(columns).fill(0);
  pixels.forEach((value, k) => {
    const column = Math.floor((k * columns) / length);
    high[column] = Math.max(high[column], value);
  });
  const bars = high.map((value, k) => (value === 0 ? "" : `M${px(strip.left + k + 0.5)} ${px(strip.y(0))}V${px(strip.y(value))}`));
  return tag("path", { d: bars.join(""), class: "x-bright" });
};

const stepTicks = ({ length }) => [0, length / 4, length / 2, (3 * length) / 4, length];

const sequence = (layout, values) => {
  const { strip, narrow } = layout;
  const [first, second] = values.discs.map((step) => strip.x(step + 0.5));
  const [now, right] = [strip.x(values.cursor + 0.5), strip.left + strip.width];
  const y = strip.top + strip.height + 30;
  const flags = [first, second].map((x) => line(x, strip.top, x, strip.top + strip.height, "x-disc-line")).join("");
  const told = `discs ${values.steps_apart} steps apart`;
  return (
    rectangle(now, strip.top, right - now, strip.height, "x-outside") +
    clipped(strip, brightness(layout, values) + flags) +
    rectangle(strip.left, strip.top, strip.width, strip.height, "x-frame") +
    line(now, strip.top - 5, now, strip.top + strip.height + 3, "x-cut") +
    xTicks(strip, stepTicks(values), String) +
    label(narrow ? 0 : strip.left, strip.top - 11, layout.short ? "In one row" : "The same pixels in one row", "x-title") +
    label(right, strip.top - 11, told, "x-axis x-count", "end") +
    label(strip.left, y, "brightness at each step", "x-axis")
  );
};

const walks = (layout, state, values) => {
  const count = values.walks[0].length;
  const frame = panel({ ...layout.walk, yDomain: [count + 0.6, 0.4] });
  const drawn = values.walks.map((walk, s) => {
    const points = walk.map((step, k) => [frame.x(step + 0.5), frame.y(k + 1)]);
    const kind = kindOf(s, values.marked);
    return curve(points, `${kind} x-heavy`) + points.map(([x, y]) => circle(x, y, 2.5, `x-state-dot ${kind}`)).join("");
  });
  const discs = values.discs.map((step) => line(frame.x(step + 0.5), frame.top, frame.x(step + 0.5), frame.top + frame.height, "x-disc-line"));
  const right = frame.left + frame.width;
  const hidden = label((frame.left + right) / 2, frame.top + frame.height / 2, "shown when the lines are traced", "x-axis", "middle");
  const told = `next paddle up to ${values.longest_hop} steps away`;
  return (
    clipped(frame, discs.join("") + (state.traced ? drawn.reverse().join("") : "")) +
    (state.traced ? label(right, frame.top - 11, told, "x-axis x-count", "end") : hidden) +
    rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
    yTicks(frame, [1, count], String) +
    xTicks(frame, stepTicks(values), String) +
    label(layout.narrow ? 0 : frame.left, frame.top - 11, layout.short ? "Along a line" : "Paddle by paddle", "x-title") +
    label(right, frame.top + frame.height + 30, "step of the sequence", "x-axis", "end")
  );
};

const answerOf = ({ traced: shown }, { label: one }) => {
  if (!shown) return "Are the two discs the ends of one line?";
  return one ? "The two discs are the ends of one line." : "The two discs are at the ends of two different lines.";
};

export const describe = (state, values) => {
  const { length, cursor, row, column, pixels, apart, steps_apart: steps, longest_hop: hop } = values;
  const hops = state.traced ? ` From one paddle of a line to the next it is up to ${hop} steps.` : "";
  return (
    `Picture ${state.picture}, ${state.size} × ${state.size} pixels, ${state.difficulty}. ${answerOf(state, values)} ` +
    `Their middles are ${number(apart)} pixels apart, and ${steps} steps of the ${length} in the sequence.${hops} ` +
    `Step ${cursor} reads row ${row}, column ${column}: ${pixels[cursor]} of 255.`
  );
};

const key = ({ traced: shown }, { label: one }) => [
  [(x, y) => circle(x + 10, y - 4, 6, "x-disc-ring"), "a disc, and its step"],
  ...(shown
    ? [
        [(x, y) => line(x, y - 4, x + 22, y - 4, "x-kept-line x-heavy"), one ? "the line between them" : "the first disc’s line"],
        [(x, y) => line(x, y - 4, x + 22, y - 4, "x-tail-line x-heavy"), one ? "another long line" : "the second disc’s line"],
        [(x, y) => line(x, y - 4, x + 22, y - 4, "x-stray-line x-heavy"), "distractors"],
      ]
    : []),
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(values, width);
  const rows = keyRows(key(state, values), layout.bottom + 12, width);
  const content = square(layout, state, values) + sequence(layout, values) + walks(layout, state, values);
  return picture(width, rows.bottom, describe(state, values), content + rows.content);
};
