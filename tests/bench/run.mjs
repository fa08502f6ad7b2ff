// node run.mjs [workload…] [--pages a,b] [--seconds N] [--page-only]: one line per cell on stdout, RESULTS.md when everything ran.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { serve } from "./host.mjs";
import { measure } from "./measure.mjs";
import { measurePage } from "./page.mjs";
import { writeResults } from "./results.mjs";
import { TABLES } from "./tables.mjs";

function known(names, all, what) {
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length) throw new Error(`no ${what} ${unknown}; there are ${all}`);
  return names;
}

function options(args) {
  const value = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : null);
  const named = args.filter((arg, i) => !arg.startsWith("--") && !["--pages", "--seconds"].includes(args[i - 1]));
  const pages = TABLES.flatMap((table) => Object.entries(table.pages));
  const built = pages.filter(([, { needs }]) => !needs || existsSync(join(import.meta.dirname, "dist", needs))).map(([name]) => name);
  const workloads = [...new Set(TABLES.flatMap(({ aims }) => Object.keys(aims)))];
  known(args.filter((arg) => arg.startsWith("--")), ["--pages", "--seconds", "--page-only"], "option");
  const [pageOnly, chosen] = [args.includes("--page-only"), value("--pages")?.split(",")];
  return {
    workloads: pageOnly ? [] : named.length ? known(named, workloads, "workload") : workloads,
    pages: chosen ? known(chosen, built, "page") : built,
    seconds: value("--seconds") && Number(value("--seconds")),
    // Without the Rust peers the table would lack rows that others have seen.
    whole: !args.length && built.length === pages.length,
    withPage: pageOnly || (!named.length && !chosen),
  };
}

const { workloads, pages, seconds, whole, withPage } = options(process.argv.slice(2));
const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const tables = [];
for (const table of TABLES) {
  const names = Object.keys(table.pages).filter((name) => pages.includes(name));
  const cells = [];
  for (const workload of Object.keys(table.aims).filter((workload) => names.length && workloads.includes(workload))) {
    const measured = await measure(origin, table, names, workload, seconds ?? table.seconds);
    for (const cell of measured) console.log(JSON.stringify(cell));
    cells.push(...measured);
  }
  tables.push({ ...table, cells });
}
const page = withPage ? await measurePage(server, `${origin}/app/index.html`) : null;
if (page) console.log(JSON.stringify({ page }));
if (whole) await writeResults(origin, tables, page);
else console.log("RESULTS.md stays as it is: it is written by a run of everything, --rust-peers included");
server.close();
