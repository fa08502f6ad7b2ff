// Measures pages side by side: each in a browser of its own, all in turn.
import { launch } from "./host.mjs";

/** Each round measures every page once, every other round in reverse: a machine that gets slower or faster does so for all of them alike. */
export const ROUNDS = 3;
const LIMIT_MS = 150_000;

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const firstLine = (error) => String(error.message).split("\n")[0];

const within = (work, ms) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`took more than ${ms / 1000} s`)), ms)));
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

function summary({ name, role, missing, error, answers }, workload) {
  if (missing) return null;
  if (error) return { workload, page: name, role, error };
  const rates = answers.map(({ stepsPerSec }) => stepsPerSec);
  const { lossLast, notes } = answers.at(-1);
  const { lossFirst } = answers[0];
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

/** How much faster `a` was than `b`: the median of what each round says. */
export const ratio = (a, b) => median(a.rates.map((rate, round) => rate / b.rates[round]));
