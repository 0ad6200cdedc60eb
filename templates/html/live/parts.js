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
