// A ListOps tree as SVG text: the tree, the row of symbols that a model is given, the stack at the place, and what readers say
// who leave out lists below each level.
import { keyRows, label, line, picture, rectangle } from "./plot.mjs";
import { valuesOf } from "./list-ops.math.mjs";

const LINE = 30; // a row of symbols
const STACK_LINE = 27;

const widthOf = (word) => (word.startsWith("[") ? 42 : 17);

// Symbols in reading order, as many to a row as fit.
const cellsOf = (words, width, top) => {
  let [x, y] = [0, top];
  return words.map((word) => {
    const own = widthOf(word);
    if (x + own > width) [x, y] = [0, y + LINE];
    const cell = { x, y, width: own };
    x += own;
    return cell;
  });
};

// Digits are one column apart each; a list stands over the middle of what it holds.
const pointsOf = (nodes, width, top, rise) => {
  const column = width / Math.max(nodes.filter(({ operator }) => operator === null).length, 4);
  const points = nodes.map(() => null);
  let digits = nodes.filter(({ operator }) => operator === null).length;
  const left = (width - digits * column) / 2;
  for (let n = nodes.length - 1; n >= 0; n -= 1) {
    const { operator, children, level, parent } = nodes[n];
    const row = operator === null ? (parent === null ? 0 : level) : level - 1;
    if (operator === null) digits -= 1;
    const x = operator === null ? left + (digits + 0.5) * column : (points[children[0]].x + points[children.at(-1)].x) / 2;
    points[n] = { x, y: top + row * rise };
  }
  return { points, column };
};

export const layoutOf = (width, { nodes, words, deepest }) => {
  const narrow = width < 560;
  const rise = narrow ? 50 : 54;
  const treeTop = 46;
  const { points, column } = pointsOf(nodes, width - 2, treeTop, rise);
  const treeBottom = Math.max(...points.map(({ y }) => y)) + 14;
  const cells = cellsOf(words, width - 2, treeBottom + 42);
  const rowBottom = cells.at(-1).y + LINE;
  const height = 36 + deepest * STACK_LINE;
  const stack = { left: 0, top: rowBottom + 32, width: narrow ? width : 0.48 * width, height };
  const readers = narrow
    ? { left: 0, top: stack.top + height + 24, width, height }
    : { left: 0.55 * width, top: stack.top, width: 0.45 * width, height };
  return { narrow, width, points, column, treeBottom, cells, rowBottom, stack, readers, bottom: readers.top + height };
};

// The symbol nearest to where a finger or a mouse points: a node of the tree stands for its first symbol. Null is nowhere.
export const placeAt = (layout, { nodes }, x, y) => {
  const { points, cells, treeBottom, rowBottom } = layout;
  const found = { place: null, distance: 30 };
  const offer = (place, distance) => distance < found.distance && Object.assign(found, { place, distance });
  if (y < treeBottom + 12) points.forEach((point, n) => offer(nodes[n].start + 1, Math.hypot(point.x - x, point.y - y)));
  else if (y < rowBottom + 8)
    cells.forEach((cell, k) => offer(k + 1, Math.hypot(cell.x + cell.width / 2 - x, cell.y + LINE / 2 - y)));
  return found.place;
};

const isReadAt = ({ levels, lazy }, n) => lazy[levels - 1].values[n] !== null;

const branches = ({ points }, values) =>
  values.nodes
    .map(({ parent }, n) => {
      if (parent === null) return "";
      const [from, to] = [points[parent], points[n]];
      const kind = parent === values.list ? "x-current" : "x-past";
      return line(from.x, from.y + 17, to.x, to.y - 15, isReadAt(values, n) ? kind : `${kind} x-left-out`);
    })
    .join("");

const listMarkup = ({ x, y }, values, n) => {
  const { operator, value } = values.nodes[n];
  const said = values.lazy[values.levels - 1].values[n];
  const kinds = ["x-list", n === values.list ? "x-list-here" : "", said === null ? "x-left-out" : ""];
  const muted = said === null ? " x-muted" : "";
  const wrong = said !== null && said !== value;
  return (
    rectangle(x - 15.5, y - 17, 31, 34, kinds.filter(Boolean).join(" ")) +
    (n === values.at ? rectangle(x - 15.5, y - 17, 31, 34, "x-place") : "") +
    label(x, y - 4, operator, `x-operator${muted}`, "middle") +
    (wrong
      ? label(x - 3, y + 12, `${value}≠`, "x-small", "middle") + label(x + 10, y + 12, said, "x-small x-bad", "middle")
      : label(x, y + 12, value, `x-small${muted}`, "middle"))
  );
};

