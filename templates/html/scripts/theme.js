// Theme: the system's until the reader chooses; remembered where the browser lets a page remember.
(() => {
  const root = document.documentElement;
  const stored = (value) => {
    try {
      return value ? localStorage.setItem("theme", value) : localStorage.getItem("theme");
    } catch {
      return null; // A page read from disk may have no storage.
    }
  };
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");

  ready(() => {
    const button = make("button", { type: "button", className: "theme", title: "Change between light and dark" });
    const say = () => {
      button.textContent = now() === "dark" ? "Light" : "Dark";
    };
    button.addEventListener("click", () => {
      root.dataset.theme = now() === "dark" ? "light" : "dark";
      stored(root.dataset.theme);
      say();
    });
    dark.addEventListener("change", say);
    say();
    $(".top").append(button);
  });
})();
