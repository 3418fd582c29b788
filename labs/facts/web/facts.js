/* On the register's page: a field that hides the rows without the words typed into it. Without script the whole list stands there. */
(() => {
  const box = document.getElementById("facts-filter");
  if (!box) return;
  const field = box.querySelector("input"), told = box.querySelector("output");
  const tables = [...document.querySelectorAll("table.facts")];
  const all = tables.reduce((sum, table) => sum + table.tBodies[0].rows.length, 0);
  let rows; // read when somebody looks for something: a thousand rows take a phone a while
  const show = () => {
    rows ??= tables.flatMap((table) => [...table.tBodies[0].rows].map((row) => ({ row, words: row.textContent.toLowerCase() })));
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, words } of rows) {
      row.hidden = !wanted.every((word) => words.includes(word));
      count += row.hidden ? 0 : 1;
    }
    for (const table of tables) table.hidden = wanted.length > 0 && ![...table.tBodies[0].rows].some((row) => !row.hidden);
    told.textContent = wanted.length ? `${count} of ${all} facts` : `${all} facts`;
  };
  field.addEventListener("input", show);
  told.textContent = `${all} facts`;
})();
