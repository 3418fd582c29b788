// ?theme=dark for a dark room; everything else is reveal.js's own.
const theme = new URLSearchParams(location.search).get("theme");
if (theme === "dark") document.documentElement.dataset.theme = "dark";
