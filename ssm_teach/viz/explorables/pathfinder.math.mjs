// Pathfinder: two long snakes of paddles and some short ones that keep their distance, two discs, and the picture as a
// sequence. The steps and the random numbers are those of ssm_teach.tasks.pathfinder; points are (y, x) in pixels.
import { uniformOf } from "./twister.mjs";

const TURNS = 72; // headings, 5° apart
const SHARPEST = TURNS / 4;
const BACK = 4; // paddles that a snake loses when it is shut in
const SHUT_IN = 12; // times, at most
const RETRIES = 15;
const PLACES = 100;
const PADDING = 1;

const toTwelvePlaces = (value) => Math.round(value * 1e12) / 1e12;

const ANGLES = Array.from({ length: TURNS }, (_, k) => (2 * Math.PI * k) / TURNS);
const DIRECTIONS = ANGLES.map((angle) => [toTwelvePlaces(Math.sin(angle)), toTwelvePlaces(Math.cos(angle))]);

export const PADDLES = { easy: 6, intermediate: 9, hard: 14 };

const SHAPES = {
  32: { margins: [1], apart: 7, marker: 1.5, length: 2, thickness: 0.5, continuity: 1, contrast: 1.5, others: 22 },
  64: { margins: [1], apart: 12, marker: 2.5, length: 5, thickness: 1, continuity: 1.8, contrast: 0.8, others: 22 },
  128: { margins: [2, 3], apart: 20, marker: 3, length: 5, thickness: 1.5, continuity: 1.8, contrast: 0.9, others: 35 },
};

export const shapeOf = (size, difficulty) => {
  const paddles = PADDLES[difficulty];
  const short = Math.floor(paddles / 3);
  return { ...SHAPES[size], size, paddles, short, distractors: Math.floor(SHAPES[size].others / short) };
};

const weightsOf = ({ continuity }) =>
  Array.from({ length: 2 * SHARPEST + 1 }, (_, k) => {
    const turn = Math.abs(k - SHARPEST) * ((2 * Math.PI) / TURNS);
    return toTwelvePlaces(Math.cos(Math.min(continuity * turn, Math.PI / 2)) ** 2);
  });

const squaredDistance = (y, x, [y0, x0, y1, x1]) => {
  const [dy, dx] = [y1 - y0, x1 - x0];
  const along = Math.min(Math.max(((y - y0) * dy + (x - x0) * dx) / (dy * dy + dx * dx), 0), 1);
  return (y - y0 - along * dy) ** 2 + (x - x0 - along * dx) ** 2;
};

// Paddles are too short to cross without an end coming nearer than the distance that they must keep.
const areApart = (first, second, distance) => {
  const nearest = Math.min(
    squaredDistance(first[0], first[1], second),
    squaredDistance(first[2], first[3], second),
    squaredDistance(second[0], second[1], first),
    squaredDistance(second[2], second[3], first),
  );
  return nearest >= distance * distance;
};

const fits = (scene, s, paddle) => {
  const { snakes, shape, margin } = scene;
  const [low, high] = [PADDING + margin, shape.size - 1 - PADDING - margin];
  if (paddle.some((value) => value < low || value > high)) return false;
  const distance = 2 * margin + shape.thickness;
  return snakes.every(({ paddles }, other) =>
    paddles.slice(0, other === s ? -1 : undefined).every((there) => areApart(paddle, there, distance)),
  );
};

const jointOf = ({ snakes, margin }, s) => {
  const { start, paddles, headings } = snakes[s];
  if (paddles.length === 0) return start;
  const [dy, dx] = DIRECTIONS[headings[paddles.length - 1]];
  const last = paddles[paddles.length - 1];
  return [last[2] + margin * dy, last[3] + margin * dx];
};

const linkOf = ({ shape, margin }, [y, x], heading) => {
  const [dy, dx] = DIRECTIONS[heading];
  const far = margin + shape.length;
  return [y + margin * dy, x + margin * dx, y + far * dy, x + far * dx];
};

const setPaddle = (scene, s, heading, paddle) => {
  scene.snakes[s].paddles.push(paddle);
  scene.snakes[s].headings.push(heading);
};

const shorten = (snake, count) => {
  snake.paddles.length = count;
  snake.headings.length = count;
};

const whole = (draw, n) => Math.floor(draw() * n);

const begin = (scene, s, draw) => {
  shorten(scene.snakes[s], 0);
  const heading = whole(draw, TURNS);
  const paddle = linkOf(scene, scene.snakes[s].start, heading);
  if (!fits(scene, s, paddle)) return false;
  setPaddle(scene, s, heading, paddle);
  return true;
};

