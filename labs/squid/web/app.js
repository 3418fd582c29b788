// Ask one or several stacks, and follow the answers. The door (an HTTP API) is the truth, and is polled; events only make it quicker.
// What is shown is built with textContent: an answer is text, whatever it contains.

import { Line } from "./line.js";

const FINAL = new Set(["DONE", "FAILED", "CANCELLED", "QUARANTINED"]);
const WORDS = {
  SENDING: "being sent",
  QUEUED: "waiting",
  WORKING: "being answered",
  DONE: "answered",
  FAILED: "failed",
  CANCELLED: "cancelled",
  QUARANTINED: "refused",
};
const FAMILIES = { bedrock: "bedrock", sagemaker: "sagemaker" }; // by how a target's name begins; all others are one's own stack
const PATIENCE_MS = 15_000;
const SEND_TRIES = 3;
const LISTENING_POLL_S = 5;
const QUEUE_EVERY_MS = 2_000;
const LONGEST_RECONNECT_MS = 10_000;

const $ = (selector, within = document) => within.querySelector(selector);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// -- talking to a door

class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function call(stack, method, path, { body, headers = {} } = {}) {
  const token = $("#token").value.trim();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answered = await fetch(stack.api_url + path, {
      method,
      signal: stop.signal,
      cache: "no-store",
      credentials: "omit",
      headers: {
        ...(body ? { "content-type": "application/json" } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    if (answered.status === 304) return { status: 304, said: null, headers: answered.headers };
    const said = await answered.json().catch(() => ({}));
    if (!answered.ok) throw new Refused(answered.status, said.error ?? said.message ?? `The door answered ${answered.status}.`);
    return { status: answered.status, said, headers: answered.headers };
  } finally {
    clearTimeout(timer);
  }
}

// -- events: one connection a stack, made when there is something to hear, and made anew when it is lost

class Ear {
  #place = null;
  #socket = null;
  #listeners = new Map();
  #lost = 0;

  listen(place, job) {
    this.#place = place;
    this.#listeners.set(job.id, job);
    if (this.isOpen) this.#subscribe(job);
    else if (!this.#socket) this.#connect();
  }

  leave(job) {
    this.#listeners.delete(job.id);
    if (this.isOpen) this.#socket.send(JSON.stringify({ type: "unsubscribe", id: job.id }));
    if (!this.#listeners.size) this.#socket?.close();
  }

  get isOpen() {
    return this.#socket?.acknowledged === true && this.#socket.readyState === WebSocket.OPEN;
  }

  #connect() {
    const { host, realtime, api_key } = this.#place;
    const header = btoa(JSON.stringify({ host, "x-api-key": api_key })).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    const loopback = /^(127\.|localhost(:|$)|\[::1\])/.test(realtime);
    const socket = new WebSocket(`${loopback ? "ws" : "wss"}://${realtime}/event/realtime`, ["aws-appsync-event-ws", `header-${header}`]);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init" }));
    socket.onmessage = ({ data }) => this.#take(socket, JSON.parse(data));
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      for (const job of this.#listeners.values()) job.lostTheLine();
      if (!this.#listeners.size) return;
      this.#lost += 1;
      setTimeout(() => {
        if (!this.#socket && this.#listeners.size) this.#connect();
      }, Math.min(LONGEST_RECONNECT_MS, 250 * 2 ** this.#lost) * (0.5 + Math.random() / 2));
    };
  }

  #take(socket, said) {
    if (said.type === "connection_ack") {
      socket.acknowledged = true;
      this.#lost = 0;
      for (const job of this.#listeners.values()) this.#subscribe(job);
    } else if (said.type === "subscribe_success") {
      this.#listeners.get(said.id)?.onTheLine();
    } else if (said.type === "data") {
      this.#listeners.get(said.id)?.hear(JSON.parse(said.event));
    }
  }

  #subscribe(job) {
    const { host, api_key } = this.#place;
    this.#socket.send(
      JSON.stringify({ type: "subscribe", id: job.id, channel: job.channel, authorization: { host, "x-api-key": api_key } }),
    );
  }
}

// -- one job of one stack, and its card

class Job {
  status = "SENDING";
  id = "";
  channel = "";
  #line = new Line();
  #live = false;
  #lost = false;
  #seen = {};
  #tag = "";
  #wake = () => {};
  #began = Date.now();

  constructor(stack, request, card) {
    this.stack = stack;
    this.request = request;
    this.card = card;
    $("h4", card).textContent = stack.name;
    card.dataset.family = stack.family;
    $(".cancel", card).onclick = () => this.cancel();
    $(".retry", card).onclick = () => ask(this.request, [this.stack], $(".retry", card));
    this.#show();
  }

  async send() {
    const headers = { "idempotency-key": crypto.randomUUID() }; // a request repeated after a lost answer is the same job
    for (let tries = 1; ; tries += 1) {
      try {
        const { said } = await call(this.stack, "POST", "/jobs", { body: this.request, headers });
        this.id = said.job_id;
        this.status = said.status;
        this.#show();
        if (said.events) {
          this.channel = said.events.channel;
          this.stack.ear.listen(said.events, this);
        }
        break;
      } catch (wrong) {
        const hopeless = wrong instanceof Refused && wrong.status < 500 && wrong.status !== 429;
        if (hopeless || tries === SEND_TRIES) {
          this.#end("FAILED", { error: sentence(wrong) });
          return;
        }
        await sleep(500 * 2 ** tries);
      }
    }
    await this.#follow();
  }

  async cancel() {
    $(".cancel", this.card).disabled = true;
    try {
      const { said } = await call(this.stack, "DELETE", `/jobs/${this.id}`);
      this.#seen = said;
      say(`${this.stack.name}: to be cancelled.`);
    } catch (wrong) {
      say(`${this.stack.name}: ${sentence(wrong)}`);
    }
    this.#wake();
  }

  hear(event) {
    if (FINAL.has(this.status)) return;
    const { anew, shown } = this.#line.take(event);
    const text = $(".text", this.card);
    if (anew) text.textContent = "";
    for (const each of shown) text.append(each.text);
    if (this.status === "QUEUED" && !event.status) {
      this.status = "WORKING";
    }
    this.#show();
    if (event.status) this.#wake(); // in order or not: the door knows
  }

  onTheLine() {
    this.#live = true;
    this.#show();
    this.#wake(); // what was said before we listened is in no event
  }

  lostTheLine() {
    this.#lost = this.#live || this.#lost;
    this.#live = false;
    this.#show();
    this.#wake();
  }

  async #follow() {
    let pauseS = 1;
    while (!FINAL.has(this.status)) {
      const woken = new Promise((wake) => (this.#wake = wake));
      try {
        const { status, said, headers } = await call(this.stack, "GET", `/jobs/${this.id}`, {
          headers: this.#tag ? { "if-none-match": this.#tag } : {},
        });
        this.#tag = headers.get("etag") ?? this.#tag;
        pauseS = Number(headers.get("retry-after")) || 1;
        if (status !== 304) {
          if (FINAL.has(said.status)) return this.#end(said.status, said);
          this.#seen = said;
          this.status = said.status;
        }
      } catch (wrong) {
        if (wrong instanceof Refused && (wrong.status === 404 || wrong.status === 401 || wrong.status === 403)) {
          return this.#end("FAILED", { error: sentence(wrong) });
        }
        pauseS = Math.min(20, pauseS * 2);
        this.#seen = { ...this.#seen, error: sentence(wrong) };
      }
      this.#show();
      await Promise.race([woken, sleep(1000 * Math.max(pauseS, this.#live ? LISTENING_POLL_S : 0))]);
    }
  }

  #end(status, said) {
    this.status = status;
    this.#seen = said;
    const text = $(".text", this.card);
    if (said.text_url) {
      const link = document.createElement("a");
      link.href = said.text_url;
      link.textContent = "The answer is too long for this page: open it.";
      text.replaceChildren(link);
    } else if (said.text !== undefined) {
      text.textContent = said.text; // whole, whatever was lost on the way
    }
    this.stack.ear.leave(this);
    this.#show();
    say(`${this.stack.name}: ${WORDS[status]}.`);
  }

  #show() {
    const over = FINAL.has(this.status);
    this.card.dataset.status = this.status;
    this.card.setAttribute("aria-busy", String(!over));
    $(".badge", this.card).textContent = this.#seen.cancel_requested && !over ? "being cancelled" : WORDS[this.status];
    $(".cancel", this.card).hidden = over || !this.id;
    $(".retry", this.card).hidden = !over;
    $(".facts", this.card).textContent = this.#facts(over).join(" · ");
    if (over || this.timer) return;
    this.timer = setInterval(() => {
      if (FINAL.has(this.status)) clearInterval(this.timer);
      else $(".facts", this.card).textContent = this.#facts(false).join(" · ");
    }, 500);
  }

  #facts(over) {
    const seen = this.#seen;
    const facts = [];
    if (over && seen.finished_at_ms) {
      facts.push(`${seconds(seen.finished_at_ms - seen.queued_at_ms)} in all`);
      if (seen.model_ms) facts.push(`${seconds(seen.model_ms)} at the model`);
      if (seen.output_tokens) facts.push(`${seen.output_tokens} tokens`);
    } else if (!over) {
      facts.push(seconds(Date.now() - this.#began));
      facts.push(this.#live ? "live" : this.#lost ? "connection lost; polling" : "polling");
      if (this.#line.hasGap) facts.push("a piece is missing; the whole answer follows");
    }
    if (seen.attempts > 1) facts.push(`attempt ${seen.attempts}`);
    if (seen.error && this.status !== "DONE") facts.push(seen.error);
    return facts;
  }
}

// -- the page

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function sentence(wrong) {
  if (wrong instanceof Refused) return wrong.message.replace(/\.?$/, ".");
  if (wrong.name === "AbortError") return "The door did not answer in time.";
  return "The door cannot be reached.";
}

function say(text) {
  $("#said").textContent = text;
}

function copy(template) {
  return $(`#${template}`).content.firstElementChild.cloneNode(true);
}

function ask(request, stacks, from) {
  $("#none").hidden = true;
  const question = copy("question");
  $("h3", question).textContent = request.prompt;
  const answers = $(".answers", question);
  answers.dataset.side = String(stacks.length);
  const jobs = stacks.map((stack) => new Job(stack, request, answers.appendChild(copy("answer"))));
  $("#questions").prepend(question);
  if (from) {
    question.tabIndex = -1;
    question.focus();
  }
  say(`Sent to ${stacks.map((stack) => stack.name).join(" and ")}.`);
  for (const job of jobs) job.send();
}

async function count(stack) {
  const panel = stack.panel;
  for (;;) {
    if (!document.hidden) {
      try {
        const { said } = await call(stack, "GET", "/queue");
        for (const cell of panel.querySelectorAll("[data-count]")) cell.textContent = said[cell.dataset.count].toLocaleString("en");
        $(".state", panel).textContent = "";
      } catch (wrong) {
        $(".state", panel).textContent = sentence(wrong);
      }
    }
    await sleep(QUEUE_EVERY_MS);
  }
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("#theme").setAttribute("aria-pressed", String(name === "dark"));
}

async function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  $("#theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

  const { stacks } = await (await fetch("stacks.json")).json();
  for (const stack of stacks) {
    stack.ear = new Ear();
    stack.family = Object.keys(FAMILIES).find((start) => stack.target.startsWith(start)) ?? "own";
    stack.panel = copy("queue");
    stack.panel.dataset.family = stack.family;
    $(".name", stack.panel).textContent = stack.name;
    $(".model", stack.panel).textContent = `${stack.target}, ${stack.model_id}`;
    $("#queues").append(stack.panel);
    count(stack);
    if (stacks.length > 1) {
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "target", value: stack.name, checked: true });
      label.append(box, ` ${stack.name}`);
      $("#targets").append(label);
      $("#targets").hidden = false;
    }
  }
  $("#tokens").max = $("#tokens").value = String(Math.min(...stacks.map((stack) => stack.max_tokens)));

  $("#ask").onsubmit = (event) => {
    event.preventDefault();
    const chosen = stacks.length > 1 ? stacks.filter((stack) => $(`#targets input[value="${CSS.escape(stack.name)}"]`).checked) : stacks;
    const prompt = $("#prompt").value.trim();
    $("#problem").textContent = !prompt ? "Write a question first." : chosen.length ? "" : "Choose at least one stack to ask.";
    if (!prompt || !chosen.length) return;
    const tokens = $("#tokens").valueAsNumber;
    ask({ prompt, ...(Number.isInteger(tokens) && tokens > 0 ? { max_tokens: tokens } : {}) }, chosen);
    $("#prompt").value = "";
    $("#prompt").focus();
  };
  $("#prompt").onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      $("#ask").requestSubmit();
    }
  };
}

begin();
