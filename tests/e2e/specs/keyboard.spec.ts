// What keys do: a shortcut never beats what has the focus, and whatever opens takes the keys and gives them back.
import { type Page, expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

const running = (page: Page) => page.evaluate(() => window.downhill!.state().running);
const step = (page: Page) => page.evaluate(() => window.downhill!.state().step);

async function rest(page: Page, lab: Lab): Promise<void> {
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
}

test("keys keep the meaning of what has the focus", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await rest(page, lab);
  const before = await step(page);
  // Space opens what is folded.
  const about = page.locator("summary", { hasText: "About the data" });
  await about.focus();
  await page.keyboard.press("Space");
  await expect(page.locator(".datacard")).toHaveAttribute("open", "");
  expect(await running(page)).toBe(false);
  // Arrows go from tab to tab, on a slider and in a list of choices; none of them trains a step.
  await page.getByRole("tab", { name: "Charts" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Inspector" })).toBeFocused();
  for (const label of ["Pace", "Learning rate, slider", "Optimizer"]) {
    await page.getByLabel(label, { exact: true }).focus();
    await page.keyboard.press("ArrowRight");
  }
  for (const selector of [".toggle", ".pan", "summary", "[data-testid=share]"]) {
    await page.locator(selector).first().focus();
    await page.keyboard.press("ArrowRight");
  }
  await page.waitForTimeout(300);
  expect(await step(page)).toBe(before);
});

test("arrows scroll a network that is wider than its panel", async ({ page }) => {
  const lab = new Lab(page);
  const hidden = Array.from({ length: 11 }, () => [{ linear: { out: 4 } }, "tanh"]).flat();
  await lab.open(link({ version: 1, data: "spirals", model: [...hidden, { linear: { out: "classes" } }] }));
  await rest(page, lab);
  const before = await step(page);
  await page.locator(".pan").focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.locator(".pan").evaluate((pan) => pan.scrollLeft)).toBeGreaterThan(0);
  expect(await step(page)).toBe(before);
});

test("a key that is held down starts or stops once", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  // What is wanted shows on the button at once.
  const word = () => page.getByTestId("play").textContent();
  const hold = async (key: string) => {
    for (let i = 0; i < 6; i++) await page.keyboard.down(key);
    await page.keyboard.up(key);
  };
  expect(await word()).toBe("Pause");
  await hold("Space");
  expect(await word()).toBe("Play");
  await page.getByTestId("play").focus();
  await hold("Enter");
  expect(await word()).toBe("Pause");
});

test("no shortcut acts behind what is open", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await rest(page, lab);
  const before = await step(page);
  const theme = await page.locator("html").getAttribute("data-theme");
  const open: [string, () => Promise<void>][] = [
    ["dialog", () => page.keyboard.press("?")],
    ["examples", () => page.getByTestId("gallery").click()],
    ["training", () => page.getByTestId("training").click()],
    ["layer", () => page.locator("[data-layer='0']").click()],
  ];
  for (const [name, show] of open) {
    await show();
    await expect(page.locator("dialog[open], .pop:popover-open, .card-editor").first(), name).toBeVisible();
    // As if nothing had the focus, which is so after a click beside everything.
    for (const key of [" ", "ArrowRight", "t", "r"]) {
      await page.evaluate((key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })), key);
    }
    await page.waitForTimeout(200);
    expect([await running(page), await step(page)], name).toEqual([false, before]);
    expect(await page.locator("html").getAttribute("data-theme"), name).toBe(theme);
    await page.keyboard.press("Escape");
    await expect(page.locator("dialog[open], .pop:popover-open, .card-editor"), name).toHaveCount(0);
  }
});

