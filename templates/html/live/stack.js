// A stack of convolutions of the reader's own: sizes, receptive field, parameters and MACs, with their arithmetic.
"use strict";

live("stack", (block, printed) => {
  // A layer: filter, stride, dilation, padding, filters; a pooling has 0 filters.
  const conv = (filters, f = 3, s = 1, p = 1) => [f, s, 1, p, filters];
  const pool = (f, s) => [f, s, 1, 0, 0];
  const vgg = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0];
  const presets = {
    "As printed": printed,
    "Three 5×5": [[32, 3], [conv(32, 5, 1, 2), conv(32, 5, 1, 2), conv(32, 5, 1, 2)]],
    AlexNet: [[224, 3], [conv(64, 11, 4, 2), pool(3, 2), conv(192, 5, 1, 2), pool(3, 2), conv(384), conv(256), conv(256), pool(3, 2)]],
    "VGG-19": [[224, 3], vgg.map((filters) => (filters ? conv(filters) : pool(2, 2)))],
  };
  const FIELDS = [["Filter F", 1, 99], ["Stride S", 1, 32], ["Dilation D", 1, 32], ["Padding P", 0, 99], ["Filters K", 0, 65536]];
  const MOST_LAYERS = 40;
  const field = (label, value, min, max) => entry(label, min, max, value, () => show());

  // Every layer with its size, receptive field, jump, parameters and MACs; undefined sizes end the list.
  const walk = ([width, channels], layers) => {
    let [w, c, r, j] = [width, channels, 1, 1];
    return layers.map(([f, s, d, p, k]) => {
      const [before, from] = [w, c];
      w = Math.floor((w - d * (f - 1) - 1 + 2 * p) / s) + 1;
      c = k || c;
      r += (f - 1) * d * j;
      j *= s;
      const parameters = k ? f * f * from * k + k : 0;
      const span = d > 1 ? `${d}·(${f} − 1) − 1` : `${f}`;
      return {
        w, c, r, j, parameters, macs: k ? f * f * from * k * w * w : 0,
        size: `(${before} − ${span} + 2·${p})/${s} + 1`,
        weights: k ? `(${f}·${f}·${from})·${k} + ${k}` : "",
        cost: k ? `(${f}·${f}·${from})·${k}·${w}·${w}` : "",
      };
    });
  };

  let rows = [];
  const width = field("Width of the input", 32, 1, 4096);
  const channels = field("Channels of the input", 3, 1, 4096);
  const buttons = Object.keys(presets).map((name) => push(name, () => set(presets[name])));
  const more = push("Add a layer", () => {
    rows.push(line(rows.at(-1).inputs.map(({ value }) => +value)));
    body.append(rows.at(-1).row);
    show();
  });
  const less = push("Remove the last", () => {
    rows.pop().row.remove();
    show();
  });
  const body = make("tbody");
  const cells = (tag, texts) => texts.map((text, n) => make(tag, { className: n ? "n" : "s" }, text));
  const head = ["Layer", ...FIELDS.map(([name]) => name), "Size", "Sees", "Jump", "Parameters", "MACs"];
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...cells("th", head))), body);
  const total = make("output");
  const drawing = draw("svg", { viewBox: "0 0 200 200", role: "img", class: "sees" }, draw("title"), draw("rect", { class: "input" }), draw("rect", { class: "field" }));

  const line = (layer) => {
    const inputs = FIELDS.map(([name, min, max], n) => field(name, layer[n], min, max));
    const results = ["", "", "", "", ""].map(() => make("td", { className: "n" }));
    const row = make("tr", {}, make("th", { scope: "row" }), ...inputs.map((input) => make("td", { className: "n" }, input)), ...results);
    return { inputs, results, row };
  };
  const set = ([[w, c], layers]) => {
    [width.value, channels.value] = [w, c];
    rows = layers.map(line);
    body.replaceChildren(...rows.map(({ row }) => row));
    show();
  };
  const read = () => [[+width.value, +channels.value], rows.map(({ inputs }) => inputs.map(({ value }) => +value))];
  const code = (state) => state.flat().map((part) => [part].flat().join(",")).join(";");

  function show() {
    const state = read();
    const valid = [width, channels, ...rows.flatMap(({ inputs }) => inputs)].every((input) => input.checkValidity());
    const found = valid ? walk(...state) : [];
    const fits = valid && found.every(({ w }) => w >= 1);
    rows.forEach(({ row, results, inputs }, n) => {
      row.cells[0].textContent = `${n + 1}${+inputs[4].value ? "" : " pool"}`;
      const one = fits ? found[n] : null;
      const put = (cell, text, arithmetic) => cell.replaceChildren(text, ...(arithmetic ? [make("small", {}, arithmetic)] : []));
      put(results[0], one ? `${one.w}×${one.w}×${one.c}` : "", one?.size);
      put(results[1], one ? `${one.r}×${one.r}` : "");
      put(results[2], one ? String(one.j) : "");
      put(results[3], one ? whole(one.parameters) : "", one?.weights);
      put(results[4], one ? whole(one.macs) : "", one?.cost);
    });
    less.disabled = rows.length < 2;
    more.disabled = rows.length >= MOST_LAYERS;
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(code(presets[button.textContent]) === code(state))));
    const own = buttons.every((button) => button.ariaPressed === "false");
    if (!fits) {
      total.textContent = valid ? "A filter does not fit into its padded input." : "Each entry must be a whole number within its limits.";
      drawing.style.visibility = "hidden";
      return;
    }
    const last = found.at(-1);
    const sum = (key) => whole(found.reduce((before, one) => before + one[key], 0));
    total.textContent = `${sum("parameters")} parameters, ${sum("macs")} MACs; a unit of the last layer sees ${last.r}×${last.r} pixels` +
      `.${own ? ` ${OWN}` : ""}`;
    drawing.style.visibility = "visible";
    const side = Math.max(state[0][0], last.r);
    const place = (rect, size) => Object.entries({ x: 100 - (95 * size) / side, y: 100 - (95 * size) / side, width: (190 * size) / side, height: (190 * size) / side })
      .forEach(([key, value]) => rect.setAttribute(key, value.toFixed(1)));
    place($(".input", drawing), state[0][0]);
    place($(".field", drawing), last.r);
    $("title", drawing).textContent = `The square of ${last.r} pixels that a unit sees, on the input of ${state[0][0]}`;
  }

  block.append(
    make("h2", {}, "Your own layers"),
    row(...buttons),
    row(make("label", {}, "Width of the input ", width), make("label", {}, "Channels ", channels)),
    scrolling("Your layers", table),
    row(more, less, linked(block, () => code(read()))),
    make("div", { className: "outcome" }, drawing, total),
  );
  const [input, ...layers] = given(block).split(";").map((part) => part.split(",").map(Number));
  set(layers.length && layers.every((layer) => layer.length === FIELDS.length) ? [input, layers.slice(0, MOST_LAYERS)] : printed);
});
