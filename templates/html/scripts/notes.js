// Footnotes of the text stand beside it where the window is wide (styles/notes.css); the list at the end has them all.
ready(() => {
  for (const link of $$("main > :is(p, ul, ol, blockquote) a[role=doc-noteref]")) {
    const item = document.getElementById(link.hash.slice(1));
    if (!item) continue;
    const copy = item.cloneNode(true);
    $$("a[role=doc-backlink]", copy).forEach((back) => back.remove());
    [...$$("[id]", copy)].forEach((part) => part.removeAttribute("id"));
    const parts = [...copy.children].map((block) => make("span", {}, ...block.childNodes));
    link.after(make("span", { className: "beside-text", role: "note" }, make("sup", {}, link.textContent), " ", ...parts));
    item.classList.add("is-beside");
  }
});
