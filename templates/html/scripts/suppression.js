// Non-maximum suppression: a slider moves the threshold; boxes go, because a better one overlaps them more.
ready(() => {
  for (const figure of document.querySelectorAll("figure[data-suppression]")) {
    const { picture, threshold, boxes, match, objects } = JSON.parse(figure.dataset.suppression);
    const drawn = boxes.map((_, n) => figure.querySelectorAll(`.box[data-picture="${picture}"][data-box="${n}"]`));
    const order = boxes.map((_, n) => n).sort((a, b) => boxes[b][3] - boxes[a][3]);
    const line = document.createElement("div");
    const slider = document.createElement("input");
    const output = document.createElement("output");
    line.className = "readout";
    Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.01, value: threshold });
    slider.setAttribute("aria-label", "Threshold of suppression (IoU)");

    // How many objects the boxes find: each, best first, the one of those left that it overlaps most.
    const found = (kept) => {
      const left = new Set(objects);
      for (const n of kept) {
        const [object] = [...left].sort((a, b) => iou(boxes[n], b) - iou(boxes[n], a));
        if (object && iou(boxes[n], object) >= match) left.delete(object);
      }
      return objects.length - left.size;
    };

    const show = () => {
      const limit = +slider.value;
      const kept = [];
      let [most, least] = [0, Infinity];
      for (const n of order) {
        const highest = Math.max(0, ...kept.map((other) => iou(boxes[n], boxes[other])));
        if (highest > limit) least = Math.min(least, highest);
        else {
          most = Math.max(most, highest);
          kept.push(n);
        }
      }
      drawn.forEach((parts, n) => parts.forEach((part) => {
        part.classList.toggle("off", !kept.includes(n));
        part.classList.toggle("kept", kept.includes(n));
      }));
      const said = [`Threshold ${limit.toFixed(2)}: ${kept.length} of ${boxes.length} boxes remain.`];
      if (match) said.push(`They find ${found(kept)} of ${objects.length} objects.`);
      if (kept.length > 1) said.push(`Their largest IoU is ${most.toFixed(2)}.`);
      if (least < Infinity) said.push(`The smallest IoU that removed a box is ${least.toFixed(2)}.`);
      output.textContent = said.join(" ");
      slider.setAttribute("aria-valuetext", output.textContent);
    };
    slider.addEventListener("input", show);
    line.append(slider, output);
    figure.querySelector(".plot").after(line);
    show();
  }
});
