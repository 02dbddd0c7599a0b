// The linear convolution as a tape of 2L − 1 cells, wound on a ring of F cells and laid out straight, as SVG text.
import { clipped, curve, keyRows, label, line, number, panel, picture, px, rectangle, tag, xTicks, yTicks } from "./plot.mjs";
import { ticks } from "./plot.mjs";
import { valuesOf } from "./wrap-around.math.mjs";

// Where the panels lie: ring on the left, or on top when the picture is narrow; two strips over one index axis.
export const layoutOf = ({ length }, width, extremes = [0, 1]) => {
  const narrow = width < 560;
  const ring = narrow ? Math.min(width, 250) : Math.min(Math.round(width * 0.38), 290);
  const left = narrow ? 30 : ring + 44;
  const ringTop = 24;
  const top = narrow ? ringTop + ring + 32 : 24;
  const height = narrow ? 92 : 110;
  const apart = height + 66;
  const strip = { left, width: width - left - 1, height, xDomain: [-0.7, 2 * length - 1.3], yDomain: extremes };
  return {
    centre: [narrow ? width / 2 : ring / 2, ringTop + ring / 2 + (narrow ? 0 : 4)],
    radius: ring / 2,
    tape: panel({ ...strip, top }),
    result: panel({ ...strip, top: top + apart }),
    bottom: top + apart + height + 34,
  };
};

const domainOf = ({ full, circular }) => {
  const low = Math.min(0, ...full, ...circular);
  const high = Math.max(0, ...full, ...circular);
  return [low - 0.04 * (high - low), high + 0.1 * (high - low)];
};

const bar = (frame, k, from, to, kind) => {
  const width = Math.max(0.78 * frame.xScale, 1);
  const top = Math.min(frame.y(from), frame.y(to));
  return rectangle(frame.x(k) - width / 2, top, width, Math.abs(frame.y(from) - frame.y(to)), kind);
};

const zeroLine = (frame) => line(frame.left, frame.y(0), frame.left + frame.width, frame.y(0), "x-zero");

const framed = (frame, content, indices) =>
  clipped(frame, content) +
  rectangle(frame.left, frame.top, frame.width, frame.height, "x-frame") +
  yTicks(frame, ticks(...frame.yDomain, 3)) +
  xTicks(frame, indices);

const tapeStrip = (frame, { full, fft_length: size, length }) => {
  const bars = full.map((y, k) => bar(frame, k, 0, y, k < size ? "x-kept" : "x-tail"));
  const right = frame.left + frame.width;
  const cut = Math.min(frame.x(size - 0.5), right);
  const mark = line(cut, frame.top - 5, cut, frame.top + frame.height, "x-cut");
  const [x, side] = cut > right - 52 ? [right, "end"] : [cut - 2, "start"];
  const name = label(x, frame.top - 9, `F = ${size}`, "x-title", side) + label(frame.left, frame.top - 9, "What u and K make", "x-title");
  return framed(frame, zeroLine(frame) + bars.join(""), [0, length - 1, 2 * length - 2]) + mark + name;
};

const resultStrip = (frame, { full, circular, length, fft_length: size, wrapped }) => {
  const bars = circular.map((y, k) => {
    const truth = full[k] ?? 0;
    const base = bar(frame, k, 0, truth, k < length ? "x-kept" : "x-unused");
    return base + (k < wrapped ? bar(frame, k, truth, y, "x-tail") : "");
  });
  const answer = rectangle(frame.left, frame.top, frame.x(length - 0.5) - frame.left, frame.height, "x-answer");
  const end = frame.x(size - 0.5);
  const outside = rectangle(end, frame.top, frame.left + frame.width - end, frame.height, "x-outside");
  const indices = [0, length - 1, ...(size - length > 5 ? [size - 1] : [])];
  return (
    framed(frame, answer + outside + zeroLine(frame) + bars.join(""), indices) +
    label(frame.left + frame.width, frame.top - 9, `An FFT of length ${size} returns`, "x-title", "end") +
    label(frame.x((length - 1) / 2), frame.top + frame.height + 14, "the answer", "x-axis", "middle") +
    label(frame.left + frame.width, frame.top + frame.height + 29, "index k", "x-axis", "end")
  );
};

