// Measures pages side by side: each in a browser of its own, all in turn.
import { launch } from "./host.mjs";
import { BATCHES, TRAINING } from "./pages/workloads.js";
import { median } from "./rates.mjs";

/** Each round measures every page once, every other round in reverse: a machine that gets slower or faster does so for all of them alike. */
export const ROUNDS = 3;
const LIMIT_MS = 150_000;
/** How far the first loss may be from that of a guess: what weights drawn at random add to it. */
const FIRST_LOSS_OFF = 0.5;

const firstLine = (error) => String(error.message).split("\n")[0];

const within = (work, ms) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s: a step takes too long here`)), ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

/** Opens the cell's page in a fresh browser: no page inherits another's heap or compiled code. */
async function open(cell, origin, flags) {
  try {
    cell.browser = await launch(flags);
    cell.page = await cell.browser.newPage();
    await cell.page.goto(`${origin}/page.html?${cell.query}`);
    await cell.page.waitForFunction(() => window.ready || window.failed, null, { timeout: 60_000 });
    const failed = await cell.page.evaluate(() => window.failed);
    if (failed) throw new Error(failed);
  } catch (error) {
    cell.error = firstLine(error);
  }
}

/** One round on one page; remembers what it answered, or why it cannot any more. */
async function measureOnce(cell, workload, seconds) {
  try {
    const bench = ([name, time]) => window.bench(name, time);
    const answer = await within(cell.page.evaluate(bench, [workload, seconds]), LIMIT_MS);
    if (answer.error) throw new Error(answer.error);
    if (answer.missing) cell.missing = true;
    else cell.answers.push(answer);
  } catch (error) {
    cell.error = firstLine(error);
  }
}

/** What is wrong with a training run, if anything is: a rate at which nothing is learned is none, and other weights would be another network. */
function trouble({ steps, lossFirst, lossLast }, { classes }) {
  const [from, to] = [lossFirst, lossLast].map((loss) => loss?.toFixed(4));
  // Batches differ more than the first steps bring.
  const fewSteps = steps <= BATCHES;
  if (!fewSteps && !(lossLast < lossFirst)) return `the loss did not fall: it went from ${from} to ${to}`;
  const guessed = Math.log(classes);
  const far = classes && Math.abs(lossFirst - guessed) > FIRST_LOSS_OFF;
  return far ? `the first loss is ${from}, far from the ${guessed.toFixed(4)} of a guess among ${classes}` : null;
}

function summary({ name, role, missing, error, answers }, workload) {
  if (missing) return null;
  if (error) return { workload, page: name, role, error };
  const rates = answers.map(({ stepsPerSec }) => stepsPerSec);
  const { steps, lossLast, notes } = answers.at(-1);
  const { lossFirst } = answers[0];
  const wrong = TRAINING[workload] && trouble({ steps, lossFirst, lossLast }, TRAINING[workload]);
  if (wrong) return { workload, page: name, role, error: wrong };
  return { workload, page: name, role, stepsPerSec: median(rates), rates, lossFirst, lossLast, notes };
}

/** Measures `workload` on the named pages of `table`, `seconds` each in all; pages that do not know it give no cell. */
export async function measure(origin, table, names, workload, seconds) {
  const cells = names.map((name) => ({ name, ...table.pages[name], answers: [] }));
  try {
    for (const cell of cells) await open(cell, origin, table.flags);
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 ? [...cells].reverse() : cells;
      for (const cell of order) if (!cell.error && !cell.missing) await measureOnce(cell, workload, seconds / ROUNDS);
    }
  } finally {
    await Promise.all(cells.map(({ browser }) => browser?.close()));
  }
  return cells.map((cell) => summary(cell, workload)).filter(Boolean);
}
