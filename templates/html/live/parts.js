// What live figures share: they begin at the numbers of the page's result, and read and write links to their state.
"use strict";

// Every place of that name, with its numbers.
const live = (name, work) =>
  ready(() => $$(`[data-live=${name}]`).forEach((block) => work(block, JSON.parse(block.dataset.start))));

const whole = (value) => value.toLocaleString("en");
const OWN = "Your numbers, computed in this page.";

// A field for a whole number; it is invalid outside its limits.
const entry = (label, min, max, value, changed) => {
  const input = make("input", { type: "number", min, max, step: 1, required: true, inputMode: "numeric", value, ariaLabel: label });
  input.addEventListener("input", changed);
  return input;
};

const choice = (label, options, changed) => {
  const select = make("select", { ariaLabel: label }, ...options.map(([value, text]) => make("option", { value }, text)));
  select.addEventListener("input", changed);
  return select;
};

const push = (text, work) => {
  const button = make("button", { type: "button" }, text);
  button.addEventListener("click", () => work(button));
  return button;
};

const row = (...parts) => make("p", { className: "row" }, ...parts);

const scrolling = (label, table) => make("div", { className: "scroll", role: "region", tabIndex: 0, ariaLabel: label }, table);

// The state that the page's address gives to this figure, or ""; and a button that copies such an address.
const given = (block) => {
  const [place, state] = decodeURIComponent(location.hash.slice(1)).split("=");
  if (place !== block.id || !state) return "";
  block.scrollIntoView();
  return state;
};
const linked = (block, state) => push("Copy link", (button) => copy(`${location.href.split("#")[0]}#${block.id}=${state()}`, button));

// Rows of two numbers each, with bars that compare them.
const bars = (label, names, heads) => {
  const rows = names.map((name) => {
    const rects = ["a", "b"].map((kind, n) => draw("rect", { class: kind, x: 0, y: 1 + 6 * n, height: 5 }));
    const cells = rects.map(() => make("td", { className: "n" }));
    const bar = draw("svg", { viewBox: "0 0 100 13", preserveAspectRatio: "none", "aria-hidden": "true" }, ...rects);
    return { row: make("tr", {}, make("th", { scope: "row" }, name), ...cells, make("td", {}, bar)), cells, rects };
  });
  const top = [...heads, ""].map((name, n) => make(name ? "th" : "td", { className: n ? "n" : "s" }, name));
  const table = make("table", { className: "bars" }, make("thead", {}, make("tr", {}, ...top)), make("tbody", {}, ...rows.map((line) => line.row)));
  const set = (pairs, text) => {
    const most = Math.max(...pairs.flat());
    rows.forEach(({ cells, rects }, n) => pairs[n].forEach((value, part) => {
      cells[part].textContent = text(value);
      rects[part].setAttribute("width", ((100 * value) / most).toFixed(2));
    }));
  };
  return { table: scrolling(label, table), set };
};

// Round numbers that span an axis.
const steps = (low, high) => {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= (high - low) / 4);
  const first = Math.floor(low / step);
  return Array.from({ length: Math.ceil(high / step) - first + 1 }, (_, n) => +((first + n) * step).toPrecision(6));
};

// A chart with an axis as { label, ticks, log }. `set` draws lines: class, points, whether they have dots, a word above.
const chart = (title, x, y) => {
  const [wide, high, left, right, below] = [340, 230, 40, 18, 34];
  const span = ({ ticks, log }) => `${ticks[0]} ${ticks.at(-1)} ${log ? "log" : "linear"}`;
  const across = scale(span(x), left, wide - right);
  const down = scale(span(y), high - below, 10);
  const text = (at, up, words, anchor) => draw("text", { x: at, y: up, "text-anchor": anchor }, String(words));
  const axes = [
    ...x.ticks.map((tick) => text(across.place(tick), high - below + 14, tick.toLocaleString("en"), "middle")),
    ...y.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: `M${left} ${down.place(tick).toFixed(1)}H${wide - right}` }),
      text(left - 5, down.place(tick) + 4, tick.toLocaleString("en"), "end"),
    ]),
    text((left + wide) / 2, high - 4, x.label, "middle"),
    draw("text", { transform: `translate(10 ${(high - below) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.label),
  ];
  const drawn = draw("g");
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", class: "chart" }, draw("title", {}, title), ...axes, drawn);
  const place = ([a, b]) => `${across.place(a).toFixed(1)} ${down.place(b).toFixed(1)}`;
  const set = (lines) =>
    drawn.replaceChildren(...lines.flatMap(([kind, points, dots, word]) => [
      draw("path", { class: kind, d: points.map((point, n) => `${n ? "L" : "M"}${place(point)}`).join("") }),
      ...(dots ? points : []).map(([a, b]) => draw("circle", { class: kind, cx: across.place(a).toFixed(1), cy: down.place(b).toFixed(1), r: 3 })),
      ...(word ? [text(across.place(points[0][0]) + 3, down.place(points[0][1]) - 4, word, "start")] : []),
    ]));
  return { svg, set };
};

// A table of texts; the first column names the rows, and what is not text is put in as it is.
const grid = (label, heads, body) => {
  const cells = (texts) => texts.map((text, n) => (n ? make("td", { className: "n" }, text) : make("th", { scope: "row" }, text)));
  const top = heads.map((head, n) => make(head ? "th" : "td", { className: n ? "n" : "s" }, head));
  return scrolling(label, make("table", {}, make("thead", {}, make("tr", {}, ...top)), make("tbody", {}, ...body.map((texts) => make("tr", {}, ...cells(texts))))));
};
