// Why counters disagree: the conventions of a program, switched on one by one, close the gap to our count.
"use strict";

live("counters", (block, networks) => { // [network, our count, [program, its unit, its count, [reason, amount]…]…]
  const programs = networks[0][2].map(([name]) => name);
  const signed = (value) => (value > 0 ? "+" : "") + whole(value).replace("-", "−");
  // It begins at the network and program with the most reasons.
  const all = networks.flatMap((network, n) => network[2].map((program, p) => [program[3].length, n, p]));
  const [, first, second] = all.reduce((best, one) => (one[0] > best[0] ? one : best));
  const network = choice("Network", networks.map(([name], n) => [n, name]), () => set());
  const program = choice("Program", programs.map((name, n) => [n, name]), () => set());
  [network.value, program.value] = [first, second];
  const next = push("Switch on the next", () => {
    const box = boxes.find((one) => !one.checked);
    if (box) box.checked = true;
    show();
  });
  const place = make("div");
  const output = make("output");
  let [boxes, count] = [[], make("span")];
  const chosen = () => {
    const [, ours, counts] = networks[+network.value];
    const [name, unit, theirs, reasons] = counts[+program.value];
    return { ours, name, unit, theirs, reasons };
  };

  function set() {
    const { ours, name, unit, theirs, reasons } = chosen();
    boxes = reasons.map(() => make("input", { type: "checkbox" }));
    boxes.forEach((box) => box.addEventListener("input", show));
    count = make("span");
    place.replaceChildren(grid("Conventions", [`${name} on ${networks[+network.value][0]}`, "Operations"], [
      ["Our multiply–accumulates", whole(ours)],
      ...reasons.map(([reason, amount], n) => [make("label", {}, boxes[n], reason), signed(amount)]),
      ["Our count with what is switched on", count],
      [`${name} reports (${unit})`, whole(theirs)],
    ]));
    show();
  }
  function show() {
    const { ours, theirs, reasons } = chosen();
    const counted = reasons.reduce((sum, [, amount], n) => sum + (boxes[n].checked && amount), ours);
    const gap = theirs - counted;
    count.textContent = whole(counted);
    next.disabled = boxes.every((box) => box.checked);
    output.textContent = gap ? `The gap is ${signed(gap)} operations.` : "The gap is 0: the conventions explain it.";
  }
  block.append(make("h2", {}, "Close the gap"), row(network, program, next), place, row(output));
  set();
});
