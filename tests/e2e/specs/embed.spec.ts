// Widgets in pages of another origin: the examples, and what an article and its readers do with them.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Locator } from "@playwright/test";
import { otherOrigin, script, tag } from "../host";

const { open } = otherOrigin();
const step = (lab: Locator): Promise<number> => lab.evaluate(async (lab: any) => (await lab.run()).state().step);

test("plain HTML of another origin trains, rests at its steps, and says so", async ({ page }) => {
  const thrown = await open(page, "plain.html");
  const lab = page.locator("downhill-lab");
  const done = lab.evaluate((lab) => new Promise((resolve) => lab.addEventListener("done", (event) => resolve((event as CustomEvent).detail))));
  expect(await done).toMatchObject({ step: 400, running: false });
  await expect(lab.getByTestId("w-step")).toHaveText("400 of 400");
  await expect(lab.getByTestId("open-lab")).toHaveAttribute("href", new RegExp(`^${script}index\\.html#c=1\\.`));
  expect(await page.evaluate(() => [localStorage.length, document.cookie, location.hash])).toEqual([0, "", ""]);
  expect(thrown).toEqual([]);
});

test("a widget speaks the language that its page asks for, and stays English where there is no list", async ({ page }) => {
  await open(page, "languages.html", `${tag}<downhill-lab id="de" lang="de-AT" src="spirals" show="transport,step,lr,loss"></downhill-lab><downhill-lab id="tlh" lang="tlh" src="spirals" show="transport,lr"></downhill-lab>`);
  const [german, other] = [page.locator("#de"), page.locator("#tlh")];
  await expect(german.getByTitle("Start oder Pause")).toBeVisible();
  await expect(german).toContainText("Lernrate");
  await expect(german).toContainText("Schritt");
  await expect(german).not.toContainText("Learning rate");
  await expect(german.locator(".downhill")).toHaveAttribute("lang", "de-AT");
  // What the widget writes later is said in the same language.
  await german.evaluate(async (lab: any) => (await lab.run()).pause());
  await expect(german.getByRole("button", { name: "Start" })).toBeVisible();
  await expect(other).toContainText("Learning rate");
  await expect(other.locator(".downhill")).toHaveAttribute("lang", "en");
});

test("the link of a widget opens the Lab with the experiment as it was changed there", async ({ page }) => {
  await open(page, "plain.html");
  const lab = page.locator("downhill-lab");
  await lab.evaluate(async (lab: any) => lab.set("lr", 0.125));
  const link = await lab.getByTestId("open-lab").getAttribute("href");
  await page.goto(link!);
  await expect(page.locator("#f-optimizer-adam-lr")).toHaveValue("0.125");
});

test("the Lab opens with what a widget has learned, and knows nothing of the page it came from", async ({ page }) => {
  await open(page, "plain.html");
  const lab = page.locator("downhill-lab");
  await lab.evaluate((lab) => new Promise((resolve) => lab.addEventListener("done", resolve)));
  const learned: number = await lab.evaluate(async (lab: any) => (await lab.run()).state().metrics.validation_loss);
  const [opened] = await Promise.all([page.waitForEvent("popup"), lab.getByTestId("open-lab").click()]);
  await expect(opened.getByText(/The weights of "link" are loaded/)).toBeVisible();
  expect(await opened.evaluate(() => window.opener)).toBeNull();
  const state = () => opened.evaluate(() => window.downhill!.state());
  await expect.poll(async () => Math.abs(((await state()).metrics.validation_loss ?? NaN) - learned)).toBeLessThan(0.05);
  expect(await state()).toMatchObject({ running: false });
});

