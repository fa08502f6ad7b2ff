// Inside sequence models: answers at every position, what attention looks with, and a recurrent cell over time.
import { expect, test, type Page } from "@playwright/test";
import { Lab, link } from "../lab";

/** An experiment at rest after some steps, so that only what a person does can move anything. */
async function rested(page: Page, experiment: unknown): Promise<void> {
  const lab = new Lab(page);
  await lab.open(link(experiment));
  await lab.reach((state) => !state.running && state.step > 0, 30_000);
}

const sorting = {
  data: { sort: { samples: 100, length: 3, vocabulary: 5 } },
  model: [{ embedding: { dim: 16 } }, "positions", { transformer_block: { num_heads: 2, causal: true } }, { linear: { out: "classes" } }],
  optimizer: { adam: { lr: 0.01 } },
  training: { steps: 30 },
  view: { pace: "max" },
};

test("answers stand beside the right ones, and each head shows what it looks at", async ({ page }) => {
  await rested(page, sorting);
  await page.getByRole("radio", { name: "Answers" }).click();
  const places = page.getByTestId("places").locator(".place");
  await expect(places).toHaveCount(6);
  await expect(places.first()).toHaveAttribute("aria-label", /^Position 1: given [a-e], not asked$/);
  await expect(places.nth(3)).toHaveAttribute("aria-label", /^Position 4: given →, says /);
  await expect(page.getByTestId("right")).toHaveText(/^[0-3] of 3 right$/);
  await places.nth(4).click();
  await expect(page.getByTestId("next")).toContainText("After position 5");
  // The weights of a query sum to 1 over what it looks back at.
  const said = page.getByTestId("attention-weight");
  await page.getByTestId("attention").focus();
  let sum = 0;
  for (const key of ["ArrowDown", "ArrowRight"]) {
    await page.keyboard.press(key);
    await expect(said).toHaveText(key === "ArrowDown" ? /\(2\) looks at .*\(1\): / : /\(2\) looks at .*\(2\): /);
    sum += Number((await said.textContent())!.split(": ").pop());
  }
  expect(sum).toBeCloseTo(1, 3);
  const before = await said.textContent();
  await page.getByRole("button", { name: /head 2$/ }).click();
  await expect(said).not.toHaveText(before!);
  await expect(page.getByRole("radio", { name: "head 2" })).toHaveAttribute("aria-checked", "true");
  await expect(page.getByTestId("stream")).toContainText("changes by");
  // What the network says without a head, and without one weight of it; the same click brings them back.
  const without = page.getByTestId("without");
  await page.getByTestId("ablate").click();
  await expect(without).toContainText("after “");
  await expect(without).toContainText("without head 2");
  await expect(without.locator("dd").first()).toHaveText(/^\d.*% → \d.*%$/);
  await page.getByTestId("attention").press("Enter");
  await expect(without).toContainText("without the weight of head 2 from 2 to 2");
  await page.getByTestId("attention").press("Enter");
  await expect(without).toHaveCount(0);
  // What the last layer makes of the embedding, the positions and the block; behind the block stands what the network says.
  await page.getByTestId("inside").getByRole("radio", { name: /^linear/ }).click();
  const lens = page.getByTestId("lens").locator("tbody tr");
  await expect(lens).toHaveCount(3);
  await expect(lens.last().locator("td").last()).toHaveText((await places.last().locator("b").textContent())!);
  // A sample of one's own has answers, and none to compare them with.
  await page.getByTestId("sample").fill("cab→ab");
  await page.getByTestId("sample").press("Enter");
  await expect(page.getByTestId("right")).toContainText("no right answers");
  await page.getByTestId("sample").fill("cab→aX");
  await page.getByTestId("sample").press("Enter");
  await expect(page.getByText("“X” is no token")).toBeVisible();
});

test("where vectors of two inputs are added, what a head looks at is named by the first, and hidden words are told where they stand", async ({ page }) => {
  await rested(page, {
    data: { masked: { samples: 100 } },
    model: [
      { embedding: { dim: 16 } },
      { name: "words" },
      { input: "segments" },
      { embedding: { dim: 16 } },
      { add: { from: "words" } },
      { transformer_block: { num_heads: 2 } },
      { linear: { out: "classes" } },
    ],
    training: { steps: 20 },
    view: { pace: "max" },
  });
  for (const side of [0, 1]) await expect(page.locator(".attention .labels").nth(side).locator("span").first()).toHaveText("[CLS]");
  await page.getByTestId("ablate").click();
  await expect(page.getByTestId("without")).toContainText(" at “");
});

