// The Lab without a network: installed once the page is at rest, in a sub-folder too, and never torn by a newer release.
import { expect, test, type Page } from "@playwright/test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

test.use({ serviceWorkers: "allow" });

const site = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm" };

let server: Server;
let lab: string;
/** What another release has in place of a file. */
const changed = new Map<string, string>();
let down = false;

/** The release, in a sub-folder of a host that can be taken off the network. */
test.beforeAll(async () => {
  server = createServer(async ({ url }, reply) => {
    const name = new URL(url!, "http://host").pathname.replace(/^\/deep\/lab\//, "") || "index.html";
    if (down) return void reply.socket!.destroy();
    const text = changed.get(name);
    const answer = text === undefined ? await fetch(site + name) : new Response(text);
    reply.writeHead(answer.status, { "Content-Type": types[name.split(".").at(-1)!] ?? "text/plain" });
    reply.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  lab = `http://127.0.0.1:${(server.address() as AddressInfo).port}/deep/lab/`;
});
test.afterAll(() => server.close());
test.beforeEach(() => {
  changed.clear();
  down = false;
});

const step = (page: Page): Promise<number> => page.evaluate(() => (window as any).downhill?.state().step ?? 0);

/** Opens the Lab and waits until all of it is kept. */
async function installed(page: Page): Promise<void> {
  await page.goto(lab);
  await page.evaluate(() => navigator.serviceWorker.ready);
}

/** Whether a release has been fetched and waits for its turn. */
const waits = (page: Page): Promise<boolean> => page.evaluate(async () => Boolean((await navigator.serviceWorker.getRegistration())?.waiting));

test("after the first visit the Lab opens, trains, and has its data and its later part without a network", async ({ page }) => {
  await installed(page);
  down = true;
  await page.goto("about:blank");
  await page.goto(`${lab}#p=wine`);
  await expect.poll(() => step(page)).toBeGreaterThan(10);
  await page.getByTestId("embed").click();
  await expect(page.locator("#embed downhill-lab").getByTestId("w-step")).toBeVisible();
});

test("a newer release waits while a run is open, and is there after a reload", async ({ page }) => {
  await installed(page);
  await page.reload();
  await expect.poll(() => step(page)).toBeGreaterThan(10);
  // While a run goes the browser takes long to look for a newer release, and the run is not to end before that.
  await page.evaluate(() => window.downhill!.pause());
  const newer = (await (await fetch(`${site}index.html`)).text()).replace("<html ", `<html data-release="newer" `);
  const worker = await (await fetch(`${site}sw.js`)).text();
  changed.set("index.html", newer);
  changed.set("sw.js", worker.replace(/"[0-9a-f]{16}"/, JSON.stringify(createHash("sha256").update(newer).digest("hex").slice(0, 16))));
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())!.update());
  await expect.poll(() => waits(page)).toBe(true);
  await page.evaluate(() => window.downhill!.play());
  const before = await step(page);
  await expect.poll(() => step(page)).toBeGreaterThan(before);
  await expect(page.locator("html")).not.toHaveAttribute("data-release");
  const link = page.url();
  expect(link).toContain("#c=1.");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-release", "newer");
  expect(page.url()).toBe(link);
  await expect.poll(() => step(page)).toBeGreaterThan(10);
});

test("neither a frame nor a page with a widget installs anything", async ({ page }) => {
  changed.set("host.html", `<!doctype html><title>Host</title><script type="module" src="./embed.js"></script><downhill-lab src="circles"></downhill-lab><iframe src="./embed.html#p=circles"></iframe><iframe src="./index.html"></iframe>`);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${lab}host.html`);
  await expect.poll(() => page.frames()[2]!.evaluate(() => "downhill" in window), { timeout: 30_000 }).toBe(true);
  await page.waitForTimeout(4000);
  expect(asked.filter((url) => url.includes("sw.js"))).toEqual([]);
  expect(await page.evaluate(() => navigator.serviceWorker.getRegistrations().then((all) => all.length))).toBe(0);
});
