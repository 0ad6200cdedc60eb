// K and P of teacher and student: how many labels are right, and what the student reaches.
"use strict";

live("students", (block, { teacher, alone, students, best }) => {
  const percent = (value) => (100 * value).toFixed(1);
  const interval = ({ low, high }) => (low === undefined ? "" : ` [${percent(low)}, ${percent(high)}]`);
  const ends = ({ value, low = value, high = value }) => [low, high];
  const points = (value) => `${value < 0 ? "−" : "+"}${percent(Math.abs(value))}`;
  const ks = [...new Set(students.map(({ k }) => k))];
  const line = ks.map((k) => students.find((one) => one.k === k)); // with the smallest P
  const slider = make("input", { type: "range", min: 0, max: ks.length - 1, step: 1, value: ks.indexOf(best), ariaLabel: "K, images selected per class" });
  const p = choice("P, classes considered per image", [...new Set(students.map((one) => one.p))].map((value) => [value, `P = ${value}`]), () => show());
  const output = make("output");
  const names = ["Right labels (%)", "Test accuracy before fine-tuning (%)", "Test accuracy (%)", "More than the labelled images alone", "More than the teacher"];
  const values = names.map((name) => [name, make("span")]);
  const all = [teacher.value, alone.value, ...students.flatMap(({ accuracy, before }) => [...ends(accuracy), before])].map((value) => 100 * value);
  const drawing = chart("Test accuracy of the student by K, before and after fine-tuning, beside the teacher and the labelled images alone",
    { label: "K, images selected per class (dots: before fine-tuning)", ticks: ks, log: true },
    { label: "Test accuracy (%)", ticks: steps(Math.min(...all), Math.max(...all)) });

  const show = () => {
    const k = ks[+slider.value];
    const there = students.filter((one) => one.k === k);
    [...p.options].forEach((option) => (option.disabled = !there.some((one) => one.p === +option.value)));
    if (p.selectedOptions[0].disabled) p.value = there[0].p;
    const one = there.find((other) => other.p === +p.value);
    const by = (work, of = line) => of.map((other) => [other.k, 100 * work(other)]);
    const value = ({ accuracy }) => accuracy.value;
    const across = (at) => [[ks[0], 100 * at.value], [ks.at(-1), 100 * at.value]];
    drawing.set([
      ["band", [...by(({ accuracy }) => ends(accuracy)[0]), ...by(({ accuracy }) => ends(accuracy)[1]).reverse()]],
      ["b", across(teacher), false, "Teacher"], ["b", across(alone), false, "Labelled images alone"], ["c", by(({ before }) => before), true], ["c", by(value)],
      ["a", ends(one.accuracy).map((end) => [k, 100 * end])], ["a", by(value, [one]), true],
    ]);
    const texts = [percent(one.precision), percent(one.before), percent(value(one)) + interval(one.accuracy), points(value(one) - alone.value), points(value(one) - teacher.value)];
    values.forEach(([, cell], n) => (cell.textContent = texts[n]));
    const only = there.length < p.options.length ? " No student with another P was trained at this K." : "";
    output.textContent = `K = ${whole(k)}, P = ${one.p}.${only}`;
    slider.setAttribute("aria-valuetext", `K ${whole(k)}: test accuracy ${texts[2]}`);
  };
  slider.addEventListener("input", show);
  block.append(
    row(make("label", {}, "K ", slider), p),
    row(output),
    make("div", { className: "beside" }, drawing.svg, grid("The student", ["Student", "Value"], values)),
  );
  show();
});
