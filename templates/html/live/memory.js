// Memory of a network by layer: batch, bytes a number, forward or training; begins at one image in 32 bits.
"use strict";

ready(() => {
  const block = $("[data-live=memory]");
  if (!block) return;
  const layers = JSON.parse(block.dataset.start); // [name, activations of an image, weights]
  const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
  const batch = make("input", { type: "number", min: 1, max: 65536, step: 1, value: 1, required: true, inputMode: "numeric", ariaLabel: "Images in a batch" });
  const select = (label, choices) => make("select", { ariaLabel: label }, ...choices.map(([value, text]) => make("option", { value }, text)));
  const bytes = select("Bits of a number", [[4, "32 bits"], [2, "16 bits"]]);
  const copies = select("What is kept", [[1, "forward: each value once"], [2, "training: values and their gradients"]]);
  const output = make("output");
  const bars = layers.map(([name]) => {
    const [activations, weights] = ["a", "b"].map((kind, n) => draw("rect", { class: kind, x: 0, y: 1 + 6 * n, height: 5 }));
    const cells = [make("td", { className: "n" }), make("td", { className: "n" })];
    const bar = draw("svg", { viewBox: "0 0 100 13", preserveAspectRatio: "none", "aria-hidden": "true" }, activations, weights);
    return { row: make("tr", {}, make("th", { scope: "row" }, name), ...cells, make("td", {}, bar)), cells, rects: [activations, weights] };
  });
  const heads = ["Layer", "Activations", "Weights", ""].map((name, n) => make(name ? "th" : "td", { className: n ? "n" : "s" }, name));
  const table = make("table", { className: "bars" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...bars.map(({ row }) => row)));

  const show = () => {
    if (!batch.checkValidity()) {
      output.textContent = "A batch has a whole number of images, at least one.";
      return;
    }
    const each = +bytes.value * +copies.value;
    const sizes = layers.map(([, activations, weights]) => [activations * +batch.value * each, weights * each]);
    const most = Math.max(...sizes.flat());
    bars.forEach(({ cells, rects }, n) => sizes[n].forEach((size, part) => {
      cells[part].textContent = megabytes(size);
      rects[part].setAttribute("width", ((100 * size) / most).toFixed(2));
    }));
    const [activations, weights] = [0, 1].map((part) => sizes.reduce((sum, size) => sum + size[part], 0));
    output.textContent = `Activations ${megabytes(activations)}, weights ${megabytes(weights)}, together ${megabytes(activations + weights)}` +
      " (without the state of the optimiser).";
  };
  [batch, bytes, copies].forEach((input) => input.addEventListener("input", show));
  block.append(
    make("h2", {}, "Memory by layer"),
    make("p", { className: "row" }, make("label", {}, "Batch ", batch), bytes, copies),
    make("p", { className: "row" }, output),
    make("div", { className: "scroll", role: "region", tabIndex: 0, ariaLabel: "Memory by layer" }, table),
  );
  show();
});
