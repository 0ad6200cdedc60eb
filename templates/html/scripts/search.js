// Search: the index is a script of its own (report/search_index.py), loaded when the dialog first opens.
ready(() => {
  const links = $$("[data-search]");
  if (!links.length) return;
  const [MOST, STUDY] = [6, { Section: 5, Study: 5, Result: 5 }];
  let [dialog, input, hits, tell, index, options, chosen] = [];

  const load = () => new Promise((resolve, reject) => {
    const script = make("script", { src: new URL("search.js", base).href });
    script.addEventListener("load", () => {
      const packed = Uint8Array.from(atob(window.searchIndex), (letter) => letter.charCodeAt(0));
      resolve(new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).json());
    });
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  const tokens = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    .match(/\p{Nd}+(?:\.\p{Nd}+)+|[\p{L}\p{N}]+/gu) ?? [];

  // Places as [study, kind, address, title, text], and the words as sorted [word, Map of place to weight].
  const unpack = ({ studies, results, places: packed, words: lines }) => {
    const titles = new Map();
    const places = packed.map((place) => {
      if (place.length > 3) return place;
      const [result, name, title] = place;
      return [studies.length - 1, "Metric", `${results[result]}.html#${results[result]}/${name}`, title, `${results[result]}/${name}`];
    });
    const found = new Map();
    const add = (word, place, weight) => {
      if (!found.has(word)) found.set(word, new Map());
      const known = found.get(word);
      known.set(place, Math.max(weight, known.get(place) ?? 0));
    };
    places.forEach(([, kind, address, title, text], place) => {
      const metric = kind === "Metric";
      const weight = STUDY[kind] ?? (metric ? 2 : 3);
      tokens(title).forEach((word) => add(word, place, weight));
      tokens(text).forEach((word) => add(word, place, 1));
      if (kind === "Result") titles.set(address, tokens(title));
      if (metric) titles.get(address.split("#")[0]).forEach((word) => add(word, place, 1));
    });
    for (const line of lines.split("\n")) {
      const [word, ...gaps] = line.split(" ");
      let place = 0;
      for (const gap of gaps) add(word, (place += +gap), 1);
    }
    return { studies, places, words: [...found].sort(([a], [b]) => (a < b ? -1 : 1)) };
  };

  // Places in which every word begins a word; rare words count more, whole ones twice.
  const find = (asked) => {
    let scores;
    for (const word of asked) {
      let [low, high] = [0, index.words.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (index.words[middle][0] < word) low = middle + 1;
        else high = middle;
      }
      const found = new Map();
      for (let n = low; n < index.words.length && index.words[n][0].startsWith(word); n++) {
        const [term, list] = index.words[n];
        if (term !== word && word.length < 2) continue;
        const worth = Math.log(1 + index.places.length / list.size) * (term === word ? 1 : 0.5);
        for (const [place, weight] of list) found.set(place, Math.max(found.get(place) ?? 0, weight * worth));
      }
      const before = scores;
      scores = new Map([...found].filter(([place]) => !before || before.has(place))
        .map(([place, score]) => [place, score + (before?.get(place) ?? 0)]));
    }
    return [...(scores ?? [])].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([place]) => place);
  };

  const marked = (text, asked) => {
    if (!asked.length) return [text];
    const safe = asked.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const parts = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${safe.join("|")})`, "iu"));
    return parts.map((part, n) => (n % 2 ? make("mark", {}, part) : part));
  };
  const choose = (n) => {
    if (!options.length) return input.removeAttribute("aria-activedescendant");
    options[chosen]?.setAttribute("aria-selected", "false");
    chosen = (n + options.length) % options.length;
    options[chosen].setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  };
  const option = (place, asked) => {
    const [study, kind, address, title, text] = index.places[place];
    const href = new URL(`../${index.studies[study][1]}${address}`, base).href;
    const link = make("a", { href, id: `hit-${options.length}`, tabIndex: -1, role: "option", "aria-selected": "false" },
      make("small", {}, kind), make("span", {}, ...marked(title, asked), make("small", {}, ...marked(text, asked))));
    options.push(link);
    return link;
  };
  const search = () => {
    if (!index) return;
    const asked = tokens(input.value);
    const found = find(asked);
    const groups = new Map();
    for (const place of found) {
      const [study] = index.places[place];
      groups.set(study, [...(groups.get(study) ?? []), place]);
    }
    options = [];
    hits.replaceChildren(...[...groups].map(([study, members]) => {
      const [title] = index.studies[study];
      const more = members.length > MOST ? ` · ${MOST} of ${members.length}` : "";
      return make("div", { role: "group", ariaLabel: title }, make("div", { role: "presentation" }, title + more),
        ...members.slice(0, MOST).map((place) => option(place, asked)));
    }));
    input.setAttribute("aria-expanded", String(options.length > 0));
    chosen = -1;
    choose(0);
    tell.textContent = asked.length
      ? `${found.length} ${found.length === 1 ? "place" : "places"}`
      : `${index.places.length.toLocaleString("en")} places: sections, tables, figures, results, metrics`;
  };

  const build = () => {
    input = make("input", {
      type: "search", placeholder: "Sections, tables, figures, metrics …", autocomplete: "off", spellcheck: false, role: "combobox",
      ariaLabel: "Search this site", ariaExpanded: "false", ariaAutoComplete: "list", "aria-controls": "hits",
    });
    hits = make("div", { className: "hits", id: "hits", role: "listbox", ariaLabel: "Places found" });
    tell = make("span", { role: "status" }, "Loading …");
    const leave = make("button", { type: "button" }, "Close");
    leave.addEventListener("click", () => dialog.close());
    dialog = make("dialog", { className: "search", ariaLabel: "Search" }, make("div", { className: "row" }, input, leave), hits,
      make("p", { className: "tell" }, tell, make("span", {}, "↑ ↓ choose · Enter opens · Esc closes")));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && options) {
        event.preventDefault();
        choose(chosen + step);
      }
      if (event.key === "Enter" && options?.[chosen]) {
        dialog.close();
        options[chosen].click();
      }
    });
    document.body.append(dialog);
    load().then((data) => {
      index = unpack(data);
      search();
    }, () => (tell.textContent = "The index is missing: assets/search.js."));
  };
  const open = () => {
    if (!dialog) build();
    dialog.showModal();
    input.select();
  };
  for (const link of links) {
    link.setAttribute("aria-keyshortcuts", "/");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      open();
    });
  }
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    open();
  });
});
