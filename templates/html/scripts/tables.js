// Tables: a button in every column heading sorts the body: rising, falling, as printed; totals stay below.
ready(() => {
  const NEXT = new Map([[null, "ascending"], ["ascending", "descending"], ["descending", null]]);
  const asNumber = (text) => (/^−?[\d,]+(\.\d+)?%?$/.test(text) ? text.replace(/[,%]/g, "").replace("−", "-") : text);
  const key = (row, column) => row.cells[column].dataset.value ?? asNumber(words(row.cells[column]));
  const compare = (a, b, numeric, sign) =>
    a === "" || b === ""
      ? (a === "") - (b === "")
      : sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));

  for (const table of $$("main table")) {
    const body = table.tBodies[0];
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    if (!body || body.rows.length < 3) continue;
    const printed = [...body.rows];
    table.addEventListener("rows", (event) => printed.push(...event.detail));
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", title: "Sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = NEXT.get(head.getAttribute("aria-sort"));
        const sign = next === "descending" ? -1 : 1;
        const numeric = head.classList.contains("n");
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next) head.setAttribute("aria-sort", next);
        const keyed = printed.map((row) => [key(row, column), row]);
        if (next) keyed.sort(([a], [b]) => compare(a, b, numeric, sign));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }
});