test("in an article a slider drives two figures, a sentence follows one, and the third waits for a click", async ({ page }) => {
  const thrown = await open(page, "article.html");
  await expect(page.locator("#score")).toHaveText(/\d %/);
  await page.locator("#rate").fill("-1");
  await expect.poll(() => page.locator("#one").evaluate(async (lab: any) => (await lab.run()).get("lr"))).toBe(0.1);
  await expect.poll(() => page.locator("#three").evaluate(async (lab: any) => (await lab.run()).get("lr"))).toBe(0.1);
  const two = page.locator("#two");
  await expect(two.getByRole("button", { name: "Start training" })).toBeVisible();
  await two.getByRole("button", { name: "Start training" }).click();
  await expect(two.locator(".cell").first()).toBeVisible();
  await expect.poll(() => step(two)).toBeGreaterThan(0);
  expect(thrown).toEqual([]);
});

test("a run in code steps, predicts and is followed by a cell", async ({ page }) => {
  const thrown = await open(page, "notebook.html");
  await expect(page.locator("#cell")).toHaveText(/"step":200/);
  const { loss, first } = JSON.parse((await page.locator("#cell").textContent())!);
  expect(loss).toBeGreaterThan(0);
  expect(first).toBeGreaterThanOrEqual(0);
  expect(first).toBeLessThanOrEqual(1);
  expect(thrown).toEqual([]);
});

test("a run restored from a snapshot goes on as the first one did", async ({ page }) => {
  await open(page, "empty.html", "<p>…");
  const losses = await page.evaluate(async (url) => {
    const { createRun } = await import(url);
    const first = await createRun("circles", { backend: "cpu" });
    await first.step(50);
    const bytes = await first.snapshot();
    await first.step(20);
    const second = await createRun("circles", { backend: "cpu" });
    await second.restore(bytes);
    await second.step(20);
    const weights = async (run: any) => [...(await run.probe(["0.weight"])).tensors["0.weight"].data];
    const both = [first.state().step, second.state().step, await weights(first), await weights(second)];
    first.dispose();
    second.dispose();
    return both;
  }, `${script}embed.js`);
  expect(losses[0]).toBe(70);
  expect(losses[1]).toBe(70);
  expect(losses[2]).toEqual(losses[3]);
});

test("what cannot be is refused with the sentence of the page", async ({ page }) => {
  await open(page, "empty.html", "<p>…");
  const said = await page.evaluate(async (url) => {
    const { createRun } = await import(url);
    const refused = (promise: Promise<unknown>) => promise.then(() => "", (error: Error) => error.message);
    const run = await createRun("circles");
    const all = [
      await refused(createRun('{ "data": "nonsense" }')),
      await refused((async () => run.set("lr", -1))()),
      await refused(run.predict([0.5])),
      await refused(run.probe(["nonsense"])),
    ];
    run.dispose();
    return [...all, await refused(run.step(1)), run.on("metrics", () => {}) instanceof Function];
  }, `${script}embed.js`);
  expect(said[0]).toContain("nonsense");
  expect(said[1]).toContain("optimizer.adam.lr");
  for (const sentence of said.slice(2, 4)) expect(sentence).not.toBe("");
  expect(said[4]).toBe("The run was disposed of.");
});

test("a frame in a sandbox tells its height and obeys the page that it names", async ({ page }) => {
  const thrown = await open(page, "sandbox.html");
  const frame = page.frameLocator("#frame");
  await expect(frame.getByTestId("w-step")).toBeVisible();
  await expect.poll(() => page.locator("#frame").evaluate((frame) => frame.clientHeight)).not.toBe(300);
  await page.getByRole("button", { name: "A rate of 0.1" }).click();
  await expect(page.locator("#said")).toHaveText(/rate 0\.1$/);
  expect(thrown).toEqual([]);
});

test("a frame takes no command from a page that it does not name", async ({ page }) => {
  const src = `${script}embed.html#p=circles&origin=https://elsewhere.example`;
  await open(page, "frame.html", `<iframe id="frame" src="${src}" style="width: 600px; height: 400px"></iframe>`);
  const frame = page.frameLocator("#frame");
  await expect(frame.getByTestId("w-step")).toBeVisible();
  await page.locator("#frame").evaluate((frame: HTMLIFrameElement) => {
    frame.contentWindow!.postMessage({ downhill: 1, type: "command", id: 1, command: "set", args: ["lr", 0.5] }, "*");
  });
  await page.waitForTimeout(300);
  expect(await frame.locator("downhill-lab").evaluate(async (lab: any) => (await lab.run()).get("lr"))).not.toBe(0.5);
});

