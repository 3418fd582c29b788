// The events of one job, put in order: each once, none before its predecessor, only the latest attempt's.
// A channel may lose, double and reorder them; `take` gives what can be shown now that this one is here.

export class Line {
  attempt = 0;
  #next = 0;
  #early = new Map();

  take(event) {
    if (event.attempt < this.attempt) return { anew: false, shown: [] };
    const anew = event.attempt > this.attempt;
    if (anew) {
      this.attempt = event.attempt;
      this.#next = 0;
      this.#early.clear();
    }
    if (event.seq >= this.#next) this.#early.set(event.seq, event);
    const shown = [];
    while (this.#early.has(this.#next)) {
      shown.push(this.#early.get(this.#next));
      this.#early.delete(this.#next);
      this.#next += 1;
    }
    return { anew, shown };
  }

  // Whether something is missing between what was shown and what is here.
  get hasGap() {
    return this.#early.size > 0;
  }
}
