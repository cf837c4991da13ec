/**
 * The order in which participants run. A round measures each member of a group for a moment, A B C, and the next one C B A, so that those which are
 * compared are a fraction of a second apart. After two rounds all start afresh: two processes of the same program are not equally fast.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Rig } from "./rig.mjs";
import { conditionOf } from "./speed.mjs";

/** So many rounds with the same processes. */
const ROUNDS_OF_A_START = 2;
/** How many more rounds there may be, as a share, to make up for those in which the machine changed its speed. */
const MORE_ROUNDS = 0.5;

/** Starts all that can be started; the others' complaints go to `failed`. */
async function startAll(participants, workload, failed) {
  const started = await Promise.allSettled(participants.map((one) => Rig.start(one, workload)));
  const rigs = [];
  for (const [index, { value: rig, reason }] of started.entries()) {
    if (rig) rigs.push({ name: participants[index].name, rig });
    else failed(reason.message);
  }
  return rigs;
}

/** One slice of each, with what the speedometer said before and after it. */
async function runRound(rigs, { speed, slice, failed, progress }) {
  const round = [];
  for (const one of [...rigs]) {
    try {
      const before = await speed.settle();
      const othersShare = speed.watch(one.rig.programs);
      const report = await one.rig.slice(slice);
      const others = Number(othersShare().toFixed(3));
      round.push({ name: one.name, report, others, speeds: [before, await speed.read()] });
      progress(one.name, report);
    } catch (error) {
      failed(error.message);
      rigs.splice(rigs.indexOf(one), 1);
    }
  }
  return round;
}

/**
 * @param groups - From participants.mjs.
 * @param how - `pairs`: rounds in which the machine was steady; `slice`: { warmupSeconds, seconds }; `firstSeconds`: how long a
 * process that has just been started warms up; `speed`; `failed(message)`; `progress(name, report)`; `pauseMs`: between two starts.
 * @returns Rounds in the order of time, each a list of { name, report, others, speeds }.
 */
export async function runRounds(workload, groups, { pairs, firstSeconds, pauseMs, ...how }) {
  const rounds = [];
  for (const group of groups) {
    const most = Math.ceil(pairs * (1 + MORE_ROUNDS));
    how.speed.beginGroup();
    let done = 0;
    for (let steady = 0; steady < pairs && done < most; ) {
      const rigs = await startAll(group, workload, how.failed);
      try {
        // Compilers have their turn, and it does not count.
        if (firstSeconds > 0)
          await runRound(rigs, { ...how, slice: { warmupSeconds: 0, seconds: firstSeconds } });
        for (let count = 0; count < ROUNDS_OF_A_START && steady < pairs && done < most; count++, done++) {
          if (rigs.length === 0) return rounds;
          const round = await runRound(done % 2 === 0 ? rigs : [...rigs].reverse(), how);
          if (conditionOf(round) === "near") steady++;
          rounds.push(round);
        }
      } finally {
        await Promise.all(rigs.map(({ rig }) => rig.stop()));
      }
      // Ports and memory of those that ended.
      await delay(pauseMs);
    }
  }
  return rounds;
}
