// Average precision: the reader moves the scores of detections; the curve and the average of each convention follow.
"use strict";

live("precision", (block, { truth, detections, shown, threshold, nothing, conventions }) => {
  // A box is image, class, row, column, width; a detection has a score besides. Detections are best first.
  const STRICT = Array.from({ length: 10 }, (_, n) => (50 + 5 * n) / 100); // COCO's thresholds of IoU
  const overlap = (a, b) => (a[0] === b[0] ? iou(a.slice(2, 5), b.slice(2, 5)) : 0);
  const printed = detections.map((box) => box[5]);
  const kinds = [...new Set(truth.map((box) => box[1]))].sort();
  let scores = [...printed];

  // The detections of a class, best first, as numbers; and of each the number of the true box that it finds, or -1.
  const ranked = (kind) => detections.flatMap((box, n) => (box[1] === kind ? [n] : [])).sort((a, b) => scores[b] - scores[a]);
  const matches = (kind, order, least) => {
    const found = new Set();
    return order.map((n) => {
      let [best, most] = [-1, 0];
      truth.forEach((box, t) => {
        const share = box[1] === kind && !found.has(t) ? overlap(detections[n], box) : 0;
        if (share >= least && share > most) [best, most] = [t, share];
      });
      return best < 0 ? best : (found.add(best), best);
    });
  };
  const curve = (kind, found) => {
    const all = truth.filter((box) => box[1] === kind).length;
    let right = 0;
    const points = found.map((one, n) => ((right += one >= 0), [right / all, right / (n + 1)]));
    return points.map(([recall, precision], n) => [recall, precision, Math.max(...points.slice(n).map((point) => point[1]))]);
  };
  const area = (points, height) => points.reduce((sum, point, n) => sum + point[height] * (point[0] - (n ? points[n - 1][0] : 0)), 0);
  const meanAt = (points, count) => {
    const heights = Array.from({ length: count }, (_, n) => points.find((point) => point[0] >= n / (count - 1))?.[2] ?? 0);
    return heights.reduce((sum, height) => sum + height, 0) / count;
  };
  const averages = (kind) => {
    const at = (least) => curve(kind, matches(kind, ranked(kind), least));
    const points = at(threshold);
    return {
      plain: area(points, 1), eleven: meanAt(points, 11), envelope: area(points, 2), coco: meanAt(points, 101),
      strict: STRICT.reduce((sum, least) => sum + meanAt(at(least), 101), 0) / STRICT.length,
    };
  };
  const verdict = (n, found) => {
    const most = (own) => Math.max(0, ...truth.filter((box) => (box[1] === detections[n][1]) === own).map((box) => overlap(detections[n], box)));
    if (found >= 0) return "correct";
    if (most(true) >= threshold) return "found already";
    if (most(false) >= threshold) return "another class";
    return most(true) >= nothing ? "fits badly" : "nothing there";
  };

  const rows = detections.map((box, n) => {
    const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: printed[n] });
    slider.ariaLabel = `Score of a detection on image ${box[0]}, printed ${printed[n].toFixed(2)}`;
    slider.addEventListener("input", () => {
      scores[n] = +slider.value;
      show();
    });
    return { slider, score: make("span"), rank: make("span"), said: make("span") };
  });
  const picked = choice("Class", kinds.map((kind) => [kind, `class ${kind}`]), () => show());
  const reset = push("As printed", () => set(printed));
  const output = make("output");
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const drawing = chart("Precision by recall after each detection, and the envelope", { label: "Recall (dashed: the envelope)", ticks }, { label: "Precision", ticks });
  const lines = make("div");
  const names = Object.keys(conventions);
  const values = [...kinds, "Mean"].map((name) => [name, ...names.map(() => make("span"))]);

  const set = (given) => {
    scores = [...given];
    rows.forEach(({ slider }, n) => (slider.value = scores[n]));
    show();
  };
  function show() {
    const kind = picked.value;
    const order = ranked(kind);
    const found = matches(kind, order, threshold);
    order.forEach((n, place) => {
      const { slider, score, rank, said } = rows[n];
      score.textContent = scores[n].toFixed(2);
      rank.textContent = place + 1;
      said.textContent = verdict(n, found[place]);
      slider.setAttribute("aria-valuetext", `${score.textContent}: rank ${place + 1}, ${said.textContent}`);
    });
    const points = curve(kind, found);
    const falling = points.flatMap(([recall, , height], n) => [[n ? points[n - 1][0] : 0, height], [recall, height]]);
    drawing.set([["b", [...falling, [points.at(-1)[0], 0], [1, 0]]], ["a", points, true]]);
    const each = kinds.map(averages);
    const means = (name) => each.reduce((sum, one) => sum + one[name], 0) / each.length;
    values.forEach(([, ...cells], n) => cells.forEach((cell, c) => (cell.textContent = (n < each.length ? each[n][names[c]] : means(names[c])).toFixed(3))));
    const own = `${scores}` !== `${printed}`;
    reset.setAttribute("aria-pressed", String(!own));
    output.textContent = `${found.filter((one) => one >= 0).length} of ${order.length} detections of ${kind} are correct.${own ? ` ${OWN}` : ""}`;
  }
  const list = () => lines.replaceChildren(grid("Detections", ["Score", "", "Rank", "It is"],
    detections.flatMap((box, n) => (box[1] === picked.value ? [[rows[n].slider, rows[n].score, rows[n].rank, rows[n].said]] : []))));
  picked.addEventListener("input", list);

  picked.value = shown;
  block.append(
    row(picked, reset, linked(block, () => scores.join(","))),
    make("div", { className: "beside" }, drawing.svg, lines),
    row(output),
    grid("Average precision by convention", ["Class", ...names.map((name) => conventions[name])], values),
  );
  list();
  const state = given(block).split(",").map(Number);
  set(state.length === printed.length ? state : printed);
});
