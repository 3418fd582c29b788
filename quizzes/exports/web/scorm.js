/* Reports a page's questions to a learning platform (LMS) by SCORM 1.2; runs after quiz.js, before its element is defined.
 *
 * With a platform, what the page remembers comes from the platform (cmi.suspend_data) and from nowhere else: a browser that two
 * learners share shows each their own. Without one the page keeps answers in the browser, as in the book, and says so.
 *
 * A question counts once, by its first try, with the partial credit of study mode (quizzes/grading.py). Letters in
 * cmi.interactions are those of responses.csv beside this file: an option's place in the bank, whatever the order on the page.
 */
(function () {
  "use strict";

  const { store, grade, parseNumber } = window.ddQuiz;
  const settings = JSON.parse(document.getElementById("scorm-settings").textContent); // {pass, digest, skills}
  const top = document.querySelector(".scorm-state");
  const told = document.querySelector(".scorm-told");
  const roots = Array.from(document.querySelectorAll(".dd-item"));
  const specs = roots.map((root) => JSON.parse(root.dataset.spec));
  const MOST = 4096; // characters of cmi.suspend_data that SCORM 1.2 promises
  const PARTS = 840; // divisible by every number of parts that a question has: a share comes back exactly

  // ------------------------------------------------------------------------------------------------ the platform

  function above(from) {
    let win = from;
    for (let level = 0; win && level < 20; level++) {
      try {
        if (win.API && win.API.LMSInitialize) return win.API;
      } catch {
        // a frame of another origin; the platform may stand above it
      }
      if (win.parent === win) return null;
      win = win.parent;
    }
    return null;
  }

  function find() {
    const found = above(window);
    if (found) return found;
    try {
      return window.top.opener ? above(window.top.opener) : window.opener ? above(window.opener) : null;
    } catch {
      return window.opener ? above(window.opener) : null;
    }
  }

  const api = find();
  const began = Date.now();
  let open = false; // between LMSInitialize and LMSFinish
  let silent = false; // an attempt that is over, and only looked at
  let settled = ""; // a result that the platform had before, and that nothing here takes back
  let theirs = false; // whether the platform named the mark to pass
  let pass = settings.pass;
  let trouble = "";

  function reason() {
    try {
      const code = String(api.LMSGetLastError());
      return code === "0" ? "" : String(api.LMSGetErrorString(code)) || "error " + code;
    } catch {
      return "no answer";
    }
  }

  function call(name, ...values) {
    try {
      if (String(api[name](...values)) === "true") return true;
      trouble = trouble || reason() || name + " failed";
    } catch (wrong) {
      trouble = trouble || String((wrong && wrong.message) || wrong);
    }
    return false;
  }

  function get(element) {
    try {
      return String(api.LMSGetValue(element) ?? "");
    } catch {
      return "";
    }
  }

  const set = (element, value) => call("LMSSetValue", element, String(value));

  // ------------------------------------------------------------------------------------------------ what the platform keeps for us
  // dd1;digest;reader;item;item;...   item: attempt, c or o (checked, open), first try in 840ths, '.', response

  const digit = (key, id) => key.options.indexOf(id).toString(36);

  function packResponse(key, draft) {
    if (draft === null || draft === undefined) return "";
    if (key.type === "matching") return Object.keys(key.pairs).map((prompt) => (draft[prompt] ? digit(key, draft[prompt]) : "-")).join("");
    if (key.type !== "numeric") return draft.map((id) => digit(key, id)).join("");
    return draft.length <= 60 ? encodeURIComponent(draft) : "";
  }

  function unpackResponse(key, text) {
    if (!text) return null;
    if (key.type === "numeric") return decodeURIComponent(text);
    const ids = Array.from(text, (one) => key.options[parseInt(one, 36)]);
    if (key.type !== "matching") return ids.includes(undefined) ? null : ids;
    const pairs = Object.keys(key.pairs).map((prompt, index) => [prompt, ids[index]]).filter(([, choice]) => choice);
    return pairs.length ? Object.fromEntries(pairs) : null;
  }

  function pack() {
    const states = specs.map((spec) => store.get("item/" + spec.id));
    const said = (withDrafts) =>
      ["dd1", settings.digest, store.get("reader") || ""]
        .concat(
          states.map((state, index) => {
            if (!state) return "";
            const first = state.first === undefined ? "" : Math.round(state.first * PARTS).toString(36);
            const response = state.checked || withDrafts ? packResponse(specs[index].key, state.draft) : "";
            return state.attempt + (state.checked ? "c" : "o") + first + "." + response;
          }),
        )
        .join(";");
    const whole = said(true);
    return whole.length <= MOST ? whole : said(false);
  }

  /** True if what the platform kept is about these very questions. */
  function unpack(text) {
    const [mark, digest, reader, ...items] = text.split(";");
    if (mark !== "dd1" || digest !== settings.digest || items.length !== specs.length) return false;
    if (reader) store.set("reader", reader);
    items.forEach((said, index) => {
      const found = /^([0-9]+)([co])([0-9a-z]*)\.(.*)$/.exec(said);
      if (!found) return;
      const { id, key, version } = specs[index];
      const state = { version, attempt: Number(found[1]), draft: null, checked: found[2] === "c" };
      try {
        state.draft = unpackResponse(key, found[4]);
        if (state.checked) state.score = grade(key, state.draft, "study").score;
      } catch {
        Object.assign(state, { draft: null, checked: false });
      }
      if (found[3]) state.first = parseInt(found[3], 36) / PARTS;
      store.set("item/" + id, state);
    });
    return true;
  }

  // ------------------------------------------------------------------------------------------------ reports

  const two = (number) => String(number).padStart(2, "0");

  function span(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    return String(Math.floor(seconds / 3600)).padStart(4, "0") + ":" + two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60) + ".00";
  }

  function clock() {
    const now = new Date();
    return two(now.getHours()) + ":" + two(now.getMinutes()) + ":" + two(now.getSeconds());
  }

  const letter = (key, id) => String.fromCharCode(97 + key.options.indexOf(id));
  const TYPES = { single: "choice", multiple: "choice", ordering: "sequencing", matching: "matching", numeric: "numeric" };
  const DECIMAL = /^-?[0-9]{1,10}(\.[0-9]*)?$/;

  function lettered(key, response) {
    if (key.type === "matching") return Object.keys(key.pairs).flatMap((prompt, index) => (response[prompt] ? index + 1 + "." + letter(key, response[prompt]) : [])).join(",");
    if (key.type !== "numeric") return response.map((id) => letter(key, id)).join(",");
    return String(parseNumber(response, key.unit));
  }

  function interaction(spec, response, result) {
    const { key } = spec;
    const at = "cmi.interactions." + (get("cmi.interactions._count") || 0) + ".";
    const given = lettered(key, response);
    const right = key.type === "numeric" ? String(key.answer) : lettered(key, key.type === "matching" ? key.pairs : key.correct);
    const fits = key.type !== "numeric" || (DECIMAL.test(given) && DECIMAL.test(right));
    const score = result.score.scaled;
    if (!set(at + "id", spec.id)) return; // a platform need not keep interactions
    if (settings.skills[spec.id]) set(at + "objectives.0.id", "skill-" + settings.skills[spec.id]);
    set(at + "time", clock());
    set(at + "type", fits ? TYPES[key.type] : "fill-in");
    set(at + "correct_responses.0.pattern", right);
    set(at + "weighting", "1");
    set(at + "student_response", given);
    set(at + "result", result.success ? "correct" : score > 0 ? String(Math.round(score * 100) / 100) : "wrong");
    const seconds = /^PT([0-9]+)S$/.exec(result.duration || "");
    if (seconds) set(at + "latency", span(Number(seconds[1]) * 1000));
  }

  function standing() {
    const firsts = specs.map((spec) => (store.get("item/" + spec.id) || {}).first).filter((first) => first !== undefined);
    const raw = Math.round((firsts.reduce((sum, first) => sum + first, 0) / specs.length) * 10000) / 100;
    const complete = firsts.length === specs.length;
    return { answered: firsts.length, raw, complete, status: complete ? (raw >= pass ? "passed" : "failed") : "incomplete" };
  }

  function report() {
    if (!open || silent) return;
    const now = standing();
    if (!settled) {
      set("cmi.core.score.min", 0);
      set("cmi.core.score.max", 100);
      // A platform with a mark of its own compares the score whenever the page is left: it must not see half of one.
      if (now.complete || (now.answered && !theirs)) set("cmi.core.score.raw", now.raw);
      set("cmi.core.lesson_status", now.status);
    }
    set("cmi.suspend_data", pack());
    set("cmi.core.exit", now.complete ? "" : "suspend");
    call("LMSCommit", "");
  }

  function tell() {
    const now = standing();
    if (trouble) {
      told.textContent = "Your learning platform did not take the last report (" + trouble + "). Your answers are still on this page: download them before you close it.";
    } else if (!open || silent) {
      told.textContent = "";
    } else if (settled) {
      told.textContent = "Your learning platform has you as " + settled + " already; what you answer now changes nothing there.";
    } else if (now.answered) {
      told.textContent = now.complete
        ? "Reported: " + now.raw + " of 100 points, " + now.status + ". What you try from here on does not change that."
        : "Reported: " + now.answered + " of " + specs.length + " answered, " + now.raw + " of 100 points so far.";
    }
  }

  function finish() {
    if (!open) return;
    if (!silent) set("cmi.core.session_time", span(Date.now() - began)); // once: platforms exist that add it up at every commit
    report();
    call("LMSFinish", "");
    open = false;
  }

  // ------------------------------------------------------------------------------------------------ begin

  if (!api) {
    top.textContent = "There is no learning platform here, so nothing is reported. The page marks you all the same, and this browser keeps your answers.";
  } else if (!call("LMSInitialize", "")) {
    top.textContent = "Your learning platform did not begin this session (" + trouble + "), so nothing is reported. Close this window, and open it from the platform again.";
    trouble = "";
  } else {
    open = true;
    document.body.classList.add("scorm-reporting");
    const kept = new Map();
    store.get = (name) => (kept.has(name) ? JSON.parse(kept.get(name)) : null);
    store.set = (name, value) => kept.set(name, JSON.stringify(value));
    store.note = "What you answer goes to your learning platform.";
    const status = get("cmi.core.lesson_status");
    silent = get("cmi.core.lesson_mode") === "review";
    const mark = parseFloat(get("cmi.student_data.mastery_score"));
    if (mark >= 0 && mark <= 100) [pass, theirs] = [mark, true];
    const before = get("cmi.suspend_data");
    const ours = before !== "" && unpack(before);
    if (["passed", "completed"].includes(status) && !(ours && standing().complete)) settled = status;
    trouble = "";
    top.textContent = silent
      ? "You are looking at an attempt that is over: nothing is reported."
      : (before && !ours ? "These questions have changed since your last visit: answer them again. " : "") +
        "Your answers and your score go to your learning platform. Each question counts once, by your first try. " + pass + " of 100 points pass.";
    if (ours && !silent && standing().answered) told.textContent = "You are back where you left.";
    if (!silent && (status === "not attempted" || status === "")) {
      set("cmi.core.lesson_status", "incomplete");
      call("LMSCommit", "");
    }
  }

  document.addEventListener("dd-quiz:answered", (event) => {
    if (!open || silent) return;
    const { object, result } = event.detail;
    const spec = specs.find((one) => object.id.endsWith(":item:" + one.id));
    const state = store.get("item/" + spec.id);
    trouble = "";
    report();
    const refused = trouble;
    interaction(spec, state.draft, result); // what a platform does not keep of these is no trouble
    trouble = refused;
    call("LMSCommit", "");
    tell();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && report());
  window.addEventListener("pagehide", finish);
  window.addEventListener("pageshow", (event) => event.persisted && api && location.reload()); // back from the cache: the session is over
})();
