// The matrix as squares as large as its entries, on blocks coloured by how they are computed; beside it one row told in full,
// and the multiplications. SVG text.
import { circle, keyRows, label, line, number, panel, picture, rectangle, ticks, yTicks } from "./plot.mjs";
import { valuesOf } from "./duality.math.mjs";

const TOTAL = 42; // px for each of the three sums

export const layoutOf = ({ length }, width, extremes = [-1, 1]) => {
  const narrow = width < 560;
  const side = narrow ? Math.min(width - 30, 320) : Math.min(Math.round(width * 0.5), 370);
  const matrix = panel({ left: 28, top: 40, width: side, height: side, xDomain: [0, length], yDomain: [0, length] });
  const left = narrow ? 34 : 28 + side + 58;
  const top = narrow ? matrix.top + side + 62 : 40;
  const height = narrow ? 130 : Math.round(side * 0.47);
  const sums = panel({ left, top, width: width - left - 1 - 3 * TOTAL, height, xDomain: [-0.6, length - 0.4], yDomain: extremes });
  const barsTop = top + height + 68;
  const bottom = Math.max(matrix.top + side, barsTop + 3 * 26);
  return { narrow, matrix, sums, barsTop, left: narrow ? 0 : left - 34, right: width - 1, bottom };
};

// Rows are counted from the top.
const cellTop = (frame, i) => frame.top + i * frame.xScale;

// Where a hand takes hold of a row: at its end, on the diagonal.
export const gripOf = ({ matrix: frame }, i) => [frame.x(i + 1), cellTop(frame, i + 0.5)];

export const rowAt = ({ matrix: frame }, y) => Math.floor((y - frame.top) / frame.xScale);

export const inMatrix = ({ matrix: frame }, x, y) =>
  x >= 0 && x <= frame.left + frame.width && y >= frame.top && y < frame.top + frame.height;

const blockBox = (frame, rows, columns, kind) =>
  rectangle(
    frame.x(columns.start),
    cellTop(frame, rows.start),
    (columns.end - columns.start) * frame.xScale,
    (rows.end - rows.start) * frame.xScale,
    kind,
  );

const entry = (frame, value, most, i, j, kind) => {
  const reach = 0.44 * frame.xScale * Math.sqrt(Math.abs(value) / most);
  if (reach < 0.3) return "";
  const [x, y] = [frame.x(j + 0.5), cellTop(frame, i + 0.5)];
  return rectangle(x - reach, y - reach, 2 * reach, 2 * reach, `${kind} ${value < 0 ? "x-negative" : "x-positive"}`);
};

const entries = (frame, { M, chunks }) => {
  const most = Math.max(...M.flat().map(Math.abs));
  const startOf = (i) => chunks.find(({ end }) => i < end).start;
  const kindOf = (i, j) => (j < startOf(i) ? "x-through" : "x-within");
  return M.flatMap((row, i) => row.slice(0, i + 1).map((value, j) => entry(frame, value, most, i, j, kindOf(i, j))));
};

const rankLabel = (frame, { rows, columns, rank }) => {
  if (Math.min(columns.end - columns.start, rows.end - rows.start) < 2) return "";
  const across = (columns.end - columns.start) * frame.xScale;
  const x = frame.x((columns.start + columns.end) / 2);
  const y = cellTop(frame, (rows.start + rows.end) / 2) + 5;
  return label(x, y, across < 52 ? String(rank) : `rank ${rank}`, "x-rank", "middle");
};

const resetMark = (frame, { reset, length }) => {
  if (reset === 0) return "";
  const [x, y] = [frame.x(reset), cellTop(frame, reset)];
  return (
    line(frame.left, y, x, y, "x-cut") +
    line(x, y, x, frame.y(0), "x-cut") +
    label(frame.x(length) - 5, y + 4, `a = 0 at ${reset}`, "x-tick", "end")
  );
};

const matrixMarkup = ({ matrix: frame, narrow }, values) => {
  const { chunks, blocks, length, row } = values;
  const every = Array.from({ length }, (_, k) => k).filter((k) => frame.xScale >= 17 || k % 2 === 0);
  return (
    label(0, 15, narrow ? "M = Γ ∘ (CBᵀ)" : "M = Γ ∘ (CBᵀ), in chunks", "x-title") +
    blocks.map(({ rows, columns }) => blockBox(frame, rows, columns, "x-block-through")).join("") +
    chunks.map((chunk) => blockBox(frame, chunk, chunk, "x-block-within")).join("") +
    entries(frame, values).join("") +
    chunks.map((chunk) => blockBox(frame, chunk, chunk, "x-frame")).join("") +
    blocks.map(({ rows, columns }) => blockBox(frame, rows, columns, "x-frame")).join("") +
    rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
    resetMark(frame, values) +
    rectangle(frame.left - 1, cellTop(frame, row), (row + 1) * frame.xScale + 2, frame.xScale, "x-row") +
    circle(...gripOf({ matrix: frame }, row), 6, "x-grip") +
    blocks.map((block) => rankLabel(frame, block)).join("") +
    every.map((k) => label(frame.left - 8, cellTop(frame, k + 0.5) + 4, String(k), k === row ? "x-small" : "x-tick", "end")).join("") +
    every.map((k) => label(frame.x(k + 0.5), frame.top - 6, String(k), "x-tick", "middle")).join("")
  );
};

const bar = (frame, x, breadth, value, kind) => {
  const [zero, end] = [frame.y(0), frame.y(value)];
  return rectangle(x - breadth / 2, Math.min(zero, end), breadth, Math.abs(zero - end), `${kind} x-positive`);
};

