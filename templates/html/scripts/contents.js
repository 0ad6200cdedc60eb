// Contents that follow the reader: the last heading above a third of the window is the current one.
ready(() => {
  const side = $(".side");
  if (!side) return;
  const page = $('[aria-current="page"]', side);
  const summary = $("summary", side);
  // What is current stays in sight without moving the page: only the list scrolls.
  const keep = (link) => {
    const [box, frame] = [link.getBoundingClientRect(), side.getBoundingClientRect()];
    if (box.top < frame.top + 60 || box.bottom > frame.bottom - 60) {
      side.scrollTop += box.top - frame.top - frame.height / 3;
    }
  };
  const links = new Map($$('.contents a[href^="#"]', side)
    .map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const heads = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const label = make("span", {}, "");
  summary.append(label);
  let current;
  const follow = () => {
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const head = end ? heads.at(-1) : heads.findLast((one) => one.getBoundingClientRect().top <= innerHeight / 3);
    if (head === current) return;
    links.get(current?.id)?.removeAttribute("aria-current");
    current = head;
    const link = links.get(head?.id) ?? page;
    if (head) link.setAttribute("aria-current", "true");
    label.textContent = ` · ${link.textContent.trim()}`;
    keep(link);
  };
  if (page) {
    label.textContent = ` · ${page.textContent.trim()}`;
    keep(page);
  }
  let waiting = false;
  if (heads.length) {
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        follow();
      });
    }, { passive: true });
    follow();
  }
  side.addEventListener("click", (event) => {
    if (event.target.closest("a") && summary.checkVisibility()) $("details", side).open = false;
  });
});
