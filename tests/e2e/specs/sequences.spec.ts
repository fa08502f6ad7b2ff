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
