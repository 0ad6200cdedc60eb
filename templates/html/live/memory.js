// Memory of a network by layer: batch, bytes a number, forward or training; begins at one image in 32 bits.
"use strict";

live("memory", (block, layers) => { // [name, activations of an image, weights]
  const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
  const batch = entry("Images in a batch", 1, 65536, 1, () => show());
  const bytes = choice("Bits of a number", [[4, "32 bits"], [2, "16 bits"]], () => show());
  const copies = choice("What is kept", [[1, "forward: each value once"], [2, "training: values and their gradients"]], () => show());
  const output = make("output");
  const { table, set } = bars("Memory by layer", layers.map(([name]) => name), ["Layer", "Activations", "Weights"]);

  function show() {
    if (!batch.checkValidity()) {
      output.textContent = "A batch has a whole number of images, at least one.";
      return;
    }
    const each = +bytes.value * +copies.value;
    const sizes = layers.map(([, activations, weights]) => [activations * +batch.value * each, weights * each]);
    set(sizes, megabytes);
    const [activations, weights] = [0, 1].map((part) => sizes.reduce((sum, size) => sum + size[part], 0));
    output.textContent = `Activations ${megabytes(activations)}, weights ${megabytes(weights)}, together ${megabytes(activations + weights)}` +
      " (without the state of the optimiser).";
  }
  block.append(make("h2", {}, "Memory by layer"), row(make("label", {}, "Batch ", batch), bytes, copies), row(output), table);
  show();
});
