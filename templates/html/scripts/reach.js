// What scrolls sideways must be within reach of the keyboard, and what does not must not stop it.
ready(() => {
  const WIDE = ".scroll, .plot, .equation";
  const boxes = () => $$(".equation, pre, .scroll, .plot"); // a live figure makes more of them
  const wide = (box) => box.scrollWidth > box.clientWidth + 1;
  // A table or drawing that goes on beyond its box has a shadow there, until its end is in sight.
  const more = (box) => box.classList.toggle("more", wide(box) && box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  // Where the arithmetic of one row has no room beside its number, that of all rows stands below.
  const sums = $$("main table").filter((table) => $(".sum", table));
  const below = (table) => {
    table.classList.remove("below");
    table.classList.toggle("below", $$(".sum", table).some((sum) => $("small", sum).offsetTop > sum.offsetTop + 8));
  };
  const reach = () => {
    sums.filter((table) => table.checkVisibility()).forEach(below);
    for (const box of boxes()) {
      const scrolls = wide(box) || box.scrollHeight > box.clientHeight + 1;
      scrolls ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
      if (!box.matches(WIDE)) continue;
      more(box);
      if (box.matches(".equation")) continue; // whose shadow says enough
      const hint = box.nextElementSibling?.matches(".goes-on") && box.nextElementSibling;
      if (wide(box) && !hint && box.checkVisibility()) box.after(make("p", { className: "goes-on" }, "Scroll sideways for the rest →"));
      if (!wide(box) && hint) hint.remove();
    }
  };
  addEventListener("scroll", ({ target }) => target !== document && target.matches(WIDE) && more(target), { capture: true, passive: true });
  reach();
  addEventListener("load", reach);
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
});
