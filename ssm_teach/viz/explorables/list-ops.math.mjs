// ListOps: nested lists over digits, as the symbols that a model is given, here called words: "[MAX", "4", "]".
// Everything that is shown or changed goes by way of the words; the tree is read off them afresh each time.

export const OPERATORS = ["MIN", "MAX", "MED", "SM"];

// What fits into the picture; the arguments of a list are also limited in the published task.
export const MOST = { levels: 5, digits: 20, arguments: 10 };

const DRAWN = { least: 12, arguments: 5 }; // of a whole tree that is drawn: symbols, arguments of a list

const NOTHING_LEFT = 5; // what a list counts when all its arguments are left out

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
  return (sorted[low] + sorted[high]) >> 1;
};

const APPLY = {
  MIN: (values) => Math.min(...values),
  MAX: (values) => Math.max(...values),
  MED: median,
  SM: (values) => values.reduce((sum, value) => sum + value, 0) % 10,
};

export const wordsOf = (expression) => expression.split(" ");

// The stack after each word: the lists that are open, outermost first, each with the values it has got so far.
export const traceOf = (words) => {
  let open = [];
  return words.map((word) => {
    if (word.startsWith("[")) {
      open = [...open, { operator: word.slice(1), values: [] }];
      return { open, closed: null, value: null };
    }
    const closed = word === "]" ? open.at(-1) : null;
    const value = closed ? APPLY[closed.operator](closed.values) : Number(word);
    const left = closed ? open.slice(0, -1) : open;
    open = left.map((list, k) => (k === left.length - 1 ? { ...list, values: [...list.values, value] } : list));
    return { open, closed, value };
  });
};

// The nodes in reading order, and for each word the number of its node. A digit is on the level of the list it stands in.
export const treeOf = (words, trace = traceOf(words)) => {
  const [nodes, owner, open] = [[], [], []];
  words.forEach((word, k) => {
    if (word === "]") {
      owner.push(open.at(-1));
      Object.assign(nodes[open.pop()], { end: k, value: trace[k].value });
      return;
    }
    const parent = open.at(-1) ?? null;
    const isList = word.startsWith("[");
    const node = { start: k, end: k, parent, children: [], operator: null, value: trace[k].value, level: open.length };
    owner.push(nodes.length);
    if (parent !== null) nodes[parent].children.push(nodes.length);
    if (isList) {
      open.push(nodes.length);
      Object.assign(node, { operator: word.slice(1), level: open.length });
    }
    nodes.push(node);
  });
  return { nodes, owner };
};

export const deepestOf = (nodes) => Math.max(1, ...nodes.map(({ level }) => level));

// What a reader says who leaves out the lists below some level: a value for each node, null where it is left out.
export const lazyOf = (nodes, levels) => {
  const values = nodes.map(() => null);
  for (let n = nodes.length - 1; n >= 0; n -= 1) {
    const { operator, children, level, value } = nodes[n];
    if (level > levels) continue;
    const given = children.map((child) => values[child]).filter((argument) => argument !== null);
    values[n] = operator === null ? value : given.length === 0 ? NOTHING_LEFT : APPLY[operator](given);
  }
  const read = nodes.reduce((sum, { operator, level }) => sum + (level > levels ? 0 : operator === null ? 1 : 2), 0);
  return { levels, read, values, answer: values[0] };
};

export const valuesOf = (state) => {
  const words = wordsOf(state.expression);
  const trace = traceOf(words);
  const { nodes, owner } = treeOf(words, trace);
  const place = Math.min(state.place, words.length);
  const deepest = deepestOf(nodes);
  const at = owner[place - 1];
  const list = nodes[at].operator === null ? (nodes[at].parent ?? at) : at; // the list that the place belongs to
  const lazy = Array.from({ length: deepest }, (_, k) => lazyOf(nodes, k + 1));
  return {
    words,
    nodes,
    owner,
    place,
    at,
    list,
    deepest,
    levels: Math.min(state.levels, deepest),
    step: trace[place - 1],
    answer: nodes[0].value,
    lazy,
  };
};

// Changes. Each takes a state and returns what is new in it, or null where the change is not allowed.

