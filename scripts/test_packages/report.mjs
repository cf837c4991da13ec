/** What was tried, and what came of it: a table for people, and an exit code. */

export class Report {
  #rows = [];

  /**
   * Tries one thing.
   *
   * @param where - Runtime or tool. @param what - How the package got there.
   * @param work - Resolves with a remark, or throws. An error whose `isSkipped` is true is no failure: the thing cannot be tried here.
   */
  async try(where, what, work) {
    const beginMs = performance.now();
    let row;
    try {
      row = { result: "ok", remark: (await work()) ?? "" };
    } catch (error) {
      row = { result: error.isSkipped ? "SKIPPED" : "FAILED", remark: error.message };
    }
    const seconds = (performance.now() - beginMs) / 1000;
    this.#rows.push({ where, what, ...row });
    console.log(
      `${row.result.padEnd(8)}${where.padEnd(12)}${what.padEnd(58)}${seconds.toFixed(1).padStart(5)} s  ${row.remark}`,
    );
    return row.result === "ok";
  }

  /** Prints the sums. Returns whether nothing failed and something passed. */
  finish() {
    const count = (result) => this.#rows.filter((row) => row.result === result).length;
    console.log(`${count("ok")} passed, ${count("FAILED")} failed, ${count("SKIPPED")} skipped`);
    return count("FAILED") === 0 && count("ok") > 0;
  }
}

/** The error of something that cannot be tried here. */
export function skipped(reason) {
  return Object.assign(new Error(reason), { isSkipped: true });
}