// From the middle of the tail down to where it lands.
const fall = ({ tape, result }, { wrapped, fft_length: size }) => {
  if (wrapped === 0) return "";
  const middle = (wrapped - 1) / 2;
  const [x1, x2] = [tape.x(size + middle), result.x(middle)];
  const [y1, y2] = [tape.top + tape.height + 3, result.top - 4];
  const path = `M${px(x1)} ${px(y1)}C${px(x1)} ${px(y1 + 46)} ${px(x2)} ${px(y1)} ${px(x2)} ${px(y2)}`;
  const head = `M${px(x2 - 4)} ${px(y2 - 7)}L${px(x2)} ${px(y2)}L${px(x2 + 4)} ${px(y2 - 7)}`;
  return tag("path", { d: path, class: "x-fall" }) + tag("path", { d: head, class: "x-fall" });
};

// The tape wound up: cell j at angle 2πj/F clockwise from the top; each turn lies one gap further out than the last.
const ringPlace = (layout, size) => {
  const [cx, cy] = layout.centre;
  const gap = layout.radius * 0.25;
  const inner = layout.radius * 0.5;
  return (j, lift = 0) => {
    const angle = (2 * Math.PI * j) / size;
    const r = inner + (gap * j) / size + lift * gap * 0.72;
    return [cx + r * Math.sin(angle), cy - r * Math.cos(angle)];
  };
};

const spoke = (layout, place, size, length, high) => (y, j) => {
  const width = Math.max(Math.min((2.2 * layout.radius) / size, 7), 1.5);
  const [[x1, y1], [x2, y2]] = [place(j), place(j, y / high)];
  const kind = j >= size ? "x-tail-line" : j < length ? "x-kept-line" : "x-unused-line";
  return tag("line", { x1, y1, x2, y2, class: kind, "stroke-width": width });
};

const ring = (layout, { full, fft_length: size, wrapped, needed, length }) => {
  const place = ringPlace(layout, size);
  const [cx, cy] = layout.centre;
  const high = Math.max(...full.map(Math.abs), 1e-12);
  const lap = (from, to, kind) => curve(Array.from({ length: 4 * (to - from) + 1 }, (_, k) => place(from - 0.5 + k / 4)), kind);
  const spokes = full.map(spoke(layout, place, size, length, high));
  const [startX, startY] = place(-0.5);
  const verdict = wrapped ? `${wrapped} of ${length} wrong` : "all right";
  return (
    lap(0, Math.min(size, full.length), "x-tape") +
    (wrapped ? lap(size, full.length, "x-tape x-tail-line") : "") +
    spokes.join("") +
    label(startX - 5, startY + 6, "k = 0", "x-tick", "end") +
    label(cx, cy - 1, `F = ${size}`, "x-centre", "middle") +
    label(cx, cy + 16, `${needed} needed`, "x-tick", "middle") +
    label(cx, cy + 34, verdict, `x-small ${wrapped ? "x-bad" : "x-good"}`, "middle") +
    label(0, 15, "The same, wound on F cells", "x-title")
  );
};

export const describe = ({ length, pad }, values) => {
  const { fft_length: size, needed, wrapped, error } = values;
  const start = `Input and kernel have L = ${length} values, so their convolution has ${needed}. `;
  const padded = `With ${pad} zeros of padding the FFT has F = ${size}. `;
  if (wrapped === 0) return `${start}${padded}The tape fits in one turn: the first ${length} outputs are right, largest error ${number(error)}.`;
  const last = wrapped === 1 ? "The last value lands" : `The last ${wrapped} values land`;
  const where = wrapped === 1 ? "output 0" : `outputs 0 to ${wrapped - 1}`;
  return `${start}${padded}${last} on ${where}: largest error ${number(error)}.`;
};

const KEY = [
  ["x-kept", "right"],
  ["x-tail", "tail, lands on the front"],
  ["x-unused", "right, not asked for"],
].map(([kind, text]) => [(x, y) => rectangle(x, y - 9, 22, 11, kind), text]);

export const draw = (state, width, values = valuesOf(state)) => {
  const layout = layoutOf(state, width, domainOf(values));
  const key = keyRows(KEY, layout.bottom + 12, width);
  const content = ring(layout, values) + tapeStrip(layout.tape, values) + resultStrip(layout.result, values) + fall(layout, values);
  return picture(width, key.bottom, describe(state, values), content + key.content);
};
