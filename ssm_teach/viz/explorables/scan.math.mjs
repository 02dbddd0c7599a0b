// Two parallel scans on a row of cells, as ssm_teach.scan carries them out: the same steps, the same actions, the same
// numbers. An operator is combine(earlier, later). All actions of a step happen at once; an action of two sources combines
// them in that order, of one source copies, of none writes the identity.

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEF";

// The elements of the affine recurrence x ← a x + b. Every a is ±1 or ±½ and every b a small integer, so that no result
// is rounded: two orders of combining that should agree agree to the last bit.
const FACTORS = [0.5, 1, -0.5, -1];

// A small congruential generator, which Python repeats exactly.
const drawn = (length) => {
  let seed = 12345;
  return Array.from({ length }, () => (seed = (75 * seed + 74) % 65537));
};

export const OPERATORS = {
  text: {
    identity: "",
    combine: (earlier, later) => earlier + later,
    elements: (length) => [...LETTERS.slice(0, length)],
  },
  sum: {
    identity: 0,
    combine: (earlier, later) => earlier + later,
    elements: (length) => drawn(length).map((seed) => 1 + (seed % 9)),
  },
  affine: {
    identity: [1, 0],
    combine: ([a, b], [aLater, bLater]) => [aLater * a, aLater * b + bLater],
    elements: (length) => drawn(length).map((seed) => [FACTORS[seed % 4], 1 + (Math.floor(seed / 4) % 5)]),
  },
};

const action = (target, ...sources) => ({ target, sources });

const distancesBelow = (n) => {
  const distances = [];
  for (let distance = 1; distance < n; distance *= 2) distances.push(distance);
  return distances;
};

const lastOfBlocks = (size, n) => Array.from({ length: n / size }, (_, block) => (block + 1) * size - 1);

const hillisSteeleSteps = (length) =>
  distancesBelow(length).map((distance) => ({
    phase: `distance ${distance}`,
    actions: Array.from({ length: length - distance }, (_, k) => action(k + distance, k, k + distance)),
  }));

// `right` holds what came before both children, `left` the total of the left child. The bug: the two in the other order.
const handDown = (left, right, swapped) => [action(left, right), swapped ? action(right, left, right) : action(right, right, left)];

export const paddedLength = (length) => 2 ** Math.ceil(Math.log2(length));

const blellochSteps = (length, inclusive, swapped) => {
  const m = paddedLength(length);
  const distances = distancesBelow(m);
  const up = distances.map((distance) => ({
    phase: "up-sweep",
    actions: lastOfBlocks(2 * distance, m).map((k) => action(k, k - distance, k)),
  }));
  const down = distances.reverse().map((distance) => ({
    phase: "down-sweep",
    actions: lastOfBlocks(2 * distance, m).flatMap((k) => handDown(k - distance, k, swapped)),
  }));
  const last = { phase: "combine with the input", actions: Array.from({ length }, (_, k) => action(k, k, m + k)) };
  return [...up, { phase: "clear", actions: [action(m - 1)] }, ...down, ...(inclusive ? [last] : [])];
};

const valueOf = ({ identity, combine }, cells, sources) => {
  if (sources.length === 0) return identity;
  return sources.length === 1 ? cells[sources[0]] : combine(cells[sources[0]], cells[sources[1]]);
};

// What the algorithm does to `elements`, in the form of Python's trace.
export const traceOf = (algorithm, operator, elements, inclusive = false, swapped = false) => {
  const { length } = elements;
  const isBlelloch = algorithm === "blelloch";
  const steps = isBlelloch ? blellochSteps(length, inclusive, swapped) : hillisSteeleSteps(length);
  const width = isBlelloch ? paddedLength(length) : length;
  const padding = Array(width - length).fill(operator.identity);
  const initial = [...elements, ...padding, ...(isBlelloch && inclusive ? elements : [])];
  let cells = initial;
  const carriedOut = steps.map(({ phase, actions }) => {
    const before = cells;
    cells = [...before];
    for (const { target, sources } of actions) cells[target] = valueOf(operator, before, sources);
    return { phase, actions, cells };
  });
  return { algorithm, length, width, initial, steps: carriedOut };
};

const combines = ({ sources }) => sources.length === 2;

// Applications of the operator, and steps that apply it, among the first `count` steps.
export const countsOf = ({ steps }, count) => {
  const done = steps.slice(0, count);
  return {
    work: done.reduce((sum, { actions }) => sum + actions.filter(combines).length, 0),
    depth: done.filter(({ actions }) => actions.some(combines)).length,
  };
};

export const cellsAfter = ({ initial, steps }, count) => (count === 0 ? initial : steps[count - 1].cells);

const same = (p, q) => String(p) === String(q);

// One algorithm at one moment: everything that is drawn and read. `wrong` are the cells that differ from what the
// algorithm without the bug has at this moment; padding is not counted. `current` is the step just done, 0 before the first
// and for an algorithm that has finished while the other still works.
const runOf = (algorithm, { length, operator, inclusive, swapped, step }) => {
  const { elements, ...rules } = OPERATORS[operator];
  const trace = traceOf(algorithm, rules, elements(length), inclusive, swapped);
  const right = traceOf(algorithm, rules, elements(length), inclusive);
  const now = Math.min(step, trace.steps.length);
  const cells = cellsAfter(trace, now);
  const rightCells = cellsAfter(right, now);
  const wrong = cells.flatMap((cell, k) => (k < length && !same(cell, rightCells[k]) ? [k] : []));
  const total = countsOf(trace, trace.steps.length);
  const current = step > now ? 0 : now;
  return { trace, now, current, cells, rightCells, wrong, total, ...countsOf(trace, now) };
};

const algorithmsOf = ({ algorithm }) => (algorithm === "both" ? ["blelloch", "hillis-steele"] : [algorithm]);

export const lastStepOf = ({ length, algorithm, inclusive }) => {
  const levels = Math.log2(paddedLength(length));
  return algorithm === "hillis-steele" ? levels : 2 * levels + 1 + (inclusive ? 1 : 0);
};

export const valuesOf = (state) => {
  const step = Math.min(state.step, lastStepOf(state));
  const runs = algorithmsOf(state).map((algorithm) => runOf(algorithm, { ...state, step }));
  return { step, last: lastStepOf(state), runs };
};