test("a frame understands origins that are written otherwise, and follows its address", async ({ page }) => {
  for (const origin of ["example.com", "null", encodeURIComponent("http://127.0.0.1/")]) {
    const thrown = await open(page, "frame.html", `<iframe id="frame" src="${script}embed.html#p=circles&origin=${origin}" style="width: 600px; height: 400px"></iframe>`);
    const frame = page.frameLocator("#frame");
    await expect(frame.getByTestId("w-step")).toBeVisible();
    expect(thrown).toEqual([]);
  }
  await open(page, "frame.html", `<iframe id="frame" src="${script}embed.html#p=circles&steps=20" style="width: 600px; height: 400px"></iframe>`);
  const frame = page.frameLocator("#frame");
  await expect(frame.getByTestId("w-step")).toHaveText("20 of 20");
  await page.locator("#frame").evaluate((frame: HTMLIFrameElement) => (frame.src = frame.src.replace("steps=20", "steps=30")));
  await expect(frame.getByTestId("w-step")).toHaveText("30 of 30");
});

test("no style gets in or out, in quirks mode and from right to left", async ({ page }) => {
  const thrown = await open(page, "hostile.html");
  const lab = page.locator("downhill-lab");
  await expect(lab.getByTestId("w-step")).toBeVisible();
  const play = await lab.getByTestId("play").boundingBox();
  expect(play!.width).toBeLessThan(60);
  const look = await lab.getByTestId("w-step").evaluate((at) => {
    const style = getComputedStyle(at.closest(".downhill")!);
    return [style.direction, style.textTransform, style.letterSpacing, style.textAlign, style.lineHeight !== "90px"];
  });
  expect(look).toEqual(["ltr", "none", "normal", "start", true]);
  expect(await page.locator("h1").evaluate((h1) => getComputedStyle(h1).color)).toBe("rgb(204, 0, 0)");
  expect(thrown).toEqual([]);
});

