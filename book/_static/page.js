/* What a page does by itself: colour mode, menus on a phone, search by keyboard, the place in the contents, boxes that scroll.
   A classic script without dependencies, so that it also runs in a page opened from a folder. It reads the page's measures first and
   writes afterwards; a long lab is laid out once, not once for each box. */
(function () {
  "use strict";
  var root = document.documentElement;
  function all(selector) { return Array.prototype.slice.call(document.querySelectorAll(selector)); }

  /* ---- colour mode: the head of the page has set it before the first paint ---- */
  var dark = matchMedia("(prefers-color-scheme: dark)");
  var said = { auto: "as the system", light: "light", dark: "dark" };
  function show(mode) {
    root.dataset.mode = mode;
    root.dataset.theme = mode !== "auto" ? mode : dark.matches ? "dark" : "light";
    all(".theme-switch-button").forEach(function (button) { button.setAttribute("aria-label", "Color mode: " + said[mode]); });
  }
  show(said[root.dataset.mode] ? root.dataset.mode : "auto");
  dark.addEventListener("change", function () { show(root.dataset.mode); });
  all(".theme-switch-button").forEach(function (button) {
    button.addEventListener("click", function () {
      var order = dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
      var mode = order[(order.indexOf(root.dataset.mode) + 1) % order.length];
      show(mode);
      try { localStorage.setItem("mode", mode); } catch (refused) { /* then only this page remembers */ }
    });
  });

  /* ---- a sidebar that has no room stands in a dialog while it is asked for ---- */
  function move(from, to) { while (from.firstChild) { to.appendChild(from.firstChild); } }
  [["primary", ".primary-toggle"], ["secondary", ".secondary-toggle"]].forEach(function (pair) {
    var dialog = document.getElementById("pst-" + pair[0] + "-sidebar-modal"), button = document.querySelector(pair[1]);
    var sidebar = document.getElementById("pst-" + pair[0] + "-sidebar");
    if (!dialog || !button || !sidebar) { return; }
    button.addEventListener("click", function () { move(sidebar, dialog); dialog.showModal(); });
    dialog.addEventListener("close", function () { move(dialog, sidebar); });
    dialog.addEventListener("click", function (event) {
      if (event.target === dialog || event.target.closest("a")) { dialog.close(); }
    });
  });

  /* ---- search: its button, and the keys that readers expect ---- */
  var search = document.getElementById("pst-search-dialog"), inPage = document.querySelector("main .book-search input");
  function ask() {
    if (inPage) { inPage.focus(); inPage.select(); } else if (search) { if (search.open) { search.close(); } else { search.showModal(); } }
  }
  all(".search-button__button").forEach(function (button) { button.addEventListener("click", ask); });
  if (search) { search.addEventListener("click", function (event) { if (event.target === search) { search.close(); } }); }
  addEventListener("keydown", function (event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      ask();
    }
  });
  if (inPage) { inPage.focus(); }

  /* ---- the heading that is being read is marked in the contents ---- */
  var links = all("#pst-page-toc-nav a"), byHeading = new Map();
  function mark(link) {
    links.forEach(function (one) {
      one.classList.toggle("active", one === link);
      if (one === link) { one.setAttribute("aria-current", "true"); } else { one.removeAttribute("aria-current"); }
    });
  }
  if (links.length && "IntersectionObserver" in window) {
    var watch = new IntersectionObserver(function (entries) {
      var seen = entries.filter(function (entry) { return entry.isIntersecting; }).pop();
      if (seen) { mark(byHeading.get(seen.target)); }
    }, { rootMargin: "-60px 0px -70% 0px" });
    links.forEach(function (link) {
      var section = link.hash && document.getElementById(decodeURIComponent(link.hash.slice(1)));
      var heading = section && (section.querySelector("h1, h2, h3, h4, h5, h6") || section);
      if (heading) { byHeading.set(heading, link); watch.observe(heading); }
    });
  }

  /* ---- what scrolls sideways in its own box is a stop for the keyboard; what fits is none ---- */
  /* A diagram that does begins at its first shape, wherever in its width that stands. */
  var waiting = 0;
  function beginning(box) {
    var shape = box.parentNode.matches(".diagram") && !box.dataset.begun && box.querySelector("svg > g");
    if (!shape) { return null; }
    var frame = box.getBoundingClientRect(), first = shape.getBoundingClientRect();
    return box.scrollLeft + first.left + first.width / 2 - frame.left - frame.width / 2;
  }
  function reach() {
    waiting = 0;
    var boxes = all("main pre, .drawing-scroll, .pst-scrollable-table-container, .cell_output, div.math");
    var wide = boxes.map(function (box) { return box.scrollWidth > box.clientWidth; });
    var starts = boxes.map(function (box, number) { return wide[number] ? beginning(box) : null; });
    boxes.forEach(function (box, number) {
      if (starts[number] !== null) { box.dataset.begun = ""; box.scrollLeft = starts[number]; }
      if (wide[number]) { box.tabIndex = 0; } else if (box.hasAttribute("tabindex")) { box.removeAttribute("tabindex"); }
    });
  }
  function soon() { if (!waiting) { waiting = setTimeout(reach, 150); } }
  if (document.readyState === "complete") { reach(); } else { addEventListener("load", reach); }
  addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true);  /* a fold was opened */
})();
