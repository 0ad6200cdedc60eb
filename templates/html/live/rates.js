// What is trained and at which rate: its validation curve among the others, its interval, and its rank.
"use strict";

live("rates", (block, settings) => {
  const percent = (value) => (100 * value).toFixed(1);
  const ranked = [...settings].sort((a, b) => b.validation - a.validation);
  const approaches = [...new Set(settings.map(({ trained }) => trained))];
  const ends = ({ value, low = value, high = value }) => [low, value, high];
  const tests = settings.flatMap(({ test }) => ends(test));
  const [lowest, highest] = [Math.min(...tests), Math.max(...tests)];
  const trained = choice("What is trained", approaches.map((name) => [name, name]), () => approach());
  const rate = choice("Learning rate", [], () => show());
  const output = make("output");
  const place = make("div");

  // A test accuracy and its interval, among those of all settings.
  const interval = (test) => {
    const [a, b, c] = ends(test).map((end) => 3 + (94 * (end - lowest)) / (highest - lowest));
    return draw("svg", { class: "span", viewBox: "0 0 100 15", "aria-hidden": "true" },
      draw("path", { d: `M${a} 7.5H${c}` }), draw("circle", { cx: b, cy: 7.5, r: 2 }));
  };
  const table = grid(`Settings by validation accuracy, ${$("figcaption b", block.parentElement).textContent}`, ["Setting", "Validation", "Test", "Interval of the test"],
    ranked.map((one, n) => [`${n + 1}. ${one.trained} at ${one.rate}`, percent(one.validation), percent(one.test.value), interval(one.test)]));
  const rows = $$("tbody tr", table);
  const heights = settings.flatMap(({ curve }) => curve.map(([, height]) => height));
  let drawing;

  function approach(value) {
    const own = settings.filter((one) => one.trained === trained.value);
    rate.replaceChildren(...own.map((one) => make("option", { value: one.rate }, `rate ${one.rate}`)));
    rate.value = value ?? ranked.find((one) => one.trained === trained.value).rate;
    const epochs = Math.max(...own.flatMap(({ curve }) => curve.map(([epoch]) => epoch)));
    drawing = chart("Validation accuracy by epoch; the chosen learning rate stands out", { label: "Epoch", ticks: steps(0, epochs) },
      { label: "Validation accuracy (%)", ticks: steps(Math.min(...heights), Math.max(...heights)) });
    place.replaceChildren(drawing.svg);
    show();
  }
  function show() {
    const own = settings.filter((one) => one.trained === trained.value);
    const one = own.find((other) => other.rate === rate.value);
    drawing.set([...own.filter((other) => other !== one).map(({ curve }) => ["c", curve]), ["a", one.curve]]);
    rows.forEach((line, n) => line.classList.toggle("on", ranked[n] === one));
    const { value, low, high, level, n, over } = one.test;
    const within = low === undefined ? "" : ` [${percent(low)}, ${percent(high)}] (${100 * level}% interval over ${whole(n)} ${over})`;
    output.textContent = `${one.trained} at ${one.rate}: rank ${ranked.indexOf(one) + 1} of ${ranked.length}, with ${percent(one.validation)}% of the ` +
      `validation images right; test accuracy ${percent(value)}%${within}; training ${percent(one.train)}%.`;
  }
  block.append(row(trained, rate), make("div", { className: "beside" }, place, output), table);
  trained.value = ranked[0].trained;
  approach();
});
