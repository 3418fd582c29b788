// The instructor's page: ask and close polls, see who is where, take the report along. It shows names, and never who answered what.

import { $, announce, follow, letter, make, offered, people, question, results, send } from "./common.js";

let now = null;
let bank = [];
let drawn = { now: "", past: "", who: "", blocks: "" };
const soon = follow("/api/teach/state", show);

async function act(call, body, problem) {
  try {
    await send(`teach/${call}`, body);
    problem.textContent = "";
  } catch (refused) {
    problem.textContent = refused.message;
  }
  await soon();
}

// -- what is so

function show(said) {
  now = said;
  $("#n-seats").textContent = said.seats.length;
  $("#n-ready").textContent = `${said.ready.fine} of ${said.ready.codes}`;
  $("#n-slow").textContent = said.seats.filter(({ slow }) => slow).length;
  const [latest] = said.rounds;
  $("#n-answers").textContent = said.open ? `${latest.answered} of ${said.seats.length}` : "none is open";
  showNow(latest);
  showPast(said.rounds.slice(1));
  showSeats(said.seats);
  showLabs(said.labs);
  showReadiness(said.seats, said.ready);
  showBlocks(said.blocks);
  $("#beliefs").replaceChildren(...(said.beliefs.length
    ? said.beliefs.map(({ percent, chose, answered, belief }) => make("li", {}, make("b", { text: `${percent} %` }), make("span", { text: ` (${chose} of ${answered}): ${belief}` })))
    : [make("li", { class: "hint", text: "Nothing: no poll of it has been closed, or nobody chose a wrong answer." })]));
  for (const ask of document.querySelectorAll("#questions button")) ask.disabled = !!said.open;
}

function showNow(round) {
  if (!round) return;
  const key = `${round.round}/${round.state}`;
  const count = `${people(round.answered)} of ${round.seats}`;
  if (key === drawn.now) {
    $("#now .count").textContent = count;
    return;
  }
  const held = $("#now").contains(document.activeElement);
  drawn.now = key;
  const problem = $("#poll-problem");
  const button = (text, call, body, main) => {
    const made = make("button", { type: "button", text, ...(main ? { class: "main" } : {}) });
    made.addEventListener("click", () => act(call, body, problem));
    return made;
  };
  const buttons = make("p", { class: "buttons" });
  if (round.state === "open") {
    buttons.append(button("Close and show the key", "close", { round: round.round, key: true }, true),
      button("Close, bars only", "close", { round: round.round, key: false }));
  } else {
    if (round.state === "closed") buttons.append(button("Show the key", "key", { round: round.round }, true));
    buttons.append(button("Ask again", "open", { poll: round.id }));
  }
  const shown = round.state === "open" ? offered(round) : results(round);
  $("#now").replaceChildren(make("p", {}, make("b", { text: round.state === "open" ? "Open. " : "Closed. " }), make("span", { class: "count", text: count })),
    buttons, question(round), make("p", { class: "criterion", html: round.criterion_html }), shown);
  if (held) $("#now button")?.focus();
  announce(round.state === "open" ? "The poll is open." : "The poll is closed.");
}

function showPast(rounds) {
  const key = rounds.map(({ round, state }) => `${round}/${state}`).join();
  if (key === drawn.past) return;
  drawn.past = key;
  const held = [...document.querySelectorAll("#past details[open]")].map(({ dataset }) => dataset.round);
  $("#past").replaceChildren(...rounds.map((round) => make("details", { "data-round": String(round.round), open: held.includes(String(round.round)) },
    make("summary", {}, make("span", { text: `${round.round}. ` }), make("span", { html: round.criterion_html }), make("span", { class: "hint", text: ` ${people(round.answered)}` })),
    question(round), results({ ...round, state: "key" === round.state ? "key" : "closed" }))));
}

function showSeats(seats) {
  $("#seats").replaceChildren(...seats.map((seat) => make("tr", seat.slow ? { class: "slow" } : {},
    make("th", { scope: "row", text: `${seat.slow ? "◆ " : ""}${seat.name}` }),
    make("td", { text: seat.place }),
    make("td", { class: "number", text: seat.planned ? `${seat.minutes} / ${seat.planned}` : `${seat.minutes}` }),
    make("td", { class: "number", text: seat.failures ? `${seat.failures}×` : "" }))));
  const key = seats.map(({ number, name }) => `${number}${name}`).sort().join();
  if (key === drawn.who) return;
  drawn.who = key;
  const chosen = $("#who").value;
  const ordered = [...seats].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  $("#who").replaceChildren(...ordered.map(({ number, name }) => make("option", { value: String(number), text: name })));
  if (chosen && seats.some(({ number }) => String(number) === chosen)) $("#who").value = chosen;
}

