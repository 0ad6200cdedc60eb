// A long table has its first rows on the page; the others are a script beside it, and come when it is loaded.
ready(() => {
  for (const block of $$(".table[data-rows]")) {
    const table = $("table", block);
    const heads = [...table.tHead.rows[0].cells];
    const codes = [...table.tBodies[0].rows[0].cells].map((cell) => $("code", cell) !== null);
    const cell = (text, n) => {
      const element = make(n ? "td" : "th", n ? {} : { scope: "row" }, codes[n] && text ? make("code", {}, text) : text);
      element.className = [..."nsw"].find((name) => heads[n].classList.contains(name)) ?? "";
      return element;
    };
    const script = make("script", { src: block.dataset.rows });
    script.addEventListener("load", () => {
      const rows = window.moreRows[block.id].map((texts) => make("tr", {}, ...texts.map(cell)));
      table.tBodies[0].append(...rows);
      table.dispatchEvent(new CustomEvent("rows", { detail: rows }));
      $(".first", block).remove();
    });
    document.head.append(script);
  }
});
