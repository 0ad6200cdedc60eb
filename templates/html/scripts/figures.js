// Figures: buttons hide series; the pointer, or the slider below, reads the numbers off the table.
ready(() => {
  const keys = (svg, hidden, changed) => {
    const legends = [...svg.querySelectorAll(".legend")].filter((part) => !part.id.endsWith("-text"));
    if (legends.length < 2) return;
    const row = document.createElement("div");
    row.className = "legend-keys";
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Series");
    for (const legend of legends) {
      const { series, label } = legend.dataset;
      const button = document.createElement("button");
      const swatch = document.createElementNS(SVG, "svg");
      const box = legend.getBBox();
      swatch.setAttribute("viewBox", `${box.x - 1} ${box.y - 2} ${box.width + 2} ${box.height + 4}`);
      swatch.setAttribute("aria-hidden", "true");
      const copy = legend.cloneNode(true);
      [copy, ...copy.querySelectorAll("[id]")].forEach((part) => part.removeAttribute("id"));
      swatch.append(copy);
      button.type = "button";
      button.append(swatch, label);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") === "false";
        button.setAttribute("aria-pressed", String(shown));
        shown ? hidden.delete(series) : hidden.add(series);
        svg.querySelectorAll(`.series[data-series="${series}"]`).forEach((part) => {
          part.classList.toggle("off", !shown);
        });
        changed();
      });
      row.append(button);
    }
    // The buttons are the legend now: cut the drawn one off.
    const [x, y, width, height] = numbers(svg.getAttribute("viewBox"));
    const ends = [...svg.querySelectorAll(".legend")].map((part) => part.getBBox()).map((box) => box.y + box.height);
    // Nothing else may be cut: a tall name of an axis can begin beside the legend.
    const at = svg.getBoundingClientRect();
    const tops = [...svg.querySelectorAll("text, use, path")]
      .filter((part) => !part.closest(".legend, defs, clipPath"))
      .map((part) => part.getBoundingClientRect())
      .filter((box) => box.height)
      .map((box) => y + ((box.top - at.top) * height) / at.height);
    const cut = Math.max(0, Math.min(Math.max(...ends) - y, Math.min(...tops) - y - 1));
    svg.querySelectorAll(".legend").forEach((part) => part.classList.add("off"));
    svg.dataset.whole = `${x} ${y} ${width} ${height}`;
    svg.setAttribute("viewBox", `${x} ${y + cut} ${width} ${height - cut}`);
    svg.closest("figure").prepend(row);
  };

  const reader = (figure, svg, table) => {
    const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
    const columns = [...table.tHead.rows[0].cells].map((head) => head.dataset.key);
    const rows = [...table.tBodies[0].rows];
    const places = numbers(figure.dataset.positions);
    const matrix = figure.dataset.kind === "heatmap";
    const scattered = ["scatter", "roc"].includes(figure.dataset.kind);
    const listed = figure.dataset.kind === "interval"; // rows stand below each other
    const [boxes, xs, ys] = ["box", "x", "y"].map((name) => svg.dataset[name].split(";"));
    const panels = boxes.map((box, n) => {
      const [left, top, right, bottom] = numbers(box);
      return { left, top, right, bottom, across: scale(xs[n], left, right), down: scale(ys[n], bottom, top) };
    });
    // Columns of values: of which panel and series.
    const values = columns.flatMap((name, column) => {
      const found = /^(?:p(\d+))?y(\d+)$/.exec(name);
      return found ? [{ column, panel: +(found[1] ?? 0), series: found[2], name }] : [];
    });
    const hidden = new Set();

    // Where the slider can stop: a row of a chart, a cell of a heatmap.
    const width = matrix ? columns.length - 1 : 1;
    const stops = rows.flatMap((row, r) => Array.from({ length: width }, (_, c) => ({ row, r, c: c + 1 })));
    if (!matrix) stops.sort((a, b) => places[a.r] - places[b.r]);

    const [side, above] = heads[0].split(" / ");
    const describe = ({ row, c }) => {
      const cells = [...row.cells];
      if (matrix) return `${side} ${words(cells[0])}, ${above} ${heads[c]}: ${words(cells[c])}`;
      const parts = values.flatMap(({ column, series, name }) => {
        if (hidden.has(series) || !words(cells[column])) return [];
        const [low, high] = ["low", "high"].map((end) => columns.indexOf(name.replace("y", end)));
        const interval = low < 0 ? "" : ` [${words(cells[low])}, ${words(cells[high])}]`;
        return [`${heads[column]} ${words(cells[column])}${interval}`];
      });
      return `${heads[0]} ${words(cells[0])}: ${parts.join(" · ")}`;
    };

    const guides = panels.map((panel) => {
      const guide = document.createElementNS(SVG, matrix ? "rect" : "line");
      guide.setAttribute("class", "guide");
      guide.setAttribute("visibility", "hidden");
      svg.append(guide);
      return { guide, ...panel };
    });
    const place = ({ r, c }, { left, top, right, bottom, across, down }) => {
      if (matrix) {
        const [x1, x2] = [across.place(c - 1.5), across.place(c - 0.5)];
        const [y1, y2] = [down.place(r - 0.5), down.place(r + 0.5)];
        const [x, y] = [Math.min(x1, x2), Math.min(y1, y2)];
        return { x, y, width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) };
      }
      if (listed) {
        const y = down.place(places[r]);
        return { x1: left, x2: right, y1: y, y2: y };
      }
      const x = across.place(places[r]);
      return { x1: x, x2: x, y1: top, y2: bottom };
    };
    const point = (stop) => {
      for (const { guide, ...panel } of guides) {
        Object.entries(place(stop, panel)).forEach(([name, value]) => guide.setAttribute(name, value));
        guide.setAttribute("visibility", "visible");
      }
    };

    const line = document.createElement("div");
    const slider = document.createElement("input");
    const output = document.createElement("output");
    line.className = "readout";
    Object.assign(slider, { type: "range", min: 0, max: stops.length - 1, step: 1, value: 0 });
    slider.setAttribute("aria-label", "Read the numbers at");
    slider.setAttribute("aria-valuetext", describe(stops[0]));
    output.textContent = "Point at the drawing, or move the slider, to read its numbers.";
    line.append(slider, output);
    figure.querySelector(".plot").after(line);

    let touched = false;
    const show = (index) => {
      touched = true;
      slider.value = index;
      const said = describe(stops[index]);
      slider.setAttribute("aria-valuetext", said);
      output.textContent = said;
      point(stops[index]);
    };
    slider.addEventListener("input", () => show(+slider.value));
    slider.addEventListener("focus", () => show(+slider.value));

    const distance = (stop, x, y, { across, down }) => {
      if (matrix) return Math.hypot(across.value(x) - (stop.c - 1), down.value(y) - stop.r);
      if (listed) return Math.abs(down.place(places[stop.r]) - y);
      const aside = across.place(places[stop.r]) - x;
      if (!scattered) return Math.abs(aside);
      const heights = values.flatMap(({ column, series }) => {
        const value = stop.row.cells[column].dataset.value;
        return value && !hidden.has(series) ? [down.place(+value) - y] : [];
      });
      return Math.min(...heights.map((height) => Math.hypot(aside, height)));
    };
    const read = (event) => {
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const panel = panels.find(({ left, top, right, bottom }) => x >= left && x <= right && y >= top && y <= bottom);
      if (!panel) return;
      let best = 0;
      let least = Infinity;
      stops.forEach((stop, index) => {
        const away = distance(stop, x, y, panel);
        if (away < least) [best, least] = [index, away];
      });
      show(best);
    };
    svg.addEventListener("pointermove", read);
    svg.addEventListener("pointerdown", read);

    keys(svg, hidden, () => touched && show(+slider.value));
  };

  for (const figure of document.querySelectorAll("figure[data-kind]:not(:has([data-live]))")) {
    const svg = figure.querySelector("svg");
    const table = figure.parentElement.querySelector(".numbers table");
    if (svg?.dataset.box && figure.dataset.positions) reader(figure, svg, table);
    else if (svg?.dataset.box) keys(svg, new Set(), () => {});
  }
});