test("in an article from right to left a widget stays from left to right, within its column", async ({ page }) => {
  await page.setViewportSize({ width: 400, height: 800 });
  const thrown = await open(page, "rtl.html");
  const lab = page.locator("downhill-lab");
  await expect(lab.getByTestId("w-step")).toHaveText("300 of 300", { timeout: 20_000 });
  expect(await lab.locator(".downhill").evaluate((stage) => getComputedStyle(stage).direction)).toBe("ltr");
  const [column, widget] = [(await page.locator("body > figure").boundingBox())!, (await lab.boundingBox())!];
  expect([widget.x, widget.width]).toEqual([column.x, column.width]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
  expect(thrown).toEqual([]);
});

test("on paper a widget is its picture and its numbers, without buttons and links", async ({ page }) => {
  const thrown = await open(page, "print.html");
  const lab = page.locator("downhill-lab");
  await expect(lab.getByTestId("w-step")).toHaveText("300 of 300", { timeout: 20_000 });
  await page.emulateMedia({ media: "print" });
  await expect(lab.getByTestId("play")).toBeHidden();
  await expect(lab.getByTestId("open-lab")).toBeHidden();
  await expect(lab.getByTestId("w-step")).toBeVisible();
  await expect(lab.locator("input:visible, select:visible, button:visible")).toHaveCount(0);
  const inked = () => lab.locator(".w-output canvas").first().evaluate((canvas: HTMLCanvasElement) => new Set(canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data).size);
  expect(await inked()).toBeGreaterThan(20);
  await page.emulateMedia({ media: null });
  // A page is printed anew, at another width; what is on it stays drawn.
  expect((await page.pdf({ format: "A5" })).length).toBeGreaterThan(10_000);
  expect(await inked()).toBeGreaterThan(20);
  expect(thrown).toEqual([]);
});

test("only the figure of the slide on screen trains", async ({ page }) => {
  await open(page, "slides.html");
  await page.keyboard.press("ArrowRight");
  const circles = page.locator("#circles");
  await expect.poll(() => step(circles)).toBeGreaterThan(10);
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(400);
  const rested = await step(circles);
  await page.waitForTimeout(600);
  expect(await step(circles)).toBe(rested);
  await expect.poll(() => step(page.locator("#spirals"))).toBeGreaterThan(10);
});

test("a strict policy that allows the host, a worker and inline styles is enough", async ({ page }) => {
  const origin = new URL(script).origin;
  const csp = `default-src 'none'; script-src ${origin} 'wasm-unsafe-eval'; connect-src ${origin}; worker-src blob:; style-src-attr 'unsafe-inline'`;
  const thrown = await open(page, "policy.html", `${tag}<downhill-lab src="circles"></downhill-lab>`, csp);
  await expect.poll(() => step(page.locator("downhill-lab"))).toBeGreaterThan(10);
  expect(thrown).toEqual([]);
});

test("in a closed shadow root it trains, takes its theme from there, and on paper it has no buttons", async ({ page }) => {
  const inside = `<div id="host"></div><script>
    const root = document.querySelector("#host").attachShadow({ mode: "closed" });
    root.innerHTML = '<section style="background: #111"><downhill-lab src="circles"></downhill-lab></section>';
    window.lab = root.querySelector("downhill-lab");
  </script>`;
  const thrown = await open(page, "closed.html", `${inside}${tag}`);
  await page.waitForFunction(() => customElements.get("downhill-lab"));
  await expect.poll(() => page.evaluate(async () => (await (window as any).lab.run()).state().step)).toBeGreaterThan(10);
  const look = () => page.evaluate(() => {
    const stage = (window as any).lab.shadowRoot.querySelector(".downhill");
    return [stage.dataset.theme, getComputedStyle(stage.querySelector(".transport")).display === "none"];
  });
  expect(await look()).toEqual(["dark", false]);
  await page.emulateMedia({ media: "print" });
  expect(await look()).toEqual(["dark", true]);
  expect(thrown).toEqual([]);
});

test("who asks for less motion starts it by hand", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await open(page, "calm.html", `${tag}<downhill-lab src="circles"></downhill-lab>`);
  const lab = page.locator("downhill-lab");
  await expect(lab.getByTestId("play")).toBeVisible();
  await page.waitForTimeout(300);
  expect(await step(lab)).toBe(0);
  await lab.getByTestId("play").click();
  await expect.poll(() => step(lab)).toBeGreaterThan(0);
});

