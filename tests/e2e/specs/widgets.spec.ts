// Widgets that are badly off, and many of them: the poster stays, one sentence says why, nothing is thrown at the page, and what is taken away
// is given back.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Browser, type Locator, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import config from "../playwright.config";
import { otherOrigin, script, tag } from "../host";

const launch = config.use!.launchOptions!;
test.use({ launchOptions: { ...launch, args: [...launch.args!, "--enable-unsafe-webgpu"] } });

const { open, origin, pages } = otherOrigin();
const ours = new URL(script).origin;

const step = (lab: Locator): Promise<number> => lab.evaluate(async (lab: any) => (await lab.run()).state().step);

/** Takes down the `error` events of widgets, from before there are any. */
const ear = `<script>window.heard = []; addEventListener("error", (e) => e.detail && heard.push(e.detail.message), true);</script>`;

/** The poster is there with this sentence, which was told once; the page heard nothing else. */
async function saysOnce(page: Page, sentence: RegExp, thrown: string[]): Promise<void> {
  const lab = page.locator("downhill-lab");
  await expect(lab.getByRole("status")).toHaveText(sentence);
  await expect(lab.locator(".poster")).toBeVisible();
  await page.waitForTimeout(200);
  expect(await page.evaluate(() => (window as any).heard)).toEqual([await lab.getByRole("status").textContent()]);
  expect(thrown).toEqual([]);
  await expect.poll(() => page.workers().length).toBe(0);
  // Scripts are told the same.
  const refused = await lab.evaluate((lab: any) => lab.set("lr", 0.1).then(() => "", (error: Error) => error.message));
  expect(refused).toMatch(sentence);
}

