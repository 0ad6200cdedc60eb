// One threshold of a distance moves the point on the ROC, the line on the histogram and the counts together.
ready(() => {
  const upTo = (counts) => counts.reduce((sums, count) => [...sums, sums.at(-1) + count], [0]);
  const whole = (value) => value.toLocaleString("en");
  const share = (value) => value.toFixed(3);

  for (const figure of $$("figure[data-scores]")) {
    const svg = $(".plot svg", figure);
    if (!svg?.dataset.box) continue;
    const { label, same, different, largest, threshold: first } = JSON.parse(figure.dataset.scores);
    const [left, top, right, bottom] = numbers(svg.dataset.box);
    const across = scale(svg.dataset.x, left, right);
    const down = scale(svg.dataset.y, bottom, top);
    const [near, far] = [upTo(same), upTo(different)];
    const [positives, negatives] = [near.at(-1), far.at(-1)];
    const width = largest / same.length;
    const point = draw("circle", { class: "threshold", r: 4 });
    svg.append(point);

    // The histogram: shares of each kind of pair by distance.
    const [SIDE, TALL] = [300, 84];
    const highest = Math.max(...same.map((n) => n / positives), ...different.map((n) => n / negatives));
    const steps = (counts, all) => counts
      .map((n, k) => `${((SIDE * k) / counts.length).toFixed(1)} ${(TALL - ((TALL - 14) * n) / all / highest).toFixed(1)}h${(SIDE / counts.length).toFixed(2)}`)
      .join("L");
    const at = draw("path", { class: "at" });
    const word = (x, text, anchor = "start") => draw("text", { x, y: TALL + 14, "text-anchor": anchor }, text);
    const histogram = draw("svg", { viewBox: `0 0 ${SIDE} ${TALL + 18}`, role: "img" },
      draw("title", {}, "Distances of pairs of one person (solid) and of different people (dashed), as shares of each kind"),
      draw("path", { class: "base", d: `M0 ${TALL}H${SIDE}` }), draw("path", { class: "same", d: `M${steps(same, positives)}` }),
      draw("path", { class: "different", d: `M${steps(different, negatives)}` }), at,
      word(0, "0"), word(SIDE / 2, "distance (dashed: different people)", "middle"), word(SIDE, largest.toPrecision(3), "end"));

    const counts = [0, 1].map(() => [0, 1].map(() => make("td", { className: "n" })));
    const line = (name, cells) => make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    const heads = ["Pairs of", "Called the same", "Called different"].map((name, n) => make("th", { scope: "col", className: n ? "n" : "s" }, name));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, line("one person", counts[0]), line("different people", counts[1])));

    const slider = make("input", { type: "range", min: 0, max: same.length, step: 1 });
    slider.value = Math.round(first / width);
    slider.setAttribute("aria-label", `Threshold of the distance: ${label}`);
    const output = make("output");
    const show = () => {
      const n = +slider.value;
      const [hits, alarms] = [near[n] / positives, far[n] / negatives];
      const right = (near[n] + negatives - far[n]) / (positives + negatives);
      point.setAttribute("cx", across.place(alarms));
      point.setAttribute("cy", down.place(hits));
      at.setAttribute("d", `M${(SIDE * n) / same.length} 0V${TALL}`);
      [[near[n], positives - near[n]], [far[n], negatives - far[n]]].forEach((row, r) =>
        row.forEach((value, c) => (counts[r][c].textContent = whole(value))));
      output.textContent =
        `${label}, threshold ${(n * width).toPrecision(3)}: true positive rate ${share(hits)}, ` +
        `false positive rate ${share(alarms)}, accuracy ${share(right)}, balanced ${share((hits + 1 - alarms) / 2)}`;
      slider.setAttribute("aria-valuetext", output.textContent);
    };
    slider.addEventListener("input", show);
    $(".plot", figure).after(make("div", { className: "readout" }, slider, output), make("div", { className: "decisions" }, histogram, table));
    show();
  }
});
