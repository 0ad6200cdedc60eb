// A long list of metrics has a field; the rows that do not have all of its words go.
ready(() => {
  const LONG = 20;
  for (const block of $$(".metrics")) {
    const rows = [...$("tbody", block).rows];
    if (rows.length < LONG) continue;
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const field = make("input", { type: "search", placeholder: "Filter the metrics", ariaLabel: "Filter the metrics" });
    const status = make("span", { role: "status" });
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, n) => (row.hidden = !wanted.every((word) => texts[n].includes(word))));
      status.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
    });
    block.before(make("p", { className: "filter" }, field, " ", status));
  }
});
