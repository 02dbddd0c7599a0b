// Markup for pictures: numbers in, SVG text out. No DOM, so node draws the same pictures as a browser.
// Lengths are CSS pixels; a picture is drawn at the width it is shown at, so text never shrinks.

export const number = (value, digits = 3) => {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    return `${mantissa.replace("-", "−")}×10${superscript(Number(power))}`;
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
};

export const complexNumber = ({ re, im }, digits = 3) => {
  if (im === 0) return number(re, digits);
  return `${number(re, digits)} ${im < 0 ? "−" : "+"} ${number(Math.abs(im), digits)}i`;
};

const superscript = (power) =>
  String(power)
    .split("")
    .map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(digit)] ?? "⁻")
    .join("");

export const px = (value) => String(Math.round(value * 10) / 10 + 0);

export const escaped = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

export const tag = (name, attributes, children = "") => {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? px(value) : escaped(value)}"`,
  );
  return `<${name}${written.join("")}>${children}</${name}>`;
};

export const label = (x, y, text, kind = "x-tick", anchor = "start") =>
  tag("text", { x, y, class: kind, "text-anchor": anchor }, escaped(text));

export const line = (x1, y1, x2, y2, kind) => tag("line", { x1, y1, x2, y2, class: kind });

export const circle = (cx, cy, r, kind) => tag("circle", { cx, cy, r, class: kind });

export const rectangle = (x, y, width, height, kind) =>
  tag("rect", { x, y, width: Math.max(width, 0), height: Math.max(height, 0), class: kind });

// A broken line: a point that is null or not finite lifts the pen.
export const curve = (points, kind) => {
  let down = false;
  let path = "";
  for (const point of points) {
    if (point === null || !Number.isFinite(point[0]) || !Number.isFinite(point[1])) {
      down = false;
    } else {
      path += `${down ? "L" : "M"}${px(point[0])} ${px(point[1])}`;
      down = true;
    }
  }
  return tag("path", { d: path, class: kind });
};

export const region = (path, kind) => tag("path", { d: path, class: kind, "fill-rule": "evenodd" });

export const circlePath = (cx, cy, r) =>
  `M${px(cx - r)} ${px(cy)}a${px(r)} ${px(r)} 0 1 0 ${px(2 * r)} 0a${px(r)} ${px(r)} 0 1 0 ${px(-2 * r)} 0Z`;

export const boxPath = (x, y, width, height) => `M${px(x)} ${px(y)}h${px(width)}v${px(height)}h${px(-width)}Z`;

export const ticks = (low, high, wanted = 5) => {
  const rough = (high - low) / wanted;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * decade).find((candidate) => candidate >= rough);
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) values.push(k * step);
  return values;
};

// A rectangle of paper with its own coordinates: x(value), y(value) give pixels inside the whole picture.
export const panel = ({ left, top, width, height, xDomain, yDomain }) => {
  const xScale = width / (xDomain[1] - xDomain[0]);
  const yScale = height / (yDomain[1] - yDomain[0]);
  return {
    left,
    top,
    width,
    height,
    xDomain,
    yDomain,
    xScale,
    x: (value) => left + (value - xDomain[0]) * xScale,
    y: (value) => top + height - (value - yDomain[0]) * yScale,
  };
};

// A nested svg clips to the panel without an id, so two explorables on a page cannot clash.
export const clipped = (frame, content) => {
  const { left, top, width, height } = frame;
  const box = { x: left, y: top, width, height, viewBox: [left, top, width, height].map(px).join(" ") };
  return tag("svg", { ...box, class: "x-clip" }, content);
};

export const xTicks = (frame, values, text = number) =>
  values
    .map((value) => label(frame.x(value), frame.top + frame.height + 14, text(value), "x-tick", "middle"))
    .join("");

export const yTicks = (frame, values, text = number) =>
  values.map((value) => label(frame.left - 6, frame.y(value) + 4, text(value), "x-tick", "end")).join("");

// What the marks mean, set in rows that fit the width; a letter is taken to be 6.2 px wide. Each entry: [draw(x, y), text].
export const keyRows = (entries, top, width) => {
  let [x, y, content] = [0, top, ""];
  for (const [mark, text] of entries) {
    const length = 30 + 6.2 * text.length;
    if (x > 0 && x + length > width) [x, y] = [0, y + 18];
    content += mark(x, y) + label(x + 28, y, text, "x-axis");
    x += length + 16;
  }
  return { content, bottom: y + 6 };
};

export const picture = (width, height, description, content) =>
  tag(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      class: "x-picture",
      viewBox: `0 0 ${px(width)} ${px(height)}`,
      role: "img",
      "aria-label": description,
    },
    content,
  );
