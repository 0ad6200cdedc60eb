// A drawing or picture opens large in a dialog: by its button, by a click, or by a tap where a tap reads no numbers.
ready(() => {
  const LETTER = 12; // pixels of the smallest letter of a large drawing; what then has no room scrolls
  const [READABLE, PHONE] = [9, 640];
  const dialog = make("dialog", { className: "large" });
  const room = make("div", { className: "room" }); // keeps the place of what is large
  const leave = make("button", { type: "button" }, "Close");
  let [figure, opener] = [];

  const letters = (box) => Math.min(...$$("svg text", box).filter((text) => !text.closest(".off"))
    .map((text) => parseFloat(getComputedStyle(text).fontSize)));
  const unit = (svg) => svg.getBoundingClientRect().width / numbers(svg.getAttribute("viewBox"))[2];
  const fit = () => {
    const box = figure && $(".plot, img", figure);
    const svg = box && $("svg", box);
    if (!svg) return;
    const [, , width, height] = numbers(svg.getAttribute("viewBox"));
    const whole = Math.min(box.clientWidth, (box.clientHeight * width) / height);
    svg.style.width = `${Math.max(whole, (LETTER / letters(box)) * width || 0)}px`;
  };
  const open = (one, button) => {
    if (dialog.open) return;
    [figure, opener] = [one, button];
    room.style.height = `${figure.offsetHeight}px`;
    dialog.ariaLabel = button.ariaLabel;
    figure.before(room);
    dialog.append(figure);
    room.after(dialog);
    dialog.showModal();
    leave.focus();
    fit();
    dispatchEvent(new Event("resize"));
  };
  // The dialog stands where its figure did, so that what belongs to the figure finds it there.
  dialog.addEventListener("close", () => {
    $$("svg", figure).forEach((svg) => svg.style.removeProperty("width"));
    room.replaceWith(figure);
    figure = null;
    dispatchEvent(new Event("resize"));
    opener.focus({ preventScroll: true });
  });
  dialog.append(leave);
  leave.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  addEventListener("resize", fit);
  addEventListener("beforeprint", () => dialog.close());

  for (const one of $$("main figure")) {
    const box = $(":scope > .plot, :scope > img", one) ?? $("img", one);
    if (!box || one.closest(".fact") || $("[data-live]", one)) continue;
    const name = $("figcaption b", one)?.firstChild.textContent.replace(/\.$/, "") ?? "the drawing";
    const svg = $$("svg", box).find((one) => one.checkVisibility());
    const small = svg && innerWidth <= PHONE && letters(box) * unit(svg) < READABLE;
    const button = make("button", { type: "button", className: "enlarge", ariaLabel: `Enlarge ${name}` }, small ? "Tap to enlarge" : "Enlarge");
    button.ariaLabel = small ? `Tap to enlarge: ${name}` : button.ariaLabel;
    button.addEventListener("click", () => open(one, button));
    const line = $(":scope > .readout", one);
    line ? line.append(button) : box.after(make("p", { className: "enlarging" }, button));
    // Where something is moved by a finger, or numbers are read, it opens nothing.
    if (one.dataset.scores || one.dataset.suppression) continue;
    box.classList.add("opens");
    let finger = false;
    box.addEventListener("pointerdown", (event) => (finger = event.pointerType !== "mouse"));
    box.addEventListener("click", () => finger && line ? null : open(one, button));
    box.addEventListener("keydown", (event) => event.target === box && event.key === "Enter" && open(one, button));
  }
});