const broken: [string, string, RegExp][] = [
  ["nothing", "", /has no experiment/],
  ["an unknown preset", `src="spirls"`, /Did you mean `spirals`/],
  ["a host that is not there", `src="http://127.0.0.1:9/x.json"`, /cannot be loaded/],
  ["an address where nothing is", `src="gone.json"`, /cannot be loaded \(404\)/],
  ["HTML in place of JSON", `src="empty.html"`, /begins with "<!doctype/],
  ["an empty file", `src="nothing.json"`, /begins with ""/],
  ["JSON that ends too early", `experiment='{ "data": '`, /\S/],
  ["JSON that is no experiment", `experiment='{ "modle": [] }'`, /modle/],
  ["a network that is too large", `experiment='{ "data": "moons", "model": [{ "linear": { "out": 1000000000 } }] }'`, /model\[0\]/],
  ["steps that are no number", `src="circles" steps="many"`, /`steps` is "many"/],
  ["a pace that is no number", `src="circles" pace="fast"`, /`pace` is "fast"/],
  ["a height that is no number", `src="circles" height="tall"`, /`height` is "tall"/],
  ["a start that there is not", `src="circles" autostart="banana"`, /`autostart` is "banana", and can be visible, click, load/],
  ["a theme that there is not", `src="circles" theme="purple"`, /`theme` is "purple"/],
  ["a hidden part that there is not", `src="circles" hide="nonsense"`, /no part or control "nonsense"/],
  ["a cut link", `src="#c=1.AAAA"`, /link/],
  ["a part that there is not", `src="circles" show="output nonsense"`, /no part or control "nonsense"/],
];
for (const [what, attributes, sentence] of broken) {
  test(`with ${what} the poster stays, with one sentence and one event`, async ({ page }) => {
    pages.set("empty.html", { body: "<!doctype html><p>…" });
    pages.set("nothing.json", { body: " ", type: "application/json" });
    const thrown = await open(page, "broken.html", `${ear}${tag}<downhill-lab ${attributes}></downhill-lab>`);
    await saysOnce(page, sentence, thrown);
  });
}

test("where wasm is forbidden the poster says so", async ({ page }) => {
  const csp = `script-src ${ours} 'unsafe-inline'; worker-src blob:`;
  const thrown = await open(page, "forbidden.html", `${ear}${tag}<downhill-lab src="circles"></downhill-lab>`, csp);
  await saysOnce(page, /wasm-unsafe-eval/, thrown);
});

test("where workers are forbidden widgets train in the thread of the page, answer there, and end", async ({ page }) => {
  const csp = `script-src ${ours} 'wasm-unsafe-eval' 'unsafe-inline'; worker-src 'none'`;
  const two = `<downhill-lab id="one" src="circles"></downhill-lab><downhill-lab id="two" src="moons"></downhill-lab>`;
  await page.addInitScript(() => {
    const ports = ((window as any).ports = [] as MessagePort[]);
    const Plain = MessageChannel;
    window.MessageChannel = class extends Plain {
      constructor() {
        super();
        ports.push(this.port2);
      }
    };
  });
  const thrown = await open(page, "without.html", `${ear}${tag}${two}`, csp);
  for (const id of ["#one", "#two"]) await expect.poll(() => step(page.locator(id)), { timeout: 20_000 }).toBeGreaterThan(30);
  expect(page.workers()).toHaveLength(0);
  await page.locator("#one").evaluate((lab: any) => lab.pause());
  const rests = await step(page.locator("#one"));
  await expect.poll(() => page.locator("#two").evaluate((lab: any) => lab.predict([0.5, 0.5]).then((said: Float32Array) => Math.round(said[0]! + said[1]!)))).toBe(1);
  expect(await step(page.locator("#one"))).toBe(rests);
  // What is taken away trains no more: its thread is the page's.
  const told = () => page.evaluate(() => (window as any).told as number);
  await page.evaluate(() => {
    (window as any).told = 0;
    for (const port of (window as any).ports) {
      const plain = port.postMessage.bind(port);
      port.postMessage = (...args: unknown[]) => {
        (window as any).told++;
        plain(...args);
      };
    }
  });
  await expect.poll(told).toBeGreaterThan(5);
  await page.evaluate(() => document.querySelectorAll("downhill-lab").forEach((lab) => lab.remove()));
  await page.waitForTimeout(600);
  const after = await told();
  await page.waitForTimeout(600);
  expect(await told()).toBe(after);
  expect(await page.evaluate(() => (window as any).heard)).toEqual([]);
  expect(thrown).toEqual([]);
});

test("a worker whose file is missing is made up for by the page's own thread", async ({ page }) => {
  await page.route("**/worker.js*", (route) => route.fulfill({ status: 404, headers: { "Access-Control-Allow-Origin": "*" } }));
  await open(page, "torn.html", `${tag}<downhill-lab src="circles"></downhill-lab>`);
  await expect.poll(() => step(page.locator("downhill-lab")), { timeout: 20_000 }).toBeGreaterThan(30);
});

for (const file of ["site-relaxed.js", "site-relaxed_bg.wasm", "site-relaxed_later.wasm", "widget.css"]) {
  test(`without ${file} the poster says so, and a later try has it`, async ({ page }) => {
    let there = false;
    await page.route(`**/${file}*`, (route) => (there ? route.continue() : route.fulfill({ status: 404, headers: { "Access-Control-Allow-Origin": "*" } })));
    const thrown = await open(page, "torn.html", `${ear}${tag}<downhill-lab src="circles"></downhill-lab>`);
    await saysOnce(page, /\S/, thrown);
    // A module that could not be fetched stays so for as long as the page lives.
    if (file.endsWith(".js")) return;
    there = true;
    await page.evaluate(() => document.querySelector("downhill-lab")!.setAttribute("src", "moons"));
    await expect.poll(() => step(page.locator("downhill-lab"))).toBeGreaterThan(10);
  });
}

test("attributes and styles do what they say", async ({ page }) => {
  const style = `<style>downhill-lab { --downhill-accent: rgb(138, 43, 92); --downhill-size: 20px } downhill-lab::part(transport) { border: 3px solid rgb(1, 2, 3) }</style>`;
  const json = JSON.stringify({ data: "moons", model: [{ linear: { out: 4 } }, "tanh", { linear: { out: "classes" } }], view: { pace: 5 } });
  await open(page, "attributes.html", `${style}${tag}<downhill-lab id="one" experiment='${json}' show="transport step loss lr lab" hide="loss lab" theme="dark" pace="max" steps="300" height="333"></downhill-lab><div style="height: 5000px"></div><downhill-lab id="two" src="circles" autostart="load" show="step" steps="20"></downhill-lab>`);
  const one = page.locator("#one");
  await expect(one.getByTestId("w-step")).toHaveText("300 of 300");
  await expect(one.locator("[data-chart]")).toHaveCount(0);
  await expect(one.getByTestId("open-lab")).toHaveCount(0);
  await expect(one.locator(".downhill")).toHaveAttribute("data-theme", "dark");
  const look = await one.getByTestId("w-step").evaluate((at) => {
    const line = at.closest("[part=transport]")!;
    const root = getComputedStyle(at.closest(".downhill")!);
    return [getComputedStyle(line).borderTopColor, root.getPropertyValue("--accent").trim(), root.fontSize];
  });
  expect(look).toEqual(["rgb(1, 2, 3)", "rgb(138, 43, 92)", "20px"]);
  // Taken back, what was hidden is there; the run goes on.
  await one.evaluate((lab) => lab.removeAttribute("hide"));
  await expect(one.locator("[data-chart=Loss]")).toBeVisible();
  // Far below the screen it has begun, and waits to be seen.
  const two = page.locator("#two");
  await expect.poll(() => two.evaluate((lab) => lab.shadowRoot!.querySelector(".poster")!.hasAttribute("hidden"))).toBe(true);
  expect(await step(two)).toBe(0);
  await two.scrollIntoViewIfNeeded();
  await expect(two.getByTestId("w-step")).toHaveText("20 of 20");
});

test("buttons have their pictures and follow each other as the keys go, and the pace says what it is", async ({ page }) => {
  await open(page, "buttons.html", `${tag}<downhill-lab src="spirals" show="transport pace fullscreen"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect(lab.locator(".pace .num")).toHaveText("300/s");
  await expect(lab.locator(".pace .num")).toBeVisible();
  const buttons = lab.locator(".transport button");
  for (const button of await buttons.all()) await expect(button.locator("svg")).toBeVisible();
  const places = await buttons.evaluateAll((all) => all.map((button) => button.getBoundingClientRect().left));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  await expect(lab.getByTestId("fullscreen")).toHaveText("full screen", { useInnerText: true });
});

test("what is locked or hidden is so inside of a panel too, and what an article cannot use is not offered", async ({ page }) => {
  const thrown = await open(page, "locked.html", `${tag}<downhill-lab src="circles" show="data transport fullscreen" lock="noise transport" hide="samples"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect(lab.locator(".w-line")).toBeVisible();
  const field = (name: string) => lab.locator(".w-data .field").filter({ has: page.locator(`[id$="-${name}"]`) });
  await expect(field("noise")).toHaveJSProperty("inert", true);
  await expect(field("samples")).toBeHidden();
  await expect(lab.locator(".w-line")).toHaveJSProperty("inert", true);
  await lab.evaluate((lab) => lab.setAttribute("lock", "data"));
  await expect(lab.locator(".w-data")).toHaveJSProperty("inert", true);
  await expect(lab.locator(".w-line")).toHaveJSProperty("inert", false);
  // Keys belong to the page around it.
  await expect(lab.getByTestId("play")).toHaveAttribute("title", "Play or pause");
  expect(thrown).toEqual([]);
});

test("the theme is that of the ground in any notation, also when the body changes or a ground takes its time", async ({ page }) => {
  const style = `<style>body { transition: background .2s } body.dark { background: #111 }</style>`;
  const grounds = ["oklch(98% .01 250)", "color(srgb 1 1 1)", "lab(98 0 0)", "color-mix(in oklab, white, white)", "oklch(20% 0 0)"];
  const labs = grounds.map((ground) => `<div style="background: ${ground}"><downhill-lab src="circles" show="step"></downhill-lab></div>`).join("");
  await open(page, "grounds.html", `${style}${labs}<downhill-lab id="bare" src="circles" show="step"></downhill-lab>${tag}`);
  const theme = (at: number) => page.locator("downhill-lab").nth(at).locator(".downhill");
  for (const at of grounds.keys()) await expect(theme(at)).toHaveAttribute("data-theme", at < 4 ? "light" : "dark", { timeout: 20_000 });
  await expect(theme(5)).toHaveAttribute("data-theme", "light");
  await page.evaluate(() => document.body.classList.add("dark"));
  await expect(theme(5)).toHaveAttribute("data-theme", "dark");
  await expect(theme(0)).toHaveAttribute("data-theme", "light");
});

test("every promise of a run is kept or broken with a true sentence", async ({ page }) => {
  await open(page, "empty.html", "<p>…");
  const said = await page.evaluate(async (url) => {
    const { createRun } = await import(url);
    const told = (promise: Promise<unknown>) => promise.then(() => "", (error: Error) => error.message);
    const run = await createRun("circles", { backend: "cpu" });
    await Promise.all([run.step(10), run.step(10)]);
    const all: Record<string, unknown> = { twice: run.state().step };
    for (const n of [0.5, -5, "abc"]) all[`step ${n}`] = await told(run.step(n));
    const paused = told(run.step(1_000_000));
    setTimeout(() => run.pause(), 100);
    all.paused = await paused;
    const anew = told(run.step(1_000_000));
    setTimeout(() => run.reset(), 100);
    all.anew = await anew;
    all.names = await Promise.all([5, {}, true, null, undefined, ["lr"]].map((name) => told(run.set(name as never, 1))));
    all.pace = await Promise.all(["fast", -1, 0].map((pace) => told(run.set("pace", pace))));
    all.sample = await Promise.all([[NaN, 1], [1e300, 1], [0.5]].map((sample) => told(run.predict(sample))));
    all.fine = await told(run.predict([0.5, 0.5]));
    all.empty = await told(run.set("model", []));
    all.model = (run.get("model") as unknown[]).length > 0;
    all.problem = run.state().problem;
    await run.step(5);
    const copy = await run.snapshot();
    await run.set("lr", 0.02);
    all.restored = await told(run.restore(copy));
    all.lr = [run.get("lr"), run.state().lr];
    await run.set("data", "moons");
    all.other = await told(run.restore(copy));
    all.data = run.get("data");
    run.dispose();
    const abort = new AbortController();
    const begun = told(createRun("circles", { signal: abort.signal }));
    abort.abort(new Error("gone"));
    all.aborted = await begun;
    all.backend = await told(createRun("circles", { backend: "quantum" as never }));
    all.nothing = await told(createRun(undefined as never));
    return all;
  }, `${script}embed.js`);
  expect(said).toMatchObject({ twice: 20, fine: "", model: true, problem: null, restored: "", lr: [0.02, 0.02], aborted: "gone" });
  for (const n of ["0.5", "-5", "abc"]) expect(said[`step ${n}`]).toBe(`\`step\` wants a whole number of steps above zero, not ${n}.`);
  expect(said.paused).toMatch(/^The run was paused after \d+ of 1000000 steps\.$/);
  expect(said.anew).toMatch(/^The run began anew after \d+ of 1000000 steps\.$/);
  for (const sentence of said.names as string[]) expect(sentence).toMatch(/^A field is named by a text such as "lr"/);
  for (const sentence of said.pace as string[]) expect(sentence).toMatch(/^`pace` is a number of steps per second above zero/);
  for (const sentence of said.sample as string[]) expect(sentence).toMatch(/\S/);
  expect(said.empty).toMatch(/\S/);
  expect(said.other).toMatch(/another experiment/);
  expect(said.data).toHaveProperty("moons");
  expect(said.backend).toMatch(/^`backend` is "quantum"/);
  expect(said.nothing).toMatch(/^A run wants an experiment/);
});

test("a refused question stays between the script and the run", async ({ page }) => {
  await open(page, "asked.html", `${ear}${tag}<downhill-lab src="circles"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect.poll(() => step(lab)).toBeGreaterThan(10);
  expect(await lab.evaluate((lab: any) => lab.predict([0.5]).then(() => "", (error: Error) => error.message))).toMatch(/numbers/);
  await lab.evaluate((lab: any) => lab.reset());
  await page.waitForTimeout(500);
  await expect(lab.locator(".notice")).toHaveCount(0);
  expect(await page.evaluate(() => (window as any).heard)).toEqual([]);
});

test("a worker that breaks is told by the widget, and thrown at nobody", async ({ page }) => {
  const thrown = await open(page, "boom.html", `${tag}<downhill-lab src="circles"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect.poll(() => step(lab)).toBeGreaterThan(10);
  await page.workers()[0]!.evaluate(() => void setTimeout(() => { throw new Error("boom"); }));
  await page.waitForTimeout(500);
  expect(thrown).toEqual([]);
});

test("a poster that cannot be had, and a script that is still on its way, do no harm", async ({ page }) => {
  const json = JSON.stringify({ data: "moons", model: [{ linear: { out: "classes" } }], training: { steps: 20 } });
  await open(page, "poster.html", `${tag}<downhill-lab src="circles" autostart="click" poster="gone.png"></downhill-lab><downhill-lab id="late"></downhill-lab>`);
  await expect(page.locator("downhill-lab").first().locator(".poster img")).toHaveCount(0);
  await expect(page.locator("#late").getByRole("button", { name: "Start training" })).toBeVisible();
  await page.locator("#late").evaluate((lab, json) => lab.setAttribute("experiment", json), json);
  await expect(page.locator("#late").getByTestId("w-step")).toHaveText("20 of 20");
});

test("the script is no larger than 6 KB compressed", async () => {
  const bytes = Buffer.from(await (await fetch(`${script}embed.js`)).arrayBuffer());
  expect(brotliCompressSync(bytes).length).toBeLessThanOrEqual(6000);
  expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(6000);
});

test("a widget asks nobody but its own host and that of its page for anything, and leaves nothing behind", async ({ page, context }) => {
  const asked = new Set<string>();
  page.on("request", (request) => asked.add(new URL(request.url()).protocol === "http:" ? new URL(request.url()).origin : new URL(request.url()).protocol));
  await open(page, "private.html", `${tag}<downhill-lab src="digits" show="network output transport step loss lab"></downhill-lab>`);
  await expect.poll(() => step(page.locator("downhill-lab")), { timeout: 30_000 }).toBeGreaterThan(10);
  expect([...asked].filter((from) => from !== "blob:" && from !== "data:").sort()).toEqual([ours, new URL(origin()).origin].sort());
  expect(await context.cookies()).toEqual([]);
  expect(await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length])).toEqual([0, 0, 0, 0]);
});

test("a widget that is moved while it runs goes on, and one that is taken away ends its worker", async ({ page }) => {
  await open(page, "moved.html", `${tag}<div id="a"><downhill-lab src="spirals"></downhill-lab></div><div id="b"></div>`);
  const lab = page.locator("downhill-lab");
  await expect.poll(() => step(lab)).toBeGreaterThan(20);
  await page.evaluate(() => document.querySelector("#b")!.append(document.querySelector("downhill-lab")!));
  const before = await step(lab);
  await expect.poll(() => step(lab)).toBeGreaterThan(before);
  expect(page.workers()).toHaveLength(1);
  await page.evaluate(() => document.querySelector("downhill-lab")!.remove());
  await expect.poll(() => page.workers().length).toBe(0);
});

test("a widget that is taken away while it begins leaves no worker", async ({ page }) => {
  const thrown = await open(page, "brief.html", `${tag}<div></div>`);
  await page.waitForFunction(() => customElements.get("downhill-lab"));
  for (const wait of [0, 20, 100, 300]) {
    await page.evaluate(async (wait) => {
      const lab = document.createElement("downhill-lab");
      lab.setAttribute("src", "circles");
      document.querySelector("div")!.append(lab);
      await new Promise((resolve) => setTimeout(resolve, wait));
      lab.remove();
    }, wait);
  }
  await page.waitForTimeout(1500);
  await expect.poll(() => page.workers().length).toBe(0);
  expect(thrown).toEqual([]);
});

/** Megabytes that the browser's processes of a kind hold for themselves, after garbage was collected. */
async function megabytes(browser: Browser, page: Page, kind: string): Promise<number> {
  const session = await page.context().newCDPSession(page);
  for (let round = 0; round < 2; round++) await session.send("HeapProfiler.collectGarbage");
  await session.detach();
  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  const held = processInfo.filter(({ type }) => type === kind).map(({ id }) => Number(readFileSync(`/proc/${id}/smaps_rollup`, "utf8").match(/Private_Dirty: +(\d+) kB/)![1]) / 1000);
  return held.reduce((sum, megabytes) => sum + megabytes, 0);
}

for (const backend of ["cpu", "gpu"] as const) {
  test(`runs that end in the middle of training on the ${backend} give back worker, device and memory`, { tag: "@alone" }, async ({ page, browser }) => {
    test.setTimeout(240_000);
    await open(page, "rounds.html", "<p>…");
    // Parameters, gradients and both moments of this network are 35 MB.
    const wide = { data: "moons", model: [{ linear: { out: 1480 } }, "relu", { linear: { out: 1480 } }, "relu", { linear: { out: "classes" } }], view: { pace: "max" } };
    const round = async (): Promise<void> => {
      const trainsOn = await page.evaluate(async ([url, wide, backend]) => {
        const { createRun } = await import(url);
        const run = await createRun(wide, { backend });
        run.start();
        const begun = () => run.state().step > 3 && run.state().backend === backend;
        for (let waited = 0; waited < 60_000 && !begun(); waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
        const last = run.state().backend;
        run.dispose();
        return last;
      }, [`${script}embed.js`, wide, backend] as const);
      expect(trainsOn).toBe(backend);
      await expect.poll(() => page.workers().length).toBe(0);
      await page.waitForTimeout(500);
    };
    await round();
    const kinds = ["renderer", "GPU"];
    const first = await Promise.all(kinds.map((kind) => megabytes(browser, page, kind)));
    for (let n = 0; n < 4; n++) await round();
    const last = await Promise.all(kinds.map((kind) => megabytes(browser, page, kind)));
    // One that stayed would be 35 MB each time, four of them 140.
    kinds.forEach((kind, i) => expect(last[i]! - first[i]!, kind).toBeLessThan(30));
  });
}

/** How many widgets take steps within a second: two, or four where their turns change meanwhile. */
async function training(page: Page): Promise<number> {
  const steps = () => page.evaluate(async () => {
    const all = await Promise.all([...document.querySelectorAll("downhill-lab")].map((lab: any) => lab.run()));
    return all.map((run) => run.state().step as number);
  });
  const first = await steps();
  await page.waitForTimeout(1000);
  const second = await steps();
  return second.filter((step, i) => step > first[i]!).length;
}

test("ten widgets share one download and train two at a time; a hundred are posters", async ({ page }) => {
  const wasm: string[] = [];
  page.on("request", (request) => request.url().endsWith("_bg.wasm") && wasm.push(request.url()));
  const ten = `<downhill-lab src="circles" show="step" height="40" style="display: block; height: 40px"></downhill-lab>`.repeat(10);
  await open(page, "ten.html", `${tag}${ten}`);
  await expect.poll(() => page.workers().length, { timeout: 30_000 }).toBe(10);
  expect(wasm).toHaveLength(1);
  expect(await training(page)).toBeLessThanOrEqual(4);
  const hundred = `<div style="height: 3000px"></div>${`<downhill-lab src="circles"></downhill-lab>`.repeat(100)}`;
  await open(page, "hundred.html", `${tag}${hundred}`);
  await page.waitForTimeout(500);
  expect(page.workers()).toHaveLength(0);
  expect(wasm).toHaveLength(1);
});

test("a hundred widgets on one screen all come up, two of them train, and the others say nothing", async ({ page }) => {
  await page.addInitScript(() => {
    const told = ((window as any).told = [] as number[]);
    const Plain = Worker;
    window.Worker = class extends Plain {
      constructor(...args: ConstructorParameters<typeof Plain>) {
        super(...args);
        const n = told.push(0) - 1;
        this.addEventListener("message", () => told[n]!++);
      }
    };
  });
  const hundred = `<downhill-lab src="circles" show="step" style="height: 20px"></downhill-lab>`.repeat(100);
  const thrown = await open(page, "crowd.html", `${ear}<style>downhill-lab { display: inline-block; width: 100px; height: 30px; min-height: 0 !important }</style>${tag}${hundred}`);
  const up = () => page.evaluate(() => [...document.querySelectorAll("downhill-lab")].filter((lab) => lab.shadowRoot!.querySelector(".poster")!.hasAttribute("hidden")).length);
  await expect.poll(up, { timeout: 40_000 }).toBe(100);
  expect(await training(page)).toBeLessThanOrEqual(4);
  // What rests tells nothing, whatever else the page does.
  const told = () => page.evaluate(() => [...(window as any).told] as number[]);
  const before = await told();
  await page.waitForTimeout(1000);
  const spoke = (await told()).filter((count, n) => count > before[n]!).length;
  expect(spoke).toBeGreaterThan(0);
  expect(spoke).toBeLessThanOrEqual(6);
  expect(await page.evaluate(() => (window as any).heard)).toEqual([]);
  expect(thrown).toEqual([]);
});

test("two versions of the script on one page do not disturb each other", async ({ page }) => {
  const thrown = await open(page, "two.html", `${tag}<script type="module" src="../embed.js?other"></script><downhill-lab src="circles"></downhill-lab>`);
  await expect.poll(() => step(page.locator("downhill-lab"))).toBeGreaterThan(10);
  expect(thrown).toEqual([]);
});

test("in a tab that is hidden a widget rests, and goes on when it is seen again", async ({ page }) => {
  await open(page, "hidden.html", `${tag}<downhill-lab src="spirals" show="step transport"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect.poll(() => step(lab)).toBeGreaterThan(10);
  const turn = (hidden: boolean) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await turn(true);
  await page.waitForTimeout(300);
  const rested = await step(lab);
  await page.waitForTimeout(700);
  expect(await step(lab)).toBe(rested);
  await turn(false);
  await expect.poll(() => step(lab)).toBeGreaterThan(rested);
});

test("focus passes through a widget in both directions, and what it shows, dark and as a poster too, has nothing for axe to find", async ({ page }) => {
  const all = `show="network output transport pace step score loss accuracy lr optimizer lab fullscreen" lock="batch_size"`;
  await open(page, "focus.html", `${tag}<main><h1>Host</h1><button id="before">before</button><downhill-lab id="one" src="circles" ${all}></downhill-lab><downhill-lab id="dark" theme="dark" src="circles" style="background: #111" ${all}></downhill-lab><downhill-lab id="poster" src="circles" autostart="click"></downhill-lab><button id="after">after</button></main>`);
  for (const id of ["#one", "#dark"]) await expect(page.locator(id).getByTestId("w-step")).toBeVisible();
  for (const [from, key, to] of [["#before", "Tab", "after"], ["#after", "Shift+Tab", "before"]] as const) {
    await page.locator(from).focus();
    let presses = 0;
    for (; presses < 120 && (await page.evaluate(() => document.activeElement?.id)) !== to; presses++) await page.keyboard.press(key);
    expect(presses, `${key} from ${from}`).toBeGreaterThan(8);
    expect(presses, `${key} from ${from}`).toBeLessThan(120);
  }
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
});
