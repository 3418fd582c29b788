// A student's page: join, answer, see what the room thinks, and say how far one is.

import { $, announce, follow, letter, make, people, question, Refused, results, send } from "./common.js";

let now = null;
let renaming = false;
let drawn = "";
let chosen = { round: 0, options: [] };
const soon = follow("/api/state", show);

function show(said) {
  now = said;
  const joined = said.name !== null;
  $("#door").hidden = joined && !renaming;
  $("#keep").hidden = !joined;
  $("#me").hidden = !joined || renaming;
  $("#my-name").textContent = said.name ?? "";
  $("#progress").hidden = $("#readiness").hidden = !joined;
  $("#place").textContent = said.place ? `The room sees you at ${said.place}.` : "The room does not know yet which task you are at.";
  $("#command").textContent = joined ? `lab room join ${location.origin} --seat ${said.seat}` : "";
  showReadiness(said);
  showPoll(said.poll, joined);
}

function showReadiness({ code, ready }) {
  $("#ready").replaceChildren(...ready.map(({ what, ok, required }) => make("li", {
    class: ok ? "fine" : required ? "missing" : "optional", text: `${ok ? "✓" : required ? "✗" : "○"} ${what}${ok ? "" : required ? ": missing" : ": not there, and not needed for every lab"}` })));
  if (code && !$("#code").value && document.activeElement !== $("#code")) $("#code").value = code;
}

function showPoll(poll, joined) {
  $("#poll").hidden = !joined;
  if (!joined) return;
  const key = poll ? `${poll.round}/${poll.state}` : "none";
  if (key === drawn) {
    if (poll) showCount(poll);
    return;
  }
  const first = drawn === "";
  drawn = key;
  const title = $("#poll-title");
  if (!poll) {
    title.textContent = "Poll";
    $("#asked").replaceChildren(make("p", { class: "hint", text: "None is open. It comes here by itself." }));
    return;
  }
  if (poll.state === "open") {
    title.textContent = "A poll is open";
    if (chosen.round !== poll.round) chosen = { round: poll.round, options: poll.type === "numeric" ? poll.mine.map((typed) => String(Number(typed))) : poll.mine };
    $("#asked").replaceChildren(question(poll), form(poll));
    if (!first) announce("A poll is open.");
  } else {
    title.textContent = "The poll is closed";
    const mine = chosen.round === poll.round && chosen.sent ? chosen.options : [];
    const list = results(poll);
    if (poll.type === "numeric" && mine.length) list.prepend(make("li", { class: "hint", text: `Your answer: ${mine[0]}` }));
    else poll.options.forEach(({ id }, index) => mine.includes(id) && list.children[index].append(make("p", { class: "hint", text: "Your answer." })));
    $("#asked").replaceChildren(question(poll), make("p", { class: "criterion", html: poll.criterion_html }),
      make("p", { class: "hint", text: `${people(poll.answered)}.` }), list);
    announce(poll.state === "key" ? "The poll is closed; the key is shown." : "The poll is closed.");
  }
  showCount(poll);
}

function showCount(poll) {
  const count = $("#answered");
  if (count) count.textContent = `${people(poll.answered)} so far. You may change yours until the poll closes.`;
}

// What there is to answer with: options, or a field for a number. `read` says what is chosen in it.
function answers(poll) {
  if (poll.type === "numeric") {
    const field = make("input", { id: "number", inputmode: "decimal", autocomplete: "off", maxlength: "40", value: chosen.options[0] ?? "" });
    const made = make("div", { class: "typed" }, make("label", { for: "number", html: poll.criterion_html }),
      make("p", { class: "together" }, field, make("span", { text: poll.unit })));
    return { made, read: () => [field.value] };
  }
  const set = make("fieldset", {}, make("legend", { html: poll.criterion_html }));
  poll.options.forEach(({ id, html }, index) => {
    const input = make("input", { type: poll.select > 1 ? "checkbox" : "radio", name: "option", value: id, checked: chosen.options.includes(id) });
    set.append(make("label", { class: "choice" }, input, make("span", { class: "letter", text: letter(index) }), make("span", { html })));
  });
  return { made: set, read: () => [...set.querySelectorAll("input:checked")].map((input) => input.value) };
}

function form(poll) {
  const { made: set, read } = answers(poll);
  const made = make("form", { class: "answers" });
  const button = make("button", { class: "main", text: poll.mine.length ? "Change the answer" : "Answer" });
  const problem = make("p", { class: "problem", role: "alert" });
  const kept = make("p", { class: "kept", role: "status", text: poll.mine.length ? "Your answer is counted." : "" });
  made.append(set, problem, kept, make("p", { class: "buttons" }, button), make("p", { id: "answered", class: "hint" }));
  if (poll.mine.length) chosen.sent = true;
  made.addEventListener("input", () => {
    chosen.options = read();
    problem.textContent = kept.textContent = "";
  });
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      chosen.options = read();
      await send("answer", { round: poll.round, options: chosen.options });
      chosen.sent = true;
      problem.textContent = "";
      kept.textContent = "Your answer is counted.";
      button.textContent = "Change the answer";
    } catch (refused) {
      kept.textContent = "";
      problem.textContent = refused.message;
    }
    button.disabled = false;
    soon();
  });
  return made;
}

$("#join").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await send("join", { name: $("#name").value });
    $("#join-problem").textContent = "";
    const focus = $("#door").contains(document.activeElement);
    renaming = false;
    drawn = "";
    await soon();
    if (now) show(now);
    if (focus) $("#rename").focus();
    announce(`You are ${now?.name ?? "in"}.`);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    $("#join-problem").textContent = refused.message;
    $("#name").focus();
  }
});

$("#rename").addEventListener("click", () => {
  renaming = true;
  $("#name").value = now.name;
  show(now);
  $("#name").focus();
});

$("#keep").addEventListener("click", () => {
  renaming = false;
  show(now);
  $("#rename").focus();
});

$("#code-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    showReadiness({ code: "", ready: (await send("code", { code: $("#code").value })).ready });
    $("#code-problem").textContent = "";
    announce("The code is with the instructor.");
  } catch (refused) {
    $("#code-problem").textContent = refused.message;
  }
});
