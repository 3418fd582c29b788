/* The pretest of the first page: <dd-pretest> (quizzes/pretest/sphinx.py writes what is inside).
 *
 * One question after the other, nothing about right and wrong, and in the end a plan of evenings. The plan's rules are those of
 * quizzes/pretest/plan.py; tests/quizzes/plans.json holds both sides to them. A classic script on top of quiz.js.
 */
(function () {
  "use strict";

  const { grade, BadResponse, Item, store, make, button } = window.ddQuiz;
  const WORDS = { skim: "skim", read: "read", lab: "lab", quiz: "questions", exam: "half of it" };
  const EVENINGS = [60, 90, 120, 180];

  function parts(lesson, score) {
    const [right, asked] = score;
    if (asked && right === asked) return [["skim", Math.min(lesson.read, Math.max(5, Math.ceil(lesson.read / 4)))]];
    return [["read", lesson.read], ["lab", right ? 0 : lesson.lab], ["quiz", lesson.quiz], ["exam", lesson.exam]];
  }

  function plan(lessons, scores, evening) {
    const evenings = [];
    let used = evening + 1;
    for (const lesson of lessons)
      for (const [what, minutes] of parts(lesson, scores[lesson.slug] || [0, 0])) {
        if (!minutes) continue;
        if (used + minutes > evening) {
          evenings.push({ minutes: 0, steps: [] });
          used = 0;
        }
        const last = evenings[evenings.length - 1];
        last.steps.push({ lesson: lesson.slug, what, minutes });
        last.minutes += minutes;
        used += minutes;
      }
    return evenings;
  }

  class PretestItem extends Item {
    constructor(root, quiz) {
      super(root, quiz);
      this.actions.remove();
    }
    load() {
      const draft = this.quiz.state.answers[this.spec.id];
      this.state = { version: this.spec.version, attempt: this.quiz.state.attempt, draft: draft === undefined ? null : draft, checked: false };
    }
    save() {
      this.quiz.state.answers[this.spec.id] = this.state.draft;
      this.quiz.keep();
    }
    get right() {
      try {
        return grade(this.spec.key, this.state.draft, "exam").correct;
      } catch (wrong) {
        if (!(wrong instanceof BadResponse)) throw wrong;
        return false;
      }
    }
  }

  class DDPretest extends HTMLElement {
    connectedCallback() {
      if (this.lessons) return;
      this.lessons = JSON.parse(this.dataset.lessons);
      this.boxes = Array.from(this.querySelectorAll(".dd-pretest-one"));
      this.holder = this.querySelector(".dd-pretest-items");
      this.state = this.read();
      this.items = this.boxes.map((box) => new PretestItem(box.querySelector(".dd-item"), this));
      this.boxes.forEach((box, place) => {
        const title = box.querySelector(".dd-item-title");
        title.textContent = "Question " + (place + 1);
        title.append(" ", make("span", { className: "dd-of" }, "of " + this.boxes.length));
        title.tabIndex = -1;
      });
      this.stage = make("div", { className: "dd-pretest-stage" });
      this.append(this.stage);
      this.classList.add("dd-is-ready");
      if (this.state.done) this.result(true);
      else this.start();
    }

    read() {
      const kept = store.get("pretest");
      const sound = kept && typeof kept === "object" && kept.answers && typeof kept.answers === "object" && Number.isInteger(kept.attempt);
      return sound ? kept : { answers: {}, attempt: 1, done: false, evening: Number(this.dataset.evening) };
    }

    keep() {
      store.set("pretest", this.state);
    }

    start() {
      this.holder.hidden = true;
      const begun = Object.values(this.state.answers).some((answer) => answer !== null);
      const control = button(begun ? "Go on with the pretest" : "Take the pretest", "dd-button dd-button-main", () => this.go(begun ? Math.max(0, this.items.findIndex((item) => item.state.draft === null)) : 0));
      this.stage.replaceChildren(make("p", { className: "dd-actions" }, control), make("p", { className: "dd-quiz-note" }, this.dataset.size + ". Leave open what you do not know: a lucky guess buys you the wrong plan. Your answers stay in this browser."));
    }

    go(place) {
      this.holder.hidden = false;
      this.boxes.forEach((box, index) => (box.hidden = index !== place));
      const last = place + 1 === this.items.length;
      const back = button("← Previous", "dd-button", () => this.go(place - 1));
      back.disabled = place === 0;
      const on = button(last ? "Make my plan" : "Next →", "dd-button dd-button-main", () => (last ? this.finish() : this.go(place + 1)));
      this.stage.replaceChildren(make("p", { className: "dd-actions" }, back, on));
      this.boxes[place].querySelector(".dd-item-title").focus();
    }

    finish() {
      this.state.done = true;
      this.keep();
      this.result(false);
    }

    get scores() {
      const scores = {};
      this.items.forEach((item, place) => {
        const { lesson } = this.boxes[place].dataset;
        const [right, asked] = scores[lesson] || [0, 0];
        scores[lesson] = [right + Number(item.right), asked + 1];
      });
      return scores;
    }

    result(quietly) {
      this.holder.hidden = true;
      const { scores } = this;
      const right = Object.values(scores).reduce((sum, [some]) => sum + some, 0);
      const title = make("h" + this.dataset.level, { tabIndex: -1, className: "dd-pretest-title" }, right + " of " + this.items.length + " right. Your plan:");
      const choice = make("select", { id: "dd-pretest-evening", className: "dd-select" });
      EVENINGS.forEach((minutes) => choice.append(make("option", { value: String(minutes), selected: minutes === this.state.evening }, minutes + " minutes")));
      choice.addEventListener("change", () => {
        this.state.evening = Number(choice.value);
        this.keep();
        this.list(scores);
      });
      const label = make("label", { htmlFor: choice.id }, "An evening has ");
      this.plan = make("ol", { className: "dd-pretest-plan" });
      const again = button("Take it again", "dd-button", () => {
        Object.assign(this.state, { answers: {}, attempt: this.state.attempt + 1, done: false });
        this.keep();
        this.items.forEach((item) => {
          item.load();
          item.show(false);
        });
        this.go(0);
      });
      this.stage.replaceChildren(
        title,
        make("p", { className: "dd-pretest-setting" }, label, choice),
        this.plan,
        make("p", { className: "dd-quiz-note" }, "All right in a lesson: skim it. Some right: read it, and answer its questions. None: work through its lab as well. Which answers were right the lessons say; they ask these questions again."),
        make("p", { className: "dd-actions" }, again)
      );
      this.list(scores);
      if (!quietly) title.focus();
    }

    list(scores) {
      const bySlug = new Map(this.lessons.map((lesson) => [lesson.slug, lesson]));
      const told = new Set();
      this.plan.replaceChildren(
        ...plan(this.lessons, scores, this.state.evening).map((evening, index) => {
          const inner = make("ul", {});
          const rows = new Map();
          evening.steps.forEach(({ lesson, what, minutes }) => {
            if (!rows.has(lesson)) {
              const { href, title } = bySlug.get(lesson);
              const score = told.has(lesson) ? null : scores[lesson];
              told.add(lesson);
              const row = make("li", {}, href ? make("a", { href }, title) : title, ": ");
              rows.set(lesson, { row, said: [], score });
              inner.append(row);
            }
            rows.get(lesson).said.push(WORDS[what] + " " + minutes);
          });
          rows.forEach(({ row, said, score }) => row.append(said.join(", ") + (score ? " (" + score[0] + " of " + score[1] + " right)" : "")));
          return make("li", {}, make("strong", {}, "Evening " + (index + 1)), " · " + evening.minutes + " minutes", inner);
        })
      );
    }
  }

  window.ddPretest = { plan };
  const define = () => customElements.get("dd-pretest") || customElements.define("dd-pretest", DDPretest);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", define);
  else define();
})();
