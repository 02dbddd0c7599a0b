// A scan as a wiring diagram, as SVG text: one wire a cell, time runs to the right, and the contents now stand at the end
// of the wires, where there is room for words.
import { circle, keyRows, label, line, number, picture, px, rectangle, tag } from "./plot.mjs";
import { cellsAfter, paddedLength, valuesOf } from "./scan.math.mjs";

const LETTER = 7.6; // px that a letter of a cell's contents takes, at most
const READABLE = 12; // letters in a row that one still takes in at a glance
const HEAD = 70; // px above the first wire: title, counters, names of the phases
const APART = 34;

const TITLES = { blelloch: "Blelloch", "hillis-steele": "Hillis–Steele" };

// Letters that follow one another, three or more, as "a–f"; anything else as it is.
const abridged = (text) => {
  const runs = [];
  for (const letter of text) {
    const run = runs[runs.length - 1];
    const next = run?.[run.length - 1] === "z" ? "A" : String.fromCharCode((run?.charCodeAt(run.length - 1) ?? 0) + 1);
    if (run && letter === next) runs[runs.length - 1] += letter;
    else runs.push(letter);
  }
  return runs.map((run) => (run.length < 3 ? run : `${run[0]}–${run[run.length - 1]}`)).join(" ");
};

export const written = (cell, operator, room = READABLE) => {
  if (operator === "affine") return `(${number(cell[0])}, ${number(cell[1])})`;
  if (operator === "sum") return number(cell, 6);
  if (cell === "") return "ε";
  return cell.length > room ? abridged(cell) : cell;
};

const rowHeightFor = (rows) => [4, 8, 16].reduceRight((height, most, k) => (rows <= most ? [36, 29, 22][k] : height), 17);

const longest = (cells, operator, room) => Math.max(...cells.map((cell) => written(cell, operator, room).length));

// Where one run lies. The room for the contents is that of the longest contents of the whole run, so nothing moves sideways.
const panelOf = ({ trace }, { operator }, { left, top, width, rowHeight }) => {
  const most = Math.min(Math.floor((0.4 * width) / LETTER), READABLE);
  const everything = [trace.initial, ...trace.steps.map(({ cells }) => cells)];
  const contents = 22 + LETTER * Math.max(3, ...everything.map((cells) => longest(cells, operator, most)));
  const inputs = 26 + LETTER * longest(trace.initial, operator, most);
  const steps = trace.steps.length;
  const column = Math.min((width - inputs - contents - 12) / steps, 90);
  const first = top + HEAD;
  return {
    left,
    top,
    width,
    room: most,
    column,
    rowHeight,
    radius: Math.min(5.5, rowHeight * 0.26, column * 0.26),
    x: (step) => left + inputs + 6 + step * column,
    y: (cell) => first + (cell + 0.5) * rowHeight,
    end: left + inputs + 6 + steps * column,
    bottom: first + trace.width * rowHeight,
  };
};

export const layoutOf = (state, width, values = valuesOf(state)) => {
  const beside = values.runs.length === 2 && width >= 640;
  const panelWidth = beside ? (width - APART) / 2 : width;
  const rowHeight = rowHeightFor(paddedLength(state.length));
  const panels = [];
  for (const run of values.runs) {
    const last = panels[panels.length - 1];
    const place = beside ? { left: panels.length * (panelWidth + APART), top: 0 } : { left: 0, top: last ? last.bottom + APART : 0 };
    panels.push(panelOf(run, state, { ...place, width: panelWidth, rowHeight }));
  }
  return { panels, bottom: Math.max(...panels.map(({ bottom }) => bottom)) };
};

const tenseOf = (step, { now, current }) => (step === current ? "x-current" : step <= now ? "x-past" : "x-future");

const diamond = (x, y, r) => `M${px(x)} ${px(y - r)}L${px(x + r)} ${px(y)}L${px(x)} ${px(y + r)}L${px(x - r)} ${px(y)}Z`;

