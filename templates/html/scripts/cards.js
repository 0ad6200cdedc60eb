// One card shows what a citation, footnote, term, table, figure or number is: on hover and on focus; Escape closes it.
ready(() => {
  const KINDS = "a.value, a.term, a.ref, a[role=doc-biblioref], a[role=doc-noteref]";
  const ROWS = 6;
  const card = make("div", { className: "card", id: "card", popover: "manual", role: "tooltip" });
  const titles = new Map();
  let [from, timer] = [null, 0];

  const without = (element, ...parts) => {
    const clone = element.cloneNode(true);
    $$(parts.join(), clone).forEach((part) => part.remove());
    [clone, ...$$("[id]", clone)].forEach((part) => part.removeAttribute("id"));
    return clone;
  };
  const shows = (link) => {
    const here = link.pathname === location.pathname && link.hash;
    const target = here && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const text = titles.get(link);
    if (!target || link.matches(".value")) return text ? [make("p", {}, text)] : null;
    if (link.matches("[role]")) {
      return [make("p", {}, ...without(target, "a[role=doc-backlink], .anchor").childNodes)];
    }
    const caption = $("figcaption, caption", target);
    if (!caption) return null;
    const words = make("p", {}, ...without(caption, ".anchor, [role=status]").childNodes);
    const drawing = $(".plot svg", target);
    if (drawing) return [without(drawing, "foreignObject, .guide"), words];
    const table = without($("table", target), "caption, tfoot, small");
    const rows = [...table.tBodies[0].rows];
    rows.slice(ROWS).forEach((row) => row.remove());
    $$("button", table).forEach((button) => button.replaceWith(...button.childNodes));
    const more = rows.length > ROWS ? [make("p", { className: "more" }, `${rows.length - ROWS} more rows`)] : [];
    return [words, table, ...more];
  };
  const close = () => {
    clearTimeout(timer);
    if (!from) return;
    from.removeAttribute("aria-describedby");
    from = null;
    card.hidePopover();
  };
  const open = (link) => {
    clearTimeout(timer);
    if (from === link || (link.nextElementSibling?.matches(".beside-text") && link.nextElementSibling.checkVisibility())) return;
    const content = shows(link);
    close();
    if (!content) return;
    from = link;
    card.replaceChildren(...content);
    card.showPopover();
    link.setAttribute("aria-describedby", "card");
    const [at, size] = [link.getClientRects()[0], card.getBoundingClientRect()];
    const below = at.bottom + 6 + size.height < innerHeight || at.top < size.height;
    card.style.left = `${Math.max(12, Math.min(at.left, document.documentElement.clientWidth - size.width - 12))}px`;
    card.style.top = `${below ? at.bottom + 6 : at.top - size.height - 6}px`;
  };
  const later = (work, wait) => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
  const links = $$(KINDS, $("main"));
  for (const link of links) {
    titles.set(link, link.title);
    link.removeAttribute("title");
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && later(() => open(link), 220));
    link.addEventListener("pointerleave", () => later(close, 250));
    link.addEventListener("focus", () => link.matches(":focus-visible") && open(link));
    link.addEventListener("blur", close);
  }
  if (!links.length) return;
  document.body.append(card);
  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", () => later(close, 250));
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("scroll", close, { passive: true });
});