test("whatever opens takes the keys, closes on Escape and gives them back", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const cases: [string, string][] = [
    ["[data-testid=gallery]", "#gallery"],
    ["[data-testid=backend]", "#backends"],
    ["[data-testid=share]", "#share"],
    ["[data-testid=training]", "#training"],
    ["[data-layer='2']", "[data-testid=layer-editor]"],
    ["[data-add='2']", "[data-testid=layer-list]"],
    [".cell[data-column='1'][data-unit='3']", ".tip.edit"],
    ["button[aria-label='Keyboard shortcuts']", "#help"],
  ];
  for (const [button, opened] of cases) {
    await page.locator(button).focus();
    await page.keyboard.press("Enter");
    // Itself, as long as what it shows is on its way.
    await expect(page.locator(`:is(${opened}, ${opened} *):focus`), opened).toHaveCount(1);
    await page.keyboard.press("Escape");
    await expect(page.locator(opened), opened).toBeHidden();
    await expect(page.locator(button), button).toBeFocused();
  }
});

test("a layer that is changed or removed leaves the keys in its place", async ({ page }) => {
  await new Lab(page).open();
  await page.locator("[data-layer='1']").focus();
  await page.keyboard.press("Enter");
  await page.locator("#layer-kind").selectOption("relu");
  await expect(page.locator("[data-layer='1']")).toHaveText("relu #1");
  await expect(page.locator("[data-testid=layer-editor] :focus")).toHaveCount(1);
  await page.getByTestId("remove-layer").focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("[data-layer='1']")).toHaveText(/linear/);
  await expect(page.locator("[data-layer='1']")).toBeFocused();
});

test("tabs, radio groups and menus follow their patterns", async ({ page }) => {
  await new Lab(page).open();
  // One stop of the tab key each.
  for (const [set, item] of [[".tabs", "[role=tab]"], [".kinds", "[role=tab]"], [".sources", "[role=radio]"], [".choices", "[role=radio]"]] as const) {
    await expect(page.locator(`${set} ${item}[tabindex='0']`), set).toHaveCount(1);
  }
  const tabs = page.locator(".tabs").getByRole("tab");
  await tabs.first().focus();
  await page.keyboard.press("End");
  await expect(tabs.last()).toBeFocused();
  await expect(tabs.last()).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowRight");
  await expect(tabs.first()).toHaveAttribute("aria-selected", "true");
  // Another kind of data is looked at without being taken; its first source is the way in.
  const kinds = page.locator(".kinds").getByRole("tab");
  await kinds.first().focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Images" })).toHaveAttribute("aria-selected", "true");
  await expect(page.locator("[data-source=digits]")).toHaveAttribute("tabindex", "0");
  await expect(page.locator("[data-source=digits]")).toHaveAttribute("aria-checked", "false");
  await page.keyboard.press("ArrowLeft");
  await page.locator("[data-source=spirals]").focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator("[data-source=circles]")).toBeFocused();
  await expect(page.locator("[data-source=circles]")).toHaveAttribute("aria-checked", "true");
  await expect(page.getByRole("radio", { name: "Boundary" })).toHaveAttribute("aria-checked", "true");
  await page.getByTestId("gallery").focus();
  await page.keyboard.press("Enter");
  const items = page.getByRole("menuitem");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(items.nth(1)).toBeFocused();
  await page.keyboard.press("End");
  await expect(items.last()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#gallery")).toBeHidden();
});

test("the first stop of the tab key skips to the network", async ({ page }) => {
  await new Lab(page).open();
  const address = page.url();
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip")).toBeFocused();
  await expect(page.locator(".skip")).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  expect(new URL(page.url()).hash).toBe(new URL(address).hash);
});

test("every slider has a name, and whatever has the focus shows it", async ({ page }) => {
  await new Lab(page).open();
  await page.getByTestId("training").click();
  await expect(page.locator("#training input[type=range]").first()).toBeVisible();
  const names = await page.locator("input[type=range]").evaluateAll((sliders) => sliders.map((s) => s.getAttribute("aria-label") ?? (s as HTMLInputElement).labels?.[0]?.textContent ?? ""));
  expect(names.length).toBeGreaterThan(6);
  expect(names.filter((name) => !name.trim())).toEqual([]);
  await page.keyboard.press("Escape");
  const bare: string[] = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement!);
      return document.activeElement !== document.body && (outlineStyle === "none" || parseFloat(outlineWidth) < 1) ? document.activeElement!.outerHTML.slice(0, 90) : "";
    });
    if (found) bare.push(found);
  }
  expect(bare).toEqual([]);
});