const digitMarkup = ({ x, y }, values, n, column) => {
  const half = Math.min(column / 2 - 0.5, 12);
  const ring = n === values.at ? rectangle(x - half, y - 15, 2 * half, 24, "x-place") : "";
  return ring + label(x, y + 2, values.nodes[n].value, isReadAt(values, n) ? "x-digit" : "x-digit x-muted", "middle");
};

const treeMarkup = (layout, values) => {
  const { points, column, width, narrow } = layout;
  const marks = values.nodes.map(({ operator }, n) =>
    operator === null ? digitMarkup(points[n], values, n, column) : listMarkup(points[n], values, n),
  );
  return (
    label(0, 14, "The tree", "x-title") +
    label(74, 14, narrow ? "tap a symbol to mark it" : "each list with its value; click or tap a symbol to mark it", "x-axis") +
    label(width, 14, `answer ${values.answer}`, "x-title", "end") +
    branches(layout, values) +
    marks.join("")
  );
};

// What belongs together: operator and bracket of the list at the place, and the digits that stand directly in it.
const isOwn = ({ owner, nodes, list }, k) => {
  const { operator, parent } = nodes[owner[k]];
  return owner[k] === list || (operator === null && parent === list);
};

const cellMarkup = (values, word, k, { x, y, width }) => {
  const { nodes, owner, list, place } = values;
  const { start, end } = nodes[list];
  const within = start <= k && k <= end;
  const own = isOwn(values, k);
  const text = own ? "x-word x-word-own" : k < place ? "x-word" : "x-word x-muted";
  return (
    (within ? rectangle(x, y, width, 24, own ? "x-span x-span-own" : "x-span") : "") +
    (isReadAt(values, owner[k]) ? rectangle(x + 2, y + 25.5, width - 4, 2.5, "x-read-bar") : "") +
    (k === place - 1 ? rectangle(x + 0.5, y, width - 1, 24, "x-place") : "") +
    label(x + width / 2, y + 17, word, text, "middle")
  );
};

const rowMarkup = ({ cells, treeBottom, width }, values) =>
  label(0, treeBottom + 30, "What a model is given to read", "x-title") +
  label(width, treeBottom + 30, `${values.words.length} symbols`, "x-axis", "end") +
  values.words.map((word, k) => cellMarkup(values, word, k, cells[k])).join("");

const did = ({ words, place, step }) => {
  const word = words[place - 1];
  if (step.value === null) return `${word} opens a list: a new row on the stack`;
  const where = step.open.length > 0 ? "into the row below" : "the answer";
  if (step.closed) return `] closes ${step.closed.operator} ${step.closed.values.join(" ")}: ${step.value}, ${where}`;
  return step.open.length > 0 ? `${word} goes into the top row` : `${word} is the answer`;
};

const stackRow = ({ left, top, height }, { operator, values }, k, isTop) => {
  const y = top + height - (k + 1) * STACK_LINE;
  const kind = isTop ? "x-span x-span-own" : "x-span";
  const cells = values.map((value, n) => label(left + 54 + n * 19, y + 17, value, "x-digit", "middle"));
  return rectangle(left, y, 40, 23, kind) + label(left + 20, y + 16.5, operator, "x-word", "middle") + cells.join("");
};

const stackMarkup = ({ stack }, values) => {
  const { open, value } = values.step;
  const { left, top, width, height } = stack;
  const rows = open.length > 0 ? open : [{ operator: "=", values: [value] }];
  return (
    label(left, top, "Stack", "x-title") +
    label(left + width, top, `after symbol ${values.place} of ${values.words.length}`, "x-axis", "end") +
    label(left, top + 20, did(values), "x-axis") +
    rows.map((row, k) => stackRow(stack, row, k, k === rows.length - 1)).join("") +
    line(left, top + height, left + width, top + height, "x-phase")
  );
};