const totals = (frame, { told }) =>
  [
    [told.carried, "x-through", "state"],
    [told.inside, "x-within", "chunk"],
    [told.y, "x-total", "y"],
  ].map(([value, kind, name], k) => {
    const x = frame.left + frame.width + (k + 0.5) * TOTAL;
    const above = value < 0 ? frame.y(value) + 13 : frame.y(value) - 5;
    return (
      bar(frame, x, 0.55 * TOTAL, value, kind) +
      label(x, above, number(value, 2), "x-tick", "middle") +
      label(x, frame.top + frame.height + 14, name, "x-tick", "middle")
    );
  });

const sumsMarkup = ({ sums: frame, left }, values) => {
  const { told, row } = values;
  const right = frame.left + frame.width + 3 * TOTAL;
  const terms = told.terms.map((term, j) => bar(frame, frame.x(j), 0.76 * frame.xScale, term, j < told.start ? "x-through" : "x-within"));
  const every = told.terms.map((_, j) => j).filter((j) => frame.xScale >= 15 || j % 2 === 0);
  return (
    label(left, frame.top - 25, `Row ${row}: what makes up y`, "x-title") +
    label(left, frame.top - 8, "its terms M x", "x-axis") +
    label(right, frame.top - 8, "their sums", "x-axis", "end") +
    line(frame.left, frame.y(0), right, frame.y(0), "x-zero") +
    terms.join("") +
    totals(frame, values).join("") +
    rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
    rectangle(frame.left, frame.top, frame.width + 3 * TOTAL, frame.height, "x-frame") +
    yTicks(frame, ticks(...frame.yDomain, 5)) +
    every.map((j) => label(frame.x(j), frame.top + frame.height + 14, String(j), "x-tick", "middle")).join("")
  );
};

const COUNTED = [
  ["recurrence", "recurrence", "x-through"],
  ["chunked", "in chunks", "x-mixed"],
  ["quadratic", "quadratic", "x-within"],
];

const countsMarkup = ({ barsTop, left, right }, { counts, channels }) => {
  const most = Math.max(...Object.values(counts));
  const start = left + 78;
  const room = right - start - 50;
  const rows = COUNTED.map(([key, name, kind], k) => {
    const y = barsTop + 26 * k;
    const length = (room * counts[key]) / most;
    return (
      label(left, y + 12, name, "x-axis") +
      rectangle(start, y, length, 16, `${kind} x-positive`) +
      label(start + length + 6, y + 12.5, String(counts[key]), "x-small")
    );
  });
  return label(left, barsTop - 12, `Multiplications, ${channels === 1 ? "one channel" : `${channels} channels`}`, "x-title") + rows.join("");
};

// In words

const ranksTold = ({ blocks, states }) => {
  if (blocks.length === 0) return "One chunk holds everything: masked attention, and no state is handed on.";
  const ranks = [...new Set(blocks.map(({ rank }) => rank))].sort();
  const found = ranks.length === 1 ? `rank ${ranks[0]}` : `ranks ${ranks.slice(0, -1).join(", ")} and ${ranks[ranks.length - 1]}`;
  const [count, have] = blocks.length === 1 ? ["The block", "has"] : [`The ${blocks.length} blocks`, "have"];
  return `${count} below the diagonal ${have} ${found}, at most N = ${states}.`;
};

const decayTold = ({ told, decay, reset }) => {
  if (told.decay === 0) return `, wiped out by the reset at ${reset}`;
  return decay === 1 ? "" : ` and decayed by ${number(told.decay)}`;
};

const rowTold = (values) => {
  const { row, told, states } = values;
  const own = told.start === row ? "its own entry" : `positions ${told.start} to ${row} of its chunk`;
  const inside = `y at ${row} is ${number(told.y)}: ${number(told.inside)} from ${own}`;
  if (told.start === 0) return `${inside}; nothing is handed to the first chunk.`;
  const handed = states === 1 ? "one number" : `${states} numbers`;
  const through = `${number(told.carried)} through the state, ${handed} handed over after ${told.start - 1}`;
  return `${inside}, ${through}${decayTold(values)}.`;
};

const cutTold = ({ length, chunk, chunks }) => {
  if (chunks.length === 1) return `${length} positions in one chunk.`;
  return `${length} positions in ${chunks.length} chunks of ${chunk}${length % chunk ? ", the last one shorter" : ""}.`;
};

export const describe = (state, values) => {
  const { recurrence, chunked, quadratic } = values.counts;
  return (
    `${cutTold(values)} ${ranksTold(values)} ${rowTold(values)} Multiplications: ${recurrence} by the recurrence, ` +
    `${chunked} in chunks, ${quadratic} with the whole matrix.`
  );
};

const KEY = [
  [(x, y) => rectangle(x, y - 9, 22, 11, "x-block-within x-frame-too"), "attention inside a chunk"],
  [(x, y) => rectangle(x, y - 9, 22, 11, "x-block-through x-frame-too"), "through the state"],
  [(x, y) => rectangle(x + 5, y - 9, 10, 10, "x-total x-positive"), "positive"],
  [(x, y) => rectangle(x + 5, y - 9, 10, 10, "x-total x-negative"), "negative"],
];

const extremesOf = ({ told }) => {
  const all = [0, ...told.terms, told.inside, told.carried, told.y];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.16 * (high - low);
  return [low - (low < 0 ? room : 0.04 * (high - low)), high + room];
};

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(values, width, extremesOf(values));
  const key = keyRows(KEY, layout.bottom + 26, width);
  const content = matrixMarkup(layout, values) + sumsMarkup(layout, values) + countsMarkup(layout, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
