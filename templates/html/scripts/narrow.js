// On a phone, panels that are drawn side by side stand below each other, and letters grow as far as none
// touches another.
ready(() => {
  const WIDEST = 640; // pixels of a window that is narrow
  const SMALLEST = 9.5; // pixels of a letter that can be read
  const NUMBER = /^[−\d.,%×⁰¹²³⁴⁵⁶⁷⁸⁹]+$/;
  if (innerWidth > WIDEST) return;

  // The place of a part in the units of its drawing, whatever turns and moves it.
  const placed = (part, svg) => {
    const [x, y, width] = numbers(svg.getAttribute("viewBox"));
    const [at, box] = [svg.getBoundingClientRect(), part.getBoundingClientRect()];
    const unit = width / at.width;
    return {
      left: x + (box.left - at.left) * unit, right: x + (box.right - at.left) * unit,
      top: y + (box.top - at.top) * unit, bottom: y + (box.bottom - at.top) * unit,
    };
  };
  const around = (boxes) => ({
    left: Math.min(...boxes.map((box) => box.left)), right: Math.max(...boxes.map((box) => box.right)),
    top: Math.min(...boxes.map((box) => box.top)), bottom: Math.max(...boxes.map((box) => box.bottom)),
  });
  const lettering = (root) => $$("text", root).filter((text) => !text.closest(".legend"));

  const move = (part, across, down) => {
    const before = part.getAttribute("transform") ?? "";
    part.setAttribute("transform", `translate(${across} ${down}) ${before}`);
  };

  const stack = (svg, boxes) => {
    const [, y] = numbers(svg.getAttribute("viewBox"));
    const drawn = [...$(":scope > g", svg).children].filter((part) => $("text", part) && !part.matches(".legend"));
    const words = drawn.map((part) => around(lettering(part).map((text) => placed(text, svg))));
    // Each panel is the part whose letters stand around its middle.
    const within = (n, x, y) => words[n].left < x && x < words[n].right && words[n].top < y && y < words[n].bottom;
    const parts = boxes.map((box) => drawn.findIndex((_, n) => within(n, (box.left + box.right) / 2, (box.top + box.bottom) / 2)));
    if (new Set(parts).size < boxes.length || parts.includes(-1)) return;
    // Where panels share an axis, its numbers stand beside one of them alone.
    const SIDES = { left: (at, box) => at.right <= box.left, bottom: (at, box) => at.top >= box.bottom };
    for (const [side, beside] of Object.entries(SIDES)) {
      const scales = boxes.map((box, n) => lettering(drawn[parts[n]]).filter((text) => beside(placed(text, svg), box)));
      const same = side === "left" ? "top" : "left";
      boxes.forEach((box, n) => {
        const other = boxes.findIndex((one, m) => scales[m].length && Math.abs(one[same] - box[same]) < 2);
        if (scales[n].length || other < 0) return;
        for (const text of scales[other]) {
          move(drawn[parts[n]].appendChild(text.cloneNode(true)), box.left - boxes[other].left, box.bottom - boxes[other].bottom);
        }
      });
    }
    const whole = boxes.map((box, n) => around([box, ...lettering(drawn[parts[n]]).map((text) => placed(text, svg))]));
    const before = Math.max(...boxes.map((box, n) => box.left - whole[n].left));
    const width = before + Math.max(...boxes.map((box, n) => whole[n].right - box.left)) + 3;
    let down = 0;
    svg.dataset.box = boxes.map((box, n) => {
      const [across, below] = [before - box.left, n ? down - whole[n].top : 0];
      down = whole[n].bottom + below + 8;
      move(drawn[parts[n]], across, below);
      return [box.left + across, box.top + below, box.right + across, box.bottom + below].join(" ");
    }).join(";");
    svg.setAttribute("viewBox", `0 ${y} ${width} ${down - y}`);
    svg.setAttribute("width", 1.8 * width);
    svg.parentElement.classList.remove("wide");
  };

  // Which letterings touch, as pairs of their places in the list.
  const touching = (boxes) => {
    const pairs = [];
    boxes.forEach((a, n) => boxes.slice(0, n).forEach((b, m) => {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom - 1.5 && b.top < a.bottom - 1.5) pairs.push([m, n]);
    }));
    return pairs;
  };
  // Numbers of an axis make room for each other; no words may touch that did not in print.
  const fits = (texts, svg, printed) => {
    const isNumber = texts.map((text) => NUMBER.test(text.textContent));
    const off = new Set();
    for (const [m, n] of touching(texts.map((text) => placed(text, svg)))) {
      if (off.has(m) || off.has(n) || printed.has(`${m} ${n}`)) continue;
      if (!isNumber[m] || !isNumber[n]) return false;
      off.add(n);
    }
    texts.forEach((text, n) => text.classList.toggle("off", off.has(n)));
    return true;
  };
  const enlarge = (svg, box) => {
    const unit = svg.getBoundingClientRect().width / numbers(svg.getAttribute("viewBox"))[2];
    const texts = lettering(svg);
    const first = texts.map((text) => ({ size: parseFloat(text.getAttribute("font-size") ?? 8), transform: text.getAttribute("transform") ?? "", ...placed(text, svg) }));
    const lines = [...new Set(first.filter((at) => at.top > box.bottom - 2).map((at) => Math.round(at.bottom)))].sort((a, b) => a - b);
    const printed = new Set(touching(first).map((pair) => pair.join(" ")));
    const restore = () => texts.forEach((text, n) => {
      text.setAttribute("font-size", first[n].size);
      text.setAttribute("transform", first[n].transform);
      text.classList.remove("off");
    });
    const set = (by) => {
      restore();
      texts.forEach((text, n) => {
        text.setAttribute("font-size", first[n].size * by);
        // What stands below the plot goes down, line by line.
        if (first[n].top > box.bottom - 2) move(text, 0, 0.75 * first[n].size * (by - 1) * (1 + lines.indexOf(Math.round(first[n].bottom))));
      });
      // The upright name of an axis keeps away from its numbers.
      const beside = texts.filter((_, n) => first[n].right <= box.left);
      const upright = beside.filter((text) => text.getAttribute("transform").includes("rotate"));
      const end = Math.min(...beside.filter((text) => !upright.includes(text)).map((text) => placed(text, svg).left));
      for (const text of upright) move(text, Math.min(0, end - 2 - placed(text, svg).right), 0);
    };
    const most = SMALLEST / (Math.min(...first.map((at) => at.size)) * unit);
    for (const by of [1, 0.9, 0.8, 0.7].map((part) => part * most).filter((factor) => factor > 1)) {
      set(by);
      if (!fits(texts, svg, printed)) {
        restore();
        continue;
      }
      const [x, y, width, height] = numbers(svg.getAttribute("viewBox"));
      const shown = texts.filter((text) => !text.matches(".off")).map((text) => placed(text, svg));
      const all = around([{ left: x, right: x + width, top: y, bottom: y + height }, ...shown]);
      svg.setAttribute("viewBox", [all.left, all.top, all.right - all.left, all.bottom - all.top].join(" "));
      return;
    }
  };

  for (const svg of $$(".plot svg[data-box]").filter((one) => one.checkVisibility())) {
    const boxes = svg.dataset.box.split(";").map((box) => {
      const [left, top, right, bottom] = numbers(box);
      return { left, top, right, bottom };
    });
    if (boxes.length > 1) stack(svg, boxes);
    else if (svg.closest("figure").dataset.kind !== "heatmap") enlarge(svg, boxes[0]);
  }
});