// Whole random numbers, exactly the same in Python: products stay below 2⁵³.
const diceOf = (seed) => {
  const dice = { seed };
  dice.below = (n) => {
    dice.seed = (1664525 * dice.seed + 1013904223) % 2 ** 32;
    return Math.floor((n * dice.seed) / 2 ** 32);
  };
  return dice;
};

const spliced = (words, from, count, ...added) => [...words.slice(0, from), ...added, ...words.slice(from + count)].join(" ");

const digitsOf = (nodes) => nodes.filter(({ operator }) => operator === null).length;

const canOpen = (nodes, { operator, level }) => operator === null && level < MOST.levels && digitsOf(nodes) < MOST.digits;

// A list gets another operator; a digit becomes a list of itself and one that is drawn.
export const withOperator = (state, wanted, { words, nodes, at } = valuesOf(state)) => {
  const { start, operator, value } = nodes[at];
  if (operator !== null) return { expression: spliced(words, start, 1, `[${wanted}`) };
  if (!canOpen(nodes, nodes[at])) return null;
  const dice = diceOf(state.seed);
  return { expression: spliced(words, start, 1, `[${wanted}`, value, dice.below(10), "]"), seed: dice.seed };
};

// A digit in place of whatever stands there, be it a list with all that is in it.
export const withDigit = (state, digit, { words, nodes, at } = valuesOf(state)) => {
  const { start, end } = nodes[at];
  return { expression: spliced(words, start, end - start + 1, digit), place: start + 1 };
};

// One more digit in the list of the place: right after the symbol, or last where that is the closing bracket.
export const withOneMore = (state, { words, nodes, list, place } = valuesOf(state)) => {
  const { operator, children } = nodes[list];
  if (operator === null || children.length === MOST.arguments || digitsOf(nodes) === MOST.digits) return null;
  const dice = diceOf(state.seed);
  const before = words[place - 1] === "]" ? place - 1 : place;
  return { expression: spliced(words, before, 0, dice.below(10)), place: before + 1, seed: dice.seed };
};

// Without the node at the place, if two arguments stay; the place moves on to its neighbour.
export const withoutThis = (state, { words, nodes, at } = valuesOf(state)) => {
  const { start, end, parent } = nodes[at];
  if (parent === null || nodes[parent].children.length === 2) return null;
  const siblings = nodes[parent].children;
  const n = siblings.indexOf(at);
  const place = n + 1 < siblings.length ? start + 1 : nodes[siblings[n - 1]].start + 1;
  return { expression: spliced(words, start, end - start + 1), place };
};

// One step of growth: a digit that is drawn becomes a list of two to four digits.
export const grown = (state, { words, nodes } = valuesOf(state)) => {
  const open = nodes.filter((node) => canOpen(nodes, node));
  if (open.length === 0) return null;
  const dice = diceOf(state.seed);
  const { start } = open[dice.below(open.length)];
  const operator = OPERATORS[dice.below(4)];
  const size = 2 + dice.below(Math.min(3, MOST.digits - digitsOf(nodes)));
  const digits = Array.from({ length: size }, () => dice.below(10));
  return { expression: spliced(words, start, 1, `[${operator}`, ...digits, "]"), place: start + 1, seed: dice.seed };
};

// A place is a list once in four times, as in the published grammar, but for its levels and arguments.
const branch = (dice, level) => {
  if (level === MOST.levels || dice.below(4) > 0) return [String(dice.below(10))];
  const operator = OPERATORS[dice.below(4)];
  const size = 2 + dice.below(DRAWN.arguments - 1);
  const within = Array.from({ length: size }, () => branch(dice, level + 1));
  return [`[${operator}`, ...within.flat(), "]"];
};

// A whole tree, drawn again until it is neither too small nor too large for the picture.
export const drawn = ({ seed }) => {
  const dice = diceOf(seed);
  for (;;) {
    const words = branch(dice, 0);
    const digits = words.filter((word) => /\d/.test(word)).length;
    if (words.length >= DRAWN.least && digits <= MOST.digits) return { expression: words.join(" "), place: 1, seed: dice.seed };
  }
};
