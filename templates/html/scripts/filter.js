// Long lists of metrics and long tables have a field; the rows that do not have all of its words go.
ready(() => {
  const LONG = 20;
  for (const block of $$(".metrics, .table[data-rows]")) {
    const body = $("tbody", block);
    if (body.rows.length < LONG) continue;
    const what = block.matches(".metrics") ? "Filter the metrics" : "Filter the rows";
    const field = make("input", { type: "search", placeholder: what, ariaLabel: what });
    const status = make("span", { role: "status" });
    const filter = () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...body.rows];
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      }
      status.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
    };
    field.addEventListener("input", filter);
    $("table", block).addEventListener("rows", filter);
    block.before(make("p", { className: "filter" }, field, " ", status));
  }
});
