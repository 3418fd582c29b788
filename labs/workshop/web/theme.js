// Light or dark, as the machine says until somebody chooses; before the page is drawn, so that it does not flash.
(() => {
  const root = document.documentElement, wish = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("room-theme"); } catch { /* a browser that keeps nothing */ }
  const show = () => {
    const dark = chosen ? chosen === "dark" : wish.matches;
    root.dataset.theme = dark ? "dark" : "light";
    document.getElementById("theme")?.setAttribute("aria-pressed", String(dark));
  };
  show();
  wish.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme")?.addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("room-theme", chosen); } catch { /* until the page is left */ }
      show();
    });
  });
})();
