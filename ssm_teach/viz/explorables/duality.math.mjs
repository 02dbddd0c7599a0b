// The recurrence h_i = a_i h_{i−1} + b_i x_i, y_i = c_i·h_i with one number a_i for all N states, and the matrix it applies,
// M_ij = (c_i·b_j) a_i ⋯ a_{j+1}. In chunks, the blocks on the diagonal are applied as they are, and what lies below them as
// c_i · (decay × the state handed to the chunk).

const MOST_STATES = 3;

// Every position has its own seven numbers, so neither T nor N changes those that are there already. Python repeats them.
const drawnFor = (length) => {
  let seed = 12345;
  const next = () => {
    seed = (75 * seed + 74) % 65537;
    return (2 * seed) / 65537 - 1;
  };
  const some = (count) => Array.from({ length: count }, next);
  return Array.from({ length }, () => ({ b: some(MOST_STATES), c: some(MOST_STATES), x: next() }));
};

const dot = (p, q) => p.reduce((sum, value, n) => sum + value * q[n], 0);

export const systemOf = ({ length, states, decay, reset }) => {
  const drawn = drawnFor(length);
  return {
    a: drawn.map((_, i) => (reset > 0 && i === reset ? 0 : decay)),
    B: drawn.map(({ b }) => b.slice(0, states)),
    C: drawn.map(({ c }) => c.slice(0, states)),
    x: drawn.map(({ x }) => x),
  };
};

// L, row by row: each row is the one above it times a_i, with a 1 on the diagonal.
const maskOf = (a) => {
  const rows = [];
  a.forEach((factor, i) => rows.push(a.map((_, j) => (j === i ? 1 : j < i ? factor * rows[i - 1][j] : 0))));
  return rows;
};

export const matrixOf = ({ a, B, C }) => maskOf(a).map((row, i) => row.map((weight, j) => weight * dot(C[i], B[j])));

const TOLERANCE = 1e-9; // of the largest entry

// The numerical rank, by elimination with the largest pivot left.
export const rankOf = (block) => {
  const rows = block.map((row) => [...row]);
  const largest = Math.max(0, ...rows.flat().map(Math.abs));
  for (let rank = 0; ; rank += 1) {
    let [pivot, at, across] = [TOLERANCE * largest, -1, -1];
    for (let i = rank; i < rows.length; i += 1)
      rows[i].forEach((value, j) => {
        if (Math.abs(value) > pivot) [pivot, at, across] = [Math.abs(value), i, j];
      });
    if (at < 0) return rank;
    [rows[rank], rows[at]] = [rows[at], rows[rank]];
    const top = rows[rank];
    for (let i = rank + 1; i < rows.length; i += 1) {
      const factor = rows[i][across] / top[across];
      rows[i] = rows[i].map((value, j) => (j === across ? 0 : value - factor * top[j]));
    }
  }
};

export const chunksOf = ({ length, chunk }) =>
  Array.from({ length: Math.ceil(length / chunk) }, (_, k) => ({ start: k * chunk, end: Math.min((k + 1) * chunk, length) }));

const blocksOf = (M, chunks) =>
  chunks.flatMap((rows, I) =>
    chunks.slice(0, I).map((columns) => ({
      rows,
      columns,
      rank: rankOf(M.slice(rows.start, rows.end).map((row) => row.slice(columns.start, columns.end))),
    })),
  );

// The states after each position, and the outputs.
const recurrenceOf = ({ a, B, C, x }) => {
  let h = B[0].map(() => 0);
  const states = a.map((factor, i) => (h = h.map((value, n) => factor * value + B[i][n] * x[i])));
  return { states, y: states.map((state, i) => dot(C[i], state)) };
};

// What a row is made of: from its own chunk the entries of M, from all before it the state that the chunk is handed.
const rowOf = ({ a, C, x }, M, states, chunks, i) => {
  const { start } = chunks.find(({ end }) => i < end);
  const terms = M[i].slice(0, i + 1).map((weight, j) => weight * x[j]);
  const inside = terms.slice(start).reduce((sum, term) => sum + term, 0);
  const decay = a.slice(start, i + 1).reduce((product, factor) => product * factor, 1);
  const handed = start === 0 ? C[i].map(() => 0) : states[start - 1];
  const carried = decay * dot(C[i], handed);
  return { start, terms, inside, handed, decay, carried, y: inside + carried };
};

// Multiplications for p channels, with N states: exponentials, of sums of logarithms that make the decays, are not counted.
export const countsOf = ({ length, states: N, channels: p }, chunks) => {
  const attention = (q) => ((q * (q + 1)) / 2) * (N + p) + (q * (q - 1)) / 2;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const sizes = chunks.map(({ start, end }) => end - start);
  const read = sizes.slice(1).map((q) => q * (N * p + p));
  const write = sizes.slice(0, -1).map((q) => q * N * p + (q - 1) * N);
  const carry = Math.max(sizes.length - 2, 0) * N * p;
  return {
    recurrence: 3 * N * p * length - N * p,
    chunked: sum(sizes.map(attention)) + sum(read) + sum(write) + carry,
    quadratic: attention(length),
  };
};

export const valuesOf = (given) => {
  const { length } = given;
  // The length may have been shortened under the other three.
  const [chunk, row, reset] = [given.chunk, given.row + 1, given.reset + 1].map((value) => Math.min(value, length));
  const state = { ...given, chunk, row: row - 1, reset: reset - 1 };
  const system = systemOf(state);
  const M = matrixOf(system);
  const chunks = chunksOf(state);
  const { states, y } = recurrenceOf(system);
  const rows = M.map((_, i) => rowOf(system, M, states, chunks, i));
  return {
    ...state,
    ...system,
    M,
    chunks,
    blocks: blocksOf(M, chunks),
    y,
    y_matrix: M.map((row) => dot(row, system.x)),
    y_chunked: rows.map((row) => row.y),
    told: rows[state.row],
    counts: countsOf(state, chunks),
  };
};
