/* The exam room of a page: <dd-exam> (quizzes/exam/sphinx.py writes its first view).
 *
 * A classic script on top of quiz.js, so that it also works in a page opened from a folder: a form's questions are a script of their own,
 * loaded when the form is begun. The clock counts to an absolute end that this browser keeps, so a reload, a closed lid or another tab
 * stops nothing; nothing is told about right and wrong before the exam is handed in. Marks are those of quizzes/results.py:
 * all or nothing, a raw percentage with its Wilson interval; tests/quizzes/vectors.json holds both sides to them.
 */
(function () {
  "use strict";

  const { grade, BadResponse, Item, store, record, statement, uuid, make, button, sign } = window.ddQuiz;
  const Z95 = 1.959963984540054;

  function wilson(right, n) {
    if (!n) return [0, 1];
    const p = right / n;
    const z2 = Z95 * Z95;
    const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    const half = (Z95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (value) => String(value).padStart(2, "0");
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return (hours ? hours + ":" : "") + two(minutes) + ":" + two(whole % 60);
  }

  const plural = (n, one, many) => n + " " + (n === 1 ? one : many || one + "s");
  const percent = (share) => Math.round(100 * share) + " %";

  /** An item of the exam: its answers belong to the sitting, and it tells nothing until it is revealed. */
  class ExamItem extends Item {
    constructor(root, stage) {
      super(root, stage);
      this.actions.remove();
    }
    get sitting() {
      return this.quiz.sitting;
    }
    load() {
      const draft = this.sitting.answers[this.spec.id];
      this.state = { version: this.spec.version, attempt: this.sitting.number, draft: draft === undefined ? null : draft, checked: false };
    }
    save() {
      if (this.state.draft === null) delete this.sitting.answers[this.spec.id];
      else this.sitting.answers[this.spec.id] = this.state.draft;
      this.quiz.keep();
    }
    changed() {
      super.changed();
      this.quiz.changed();
    }
    firstGuess() {
      return "";
    }
    get whole() {
      return this.state.draft !== null && !this.face.missing();
    }
    get marked() {
      try {
        return grade(this.spec.key, this.state.draft, "exam");
      } catch (wrong) {
        if (!(wrong instanceof BadResponse)) throw wrong;
        return grade(this.spec.key, null, "exam"); // half an order, half a number
      }
    }
    reveal() {
      const { correct, answered } = this.marked;
      this.state.checked = true;
      this.face.lock(true);
      this.root.classList.add("dd-is-checked");
      this.verdict.className = "dd-verdict dd-verdict-told " + (correct ? "dd-verdict-right" : "dd-verdict-wrong");
      this.verdict.removeAttribute("role"); // seventy-five voices at once would be none
      this.verdict.replaceChildren(sign(correct ? "✓" : answered ? "✗" : "–"), make("strong", {}, correct ? "Right." : answered ? "Not right." : "Left open."));
      if (this.state.draft !== null && (this.whole || this.spec.key.type === "multiple")) this.face.explain(this.state.draft, this.spec.key);
      else if (this.details) this.details.hidden = !(this.details.open = true);
      if (this.sources) this.sources.hidden = false;
    }
    believed() {
      if (!this.marked.answered || this.marked.correct) return [];
      return [...new Set(this.misconceptions())];
    }
  }

  class DDExam extends HTMLElement {
    connectedCallback() {
      if (this.forms) return;
      this.exam = this.dataset.exam;
      this.forms = JSON.parse(this.dataset.forms);
      this.areas = JSON.parse(this.dataset.areas);
      this.intro = this.querySelector(".dd-exam-intro");
      this.live = make("p", { className: "dd-live" });
      this.live.setAttribute("role", "status");
      this.stage = make("div", { className: "dd-exam-stage" });
      this.append(this.stage, this.live);
      this.classList.add("dd-is-ready");
      this.state = this.read();
      this.items = [];
      this.ticking = setInterval(() => this.tick(), 500);
      document.addEventListener("visibilitychange", () => this.tick());
      window.addEventListener("beforeprint", () => this.forPaper());
      const { sitting } = this.state;
      if (sitting && !sitting.ended) this.goOn();
      else this.start();
    }

    disconnectedCallback() {
      clearInterval(this.ticking);
    }

    // ---------------------------------------------------------------- what the browser keeps

    read() {
      const kept = store.get("exam/" + this.exam);
      const usable = kept && typeof kept === "object" && Array.isArray(kept.seen) && Array.isArray(kept.results);
      const state = usable ? kept : { seen: [], results: [], sitting: null };
      const { sitting } = state;
      const sound = sitting && this.formOf(sitting) && Number.isFinite(sitting.ends) && Array.isArray(sitting.places) && sitting.answers && Array.isArray(sitting.flagged);
      if (!sound) state.sitting = null; // another edition of the course, or somebody's hand
      return state;
    }

    keep() {
      store.set("exam/" + this.exam, this.state);
    }

    get sitting() {
      return this.state.sitting;
    }

    formOf(sitting) {
      return this.forms.find((form) => form.id === sitting.form);
    }

    // ---------------------------------------------------------------- before

    /** Of the forms of this length the one with most questions that this browser has not shown yet. */
    next(half) {
      const known = new Set(this.state.seen);
      const parts = this.forms.flatMap((form) => (half ? form.halves : [form.ids.map((_, place) => place)]).map((places, part) => ({ form, half, part, places })));
      parts.forEach((one) => (one.seen = one.places.filter((place) => known.has(one.form.ids[place])).length));
      return parts.reduce((best, one) => (one.seen < best.seen ? one : best));
    }

    minutes(form, count) {
      return Math.ceil((form.minutes * count) / form.ids.length);
    }

    start() {
      this.view = "start";
      this.intro.hidden = false;
      const choices = make("div", { className: "dd-exam-choices" });
      for (const half of [false, true]) {
        const one = this.next(half);
        const minutes = this.minutes(one.form, one.places.length);
        const seen = one.seen ? " · " + one.seen + " seen before" : "";
        const label = make("span", { className: "dd-exam-choice-what" }, half ? "Half a form" : "A whole form");
        const what = make("span", { className: "dd-exam-choice-size" }, plural(one.places.length, "question") + " · " + plural(minutes, "minute") + seen);
        const control = button("", "dd-button dd-exam-choice" + (half ? "" : " dd-button-main"), () => this.begin(one, minutes));
        control.append(label, what);
        choices.append(control);
      }
      const paper = button("Print the next whole form", "dd-button", () => this.print(this.next(false)));
      this.stage.replaceChildren(make("p", { className: "dd-exam-note" }, "The clock starts as soon as you choose. It does not stop for a reload or a closed window."), choices, make("p", { className: "dd-actions" }, paper));
      if (this.state.results.length) this.stage.append(this.history());
      if (!store.kept) this.stage.append(make("p", { className: "dd-exam-note" }, "This browser keeps nothing for this page: a reload would lose the exam."));
    }

    history() {
      const list = make("ul", {});
      this.state.results.slice(-6).reverse().forEach((one) => list.append(make("li", {}, one.on + ": " + one.right + " of " + one.n + " right, " + percent(one.right / one.n) + (one.half ? ", half a form" : ""))));
      const box = make("div", { className: "dd-exam-history" }, make("p", { className: "dd-review-title" }, "What you have sat in this browser"), list);
      if (this.sitting) box.append(make("p", { className: "dd-actions" }, button("See the latest result again", "dd-button", () => this.load(this.formOf(this.sitting), () => this.result(true)))));
      return box;
    }

    /** The form's questions: a script, because a page from a folder may not fetch. */
    load(form, then) {
      const there = () => (window.ddExamForms || {})[form.id];
      if (there()) return then(there());
      this.say("Loading the questions…");
      const script = make("script", { src: form.src });
      script.onload = () => (there() ? then(there()) : this.failed(form));
      script.onerror = () => this.failed(form);
      document.head.append(script);
    }

    failed(form) {
      this.stage.replaceChildren(make("p", { className: "dd-exam-note" }, "The questions could not be loaded from " + form.src + ". Reload the page, or copy the whole folder of the course."));
    }

    begin(one, minutes) {
      this.load(one.form, () => {
        const now = Date.now();
        this.state.sitting = {
          form: one.form.id, half: one.half, places: one.places, number: this.state.results.length + 1, registration: uuid(),
          started: now, ends: now + 60000 * minutes, minutes, at: 0, answers: {}, flagged: [], seconds: {}, ended: null,
        };
        this.state.seen = [...new Set([...this.state.seen, ...one.places.map((place) => one.form.ids[place])])];
        this.keep();
        this.run(false);
      });
    }

    goOn() {
      this.intro.hidden = true;
      this.load(this.formOf(this.sitting), () => this.run(true)); // after a reload the focus stays where the browser puts it
    }

    // ---------------------------------------------------------------- while it runs

    /** Put the questions of the sitting on a stage of their own. */
    set() {
      const { sitting } = this;
      const data = window.ddExamForms[sitting.form];
      this.questions = sitting.places.map((place) => data.questions[place]);
      this.booth = make("div", { className: "dd-quiz" });
      this.booth.dataset.quiz = this.exam;
      this.booth.sitting = sitting;
      this.booth.keep = () => this.keep();
      this.booth.changed = () => this.count();
      this.booth.innerHTML = this.questions.map((question) => question.html).join("\n"); // written by quizzes/page.py
      this.roots = Array.from(this.booth.children);
      this.roots.forEach((root, place) => {
        const title = root.querySelector(".dd-item-title");
        title.textContent = "Question " + (place + 1);
        title.append(" ", make("span", { className: "dd-of" }, "of " + this.roots.length));
        title.tabIndex = -1;
        const { scenario } = this.questions[place];
        if (scenario) root.querySelector(".dd-stem").before(Object.assign(make("div", { className: "dd-exam-scenario" }), { innerHTML: scenario }));
      });
      this.items = this.roots.map((root) => new ExamItem(root, this.booth));
    }

    run(quietly) {
      this.set();
      this.view = "question";
      this.intro.hidden = true;
      this.time = make("span", { className: "dd-exam-time" });
      this.time.setAttribute("role", "timer");
      this.counted = make("span", { className: "dd-exam-counted" });
      this.flag = button("", "dd-button", () => this.mark());
      this.toReview = button("Review and hand in", "dd-button", () => this.review());
      this.bar = make("div", { className: "dd-exam-bar" }, this.time, this.counted, this.flag, this.toReview);
      this.back = button("← Previous", "dd-button", () => this.go(this.sitting.at - 1));
      this.on = button("Next →", "dd-button dd-button-main", () => (this.sitting.at + 1 < this.items.length ? this.go(this.sitting.at + 1) : this.review()));
      this.turns = make("p", { className: "dd-actions dd-exam-turns" }, this.back, this.on);
      this.board = make("div", { className: "dd-exam-board", hidden: true });
      this.stage.replaceChildren(this.bar, this.booth, this.turns, this.board);
      this.warned = this.left > 1800 ? 0 : this.left > 300 ? 1 : 2;
      if (this.left > 0) this.go(Math.max(0, Math.min(this.sitting.at, this.items.length - 1)), quietly);
      this.tick();
    }

    get left() {
      return (this.sitting.ends - Date.now()) / 1000;
    }

    tick() {
      if (this.view !== "question" && this.view !== "review") return;
      const { left } = this;
      if (left <= 0) {
        this.say("Time is up. The exam is handed in.");
        this.handIn(this.sitting.ends);
        return;
      }
      if (this.view === "question" && !document.hidden) {
        const name = this.items[this.sitting.at].spec.id;
        const now = Date.now();
        this.sitting.seconds[name] = (this.sitting.seconds[name] || 0) + Math.min(2, (now - (this.lastTick || now)) / 1000);
      }
      this.lastTick = Date.now();
      const text = clock(left) + " left";
      if (this.time.textContent !== text) this.time.textContent = text;
      this.time.classList.toggle("dd-exam-late", left < 300);
      if (left < 1800 && !this.warned) this.warn(1, "Half an hour is left.");
      if (left < 300 && this.warned < 2) this.warn(2, "Five minutes are left.");
    }

    warn(level, text) {
      this.warned = level;
      this.say(text);
    }

    say(text) {
      this.live.textContent = text;
    }

    go(place, quietly) {
      this.view = "question";
      this.sitting.at = place;
      this.keep();
      this.roots.forEach((root, index) => (root.hidden = index !== place));
      this.booth.hidden = this.turns.hidden = this.flag.hidden = this.toReview.hidden = false;
      this.board.hidden = true;
      this.back.disabled = place === 0;
      this.on.textContent = place + 1 < this.items.length ? "Next →" : "Review and hand in";
      this.count();
      if (!quietly) this.focusOn(this.roots[place].querySelector(".dd-item-title"));
    }

    focusOn(element) {
      element.focus({ preventScroll: true });
      const top = this.getBoundingClientRect().top + window.scrollY - 90;
      if (window.scrollY > top) window.scrollTo(0, Math.max(0, top));
    }

    get open() {
      return this.items.map((item, place) => place).filter((place) => !this.items[place].whole);
    }

    count() {
      const flagged = this.sitting.flagged.length;
      const name = this.items[this.sitting.at].spec.id;
      const on = this.sitting.flagged.includes(name);
      this.counted.textContent = this.items.length - this.open.length + " of " + this.items.length + " answered" + (flagged ? " · " + flagged + " marked" : "");
      this.flag.setAttribute("aria-pressed", String(on));
      this.flag.replaceChildren(sign(on ? "⚑" : "⚐"), " Mark");
    }

    mark() {
      const name = this.items[this.sitting.at].spec.id;
      const { flagged } = this.sitting;
      if (flagged.includes(name)) flagged.splice(flagged.indexOf(name), 1);
      else flagged.push(name);
      this.keep();
      this.count();
    }

    review() {
      this.view = "review";
      this.booth.hidden = this.turns.hidden = this.flag.hidden = this.toReview.hidden = true;
      this.board.hidden = false;
      const open = new Set(this.open);
      const list = make("ol", { className: "dd-exam-cells" });
      this.items.forEach((item, place) => {
        const flagged = this.sitting.flagged.includes(item.spec.id);
        const control = button("", "dd-exam-cell" + (open.has(place) ? " dd-is-open" : ""), () => this.go(place));
        control.append(String(place + 1), sign(flagged ? "⚑" : open.has(place) ? "○" : "●"));
        control.setAttribute("aria-label", "Question " + (place + 1) + ", " + (open.has(place) ? "still open" : "answered") + (flagged ? ", marked" : ""));
        list.append(make("li", {}, control));
      });
      const title = make("h2", { tabIndex: -1 }, "Review");
      const said = open.size ? plural(open.size, "question is", "questions are") + " still open. No answer counts as a wrong one, and a guess costs nothing." : "Every question has an answer.";
      this.sure = make("p", { className: "dd-exam-sure", hidden: true });
      const hand = button("Hand in", "dd-button dd-button-main", () => this.ask(hand));
      const back = button("Back to question " + (this.sitting.at + 1), "dd-button", () => this.go(this.sitting.at));
      const legend = make("p", { className: "dd-exam-note" }, "● answered   ○ still open   ⚑ marked by you");
      legend.setAttribute("aria-hidden", "true");
      this.board.replaceChildren(title, make("p", {}, said), legend, list, make("p", { className: "dd-actions" }, back, hand), this.sure);
      this.focusOn(title);
    }

    ask(hand) {
      hand.disabled = true;
      const yes = button("Yes, hand in now", "dd-button dd-button-main", () => this.handIn(Date.now()));
      const no = button("No, not yet", "dd-button", () => this.review());
      this.sure.hidden = false;
      this.sure.replaceChildren("There is no way back to the questions. ", yes, " ", no);
      yes.focus();
    }

    // ---------------------------------------------------------------- after

    handIn(at) {
      const { sitting } = this;
      sitting.ended = at;
      const said = this.items.map((item) => {
        const { correct } = item.marked;
        return statement(item, item.state.draft, { success: correct, score: { scaled: Number(correct) } }, { registration: sitting.registration, form: sitting.form, seconds: sitting.seconds[item.spec.id] });
      });
      record(...said);
      const right = this.items.filter((item) => item.marked.correct).length;
      this.state.results.push({ on: new Date(at).toISOString().slice(0, 10), right, n: this.items.length, half: sitting.half, form: sitting.form });
      this.keep();
      this.result(false);
      said.forEach((one) => this.dispatchEvent(new CustomEvent("dd-quiz:answered", { bubbles: true, detail: one })));
    }

    result(again) {
      if (again) this.set();
      this.view = "result";
      this.intro.hidden = true;
      this.items.forEach((item) => item.reveal());
      this.roots.forEach((root) => (root.hidden = false));
      this.booth.hidden = false;
      const marks = this.items.map((item) => item.marked.correct);
      const right = marks.filter(Boolean).length;
      const n = marks.length;
      const [low, high] = wilson(right, n);
      const title = make("h2", { tabIndex: -1 }, right + " of " + n + " right: " + percent(right / n));
      const used = clock((Math.min(this.sitting.ended, this.sitting.ends) - this.sitting.started) / 1000);
      const open = this.items.filter((item) => !item.marked.answered).length;
      const sum = make("div", { className: "dd-exam-result" },
        title,
        make("p", {}, "95 % interval " + percent(low).replace(" %", "") + " to " + percent(high) + ": so far apart may sittings with " + n + " questions lie by chance alone. It is no score from 100 to 1,000; how AWS scales its own is not published."),
        make("p", { className: "dd-exam-note" }, used + " of " + clock(60 * this.sitting.minutes) + " used; " + (open ? open + " left open, which counts as wrong." : "none left open.")),
        this.table("By area", this.areas.map((area) => [area.title, (question) => question.area === area.id])),
        this.believed(),
        this.toRead(),
        this.table("By skill of the exam guide", [...new Set(this.questions.map((question) => question.skill))].sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map((skill) => [skill, (question) => question.skill === skill])),
        make("p", { className: "dd-actions" }, button("Another form", "dd-button dd-button-main", () => this.over()), button("Print", "dd-button", () => window.print())),
        make("h2", {}, "Every question, with its reasons"),
        this.filters(marks)
      );
      this.stage.replaceChildren(sum, this.booth);
      this.focusOn(title);
    }

    over() {
      this.items = [];
      this.start();
      this.focusOn(this.stage.querySelector("button"));
    }

    table(caption, rows) {
      const body = make("tbody", {});
      rows.forEach(([name, belongs]) => {
        const places = this.questions.map((question, place) => place).filter((place) => belongs(this.questions[place]));
        if (!places.length) return;
        const right = places.filter((place) => this.items[place].marked.correct).length;
        const meter = make("span", { className: "dd-exam-meter" }, make("span", {}));
        meter.firstChild.style.width = (100 * right) / places.length + "%";
        meter.setAttribute("aria-hidden", "true");
        const head = make("th", { scope: "row" }, name);
        body.append(make("tr", {}, head, make("td", {}, right + " of " + places.length), make("td", {}, meter)));
      });
      const heads = make("tr", {}, make("th", { scope: "col" }, caption), make("th", { scope: "col" }, "Right"), make("td", {}));
      return make("div", { className: "dd-exam-table" }, make("table", {}, make("thead", {}, heads), body));
    }

    believed() {
      const counted = new Map();
      this.items.forEach((item, place) =>
        item.believed().forEach((sentence) => {
          const one = counted.get(sentence) || { count: 0, section: this.questions[place].section };
          counted.set(sentence, { ...one, count: one.count + 1 });
        })
      );
      if (!counted.size) return "";
      const list = make("ul", {});
      [...counted].sort((a, b) => b[1].count - a[1].count).slice(0, 10).forEach(([sentence, { count, section }]) =>
        list.append(make("li", {}, "“" + sentence + "”" + (count > 1 ? " (" + count + " times)" : "") + " → ", this.link(section)))
      );
      return make("div", {}, make("h3", {}, "What you may believe"), list);
    }

    link(section) {
      return make("a", { href: section.href }, section.title);
    }

    toRead() {
      const lessons = new Map();
      this.items.forEach((item, place) => {
        if (item.marked.correct) return;
        const { section } = this.questions[place];
        const sections = lessons.get(section.of) || lessons.set(section.of, new Map()).get(section.of);
        sections.set(section.href, { section, count: ((sections.get(section.href) || {}).count || 0) + 1 });
      });
      if (!lessons.size) return "";
      const list = make("ul", {});
      const first = (sections) => [...sections.keys()].sort()[0];
      [...lessons].sort((a, b) => first(a[1]).localeCompare(first(b[1]))).forEach(([lesson, sections]) => {
        const row = make("li", {}, lesson + ": ");
        [...sections.values()].sort((a, b) => b.count - a.count).forEach(({ section, count }, place) => {
          const named = section.title === lesson ? make("a", { href: section.href }, "the lesson") : this.link(section);
          row.append(place ? "; " : "", named, " (" + count + ")");
        });
        list.append(row);
      });
      return make("div", {}, make("h3", {}, "Read again"), list);
    }

    filters(marks) {
      const show = (kind) => {
        this.roots.forEach((root, place) => (root.hidden = kind === "wrong" ? marks[place] : kind === "marked" ? !this.sitting.flagged.includes(this.items[place].spec.id) : false));
        controls.forEach((control) => control.setAttribute("aria-pressed", String(control.dataset.kind === kind)));
      };
      const count = { all: marks.length, wrong: marks.filter((mark) => !mark).length, marked: this.sitting.flagged.length };
      const controls = [["all", "All"], ["wrong", "Not right"], ["marked", "Marked"]].map(([kind, word]) => {
        const control = button(word + " (" + count[kind] + ")", "dd-button", () => show(kind));
        control.dataset.kind = kind;
        control.disabled = !count[kind];
        return control;
      });
      show("all");
      return make("p", { className: "dd-actions" }, ...controls);
    }

    // ---------------------------------------------------------------- on paper

    print(one) {
      this.load(one.form, () => {
        const { sitting } = this.state;
        this.state.sitting = { form: one.form.id, places: one.places, number: 1, answers: {}, flagged: [], seconds: {}, ends: Infinity };
        const keep = this.keep;
        this.keep = () => {}; // paper leaves no trace here
        this.set();
        this.stage.replaceChildren(make("p", { className: "dd-actions dd-exam-paper" }, button("Back", "dd-button", () => {
          this.state.sitting = sitting;
          this.keep = keep;
          this.over();
        })), this.booth);
        this.view = "paper";
        window.print();
      });
    }

    /** A running exam prints all its questions. */
    forPaper() {
      if (this.view === "question" || this.view === "review") this.stage.classList.add("dd-exam-whole");
    }
  }

  window.ddExam = { wilson, clock };
  const define = () => customElements.get("dd-exam") || customElements.define("dd-exam", DDExam);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", define);
  else define();
})();