function showLabs(labs) {
  if (!labs.length) return;
  $("#labs").replaceChildren(...labs.map(({ lab, tasks, end }) => make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Lab ${lab}` },
    make("table", { class: "tasks" },
      make("caption", { text: lab }),
      make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Task" }), make("th", { scope: "col", class: "number", text: "Here now" }), make("th", { scope: "col", class: "number", text: "Passed" }))),
      make("tbody", {}, ...tasks.map((task) => make("tr", {}, make("th", { scope: "row", text: `${task.number} ${task.title}` }),
        cell(task.at), cell(task.passed))), make("tr", {}, make("th", { scope: "row", text: "At the end" }), cell(end), make("td")))))));
}

function cell(count) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
  bar.firstChild.style.inlineSize = `${now.seats.length ? Math.min(100, (100 * count) / now.seats.length) : 0}%`;
  return make("td", { class: "number counted" }, make("span", { text: String(count) }), bar);
}

function showReadiness(seats, { codes, fine }) {
  $("#ready-line").textContent = codes ? `${people(codes, "code", "codes")} of ${seats.length}; on ${fine} nothing is missing that the labs need. ✗ is needed, ○ is not needed for every lab.` : "No code has come yet: 'lab doctor --code' prints one.";
  const lacks = ({ ready }) => ready.filter(({ ok }) => !ok);
  const order = (seat) => (!seat.code ? 1 : lacks(seat).some(({ required }) => required) ? 0 : 2);
  const open = seats.filter((seat) => !seat.code || lacks(seat).length);
  open.sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name, undefined, { numeric: true }));
  $("#ready").replaceChildren(...open.map((seat) => make("tr", order(seat) ? {} : { class: "slow" },
    make("th", { scope: "row", text: seat.name }), make("td", { class: "code" }, make("code", { text: seat.code || "–" })),
    make("td", { text: seat.code ? lacks(seat).map(({ what, required }) => `${required ? "✗" : "○"} ${what}`).join("; ") : "no code yet" }))));
}

function showBlocks(blocks) {
  const key = blocks.map(({ number, title }) => `${number}${title}`).join();
  if (key === drawn.blocks) return;
  drawn.blocks = key;
  const all = blocks.length ? [{ number: 0, title: "Before the first block" }, ...blocks] : [];
  $("#blocks").replaceChildren(...all.map(({ number, title }) => make("li", {}, make("span", { text: `${title}: ` }),
    make("a", { href: `/teach/report.md?block=${number}`, text: "Markdown", "aria-label": `${title}, Markdown` }), make("span", { text: ", " }),
    make("a", { href: `/teach/report.csv?block=${number}`, text: "CSV", "aria-label": `${title}, CSV` }))));
}

// -- what can be asked

async function load() {
  try {
    const answer = await fetch("/api/teach/polls", { cache: "no-cache" });
    const said = await answer.json();
    bank = said.polls ?? [];
    $("#no-polls").textContent = said.error ?? "";
    $("#no-polls").hidden = !said.error;
  } catch {
    setTimeout(load, 5_000);
    return;
  }
  if (!bank.length) setTimeout(load, 5_000); // written while this page is open
  const quizzes = new Map(bank.map(({ quiz, quiz_title }) => [quiz, quiz_title]));
  $("#quiz").replaceChildren(...[...quizzes].map(([quiz, title]) => make("option", { value: quiz, text: `${quiz}: ${title}` })));
  showQuestions();
}

function showQuestions() {
  const quiz = $("#quiz").value;
  $("#questions").replaceChildren(...bank.filter((poll) => poll.quiz === quiz).map((poll) => {
    const ask = make("button", { type: "button", text: "Ask this", disabled: !!now?.open });
    ask.addEventListener("click", async () => {
      await act("open", { poll: poll.id }, $("#poll-problem"));
      $("#now button")?.focus();
      $("#now-title").scrollIntoView({ block: "start" });
    });
    const options = make("ol", { class: "results" }, ...poll.options.map((option, index) => make("li", { class: option.correct ? "right" : "wrong" },
      make("p", { class: "option" }, make("span", { class: "letter", text: letter(index) }), make("span", { html: option.html }), make("span", { class: "share", text: option.correct ? "✓ right" : "" })))));
    return make("details", {}, make("summary", {}, make("span", { html: poll.criterion_html }), make("span", { class: "hint", text: ` ${poll.id} · skill ${poll.skill}${poll.type === "numeric" ? " · a number" : ""}` })),
      make("p", { class: "buttons" }, ask), question(poll), options);
  }));
}

$("#quiz").addEventListener("change", showQuestions);
$("#block").addEventListener("submit", async (event) => {
  event.preventDefault();
  await act("block", { title: $("#title").value }, $("#free-problem"));
  $("#title").value = "";
});
$("#free").addEventListener("submit", async (event) => {
  event.preventDefault();
  await act("remove", { seat: Number($("#who").value) }, $("#free-problem"));
});
load();
