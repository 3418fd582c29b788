/* Makes the questions of a page answer: <dd-quiz> (quizzes/page.py writes what is inside).
 *
 * A classic script without dependencies, so that it also works in a page opened from a folder. It gives each item a Check button
 * and, after checking, the reason of every option; an order of options of the reader's own; steps that move without a mouse; and
 * keeps answers and attempts in this browser. The grading rules and the shuffle are those of quizzes/grading.py and
 * quizzes/shuffle.py; tests/quizzes/vectors.json holds both sides to them.
 *
 * After each answer the element sends a `dd-quiz:answered` event whose detail is an xAPI-shaped statement.
 */
(function () {
  "use strict";

  // ------------------------------------------------------------------------------------------------ grading

  class BadResponse extends Error {}

  function grade(key, response, profile) {
    if (key.type === "numeric") return gradeNumeric(key, response);
    let parts, right, wrong;
    if (key.type === "matching") {
      parts = Object.keys(key.pairs).length;
      [right, wrong] = matched(key, response);
    } else if (key.type === "ordering") {
      parts = key.correct.length - 1;
      [right, wrong] = [neighbours(key, response), 0];
    } else {
      parts = key.correct.length;
      [right, wrong] = chosen(key, response);
    }
    const answered = response !== null && (Array.isArray(response) ? response.length : Object.keys(response).length) > 0;
    const correct = answered && wrong === 0 && right === parts;
    const partial = Math.max(0, right - (key.type === "multiple" ? wrong : 0)) / parts;
    return { score: profile === "exam" ? Number(correct) : partial, correct, answered, right, parts };
  }

  function gradeNumeric(key, response) {
    if (response === null || response === "") return { score: 0, correct: false, answered: false, right: 0, parts: 1 };
    if (typeof response !== "string") throw new BadResponse("a numeric answer is the text that was typed");
    const slack = key.tolerance + 1e-9 * Math.max(1, Math.abs(key.answer)); // 0.1 + 0.2 is an answer of 0.3
    const correct = Math.abs(parseNumber(response, key.unit) - key.answer) <= slack;
    return { score: Number(correct), correct, answered: true, right: Number(correct), parts: 1 };
  }

  function idsOf(key, response) {
    if (response === null) return [];
    if (!Array.isArray(response)) throw new BadResponse("the answer to this item is a list of ids");
    const strange = response.filter((id) => !key.options.includes(id));
    if (strange.length) throw new BadResponse("unknown: " + strange.join(", "));
    if (new Set(response).size < response.length) throw new BadResponse("an id stands in the answer twice");
    return response;
  }

  function chosen(key, response) {
    const ids = idsOf(key, response);
    if (key.type === "single" && ids.length > 1) throw new BadResponse("one option may be chosen here");
    const right = ids.filter((id) => key.correct.includes(id)).length;
    return [right, ids.length - right];
  }

  function neighbours(key, response) {
    const ids = idsOf(key, response);
    if (ids.length && ids.length < key.correct.length) throw new BadResponse("every step must have its place");
    const next = new Map(ids.slice(0, -1).map((id, i) => [id, ids[i + 1]]));
    return key.correct.slice(0, -1).filter((id, i) => next.get(id) === key.correct[i + 1]).length;
  }

  function matched(key, response) {
    if (response === null) return [0, 0];
    if (typeof response !== "object" || Array.isArray(response)) throw new BadResponse("the answer to this item maps prompts to choices");
    const given = Object.entries(response);
    const strange = given.filter(([prompt, choice]) => !(prompt in key.pairs) || !key.options.includes(choice));
    if (strange.length) throw new BadResponse("unknown: " + strange.join(", "));
    const right = given.filter(([prompt, choice]) => key.pairs[prompt] === choice).length;
    return [right, given.length - right];
  }

  const NUMBER = /^[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?$/;

  function parseNumber(text, unit) {
    let bare = text.replace(/[ \t\u00a0\u2009\u202f_]/g, "").replace(/\u2212/g, "-").toLowerCase();
    if (bare.startsWith("$")) bare = bare.slice(1);
    const ending = (unit || "").replace(/ /g, "").toLowerCase();
    if (ending && bare.endsWith(ending)) bare = bare.slice(0, -ending.length);
    if (!NUMBER.test(bare) || !/[0-9]/.test(bare.split("e")[0])) throw new BadResponse("“" + text + "” is not a number; write it as 1234.5");
    const number = Number(bare.replace(/,/g, ""));
    if (!Number.isFinite(number)) throw new BadResponse("“" + text + "” is too large");
    return number;
  }

  function encodeResponse(response) {
    if (response === null) return "";
    if (typeof response === "string") return response;
    if (Array.isArray(response)) return response.join("[,]");
    return Object.entries(response).map(([prompt, choice]) => prompt + "[.]" + choice).join("[,]");
  }

  // ------------------------------------------------------------------------------------------------ shuffle

  function fnv1a(text) {
    let value = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
    return value;
  }

  function shuffled(ids, seed, avoid) {
    let state = fnv1a(seed);
    const order = ids.slice();
    const next = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1) >>> 0;
      mixed = (mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61))) >>> 0;
      return (mixed ^ (mixed >>> 14)) >>> 0;
    };
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor((next() * (last + 1)) / 4294967296);
      [order[last], order[other]] = [order[other], order[last]];
    }
    if (order.length > 1 && avoid && order.join() === avoid.join()) order.push(order.shift());
    return order;
  }

  // ------------------------------------------------------------------------------------------------ what this browser keeps

  const memory = new Map();
  const store = {
    kept: true,
    get(name) {
      let text = memory.get(name);
      try {
        text = localStorage.getItem("dd-quiz/" + name) ?? text;
      } catch {
        store.kept = false;
      }
      try {
        return text === undefined ? null : JSON.parse(text);
      } catch {
        return null; // somebody else's, or cut off
      }
    },
    set(name, value) {
      const text = JSON.stringify(value);
      memory.set(name, text);
      try {
        localStorage.setItem("dd-quiz/" + name, text);
      } catch {
        store.kept = false;
      }
    },
  };

  function hex(bytes) {
    return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function reader() {
    let name = store.get("reader");
    if (typeof name !== "string") store.set("reader", (name = hex(8)));
    return name;
  }

  const KEPT_STATEMENTS = 3000; // about 3 MB, below what browsers allow a site

  function record(...statements) {
    const log = store.get("log");
    store.set("log", [...(Array.isArray(log) ? log : []), ...statements].slice(-KEPT_STATEMENTS));
  }

  const URN = "urn:deployment-dilemma:";
  const INTERACTION = { single: "choice", multiple: "choice", ordering: "sequencing", matching: "matching", numeric: "numeric" };

  function uuid() {
    const id = hex(16);
    return [id.slice(0, 8), id.slice(8, 12), "4" + id.slice(13, 16), "8" + id.slice(17, 20), id.slice(20)].join("-");
  }

  /** `sitting`: for an answer in an exam, { registration, form, seconds }. */
  function statement(item, response, result, sitting) {
    const seconds = sitting ? sitting.seconds : item.startedAt ? (Date.now() - item.startedAt) / 1000 : undefined;
    return {
      id: uuid(),
      timestamp: new Date().toISOString(),
      actor: { account: { homePage: URN + "reader", name: reader() } },
      verb: { id: "http://adlnet.gov/expapi/verbs/answered", display: { en: "answered" } },
      object: {
        objectType: "Activity",
        id: URN + "item:" + item.spec.id,
        definition: {
          type: "http://adlnet.gov/expapi/activities/cmi.interaction",
          interactionType: INTERACTION[item.spec.key.type],
        },
      },
      result: { response: encodeResponse(response), ...result, ...(seconds === undefined ? {} : { duration: "PT" + Math.max(0, Math.round(seconds)) + "S" }) },
      context: {
        platform: item.quiz.dataset.platform || "page",
        ...(sitting ? { registration: sitting.registration } : {}),
        contextActivities: { grouping: [{ id: URN + "quiz:" + item.slug }] },
        extensions: {
          [URN + "attempt"]: item.state.attempt,
          [URN + "version"]: item.spec.version,
          [URN + "order"]: item.order,
          [URN + "profile"]: sitting ? "exam" : "study",
          [URN + "mode"]: item.spec.mode,
          ...(sitting ? { [URN + "form"]: sitting.form } : {}),
          ...(item.certainty && item.certainty.value ? { [URN + "certainty"]: item.certainty.value } : {}),
        },
      },
    };
  }

  // ------------------------------------------------------------------------------------------------ small helpers

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const button = (label, className, onclick) => make("button", { type: "button", className, onclick }, label);
  const letter = (index) => String.fromCharCode(65 + index);
  const sign = (text) => {
    const element = make("span", { className: "dd-sign" }, text);
    element.setAttribute("aria-hidden", "true");
    return element;
  };
  const points = (value) => String(Math.round(value * 100) / 100);
  const textOf = (element) => element.querySelector(".dd-text").textContent.trim();

  function why(signText, verdict, reason) {
    const note = make("div", { className: "dd-why" });
    note.append(sign(signText), make("strong", { className: "dd-mark" }, verdict + " "));
    if (reason) note.append(reason);
    return note;
  }

  // ------------------------------------------------------------------------------------------------ one face per kind of item
  // Each has: arrange(order), read() → response or null, write(response), missing() → what is still to do or null,
  // lock(locked), explain(response, key), first() → the control that comes first.

  class Options {
    constructor(item) {
      this.item = item;
      this.list = item.root.querySelector(".dd-options");
      this.rows = new Map(Array.from(this.list.children, (row) => [row.dataset.id, row]));
      this.inputs = new Map(Array.from(this.rows, ([id, row]) => [id, row.querySelector("input")]));
      this.list.addEventListener("change", () => item.changed());
    }
    arrange(order) {
      order.forEach((id, index) => {
        this.list.append(this.rows.get(id));
        this.rows.get(id).querySelector(".dd-letter").textContent = letter(index);
      });
    }
    read() {
      const ids = this.item.order.filter((id) => this.inputs.get(id).checked);
      return ids.length ? ids : null;
    }
    write(response) {
      this.inputs.forEach((input, id) => (input.checked = Boolean(response) && response.includes(id)));
    }
    missing() {
      const count = (this.read() || []).length;
      const wanted = this.item.spec.select;
      if (wanted && count !== wanted) return "Select exactly " + wanted + "; you have " + (count || "none") + ".";
      return count ? null : "Choose an option first.";
    }
    lock(locked) {
      this.inputs.forEach((input) => (input.disabled = locked));
    }
    explain(response, key) {
      this.rows.forEach((row, id) => {
        const right = key.correct.includes(id);
        const taken = response.includes(id);
        row.classList.add(right ? "dd-is-right" : "dd-is-wrong");
        const several = key.type === "multiple";
        const verdict = right
          ? taken ? "Right, and you chose it." : several ? "Right, and you left it out." : "This is the right answer."
          : taken ? "You chose this, and it is wrong." : several ? "Rightly left out." : "Not this one.";
        row.append(why(right ? "✓" : taken ? "✗" : "–", verdict, this.item.reason(id)));
      });
    }
    first() {
      return this.list.querySelector("input");
    }
  }

  class Steps {
    constructor(item) {
      this.item = item;
      this.list = item.root.querySelector(".dd-steps");
      this.rows = new Map(Array.from(this.list.children, (row) => [row.dataset.id, row]));
      this.live = make("p", { className: "dd-live" });
      this.live.setAttribute("role", "status");
      this.list.after(this.live);
      this.how = make("p", { className: "dd-how" }, "Move a step with its buttons, or with the ↑ and ↓ keys while one of them has the focus.");
      this.list.before(this.how);
      this.rows.forEach((row) => {
        const controls = make("span", { className: "dd-moves" });
        for (const [by, arrow, word] of [[-1, "↑", "up"], [1, "↓", "down"]]) {
          const control = button("", "dd-move", () => this.move(row, by));
          control.append(sign(arrow), make("span", { className: "dd-hidden" }, "Move " + word + ": " + textOf(row)));
          controls.append(control);
        }
        controls.addEventListener("keydown", (event) => {
          const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
          if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          this.move(row, by);
        });
        row.append(controls);
      });
    }
    move(row, by) {
      const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
      if (!other) {
        this.live.textContent = textOf(row) + " It is " + (by < 0 ? "first" : "last") + " already.";
        return;
      }
      if (by < 0) row.after(other); // the neighbour moves, so that the focus stays where it is
      else row.before(other);
      this.ends();
      this.live.textContent = textOf(row) + " Now step " + (this.read().indexOf(row.dataset.id) + 1) + " of " + this.rows.size + ".";
      this.item.changed();
    }
    ends() {
      const rows = Array.from(this.list.children);
      rows.forEach((row, index) => {
        const [up, down] = row.querySelectorAll(".dd-move");
        up.setAttribute("aria-disabled", String(index === 0));
        down.setAttribute("aria-disabled", String(index === rows.length - 1));
      });
    }
    arrange(order) {
      order.forEach((id) => this.list.append(this.rows.get(id)));
      this.ends();
    }
    read() {
      return Array.from(this.list.children, (row) => row.dataset.id);
    }
    write(response) {
      this.arrange(response || this.item.order);
    }
    missing() {
      // A page without the key cannot avoid to show the right order first.
      return this.item.state.draft || this.item.quiz.dataset.withheld ? null : "Put the steps in order first.";
    }
    lock(locked) {
      this.how.hidden = locked;
      this.live.textContent = "";
      this.rows.forEach((row) => (row.querySelector(".dd-moves").hidden = locked));
    }
    explain(response, key) {
      this.arrange(key.correct);
      key.correct.forEach((id, index) => {
        const had = response.indexOf(id);
        const row = this.rows.get(id);
        row.classList.add(had === index ? "dd-is-right" : "dd-is-wrong");
        row.append(why(had === index ? "✓" : "✗", had === index ? "You had it here." : "You had it in place " + (had + 1) + ".", this.item.reason(id)));
      });
    }
    first() {
      return this.list.querySelector(".dd-move");
    }
  }

  class Pairs {
    constructor(item) {
      this.item = item;
      this.list = item.root.querySelector(".dd-choices");
      this.choices = new Map(Array.from(this.list.children, (row) => [row.dataset.id, row]));
      this.rows = new Map(Array.from(item.root.querySelectorAll(".dd-prompt"), (row) => [row.dataset.id, row]));
      this.selects = new Map(Array.from(this.rows, ([id, row]) => [id, row.querySelector("select")]));
      this.selects.forEach((select) => select.addEventListener("change", () => item.changed()));
    }
    arrange(order) {
      order.forEach((id, index) => {
        this.list.append(this.choices.get(id));
        this.choices.get(id).querySelector(".dd-letter").textContent = letter(index);
        this.selects.forEach((select) => {
          const entry = Array.from(select.options).find((option) => option.value === id);
          entry.textContent = letter(index) + ". " + textOf(this.choices.get(id));
          select.append(entry);
        });
      });
    }
    read() {
      const pairs = Array.from(this.selects, ([id, select]) => [id, select.value]).filter(([, choice]) => choice);
      return pairs.length ? Object.fromEntries(pairs) : null;
    }
    write(response) {
      this.selects.forEach((select, id) => (select.value = (response && response[id]) || ""));
    }
    missing() {
      const given = Object.values(this.read() || {});
      const open = this.selects.size - given.length;
      if (open) return "Choose for every line first; " + open + (open === 1 ? " is" : " are") + " still open.";
      const twice = given.find((choice, index) => given.indexOf(choice) < index);
      return twice ? "Each choice fits one line; you chose “" + textOf(this.choices.get(twice)) + "” twice." : null;
    }
    lock(locked) {
      this.selects.forEach((select) => (select.disabled = locked));
    }
    explain(response, key) {
      const place = (id) => this.choices.get(id).querySelector(".dd-letter").textContent;
      this.rows.forEach((row, id) => {
        const right = response[id] === key.pairs[id];
        row.classList.add(right ? "dd-is-right" : "dd-is-wrong");
        const verdict = right ? place(key.pairs[id]) + " is right." : place(key.pairs[id]) + " is right; you chose " + place(response[id]) + ".";
        row.append(why(right ? "✓" : "✗", verdict, this.item.reason(id)));
      });
      const used = Object.values(key.pairs);
      this.choices.forEach((row, id) => {
        if (!used.includes(id)) row.append(why("–", "Fits nothing here.", this.item.reason(id)));
      });
    }
    first() {
      return this.item.root.querySelector("select");
    }
  }

  class Amount {
    constructor(item) {
      this.item = item;
      this.field = item.root.querySelector(".dd-number-field");
      this.field.addEventListener("input", () => item.changed());
      this.field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !item.state.checked) {
          event.preventDefault();
          item.check();
        }
      });
    }
    arrange() {}
    read() {
      return this.field.value.trim() || null;
    }
    write(response) {
      this.field.value = response || "";
    }
    missing() {
      if (!this.read()) return "Type a number first.";
      try {
        parseNumber(this.read(), this.item.spec.key.unit);
        return null;
      } catch (wrong) {
        return wrong.message + ".";
      }
    }
    lock(locked) {
      this.field.readOnly = locked;
    }
    explain(response, key) {
      const given = parseNumber(response, key.unit);
      const format = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 6 }) + " " + key.unit;
      const list = make("ul", { className: "dd-numbers" });
      const right = Math.abs(given - key.answer) <= key.tolerance + 1e-9 * Math.max(1, Math.abs(key.answer));
      const row = (signText, verdict, id, className) => list.append(make("li", { className }, why(signText, verdict, this.item.reason(id))));
      row("✓", format(key.answer) + (right ? ", as you say." : " is right."), "answer", "dd-is-right");
      (this.item.spec.mistakes || []).forEach((value, index) => {
        const yours = !right && Math.abs(given - value) <= 1e-6 * Math.max(1, Math.abs(value));
        row(yours ? "✗" : "–", format(value) + (yours ? ", your answer, is wrong." : " would be wrong."), String(index), "dd-is-wrong");
      });
      this.field.closest("p").after(list);
    }
    first() {
      return this.field;
    }
  }

  const FACES = { single: Options, multiple: Options, ordering: Steps, matching: Pairs, numeric: Amount };
  const PARTS = { multiple: "right options", ordering: "neighbouring steps", matching: "pairs" };

  // ------------------------------------------------------------------------------------------------ how sure
  // Study mode in a notebook asks before it tells (data-certainty): the same three words as quizzes/study/certainty.py.

  const CERTAINTIES = [[1, "A guess"], [2, "Fairly sure"], [3, "Sure"]];

  class Certainty {
    constructor(item) {
      this.root = make("fieldset", { className: "dd-certainty" }, make("legend", {}, "How sure are you?"));
      this.inputs = CERTAINTIES.map(([value, word]) => {
        const input = make("input", { type: "radio", name: "q-" + item.spec.id + "-certainty", value: String(value) });
        this.root.append(make("label", {}, input, " " + word));
        return input;
      });
      this.root.addEventListener("change", () => item.changed());
    }
    get value() {
      const input = this.inputs.find((one) => one.checked);
      return input ? Number(input.value) : 0;
    }
    write(value) {
      this.inputs.forEach((input) => (input.checked = Number(input.value) === value));
    }
    lock(locked) {
      this.inputs.forEach((input) => (input.disabled = locked));
    }
  }

  // ------------------------------------------------------------------------------------------------ an item

  class Item {
    constructor(root, quiz) {
      this.root = root;
      this.quiz = quiz;
      this.slug = quiz.dataset.quiz;
      this.spec = JSON.parse(root.dataset.spec);
      this.guess = this.spec.mode === "guess";
      this.startedAt = 0;
      this.reasons = new Map();
      root.querySelectorAll(".dd-reason-list > li").forEach((row) => this.reasons.set(row.dataset.for, row.querySelector(".dd-reason")));
      this.verdict = make("p", { className: "dd-verdict", tabIndex: -1 });
      this.verdict.setAttribute("role", "status");
      root.querySelector(".dd-criterion").after(this.verdict);
      this.face = new FACES[this.spec.key.type](this);
      this.actions = make("p", { className: "dd-actions" });
      const what = quiz.dataset.withheld ? "answer" : "guess";
      this.checkButton = button(this.guess ? "Keep my " + what : "Check", "dd-button dd-button-main", () => this.check());
      this.againButton = button(this.guess ? "Change my " + what : "Try again", "dd-button", () => this.again());
      this.actions.append(this.checkButton, this.againButton);
      root.querySelector(".dd-answer").after(this.actions);
      if (quiz.dataset.certainty && !this.guess) this.actions.before((this.certainty = new Certainty(this)).root);
      this.details = root.querySelector(".dd-reasons");
      if (this.details) {
        this.details.hidden = true;
        this.sources = this.details.querySelector(".dd-sources");
        if (this.sources) this.details.before(this.sources);
      }
      this.load();
      this.show(false);
    }

    get storeName() {
      return (this.guess ? "guess/" : "item/") + this.spec.id;
    }

    load() {
      const kept = store.get(this.storeName);
      const again = this.quiz.dataset.fresh && kept && kept.checked; // study mode asks what is due, answered before or not
      const usable = kept && !again && kept.version === this.spec.version && Number.isInteger(kept.attempt);
      this.state = usable ? kept : { version: this.spec.version, attempt: (kept && kept.attempt + 1) || 1, draft: null, checked: false };
      this.outdated = Boolean(kept) && !again && !usable && Boolean(kept.checked);
    }

    save() {
      store.set(this.storeName, this.state);
    }

    reason(id) {
      const reason = this.reasons.get(id);
      return reason ? reason.cloneNode(true) : null;
    }

    /** Bring the page in line with the state. */
    show(moveFocus) {
      const { spec, state } = this;
      this.root.querySelectorAll(".dd-why").forEach((note) => note.remove());
      this.root.querySelectorAll(".dd-numbers").forEach((list) => list.remove());
      this.root.querySelectorAll(".dd-is-right, .dd-is-wrong").forEach((row) => row.classList.remove("dd-is-right", "dd-is-wrong"));
      const ids = spec.key.options || [];
      const avoid = spec.key.type === "ordering" ? spec.key.correct : null;
      this.order = spec.shuffle ? shuffled(ids, reader() + "/" + spec.id + "/" + state.attempt, avoid) : ids.slice();
      this.face.arrange(this.order);
      try {
        this.face.write(state.draft);
        if (state.checked && (!state.draft || this.face.missing())) throw new BadResponse("not a whole answer");
        if (state.checked && !this.guess) grade(spec.key, state.draft, "study");
      } catch {
        Object.assign(state, { draft: null, checked: false }); // written by another version, or by hand
        this.face.write(null);
      }
      this.face.lock(state.checked);
      if (this.certainty) {
        this.certainty.write(state.certainty);
        this.certainty.lock(state.checked);
      }
      this.root.classList.toggle("dd-is-checked", state.checked);
      this.checkButton.hidden = state.checked;
      this.againButton.hidden = !state.checked;
      if (this.sources) this.sources.hidden = !state.checked;
      this.verdict.className = "dd-verdict";
      this.verdict.replaceChildren();
      if (this.outdated) this.say("This question has changed since you answered it. Answer it again.");
      if (state.checked) this.tell();
      if (moveFocus) (state.checked ? this.verdict : this.face.first()).focus();
    }

    changed() {
      if (!this.startedAt) this.startedAt = Date.now();
      this.state.draft = this.face.read();
      if (this.certainty) this.state.certainty = this.certainty.value;
      this.outdated = false;
      this.save();
      if (!this.verdict.classList.contains("dd-verdict-told")) this.verdict.replaceChildren();
    }

    say(text) {
      this.verdict.replaceChildren(text);
      this.verdict.classList.add("dd-verdict-hint");
    }

    check() {
      const missing = this.face.missing();
      if (missing) {
        this.say(missing);
        this.face.first().focus();
        return;
      }
      if (this.certainty && !this.certainty.value) {
        this.say("Say how sure you are first.");
        this.certainty.inputs[0].focus();
        return;
      }
      const response = this.face.read();
      Object.assign(this.state, { draft: response, checked: true });
      let result = {};
      if (!this.guess) {
        const { score, correct } = grade(this.spec.key, response, "study");
        this.state.score = score;
        if (this.state.first === undefined) this.state.first = score;
        result = { success: correct, score: { scaled: score } };
      }
      const said = statement(this, response, result);
      record(said);
      this.save();
      this.startedAt = 0;
      this.show(true);
      this.quiz.dispatchEvent(new CustomEvent("dd-quiz:answered", { bubbles: true, detail: said }));
    }

    again() {
      Object.assign(this.state, { checked: false });
      if (!this.guess) Object.assign(this.state, { draft: null, certainty: 0, attempt: this.state.attempt + 1 });
      this.save();
      this.show(true);
      scoreboards(this.slug);
    }

    /** Forget this item's answers, not that it has been seen: the next order is a new one. */
    startOver() {
      this.state = { version: this.spec.version, attempt: this.state.attempt + 1, draft: null, checked: false };
      this.save();
      this.show(false);
    }

    tell() {
      const { key } = this.spec;
      this.verdict.classList.add("dd-verdict-told");
      if (this.quiz.dataset.withheld) {
        this.verdict.append(sign("✓"), "Your answer is kept. You may still change it.");
        return;
      }
      if (this.guess) {
        this.verdict.append(sign("✓"), "Your guess is kept: “" + textOf(this.face.rows.get(this.state.draft[0])) + "”");
        return;
      }
      const { score, correct, right, parts } = grade(key, this.state.draft, "study");
      const mark = correct ? "✓" : score > 0 ? "½" : "✗";
      let text = correct ? "Right." : score > 0 ? "Partly right" : "Not right";
      const wrong = key.type === "multiple" ? this.state.draft.length - right : 0;
      const counted = PARTS[key.type] && right + " of " + parts + " " + PARTS[key.type] + (wrong ? ", " + wrong + " wrong" : "");
      if (!correct) text += counted ? ": " + counted + ". That is " + points(score) + " of 1 point." : ".";
      this.verdict.classList.add(correct ? "dd-verdict-right" : "dd-verdict-wrong");
      this.verdict.append(sign(mark), make("strong", {}, text), " " + this.firstGuess() + "Each reason is below.");
      this.face.explain(this.state.draft, key);
    }

    firstGuess() {
      const guess = store.get("guess/" + this.spec.id);
      if (!guess || !guess.checked || !this.face.rows || !guess.draft) return "";
      const row = this.face.rows.get(guess.draft[0]);
      if (!row) return "";
      const was = this.spec.key.correct.includes(guess.draft[0]) ? "was right" : "was not";
      return "Your guess at the start, “" + textOf(row).replace(/\.$/, "") + "”, " + was + ". ";
    }

    /** Sentences about what a wrong answer suggests. */
    misconceptions() {
      const sentences = this.spec.misconceptions || {};
      const { key } = this.spec;
      const response = this.state.draft;
      let parts = [];
      if (key.type === "ordering") parts = key.correct.filter((id, index) => response[index] !== id);
      else if (key.type === "matching") {
        // a wrong line suggests what the wrongly taken choice stands for, or else what the line itself does
        parts = Object.keys(key.pairs).filter((id) => response[id] !== key.pairs[id]).map((id) => (sentences[response[id]] ? response[id] : id));
      } else if (key.type === "numeric") {
        const given = parseNumber(response, key.unit);
        parts = (this.spec.mistakes || []).map((value, index) => (Math.abs(given - value) <= 1e-6 * Math.max(1, Math.abs(value)) ? String(index) : ""));
        if (grade(key, response, "study").correct) parts = [];
      } else parts = response.filter((id) => !key.correct.includes(id));
      return parts.map((id) => sentences[id]).filter(Boolean);
    }
  }

  // ------------------------------------------------------------------------------------------------ the score below the last quiz

  const itemsOf = (slug) => Array.from(document.querySelectorAll("dd-quiz")).filter((quiz) => quiz.dataset.quiz === slug).flatMap((quiz) => quiz.items || []);

  function scoreboards(slug) {
    document.querySelectorAll("dd-quiz").forEach((quiz) => {
      if (quiz.dataset.quiz === slug && quiz.scoreboard) quiz.scoreboard.update();
    });
  }

  class Scoreboard {
    constructor(quiz) {
      this.slug = quiz.dataset.quiz;
      this.line = make("p", { className: "dd-score-line" });
      this.review = make("div", { className: "dd-review" });
      this.status = make("p", { className: "dd-live" });
      this.status.setAttribute("role", "status");
      this.over = button("Start over", "dd-button", () => this.startOver());
      this.save = button("Download my answers", "dd-button", () => this.download());
      this.note = make("p", { className: "dd-quiz-note" });
      this.root = make("div", { className: "dd-score" }, this.line, this.review, make("p", { className: "dd-actions" }, this.over, this.save), this.status, this.note);
      quiz.append(this.root);
    }

    get items() {
      return itemsOf(this.slug);
    }

    update() {
      const scored = this.items.filter((item) => !item.guess);
      const done = scored.filter((item) => item.state.checked);
      const started = this.items.some((item) => item.state.checked || item.state.draft);
      this.line.hidden = scored.length === 0;
      if (scored.length) {
        const first = done.reduce((sum, item) => sum + item.state.first, 0);
        const now = done.reduce((sum, item) => sum + item.state.score, 0);
        let text = done.length + " of " + scored.length + " answered";
        if (done.length) text += " · " + points(first) + " of " + done.length + (done.length === 1 ? " point" : " points") + " at the first try";
        if (points(now) !== points(first)) text += " · " + points(now) + " now";
        this.line.replaceChildren(text);
      }
      this.over.hidden = !started;
      this.save.hidden = !(store.get("log") || []).length;
      this.review.replaceChildren();
      const wrong = done.filter((item) => item.state.score < 1);
      if (scored.length > 1 && done.length === scored.length && wrong.length) {
        const list = make("ul");
        wrong.forEach((item) => {
          const said = [...new Set(item.misconceptions())];
          const link = make("a", { href: "#" + item.root.id }, item.root.querySelector(".dd-criterion").textContent);
          list.append(make("li", {}, link, said.length ? " You may have thought: " + said.map((s) => "“" + s + "”").join(" ") : ""));
        });
        this.review.append(make("p", { className: "dd-review-title" }, "Worth another look"), list);
      }
      const key = scored.length ? "This page carries its own answer key; a static page cannot hide it. It marks you here, in your browser. " : "";
      const kept = store.note // of whoever keeps answers elsewhere: a learning platform
        || (store.kept
          ? "What you answer stays in this browser and is sent nowhere."
          : "This browser keeps nothing for this page: a reload loses your answers.");
      this.note.replaceChildren(key + kept);
    }

    startOver() {
      if (!window.confirm("Clear your answers to the questions of this page? Your downloaded and logged answers stay.")) return;
      this.items.forEach((item) => item.startOver());
      scoreboards(this.slug);
      this.status.textContent = "Your answers are cleared.";
      const first = this.items[0];
      if (first) first.face.first().focus();
    }

    download() {
      const lines = (store.get("log") || []).map((said) => JSON.stringify(said) + "\n");
      const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
      make("a", { href: url, download: "deployment-dilemma-answers.jsonl" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      this.status.textContent = lines.length + (lines.length === 1 ? " answer" : " answers") + " downloaded.";
    }
  }

  // ------------------------------------------------------------------------------------------------ the element

  class DDQuiz extends HTMLElement {
    connectedCallback() {
      if (this.items) return; // moved within the page
      this.items = Array.from(this.querySelectorAll(".dd-item"), (root) => new Item(root, this));
      if (this.dataset.score) this.scoreboard = new Scoreboard(this);
      this.addEventListener("dd-quiz:answered", () => scoreboards(this.dataset.quiz));
      this.classList.add("dd-is-ready");
      scoreboards(this.dataset.quiz);
    }
  }

  window.ddQuiz = { grade, parseNumber, encodeResponse, shuffled, fnv1a, BadResponse, Item, store, reader, record, statement, uuid, make, button, sign };
  const define = () => customElements.get("dd-quiz") || customElements.define("dd-quiz", DDQuiz);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", define); // what is inside must be there
  else define();
})();
