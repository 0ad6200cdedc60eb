// Copying, with a word that it happened. A page from disk may not have the clipboard's new interface.
const copy = async (text, near) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { value: text, className: "hidden" });
    near.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const row = near.closest(".files, h1, h2, h3, figcaption, caption span") ?? near.parentElement;
  const status = $("[role=status]", row) ?? row.appendChild(make("span", { role: "status" }));
  status.textContent = "Copied";
  setTimeout(() => (status.textContent = ""), 1500);
};

// Headings, tables and figures give their address; following it also copies it.
ready(() => {
  const anchor = (place, id, name) => {
    const link = make("a", { className: "anchor", href: `#${encodeURIComponent(id).replaceAll("%2F", "/").replaceAll("%3A", ":")}`, title: "Copy the link" }, "#");
    link.setAttribute("aria-label", `Link to ${name}`);
    link.addEventListener("click", () => copy(link.href, link));
    place.append(" ", link);
  };
  const source = $(".source a");
  const lines = source ? JSON.parse(source.dataset.lines) : {};
  for (const head of $$("main h2, main h3, main .run-in")) {
    const id = head.id || head.closest("section")?.id;
    const name = head.textContent.trim();
    if (id) anchor(head, id, name);
    if (!lines[id]) continue;
    const href = source.dataset.address.replace("{line}", lines[id]);
    head.append(" ", make("a", { className: "anchor", href, ariaLabel: `Source of ${name}` }, "source"));
  }
  for (const block of $$("main .table[id], main .figure[id]")) {
    const label = $("caption b, figcaption b", block);
    if (label && !block.closest(".numbers")) anchor(label.parentElement, block.id, label.textContent.trim().replace(/\.$/, ""));
  }
});
