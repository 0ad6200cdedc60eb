// An Inception module with the reader's filters: operations of each branch without and with reductions.
"use strict";

live("inception", (block, modules) => { // [name, width, channels, the six numbers of filters]
  const FIELDS = ["Width", "Channels", "1×1", "3×3 reduce", "3×3", "5×5 reduce", "5×5", "Pool"];
  const BRANCHES = ["1×1", "3×3", "5×5", "pool"];
  // The convolutions of a module, as branch, side of the filter, channels that it reads, filters.
  const naive = ([, channels, one, , three, , five]) => [[0, 1, channels, one], [1, 3, channels, three], [2, 5, channels, five]];
  const reduced = ([, channels, one, before3, three, before5, five, pool]) => [
    [0, 1, channels, one], [1, 1, channels, before3], [1, 3, before3, three],
    [2, 1, channels, before5], [2, 5, before5, five], [3, 1, channels, pool],
  ];

  const inputs = FIELDS.map((name, n) => entry(name, 1, n ? 4096 : 1024, 1, () => show()));
  const read = () => inputs.map((input) => +input.value);
  const set = (values) => {
    inputs.forEach((input, n) => (input.value = values[n]));
    show();
  };
  const buttons = modules.map(([name, ...values]) => push(name, () => set(values)));
  const chart = bars("Multiply–accumulates by branch", BRANCHES, ["Branch", "Naive", "Reduced"]);
  const arithmetic = make("ul");
  const output = make("output");

  function show() {
    const values = read();
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(`${modules[n].slice(1)}` === `${values}`)));
    if (!inputs.every((input) => input.checkValidity())) {
      output.textContent = "Each entry must be a whole number of at least 1.";
      return;
    }
    const [width, channels, one, , three, , five, pool] = values;
    const kinds = [naive, reduced].map((kind) => kind(values).map(([branch, f, c, k]) => [branch, f * f * c * k * width ** 2, `(${f}·${f}·${c})·${k}·${width}·${width}`]));
    const sums = BRANCHES.map((_, branch) => kinds.map((parts) => parts.reduce((sum, [at, macs]) => sum + (at === branch && macs), 0)));
    const [before, after] = [0, 1].map((kind) => sums.reduce((sum, branch) => sum + branch[kind], 0));
    chart.set(sums, whole);
    arithmetic.replaceChildren(...kinds.flatMap((parts, kind) =>
      parts.map(([branch, macs, text]) => make("li", {}, `${["Naive", "Reduced"][kind]} ${BRANCHES[branch]}: ${text} = ${whole(macs)}`))));
    const own = buttons.every((button) => button.ariaPressed === "false") ? ` ${OWN}` : "";
    output.textContent = `Naive: ${one + three + five + channels} channels, ${whole(before)} MACs. ` +
      `Reduced: ${one + three + five + pool} channels, ${whole(after)} MACs, ${(before / after).toFixed(2)} times fewer.${own}`;
  }

  block.append(
    row(...buttons),
    row(...inputs.map((input) => make("label", { className: "over" }, input.ariaLabel, input))),
    chart.table,
    row(output, linked(block, () => read().join(","))),
    make("details", {}, make("summary", {}, "Arithmetic"), arithmetic),
  );
  const state = given(block).split(",").map(Number);
  set(state.length === inputs.length ? state : modules[0].slice(1));
});
