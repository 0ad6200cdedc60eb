// What scrolls sideways must be within reach of the keyboard, and what does not must not stop it.
ready(() => {
  const boxes = $$(".equation, pre, .scroll, .plot");
  const wide = (box) => box.scrollWidth > box.clientWidth + 1;
  // A table or drawing that goes on beyond its box has a shadow there, until its end is in sight.
  const more = (box) => box.classList.toggle("more", wide(box) && box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  const reach = () => {
    for (const box of boxes) {
      const scrolls = wide(box) || box.scrollHeight > box.clientHeight + 1;
      scrolls ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
      if (!box.matches(".scroll, .plot")) continue;
      more(box);
      const hint = box.nextElementSibling?.matches(".goes-on") && box.nextElementSibling;
      if (wide(box) && !hint && box.checkVisibility()) box.after(make("p", { className: "goes-on" }, "Scroll sideways for the rest →"));
      if (!wide(box) && hint) hint.remove();
    }
  };
  boxes.forEach((box) => box.addEventListener("scroll", () => box.matches(".scroll, .plot") && more(box), { passive: true }));
  reach();
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
});
