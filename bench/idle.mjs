/**
 * What idle connections cost a server in resident memory: a fresh process, further connections after the first thousand, quiet, garbage collected.
 */
import { setTimeout as delay } from "node:timers/promises";
import { capture } from "../scripts/setup/command.mjs";
import { Program } from "./program.mjs";
import { coresOf, loadProgram, optionWords, portOf } from "./rig.mjs";

/** There before anything is measured: compilers and pools have had their turn. */
const FIRST_CONNECTIONS = 1_000;
/** Files that a server has open beside its connections. */
const OTHER_FILES = 1_000;

/** Lets us and what we start have so many connections open. Returns why that cannot be, or undefined. */
export function missingFiles({ connections }) {
  const wanted = FIRST_CONNECTIONS + connections + OTHER_FILES;
  const limit = Number(capture("sh", ["-c", "ulimit -Hn"]).stdout);
  if (limit >= wanted || Number.isNaN(limit)) return undefined;
  const raised = capture("prlimit", ["--pid", String(process.pid), `--nofile=${wanted}`]);
  return raised.status === 0
    ? undefined
    : `needs ${wanted} open files in one process, ${limit} are permitted (ulimit -Hn), and raising that takes CAP_SYS_RESOURCE`;
}

/** The least of a while, after garbage was collected: pages go back to the system when runtimes like. */
async function quietBytes(server, { collects, quietMs }) {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 4; count++) {
    if (collects) server.signal("SIGUSR2");
    await delay(quietMs / 4);
    least = Math.min(least, server.residentBytes());
  }
  return least;
}

/** Whoever opens connections has the cores to itself. */
let lastTurn = Promise.resolve();
function inTurn(work) {
  const turn = lastTurn.then(work);
  lastTurn = turn.catch(() => {});
  return turn;
}

async function measureOne(participant, workload, { connections, quietMs }) {
  const cores = coresOf(participant);
  const server = new Program(participant.name, { ...participant, cores: cores.theirs });
  let clients;
  try {
    const words = optionWords({ port: await portOf(server), ...workload.load });
    clients = new Program(participant.name, { command: [loadProgram("idle"), ...words], cores: cores.load });
    await inTurn(() => clients.ask(FIRST_CONNECTIONS));
    const before = await quietBytes(server, { collects: true, quietMs });
    const opening = JSON.parse(await inTurn(() => clients.ask(FIRST_CONNECTIONS + connections)));
    const untidied = await quietBytes(server, { collects: false, quietMs });
    const after = await quietBytes(server, { collects: true, quietMs });
    // All are alive, or this ends with a complaint.
    await inTurn(() => clients.ask(FIRST_CONNECTIONS + connections));
    return {
      bytesPerConnection: (after - before) / connections,
      untidiedBytesPerConnection: (untidied - before) / connections,
      openedPerSecond: connections / opening.seconds,
      serverBytes: after,
      loadBytes: clients.residentBytes(),
    };
  } finally {
    await Promise.all([server.stop(), clients?.stop()]);
  }
}

/** Like runRounds, but all of a round at once: most of the time nothing happens. */
export async function runIdle(workload, group, { pairs, failed, progress, isSmoke }) {
  const how = { connections: isSmoke ? 200 : workload.connections, quietMs: isSmoke ? 40 : 800 };
  const measured = async (participant) => {
    const { name } = participant;
    try {
      const report = await measureOne(participant, workload, how);
      progress(name, report);
      return [{ name, report }];
    } catch (error) {
      failed(error.message);
      return [];
    }
  };
  const rounds = [];
  for (let index = 0; index < pairs; index++) {
    const round = (await Promise.all(group.map(measured))).flat();
    if (round.length > 0) rounds.push(round);
  }
  return rounds;
}
