// What scrolls sideways must be within reach of the keyboard, and what does not must not stop it.
ready(() => {
  const boxes = document.querySelectorAll(".equation, pre, .scroll, .plot");
  const reach = () => {
    for (const box of boxes) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      scrolls ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
    }
  };
  reach();
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
});