test("the keys go into a widget and out again, and axe finds nothing", async ({ page }) => {
  await open(page, "keys.html", `${tag}<main><h1>Host</h1><button id="before">before</button><downhill-lab src="circles" show="transport step loss lr lab"></downhill-lab><button id="after">after</button></main>`);
  await expect(page.locator("downhill-lab").getByTestId("w-step")).toBeVisible();
  await page.locator("#before").focus();
  let presses = 0;
  for (; presses < 20 && (await page.evaluate(() => document.activeElement?.id)) !== "after"; presses++) await page.keyboard.press("Tab");
  expect(presses).toBeGreaterThan(4);
  expect(presses).toBeLessThan(20);
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`)).toEqual([]);
});

for (const width of [280, 360, 680, 1200]) {
  test(`at ${width} pixels nothing is wider than the widget`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await open(page, "narrow.html", `<style>body { margin: 0 }</style>${tag}<downhill-lab src="spirals" show="network output transport pace step score loss accuracy lr noise optimizer lab fullscreen" lock="batch_size"></downhill-lab>`);
    await expect(page.locator("downhill-lab").getByTestId("w-step")).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
}

test("the code of the dialog makes the widget that its preview shows", async ({ page }) => {
  await page.goto(script);
  await page.getByTestId("embed").click();
  const dialog = page.locator("#embed");
  await expect(dialog.locator("downhill-lab").getByTestId("w-step")).toBeVisible({ timeout: 20_000 });
  await dialog.locator("[data-part=accuracy]").check();
  await dialog.locator("[data-lock=batch_size]").check();
  await expect(dialog.locator("downhill-lab [data-chart=Accuracy]")).toBeVisible();
  await expect(dialog.getByTestId("embed-cost")).toHaveText(/a script of [1-9].*B; .* [1-9].*B from this host/);
  const code = await dialog.getByTestId("embed-code").inputValue();
  expect(code).toContain('lock="batch_size"');
  expect(code).toContain('poster="data:image/');
  const thrown = await open(page, "copied.html", code);
  const lab = page.locator("downhill-lab");
  await expect(lab.locator("[data-chart=Accuracy]")).toBeVisible();
  await expect(lab.locator("[data-locked]")).toHaveText(/Batch size/);
  expect(thrown).toEqual([]);
});

test("the dialog says what nobody else will see, and keeps an end that is none", async ({ page }) => {
  await page.goto(script);
  await page.getByTestId("own").click();
  const rows = Array.from({ length: 30_000 }, (_, i) => `${(i * 37) % 1009},${(i * 91) % 883},${i % 2 ? "a" : "b"}`);
  await page.getByTestId("csv-file").setInputFiles({ name: "pets.csv", mimeType: "text/csv", buffer: Buffer.from(["x,y,kind", ...rows].join("\n")) });
  await page.waitForFunction(() => JSON.stringify(window.downhill?.state().experiment ?? {}).includes("pets.csv"));
  await page.getByTestId("embed").click();
  const dialog = page.locator("#embed");
  await expect(dialog.getByTestId("embed-missing")).toContainText('"pets.csv", are in this browser alone');
  await dialog.getByTestId("embed-steps").fill("abc");
  await dialog.getByTestId("embed-steps").press("Enter");
  await expect(dialog.getByTestId("embed-steps-wrong")).toBeVisible();
  await dialog.getByTestId("embed-steps").fill("1e3");
  await dialog.getByTestId("embed-steps").press("Enter");
  await expect(dialog.getByTestId("embed-code")).toHaveValue(/steps="1000"/);
});

test("the frame and the picture of the dialog open the same experiment", async ({ page }) => {
  await page.goto(script);
  await page.getByTestId("embed").click();
  const dialog = page.locator("#embed");
  await dialog.locator("[data-code=Frame]").click();
  const frame = await dialog.getByTestId("embed-code").inputValue();
  await dialog.locator("[data-code=Markdown]").click();
  await expect(dialog.getByTestId("embed-code")).toHaveValue(/^\[!\[.*\]\(downhill\.webp\)\]\(.*#c=1\./);
  await open(page, "framed.html", frame);
  await page.locator("iframe").scrollIntoViewIfNeeded();
  await expect(page.frameLocator("iframe").getByTestId("w-step")).toBeVisible({ timeout: 20_000 });
  // What the code allows, works: the Lab outside of the sandbox, and the whole screen.
  const [opened] = await Promise.all([page.waitForEvent("popup"), page.frameLocator("iframe").getByTestId("open-lab").click()]);
  await expect(opened.getByText(/The weights of "link" are loaded/)).toBeVisible();
  await opened.getByTestId("play").click();
  await opened.waitForFunction(() => (window.downhill?.state().step ?? 0) > 0);
  await opened.close();
  await page.frameLocator("iframe").getByTestId("fullscreen").click();
  await expect(page.frameLocator("iframe").getByTestId("fullscreen")).toHaveText("leave full screen", { useInnerText: true });
});
