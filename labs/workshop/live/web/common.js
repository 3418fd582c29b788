// What the room's pages share: asking the server, following its state, and drawing a poll. Times are the server's; this clock is not asked.

export const $ = (selector, within = document) => within.querySelector(selector);
const PATIENCE_MS = 10_000;
const EVERY_MS = 2_000;
const LONGEST_MS = 15_000;

export function make(tag, { html, text, ...more } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(more)) {
    if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  if (html !== undefined) made.innerHTML = html; // a bank's text, of which the server has let only plain tags in
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

export class Refused extends Error {}

async function within(ms, ask) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  try {
    return await ask(stop.signal);
  } finally {
    clearTimeout(timer);
  }
}

// A call that changes something. It is safe to make it again: nothing happens twice.
export async function send(call, body) {
  try {
    return await within(PATIENCE_MS, async (signal) => {
      const answer = await fetch(`/api/${call}`, {
        method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify(body),
      });
      const said = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Refused(said.error ?? `The server answered ${answer.status}.`);
      return said;
    });
  } catch (failed) {
    if (failed instanceof Refused) throw failed;
    throw new Refused("The instructor's machine does not answer. Try again when the network is back.");
  }
}

// Follows a view of the room: `show` is called whenever it has changed. Returns a function that asks at once.
export function follow(path, show) {
  let tag = "", misses = 0, timer = 0, asking = null, again = false;

  async function ask() {
    clearTimeout(timer);
    try {
      await within(PATIENCE_MS, async (signal) => {
        const answer = await fetch(path, { signal, cache: "no-store", headers: tag ? { "if-none-match": tag } : {} });
        if (answer.status === 403) throw new Refused((await answer.json()).error);
        if (answer.status !== 304) {
          if (!answer.ok) throw new Error(String(answer.status));
          const said = await answer.json();
          tag = answer.headers.get("etag") ?? "";
          show(said);
        }
      });
      misses = 0;
      tell("");
    } catch (failed) {
      misses += 1;
      if (failed instanceof Refused) tell(failed.message);
      else if (misses > 1) tell("The instructor's machine does not answer. This page tries again by itself; what you have sent is kept.");
    }
    const wait = Math.min(LONGEST_MS, EVERY_MS * 2 ** Math.max(0, misses - 1));
    timer = setTimeout(soon, wait * (0.9 + Math.random() * 0.2));
  }

  function soon() {
    if (asking) {
      again = true;
      return asking;
    }
    asking = ask().finally(() => {
      asking = null;
      if (again) {
        again = false;
        soon();
      }
    });
    return asking;
  }

  document.addEventListener("visibilitychange", () => document.hidden || soon());
  addEventListener("online", soon);
  soon();
  return soon;
}

function tell(text) {
  const line = $("#line");
  if (line.textContent === text) return;
  line.textContent = text;
  line.hidden = !text;
}

export function announce(text) {
  const said = $("#said");
  if (said.textContent !== text) said.textContent = text;
}

export const letter = (index) => String.fromCharCode(65 + index);

export function question(poll) {
  const made = make("div", { class: "question" });
  if (poll.case_html) {
    made.append(make("h3", { text: poll.case_title }), make("div", { html: poll.case_html }));
  }
  made.append(make("div", { html: poll.stem_html }));
  return made;
}

// The bars of a closed poll; with the key, if it is shown: right, why, and what somebody may have believed.
export function results(poll) {
  const list = make("ol", { class: "results" });
  poll.options.forEach((option, index) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
    bar.firstChild.style.inlineSize = `${option.percent}%`;
    const head = make("p", { class: "option" },
      make("span", { class: "letter", text: letter(index) }),
      make("span", { html: option.html }),
      make("span", { class: "share", text: `${option.count} · ${option.percent} %` }));
    const row = make("li", {}, head, bar);
    if (poll.state === "key") {
      row.classList.add(option.correct ? "right" : "wrong");
      if (!option.why_html) row.classList.add("plain");
      const why = make("p", { class: "why" }, make("b", { text: option.correct ? "✓ Right. " : "✗ " }), make("span", { html: option.why_html }));
      if (option.why_html) row.append(why);
      if (option.belief) row.append(make("p", { class: "belief" }, make("span", { text: "Behind it: " }), make("i", { text: option.belief })));
    }
    list.append(row);
  });
  return list;
}

// What an open poll offers: its options, or a word on what to type.
export function offered({ type, unit, options }) {
  if (type === "numeric") return make("p", { class: "hint", text: `A number, in ${unit}.` });
  return make("ol", { class: "results" }, ...options.map(({ html }, index) => make("li", {},
    make("p", { class: "option" }, make("span", { class: "letter", text: letter(index) }), make("span", { html })))));
}

export const people = (n, one = "answer", many = "answers") => `${n} ${n === 1 ? one : many}`;
