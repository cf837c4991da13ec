/**
 * Puts the results of a conformance run together: a table of cases and combinations, and a sum. A case without a
 * result must never count as passed.
 */

/** From best to worst. Autobahn does not count UNIMPLEMENTED as failed; here it is, as nothing is left out on purpose. */
const RANKS = [
  "OK",
  "INFORMATIONAL",
  "NON-STRICT",
  "UNIMPLEMENTED",
  "FAILED BY CLIENT",
  "WRONG CODE",
  "UNCLEAN",
  "FAILED",
];
const MARKS = { OK: "ok", INFORMATIONAL: "info", "NON-STRICT": "non-strict" };
const COLUMN = 12;

const worse = (one, other) => (RANKS.indexOf(other) > RANKS.indexOf(one) ? other : one);

/** Those of the ids that a pattern stands for; `*` in a pattern stands for anything. */
export function selected(ids, patterns) {
  const expressions = patterns.map((pattern) => {
    const parts = pattern.split("*").map((part) => part.replaceAll(/\W/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`);
  });
  return ids.filter((id) => expressions.some((expression) => expression.test(id)));
}

/** Whether a result counts as passed: Autobahn's own rule, and closing in order as well. */
export function hasPassed({ behaviour, behaviourClose }) {
  return RANKS.indexOf(worse(behaviour, behaviourClose)) <= RANKS.indexOf("NON-STRICT");
}

/**
 * @param ids - The cases that were asked for, in Autobahn's order.
 * @param combinations - What the runs wrote: runtime, transport, role, delivery, results.
 * @returns `combinations` with a result for each case, counts, `failures` as lines of text, and `skipped`, for the caller
 *   to fill.
 */
export function gather(ids, combinations) {
  const counts = { OK: 0, INFORMATIONAL: 0, "NON-STRICT": 0, UNIMPLEMENTED: 0, FAILED: 0 };
  const failures = [];
  const complete = combinations.map((combination) => {
    const { runtime, transport, role, delivery } = combination;
    const found = new Map(combination.results.map((result) => [result.id, result]));
    const results = ids.map((id) => found.get(id) ?? withoutResult(id));
    for (const result of results) {
      const passed = hasPassed(result);
      counts[passed || result.behaviour === "UNIMPLEMENTED" ? result.behaviour : "FAILED"]++;
      if (passed) continue;
      const verdict = `${result.behaviour}, close ${result.behaviourClose}`;
      failures.push(
        `${result.id}  ${runtime} ${transport} ${role} ${delivery}: ${verdict} (${result.remark})`,
      );
    }
    return { ...combination, results };
  });
  return { combinations: complete, ids, counts, failures, skipped: [] };
}

function withoutResult(id) {
  return {
    id,
    behaviour: "FAILED",
    behaviourClose: "FAILED",
    remark: "no result",
    durationMs: 0,
    closeCode: null,
    ratio: null,
  };
}

/** The report as text: a row for each case, a column for each runtime, transport and role, the worst delivery in it. */
export function asText({ combinations, ids, counts, failures, skipped }, title) {
  const columns = new Map();
  for (const { runtime, transport, role, results } of combinations) {
    const key = [runtime, transport, role].join("\n");
    const column = columns.get(key) ?? new Map();
    columns.set(key, column);
    for (const { id, behaviour, behaviourClose } of results) {
      const [worst, worstClose] = column.get(id) ?? ["OK", "OK"];
      column.set(id, [worse(worst, behaviour), worse(worstClose, behaviourClose)]);
    }
  }
  const row = (first, cells) =>
    [first.padEnd(9), ...cells.map((cell) => cell.padEnd(COLUMN))].join("").trimEnd();
  const heads = [...columns.keys()].map((key) => key.split("\n"));
  return [
    title,
    "",
    ...[0, 1, 2].map((line) =>
      row(
        line === 2 ? "case" : "",
        heads.map((head) => head[line]),
      ),
    ),
    ...ids.map((id) =>
      row(
        id,
        [...columns.values()].map((column) => cellOf(column.get(id))),
      ),
    ),
    "",
    ...skipped.map((line) => `SKIPPED: ${line}`),
    ...(failures.length > 0 ? ["failures:", ...failures.map((line) => `  ${line}`)] : []),
    sumLine(ids, combinations, counts),
    "",
  ].join("\n");
}

function cellOf([behaviour, behaviourClose]) {
  const mark = MARKS[behaviour] ?? behaviour;
  return behaviourClose === "OK" || behaviourClose === behaviour ? mark : `${mark}/${behaviourClose}`;
}

function sumLine(ids, combinations, counts) {
  const sums = Object.entries(counts).map(([behaviour, count]) => `${count} ${behaviour}`);
  return `${ids.length} cases × ${combinations.length} combinations: ${sums.join(", ")}`;
}
