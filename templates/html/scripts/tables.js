// Tables: a button in every column heading sorts the body; totals stay below.
ready(() => {
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? words(cell);
  };
  const compare = (a, b, numeric) =>
    a === "" || b === ""
      ? (a === "") - (b === "")
      : numeric ? a - b : a.localeCompare(b, "en", { numeric: true });

  for (const table of document.querySelectorAll("main table")) {
    const body = table.tBodies[0];
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    if (!body || body.rows.length < 3) continue;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        const numeric = head.classList.contains("n");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => (a && b && down ? -1 : 1) * compare(a, b, numeric));
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
});
