// What a reader takes away: a table as LaTeX, Markdown or text, a figure as PNG or embedded, a study's BibTeX.
ready(() => {
  const button = (row, name, label, work) => {
    const made = make("button", { type: "button" }, name);
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", () => work(made));
    const last = [...row.children].find((link) => link.textContent === "JSON");
    row.insertBefore(made, last ?? null);
  };
  const text = (cell) => {
    const clone = cell.cloneNode(true);
    $$("small, sup, .anchor", clone).forEach((part) => part.remove());
    return clone.textContent.replace(/\s+/g, " ").trim();
  };
  const SIGNS = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "−": "$-$", "×": "$\\times$", "·": "$\\cdot$", "≥": "$\\geq$", "—": "---", "–": "--" };
  const latex = (words) => words.replace(/[&%$#_{}]|[\\~^−×·≥—–]/g, (sign) => SIGNS[sign] ?? `\\${sign}`);

  for (const block of $$("main .table")) {
    const row = $(":scope > .files", block);
    const table = $("table", block);
    if (!row || !table.tHead) continue;
    const numeric = [...table.tHead.rows[0].cells].map((head) => head.classList.contains("n"));
    const lines = () => [...table.rows].map((line) => [...line.cells].map(text));
    const forms = {
      LaTeX: () => {
        const [head, ...rest] = lines().map((cells) => `${cells.map(latex).join(" & ")} \\\\`);
        const columns = numeric.map((right) => (right ? "r" : "l")).join("");
        return ["% \\usepackage{booktabs}", `\\begin{tabular}{${columns}}`, "\\toprule", head, "\\midrule", ...rest, "\\bottomrule", "\\end{tabular}"].join("\n");
      },
      Markdown: () => {
        const [head, ...rest] = lines().map((cells) => `| ${cells.map((words) => words.replaceAll("|", "\\|")).join(" | ")} |`);
        return [head, `|${numeric.map((right) => (right ? "---:" : "---")).join("|")}|`, ...rest].join("\n");
      },
      Copy: () => lines().map((cells) => cells.join("\t")).join("\n"),
    };
    for (const [name, form] of Object.entries(forms)) {
      button(row, name, name === "Copy" ? "Copy the table" : `Copy as ${name}`, (made) => copy(form(), made));
    }
  }

  // The pictures of a drawing, which are files beside the page, as parts of its copy.
  const withPictures = async (svg, clone) => {
    const places = $$("foreignObject", clone);
    await Promise.all($$("foreignObject img", svg).map(async (picture, n) => {
      picture.loading = "eager";
      await picture.decode();
      const canvas = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
      canvas.getContext("2d").drawImage(picture, 0, 0);
      const part = draw("image", { href: canvas.toDataURL("image/png"), "image-rendering": "pixelated" });
      [...places[n].attributes].forEach(({ name, value }) => part.setAttribute(name, value));
      places[n].replaceWith(part);
    }));
  };
  const png = async (svg, name) => {
    const clone = svg.cloneNode(true);
    await withPictures(svg, clone);
    const viewBox = svg.dataset.whole ?? svg.getAttribute("viewBox"); // with the legend that the buttons stand for
    const [, , width, height] = numbers(viewBox);
    $$(".guide", clone).forEach((part) => part.remove());
    for (const legend of svg.dataset.whole ? $$(".legend", clone) : []) {
      legend.classList.toggle("off", $(`.series.off[data-series="${legend.dataset.series}"]`, clone) !== null);
    }
    Object.entries({ width, height, viewBox, color: "#111111", "font-family": "Helvetica, Arial, sans-serif" })
      .forEach(([key, value]) => clone.setAttribute(key, value));
    const style = draw("style");
    style.textContent = ".off { display: none }";
    clone.prepend(style);
    const image = new Image();
    image.addEventListener("load", () => {
      const scale = 4; // 288 pixels an inch of the printed figure
      const canvas = make("canvas", { width: width * scale, height: height * scale });
      const context = canvas.getContext("2d");
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      make("a", { href: canvas.toDataURL("image/png"), download: `${name}.png` }).click();
    });
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(clone))}`;
  };
  for (const block of $$("main .figure[id]")) {
    const row = $(":scope > .files", block);
    const svg = $(".plot svg", block);
    const file = row && $$("a", row).find((link) => link.textContent === "SVG");
    if (!file || !svg) continue;
    // A page from disk may not read its pictures.
    if (!$("foreignObject", svg) || location.protocol !== "file:") button(row, "PNG", "", () => png(svg, block.id.replace(/[^\w.-]+/g, "-")));
    button(row, "Embed", "Copy HTML that embeds the figure", (made) => {
      const page = `${location.href.split("#")[0]}#${block.id}`;
      const words = make("i", {}, $("title", svg).textContent).innerHTML.replaceAll('"', "&quot;");
      copy(`<a href="${page}"><img src="${file.href}" alt="${words}" width="100%"></a>`, made);
    });
  }

  const bibtex = $(".bibtex");
  if (!bibtex) return;
  const code = $("code", bibtex);
  // The address that the page is read at, where the study file names none.
  if (!code.textContent.includes("  url ") && location.protocol.startsWith("http")) {
    code.textContent = code.textContent.replace(/\n {2}note /, `\n  url    = {${location.href.split("#")[0]}},\n  note `);
  }
  const row = make("p", { className: "files" });
  bibtex.after(row);
  button(row, "Copy BibTeX", "", (made) => copy(code.textContent, made));
});