// Marks of what is done to a cell: a disc combines, a square copies, a diamond writes the identity.
const MARKS = {
  2: (x, y, r, kind) => circle(x, y, r, `x-op ${kind}`),
  1: (x, y, r, kind) => tag("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, class: `x-copy ${kind}` }),
  0: (x, y, r, kind) => tag("path", { d: diamond(x, y, 1.4 * r), class: `x-clear ${kind}` }),
};

const wires = (panel, { trace }) =>
  trace.initial
    .slice(0, trace.width)
    .map((_, k) => line(panel.x(0), panel.y(k), panel.end + 6, panel.y(k), k < trace.length ? "x-wire" : "x-wire x-faint"))
    .join("");

// The way of one value to the cell it is read for. What is kept behind the working cells, the input, comes in from above.
const way = (panel, trace, step, source, target, kind) => {
  const [x1, x2, y2] = [panel.x(step - 1), panel.x(step), panel.y(target)];
  if (source >= trace.width) return line(x2 - 0.55 * panel.column, y2 - 0.55 * panel.rowHeight, x2, y2, `${kind} x-faint`);
  const copied = source !== target && trace.steps[step - 1].actions.find((one) => one.target === target).sources.length === 1;
  return line(x1, panel.y(source), x2, y2, copied ? `${kind} x-copied` : kind);
};

const stepMarkup = (panel, run, step) => {
  const { trace } = run;
  const kind = tenseOf(step, run);
  const { actions } = trace.steps[step - 1];
  const reach = kind === "x-current" ? panel.radius * 1.15 : panel.radius * 0.8;
  const ways = actions.flatMap(({ target, sources }) => sources.map((source) => way(panel, trace, step, source, target, `x-way ${kind}`)));
  const marks = actions.map(({ target, sources }) => MARKS[sources.length](panel.x(step), panel.y(target), reach, kind));
  return ways.join("") + marks.join("");
};

const network = (panel, run) => {
  const steps = run.trace.steps.map((_, k) => k + 1);
  // What happens now is drawn last, over the rest.
  const order = [...steps.filter((step) => step !== run.current), ...steps.filter((step) => step === run.current)];
  return order.map((step) => stepMarkup(panel, run, step)).join("");
};

const readRings = (panel, { trace, current }) => {
  if (current === 0) return "";
  const read = new Set(trace.steps[current - 1].actions.flatMap(({ sources }) => sources));
  return [...read]
    .filter((source) => source < trace.width)
    .map((source) => circle(panel.x(current - 1), panel.y(source), panel.radius + 2, "x-read"))
    .join("");
};

const cross = (x, y, size, kind) => line(x - size, y - size, x + size, y + size, kind) + line(x - size, y + size, x + size, y - size, kind);

const contentsColumn = (panel, { operator }, { trace, current, cells, wrong }) => {
  const touched = new Set(current === 0 ? [] : trace.steps[current - 1].actions.map(({ target }) => target));
  const rows = cells.slice(0, trace.width).map((cell, k) => {
    const bad = wrong.includes(k);
    const kind = `x-cell${touched.has(k) ? " x-touched" : ""}${bad ? " x-bad" : ""}${k < trace.length ? "" : " x-pad"}`;
    const mark = bad ? cross(panel.end + 17, panel.y(k), 4, "x-cross") : "";
    return mark + label(panel.end + 26, panel.y(k) + 4, written(cell, operator, panel.room), kind);
  });
  return rows.join("") + label(panel.end + 26, panel.top + HEAD - 9, "now", "x-axis");
};

const inputColumn = (panel, { operator }, { trace }) => {
  const rows = trace.initial.slice(0, trace.width).map((cell, k) => {
    const text = k < trace.length ? written(cell, operator, panel.room) : "·";
    return label(panel.left, panel.y(k) + 4, String(k), "x-tick") + label(panel.x(0) - 10, panel.y(k) + 4, text, "x-cell", "end");
  });
  return rows.join("") + label(panel.x(0) - 10, panel.top + HEAD - 9, "input", "x-axis", "end");
};

const NAMES = { "up-sweep": ["up-sweep", "up"], "down-sweep": ["down-sweep", "down"], "combine with the input": ["∘ input", "∘"] };

const namesOf = (phase) => NAMES[phase] ?? [phase, phase.replace("distance ", "")];

// The phases, each over the steps it takes.
const phaseRow = (panel, { trace, current }) => {
  const groups = [];
  trace.steps.forEach(({ phase }, k) => {
    const group = groups[groups.length - 1];
    if (group?.phase === phase) group.last = k + 1;
    else groups.push({ phase, first: k, last: k + 1 });
  });
  const y = panel.top + HEAD - 4;
  return groups
    .map(({ phase, first, last }) => {
      const [x1, x2] = [panel.x(first) + 4, panel.x(last) - 3];
      const name = namesOf(phase).find((text) => 5.8 * text.length < x2 - x1 + 4) ?? "";
      const kind = first < current && current <= last ? "x-current" : "";
      return line(x1, y, x2, y, `x-phase ${kind}`) + label((x1 + x2) / 2, y - 6, name, "x-tick", "middle");
    })
    .join("");
};

const playhead = (panel, { now, trace }) => {
  const half = Math.max(panel.radius + 3, 5);
  return rectangle(panel.x(now) - half, panel.y(0) - panel.rowHeight / 2, 2 * half, trace.width * panel.rowHeight, "x-now-band");
};

const phaseOf = ({ trace, now, current }) => {
  if (current === 0) return now === 0 ? "before the first step" : "done";
  return trace.steps[current - 1].phase;
};

const header = (panel, run) => {
  const { work, depth, total, trace } = run;
  return (
    label(panel.left, panel.top + 14, TITLES[trace.algorithm], "x-title") +
    label(panel.left, panel.top + 33, `work ${work} of ${total.work},  depth ${depth} of ${total.depth}`, "x-axis x-count") +
    label(panel.left + panel.width, panel.top + 14, phaseOf(run), "x-axis x-phase-name", "end")
  );
};

const diagram = (panel, state, run) =>
  header(panel, run) +
  playhead(panel, run) +
  phaseRow(panel, run) +
  wires(panel, run) +
  network(panel, run) +
  readRings(panel, run) +
  inputColumn(panel, state, run) +
  contentsColumn(panel, state, run);

// In words

const times = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const RULES = {
  "up-sweep": (count) => `${times(count, "pair")} of subtrees, each joined into its right end.`,
  "down-sweep": (count) =>
    `${times(count, "parent hands", "parents hand")} down what came before: to the left child as it is, ` +
    "to the right child with the left child’s total.",
  "combine with the input": () => "every cell takes in its own input.",
};

// One action told in full: the last one that went wrong, or simply the last that combines.
const example = ({ operator }, { trace, now, cells, rightCells, wrong }) => {
  const combining = trace.steps[now - 1].actions.filter(({ sources }) => sources.length === 2);
  const { target, sources } = combining.findLast((one) => wrong.includes(one.target)) ?? combining[combining.length - 1];
  const before = cellsAfter(trace, now - 1);
  const operands = sources.map((source) => written(before[source], operator)).join(" ∘ ");
  const correction = wrong.includes(target) ? `, and ${written(rightCells[target], operator)} would be right` : "";
  return `Cell ${target} becomes ${operands} = ${written(cells[target], operator)}${correction}.`;
};

const cause = (state, run) => {
  const { phase, actions } = run.trace.steps[run.now - 1];
  if (phase === "clear") return `the last cell, ${actions[0].target}, is set to the identity: nothing comes before the whole row.`;
  const count = actions.filter(({ sources }) => sources.length === 2).length;
  const rule = RULES[phase] ?? (() => `${times(count, "cell takes", "cells take")} in the one that far to the left, all at once.`);
  return `${rule(count)} ${example(state, run)}`;
};

const verdict = (state, { trace, now, wrong }) => {
  if (!state.swapped || trace.algorithm !== "blelloch") return "";
  const be = wrong.length === 1 ? "is" : "are";
  if (wrong.length) return ` The operands are swapped: ${times(wrong.length, "cell")} of ${trace.length} ${be} wrong.`;
  if (now < trace.steps.length) return " The operands are swapped; no cell is wrong yet.";
  const why = state.operator === "sum" ? "a sum does not mind the order" : "so short a row hides it";
  return ` The operands are swapped, and no result is wrong: ${why}.`;
};

const told = (state, run) => {
  const { trace, now, current, work, depth, total } = run;
  const name = TITLES[trace.algorithm];
  const count = `Work ${work} of ${total.work}, depth ${depth} of ${total.depth}.`;
  const { length } = trace.steps;
  if (now === 0) return `${name}, before the first of ${times(length, "step")}: the cells hold the input. ${count}`;
  if (current === 0) return `${name} has finished, after ${times(length, "step")}. ${count}`;
  return `${name}, step ${now} of ${length}, ${trace.steps[now - 1].phase}: ${cause(state, run)}${verdict(state, run)} ${count}`;
};

export const describe = (state, values) => values.runs.map((run) => told(state, run)).join(" ");

const KEY = [
  [(x, y) => circle(x + 10, y - 4, 7, "x-read"), "read"],
  [(x, y) => MARKS[2](x + 10, y - 4, 5.5, "x-current"), "combined, earlier ∘ later"],
  [(x, y) => MARKS[1](x + 10, y - 4, 5, "x-current"), "copied"],
  [(x, y) => MARKS[0](x + 10, y - 4, 5, "x-current"), "identity written"],
];

const BAD = [(x, y) => cross(x + 10, y - 4, 4, "x-cross"), "wrong"];

export const draw = (state, width, values = valuesOf(state)) => {
  const { panels, bottom } = layoutOf(state, width, values);
  const content = values.runs.map((run, k) => diagram(panels[k], state, run)).join("");
  const entries = values.runs.some(({ trace }) => trace.algorithm === "blelloch") ? KEY : KEY.slice(0, 2);
  const key = keyRows(state.swapped ? [...entries, BAD] : entries, bottom + 28, width);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
