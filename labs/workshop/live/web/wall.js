// The projector's page: how to join, and the poll; no names.

import { $, announce, follow, make, offered, people, question, results } from "./common.js";

let drawn = "";
follow("/api/state", ({ seats, poll }) => {
  $("#count").textContent = seats;
  $("#count-word").textContent = seats === 1 ? "has joined" : "have joined";
  $("#poll").hidden = !poll;
  $("#none").hidden = !!poll;
  if (!poll) return;
  const open = poll.state === "open";
  $("#poll-title").textContent = `${open ? "Answer now" : "The answers"}: ${people(poll.answered)}${open ? ` of ${seats}` : ""}`;
  const key = `${poll.round}/${poll.state}`;
  if (key === drawn) return;
  drawn = key;
  const body = open ? offered(poll) : results(poll);
  $("#asked").replaceChildren(question(poll), make("p", { class: "criterion", html: poll.criterion_html }), body);
  announce(open ? "A poll is open." : "The poll is closed.");
});