const readerRow = (values, { left, top, width }, { levels, read, answer }) => {
  const y = top + 28 + (levels - 1) * STACK_LINE;
  const right = answer === values.answer;
  const [barLeft, barWidth] = [left + 62, 0.34 * width];
  const share = read / values.words.length;
  return (
    (levels === values.levels ? rectangle(left, y, width, STACK_LINE - 4, "x-span") : "") +
    label(left + 6, y + 16, levels, "x-digit") +
    rectangle(barLeft, y + 7, barWidth, 9, "x-bar-whole") +
    rectangle(barLeft, y + 7, barWidth * share, 9, "x-read-bar") +
    label(barLeft + barWidth + 10, y + 16, `${read} of ${values.words.length}`, "x-axis x-count") +
    label(left + width - 8, y + 16, right ? `${answer} right` : `${answer} wrong`, right ? "x-small x-good" : "x-small x-bad", "end")
  );
};

const readersMarkup = ({ readers }, values) => {
  const { left, top, width } = readers;
  return (
    label(left, top, "Lazy reader", "x-title") +
    label(left + width, top, "leaves out deeper lists", "x-axis", "end") +
    label(left + 6, top + 20, "levels", "x-tick") +
    label(left + 62, top + 20, "symbols read", "x-tick") +
    label(left + width - 8, top + 20, "answer", "x-tick", "end") +
    values.lazy.map((reader) => readerRow(values, readers, reader)).join("")
  );
};

// In words

const placeTold = ({ words, place, nodes, at }) => {
  const { operator, parent, level } = nodes[at];
  const where = `Symbol ${place} of ${words.length} is ${words[place - 1]}`;
  if (operator !== null) return `${where}, ${words[place - 1] === "]" ? "the end" : "the start"} of ${operator} on level ${level}.`;
  return parent === null ? `${where}, the whole expression.` : `${where}, in ${nodes[parent].operator} on level ${level}.`;
};

const spanTold = ({ nodes, list }) => {
  const { operator, start, end, value } = nodes[list];
  return operator === null ? "" : ` This list is ${value}; its bracket comes ${end - start} symbols after its operator.`;
};

const stackTold = ({ step: { open, value } }) => {
  if (open.length === 0) return ` The stack is empty and the answer ${value}.`;
  const rows = open.map(({ operator, values }) => [operator, ...values].join(" "));
  return ` On the stack: ${rows.join(", then ")}.`;
};

const isEmptied = (values) => ({ operator, children }, n) =>
  operator !== null && values[n] !== null && children.every((child) => values[child] === null);

const lazyTold = ({ nodes, levels, deepest, lazy, words, answer }) => {
  const { read, values, answer: said } = lazy[levels - 1];
  const emptied = nodes.some(isEmptied(values)) ? " A list with nothing left counts 5." : "";
  const verdict = said === answer ? "right" : `wrong: ${answer} is right`;
  return ` A reader of ${levels} of ${deepest} levels reads ${read} of ${words.length} symbols and says ${said}, which is ${verdict}.${emptied}`;
};

export const describe = (values) => placeTold(values) + spanTold(values) + stackTold(values) + lazyTold(values);

const KEY = [
  [(x, y) => rectangle(x + 4, y - 11, 14, 15, "x-place"), "the marked place"],
  [(x, y) => rectangle(x, y - 10, 22, 13, "x-span x-span-own"), "its list"],
  [(x, y) => rectangle(x, y - 10, 22, 13, "x-span"), "nested in it"],
  [(x, y) => rectangle(x, y - 4, 22, 2.5, "x-read-bar"), "read by the lazy reader"],
  [(x, y) => rectangle(x + 2, y - 11, 18, 14, "x-list x-left-out"), "left out"],
  [(x, y) => label(x + 8, y, "7≠", "x-small", "middle") + label(x + 21, y, "6", "x-small x-bad", "middle"), "right value, and the lazy reader’s"],
];

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(width, values);
  const key = keyRows(KEY, layout.bottom + 28, width);
  const content =
    treeMarkup(layout, values) + rowMarkup(layout, values) + stackMarkup(layout, values) + readersMarkup(layout, values);
  return picture(width, key.bottom, describe(values), content + key.content);
};