// One more paddle, the likelier the less it turns, among all that fit; false if there is none.
const grow = (scene, s, weights, draw) => {
  const joint = jointOf(scene, s);
  const before = scene.snakes[s].headings[scene.snakes[s].paddles.length - 1];
  const headingAt = (k) => (before + k - SHARPEST + TURNS) % TURNS;
  const likely = weights.map((weight, k) => (weight > 0 && fits(scene, s, linkOf(scene, joint, headingAt(k))) ? weight : 0));
  const total = likely.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return false;
  let [left, chosen] = [draw() * total, 0];
  likely.forEach((weight, k) => {
    if (weight === 0 || left < 0) return;
    left -= weight;
    chosen = k;
  });
  setPaddle(scene, s, headingAt(chosen), linkOf(scene, joint, headingAt(chosen)));
  return true;
};

const growPair = (scene, weights, draw) => {
  const { snakes, shape } = scene;
  snakes.forEach((snake) => shorten(snake, 0));
  const clear = 2 * shape.apart;
  snakes[0].start = [0, 1].map(() => clear + draw() * (shape.size - 1 - 2 * clear));
  const towards = DIRECTIONS[whole(draw, TURNS)];
  snakes[1].start = snakes[0].start.map((value, axis) => value + shape.apart * towards[axis]);
  if (!(begin(scene, 0, draw) && begin(scene, 1, draw))) return false;
  let shutIn = 0;
  const [first, second] = [snakes[0].paddles, snakes[1].paddles];
  while (Math.min(first.length, second.length) < shape.paddles) {
    const s = first.length <= second.length ? 0 : 1;
    if (grow(scene, s, weights, draw)) continue;
    shutIn += 1;
    if (shutIn > SHUT_IN) return false;
    shorten(snakes[s], Math.max(snakes[s].paddles.length - BACK, 1));
  }
  return true;
};

const findPlace = (scene, s, draw) => {
  const { snakes, shape, margin } = scene;
  const distance = (2 * margin + shape.thickness) ** 2;
  for (let k = 0; k < PLACES; k += 1) {
    const place = [0, 1].map(() => draw() * (shape.size - 1));
    const clear = snakes.slice(0, s).every(({ paddles }) => paddles.every((paddle) => squaredDistance(...place, paddle) >= distance));
    if (!clear) continue;
    snakes[s].start = place;
    return true;
  }
  return false;
};

const growDistractor = (scene, s, weights, draw) => {
  if (!(findPlace(scene, s, draw) && begin(scene, s, draw))) return false;
  while (scene.snakes[s].paddles.length < scene.shape.short) {
    if (!grow(scene, s, weights, draw)) {
      shorten(scene.snakes[s], 0);
      return false;
    }
  }
  return true;
};

// Picture `index` of a seed, as ssm_teach.tasks.pathfinder.draw_scene has it.
export const sceneOf = (seed, index, size, difficulty) => {
  const draw = uniformOf([seed, index]);
  const shape = shapeOf(size, difficulty);
  const [label, marked] = [whole(draw, 2), whole(draw, 2)];
  const margin = shape.margins[whole(draw, shape.margins.length)];
  const snakes = Array.from({ length: 2 + shape.distractors }, () => ({ start: [0, 0], paddles: [], headings: [] }));
  const scene = { shape, margin, snakes };
  const weights = weightsOf(shape);
  while (!growPair(scene, weights, draw));
  for (let s = 2; s < snakes.length; s += 1) {
    for (let k = 0; k <= RETRIES && !growDistractor(scene, s, weights, draw); k += 1);
  }
  const markers = [snakes[marked].start, jointOf(scene, label === 1 ? marked : 1 - marked)];
  return { ...scene, label, markers, marked };
};

// The picture: half-pixels, shrunk by Lanczos' kernel of radius 3; then the discs.

const sinc = (x) => Math.sin(Math.PI * x) / (Math.PI * x);

const TAPS = Array.from({ length: 12 }, (_, k) => (k - 5.5) / 2).map((x) => sinc(x) * sinc(x / 3));
const TAP_SUM = TAPS.reduce((sum, tap) => sum + tap, 0);
const LANCZOS = TAPS.map((tap) => toTwelvePlaces(tap / TAP_SUM));