test("a decoder writes by itself what was read, and its cross heads have the tokens of both on their sides", async ({ page }) => {
  await rested(page, {
    data: { reverse: { samples: 100, length: 3, vocabulary: 5, encoder_decoder: true } },
    model: [
      { embedding: { dim: 16 } },
      "positions",
      { name: "memory" },
      { input: "answer" },
      { embedding: { dim: 16 } },
      "positions",
      { transformer_decoder_block: { from: "memory", num_heads: 1 } },
      { linear: { out: "classes" } },
    ],
    optimizer: { adam: { lr: 0.01 } },
    training: { steps: 30 },
    view: { pace: "max" },
  });
  const written = page.getByTestId("by-itself");
  await expect(written.locator(".answers span")).toHaveCount(3);
  await expect(page.locator(".predictions tbody .answers span")).toHaveCount(24);
  // Nobody knows what is right of letters that are typed.
  await page.getByTestId("about").fill("cab");
  await page.getByTestId("about").press("Enter");
  await expect(written.locator("small")).toHaveCount(0);
  await expect(written.locator(".answers .wrong")).toHaveCount(0);
  await page.getByRole("radio", { name: "Answers" }).click();
  const places = page.getByTestId("places").locator(".place");
  await expect(places).toHaveCount(3);
  await expect(places.first()).toHaveAttribute("aria-label", /^Position 1: given →, says /);
  const said = page.getByTestId("attention-weight");
  await page.getByRole("radio", { name: "cross head 1" }).click();
  await page.getByTestId("attention").focus();
  await page.keyboard.press("ArrowRight");
  await expect(said).toHaveText(/^“→” \(1\) looks at “[a-e]” \(2\): /);
  await page.getByRole("radio", { name: "head 1", exact: true }).click();
  await expect(said).toHaveText(/^“→” \(1\) looks at “[a-e]” \(2\): 0$/);
});

test("captions stand beside their pictures, and where the network looks before each word", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({
    data: { captions: { samples: 60 } },
    model: [
      { conv2d: { out_channels: 4, stride: 4, kernel_size: 4 } },
      { patch_embedding: { patch_size: 1, dim: 16 } },
      "positions",
      { name: "picture" },
      { input: "answer" },
      { embedding: { dim: 16 } },
      "positions",
      { transformer_decoder_block: { from: "picture", num_heads: 2 } },
      { linear: { out: "classes" } },
    ],
    training: { steps: 20 },
    view: { pace: "max" },
  }));
  await lab.reach((state) => !state.running, 30_000);
  const drawn = (canvas: HTMLCanvasElement) => new Set(canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data).size;
  await expect(page.locator(".predictions canvas.read")).toHaveCount(8);
  for (const read of [page.locator(".by-itself canvas.read"), page.locator(".predictions canvas.read").last(), page.getByTestId("looks").locator("canvas").first()]) {
    await expect.poll(() => read.evaluate(drawn)).toBeGreaterThan(5);
  }
  await expect(page.getByTestId("looks").locator("figcaption").first()).toHaveText(/^(zero|one|two|three|four|five|six|seven|eight|nine)$/);
  await expect(page.locator(".notice")).toHaveCount(0);
  expect(lab.errors).toEqual([]);
});

test("a recurrent cell shows its gates, its numbers and the gradient at every step", async ({ page }) => {
  await rested(page, {
    data: { parity: { samples: 100, min_length: 5, max_length: 8 } },
    model: [{ lstm: { hidden_size: 4 } }, { linear: { out: "classes" } }],
    training: { steps: 30 },
    view: { pace: "max" },
  });
  const time = page.getByTestId("recurrent");
  await expect(time.locator("canvas")).toHaveCount(10);
  const heading = page.locator(".beside h3");
  const steps = Number(/step (\d+)/.exec((await heading.textContent())!)![1]);
  expect(steps).toBeGreaterThanOrEqual(5);
  await expect(page.getByTestId("reached")).toContainText(`at step ${steps}`);
  const numbers = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      await page
        .getByTestId("cell-numbers")
        .locator("div")
        .evaluateAll((all) => all.map((cell) => [cell.querySelector("dt")!.textContent!, Number(cell.querySelector("dd")!.textContent)])),
    );
  const last = await numbers();
  await time.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(heading).toHaveText(`unit 1, step ${steps - 1}`);
  const before = await numbers();
  expect(last.f! * before.c! + last.i! * last.g!).toBeCloseTo(last.c!, 3);
  expect(last.o! * Math.tanh(last.c!)).toBeCloseTo(last.h!, 3);
  // A shorter sequence of one's own has fewer steps, and no loss.
  await page.getByTestId("sample").fill("1 0 1");
  await page.getByTestId("sample").press("Enter");
  await expect(heading).toHaveText("unit 1, step 3");
  await expect(page.getByTestId("reached")).toContainText("no right answer");
});

test("words lie along their main directions, or on a map that keeps near ones near and is drawn when it is asked for", async ({ page }) => {
  const fetched: string[] = [];
  page.on("request", (request) => request.url().endsWith("/umap.js") && fetched.push(request.url()));
  await rested(page, {
    seed: 3,
    data: "skip_gram",
    model: [{ embedding: { dim: 16 } }, { name: "centre" }, { input: "words" }, { embedding: { dim: 16 } }, { dot: { from: "centre" } }],
    loss: "negative_sampling",
    optimizer: { adam: { lr: 0.01 } },
    training: { steps: 400, batch_size: 128 },
    view: { pace: "max" },
  });
  await page.getByRole("radio", { name: "Words" }).click();
  const words = page.getByTestId("vectors").locator("span");
  const places = () => words.evaluateAll((all) => all.map((word) => [parseFloat((word as HTMLElement).style.left), parseFloat((word as HTMLElement).style.top)]));
  const [said, umap] = [page.getByTestId("vectors-said"), page.getByTestId("umap")];
  const main = page.getByRole("button", { name: "main directions" });
  await expect(said).toContainText("of the variance");
  await expect(words.first()).toBeVisible();
  const directions = await places();
  expect(fetched).toEqual([]);
  await umap.click();
  await expect(said).toContainText("UMAP of step 400:");
  await expect(umap).toHaveAttribute("aria-pressed", "true");
  expect(fetched).toHaveLength(1);
  const map = await places();
  // The words whose vectors point most nearly the same way as the first one's are among those that lie next to it.
  const names = await words.allTextContents();
  const apart = map.map(([x, y]) => Math.hypot(x! - map[0]![0]!, y! - map[0]![1]!));
  const near = (await page.getByTestId("near").locator("b").allTextContents()).slice(0, 3).map((name) => names.indexOf(name));
  const nearer = near.map((at) => apart.filter((distance) => distance < apart[at]!).length);
  expect(Math.max(...nearer)).toBeLessThan(names.length / 2);
  expect(Math.min(...nearer)).toBeLessThan(names.length / 8);
  await main.click();
  await expect(said).toContainText("of the variance");
  expect(await places()).toEqual(directions);
  // The same weights have the same map.
  await umap.click();
  await expect(said).toContainText("UMAP of step 400:");
  expect(await places()).toEqual(map);
  // A run that begins anew has other weights.
  await page.keyboard.press("r");
  await expect(said).toContainText("of the variance");
  await page.route("**/umap.js", (route) => route.abort());
  await umap.click();
  await expect(page.getByText("The part that draws such maps could not be loaded.")).toBeVisible();
  await expect(umap).toHaveText("UMAP");
  await expect(main).toHaveAttribute("aria-pressed", "true");
});

test("a search box finds the document that a query asks for, and tells of words it does not know", async ({ page }) => {
  await rested(page, {
    data: { search: { samples: 1200, validation: 0.05 } },
    model: [
      { input: "document" },
      { embedding: { dim: 16 } },
      "mean_over_time",
      { linear: { out: 16 } },
      { name: "document" },
      { input: "query" },
      { embedding: { dim: 16 } },
      "mean_over_time",
      { linear: { out: 16 } },
      { cat: { from: "document" } },
    ],
    loss: "info_nce",
    optimizer: { adam: { lr: 0.01 } },
    training: { steps: 500, batch_size: 60 },
    view: { pace: "max" },
  });
  await expect(page.getByRole("radio", { name: "Search", exact: true })).toHaveAttribute("aria-checked", "true");
  const [found, said, box] = [page.getByTestId("found").locator("li"), page.getByTestId("search-said"), page.getByTestId("query")];
  const trouble = page.getByTestId("search-trouble");
  // The query of a sample knows its own document.
  await page.locator(".predictions .link").first().click();
  await expect(said).toHaveText("Its own document comes first of 60 held-out documents.");
  await expect(found).toHaveCount(6);
  await expect(found.first()).toHaveClass(/right/);
  await expect(found.first()).toContainText(/^\d\.\d\d(she|he) is the /);
  await expect(page.getByTestId("recall")).toContainText(/\d.*% · \d.*%/);
  // The same words in another order ask for the same document, of which nobody has said that it is the right one.
  const [own, document] = [await box.inputValue(), (await found.first().textContent())!.replace(/ ?its own$/, "").slice(4)];
  await box.fill(`${own.split(" ").slice(1).join(" ")} ${own.split(" ")[0]}`);
  await expect(said).toHaveText("The nearest of 60 held-out documents.");
  await expect(found.first()).toContainText(document);
  await expect(found.locator("small")).toHaveCount(0);
  await box.fill("royal unicorn");
  await expect(trouble).toContainText("No query has the word “unicorn”");
  await expect(found).toHaveCount(6);
  await box.fill("");
  await expect(trouble).toHaveText("Type a few of the words below, or click them.");
  await expect(found).toHaveCount(0);
  await page.getByRole("group", { name: "Words of queries" }).getByRole("button", { name: "horse" }).click();
  await expect(box).toHaveValue("horse");
  await expect(found).toHaveCount(6);
});