const fillPaddle = (canvas, side, [y0, x0, y1, x1], thickness) => {
  const length = Math.hypot(y1 - y0, x1 - x0);
  const [middleY, middleX, dy, dx] = [(y0 + y1) / 2, (x0 + x1) / 2, (y1 - y0) / length, (x1 - x0) / length];
  const half = Math.max(thickness, 0.5) / 2;
  const reach = length / 2 + half;
  const from = (middle) => Math.max(Math.trunc(2 * (middle - reach)), 0);
  const to = (middle) => Math.min(Math.trunc(2 * (middle + reach)) + 2, side);
  for (let row = from(middleY); row < to(middleY); row += 1) {
    for (let column = from(middleX); column < to(middleX); column += 1) {
      const [y, x] = [row / 2 - 0.25 - middleY, column / 2 - 0.25 - middleX];
      const inside = Math.abs(y * dy + x * dx) <= length / 2 && Math.abs(y * dx - x * dy) <= half;
      if (inside) canvas[row * side + column] = 1;
    }
  }
};

// Rows of `side` half-pixels in, half as many out; the columns' turn comes when `step` is the length of a row.
const halved = (values, count, side, stride, step) => {
  const out = new Float64Array((count * side) / 2);
  for (let line = 0; line < count; line += 1) {
    for (let k = 0; k < side / 2; k += 1) {
      let sum = 0;
      for (let tap = 0; tap < 12; tap += 1) {
        const at = 2 * k + tap - 5;
        if (at >= 0 && at < side) sum += LANCZOS[tap] * values[line * stride + at * step];
      }
      out[stride === 1 ? k * count + line : (line * side) / 2 + k] = sum;
    }
  }
  return out;
};

export const pictureOf = ({ snakes, markers, shape }) => {
  const { size, thickness, contrast, marker } = shape;
  const canvas = new Float64Array(4 * size * size);
  snakes.forEach(({ paddles }) => paddles.forEach((paddle) => fillPaddle(canvas, 2 * size, paddle, thickness)));
  const narrow = halved(canvas, 2 * size, 2 * size, 2 * size, 1);
  const small = halved(narrow, size, 2 * size, 1, size);
  return Array.from(small, (value, k) => {
    const [row, column] = [Math.floor(k / size), k % size];
    const discs = markers.map(([y, x]) => Math.min(Math.max(marker + 0.5 - Math.hypot(row - y, column - x), 0), 1));
    return Math.floor(255 * Math.max(Math.min(Math.max(value * contrast, 0), 1), ...discs) + 0.5);
  });
};

// Which step of the sequence reads the pixel that a point lies in.
const stepOf = (size, y, x) => {
  const inside = (value) => Math.min(Math.max(Math.floor(value + 0.5), 0), size - 1);
  return inside(y) * size + inside(x);
};

const drawn = new Map(); // the last scenes, so that moving the cursor does not draw them again

const drawnOf = ({ picture, size, difficulty }) => {
  const key = `${picture} ${size} ${difficulty}`;
  if (!drawn.has(key)) {
    if (drawn.size > 8) drawn.clear();
    const scene = sceneOf(0, picture, size, difficulty);
    drawn.set(key, { scene, pixels: pictureOf(scene) });
  }
  return drawn.get(key);
};

export const valuesOf = (state) => {
  const { scene, pixels } = drawnOf(state);
  const { size, marker } = scene.shape;
  const cursor = Math.min(state.cursor, size * size - 1);
  const walks = scene.snakes.slice(0, 2).map(({ paddles }) => paddles.map(([y0, x0, y1, x1]) => stepOf(size, (y0 + y1) / 2, (x0 + x1) / 2)));
  const hops = walks.flatMap((walk) => walk.slice(1).map((step, k) => Math.abs(step - walk[k])));
  const discs = scene.markers.map(([y, x]) => stepOf(size, y, x));
  return {
    length: size * size,
    cursor,
    row: Math.floor(cursor / size),
    column: cursor % size,
    pixels,
    label: scene.label,
    snakes: scene.snakes.map(({ paddles }) => paddles).filter((paddles) => paddles.length > 0),
    markers: scene.markers,
    marked: scene.marked,
    radius: marker,
    discs,
    walks,
    apart: Math.hypot(...scene.markers[0].map((value, axis) => value - scene.markers[1][axis])),
    steps_apart: Math.abs(discs[0] - discs[1]),
    longest_hop: Math.max(...hops),
    span: Math.max(...walks.map((walk) => Math.max(...walk) - Math.min(...walk))),
    bright: pixels.filter((value) => value > 0).length,
  };
};
