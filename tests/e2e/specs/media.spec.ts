// Pictures and sounds of one's own: dropped, taken with the camera, recorded with the microphone; heard, kept over a reload, and refused in words.
import { expect, test, type Page } from "@playwright/test";
import { Lab } from "../lab";

/** A sound that is dropped: a tone of this pitch in hertz, 0 for silence, or bytes that are none. */
interface Dropped { name: string; hertz?: number; seconds?: number }

/** Makes sounds in the page, 8000 samples a second of 8 bits, and drops them. */
async function drop(page: Page, files: Dropped[]): Promise<void> {
  await page.evaluate((files) => {
    const wav = (hertz: number, seconds: number): Uint8Array<ArrayBuffer> => {
      const bytes = 8000 * seconds;
      const view = new DataView(new ArrayBuffer(44 + bytes));
      const word = (at: number, text: string) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
      word(0, "RIFF");
      view.setUint32(4, 36 + bytes, true);
      word(8, "WAVEfmt ");
      view.setUint32(16, 16, true);
      [1, 1].forEach((v, i) => view.setUint16(20 + 2 * i, v, true));
      [8000, 8000].forEach((v, i) => view.setUint32(24 + 4 * i, v, true));
      [1, 8].forEach((v, i) => view.setUint16(32 + 2 * i, v, true));
      word(36, "data");
      view.setUint32(40, bytes, true);
      const out = new Uint8Array(view.buffer);
      out.fill(128, 44);
      if (hertz) for (let i = 0; i < bytes; i++) out[44 + i] = 128 + Math.round(90 * Math.sin((i * hertz * 2 * Math.PI) / 8000));
      return out;
    };
    const data = new DataTransfer();
    for (const { name, hertz, seconds } of files) {
      data.items.add(new File(hertz === undefined ? ["no sound"] : [wav(hertz, seconds ?? 1)], name));
    }
    for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }, files);
}

const tones = (name: string, hertz: number, count: number): Dropped[] => Array.from({ length: count }, (_, i) => ({ name: `${name}.${i}.wav`, hertz: hertz + 20 * i }));

const learns = (lab: Lab, source: string) => lab.reach(new Function("state", `return state.step > 0 && !!state.experiment.data?.${source}`) as never, 30_000);

test("dropped sounds are learned, seen, heard, and still there after a reload", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await drop(page, [...tones("low", 300, 8), ...tones("high", 2000, 8), { name: "high.quiet 9.wav", hertz: 0 }, { name: "low.10.wav" }]);
  await learns(lab, "sounds");
  await expect(page.getByTestId("media-note")).toHaveText(['Left out as no sounds that this browser can read, 1 of 18: "low.10.wav".', 'Left out as silent, 1 of 18: "high.quiet 9.wav".']);
  await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) === 1, 30_000);
  await expect(page.getByTestId("spectrogram")).toBeVisible();
  await page.locator(".tile").first().click();
  await page.getByTestId("listen").click();
  await expect(page.getByTestId("sound")).toHaveAttribute("src", /^blob:/);
  // 8000 samples a second are kept as 16,000.
  await expect.poll(() => page.getByTestId("sound").evaluate((audio: HTMLAudioElement) => audio.duration)).toBe(1);
  await page.reload();
  await learns(lab, "sounds");
  expect(lab.errors).toEqual([]);
});

for (const [what, files, sentence] of [
  ["one class of sounds", tones("clap", 500, 4), /All sounds that can be heard are of the class.*nothing to tell apart/],
  ["a file that is no sound", [{ name: "a.1.wav" }, { name: "b.1.wav" }], /No sound could be read: "a\.1\.wav", "b\.1\.wav"/],
  ["silence", [{ name: "a.1.wav", hertz: 0 }, { name: "b.1.wav", hertz: 0 }], /All these sounds are silent/],
  ["three hours", [{ name: "talk.1.wav", hertz: 500, seconds: 10_800 }, ...tones("clap", 500, 2)], /last 180 minutes, of which "talk\.1\.wav" is 180; there is room for 30/],
] as [string, Dropped[], RegExp][]) {
  test(`${what} is told in words, and the run goes on as it was`, async ({ page }) => {
    const lab = new Lab(page);
    await lab.open();
    await drop(page, files);
    await expect(page.getByTestId("media-error")).toHaveText(sentence, { timeout: 20_000 });
    const { step, experiment } = await lab.state();
    expect(Object.keys(experiment.data as object)).toEqual(["spirals"]);
    await page.waitForFunction((step) => window.downhill!.state().step > step, step);
    expect(lab.errors).toEqual([]);
  });
}

/** Pastes four dark pictures into the first class and four bright ones into the second, and takes them. */
async function paste(page: Page): Promise<void> {
  await page.getByTestId("own").click();
  await page.getByTestId("camera-open").click();
  for (const at of [0, 1]) {
    for (let i = 0; i < 4; i++) {
      await page.getByLabel(`Name of class ${at + 1}`).evaluate(async (field, shade) => {
        const canvas = new OffscreenCanvas(40, 40);
        const context = canvas.getContext("2d")!;
        context.fillStyle = `rgb(${shade} ${shade} ${shade})`;
        context.fillRect(0, 0, 40, 40);
        const data = new DataTransfer();
        data.items.add(new File([await canvas.convertToBlob()], "image.png", { type: "image/png" }));
        field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
      }, 200 * at + 10 * i);
    }
    await expect(page.getByTestId(`count-${at}`)).toHaveText("4 pictures");
  }
  await page.getByTestId("camera-train").click();
}

test("pictures from the clipboard go into the class that they are pasted into", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await paste(page);
  await learns(lab, "images");
});

test("layers that are frozen say so, and what they know is kept for pictures of one's own", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open("#p=own_images");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByLabel("Frozen layers", { exact: true }).fill("10");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await expect(page.locator(".layer.frozen")).toHaveCount(10);
  await expect(page.locator(".layer").first()).toHaveAttribute("title", /^Frozen: it keeps its weights\./);
  await expect(page.locator(".layer").last()).toHaveAttribute("title", /^Edit/);
  const before = await lab.reach((state) => state.step > 20);
  await paste(page);
  await learns(lab, "images");
  const after = await lab.state();
  // The size that the layers know; the steps go on.
  expect(after.experiment.data).toMatchObject({ images: { size: 32, colour: false } });
  expect(after.step).toBeGreaterThanOrEqual(before.step);
  expect(lab.errors).toEqual([]);
});

for (const [device, source, piece] of [["camera", "images", "picture"], ["microphone", "sounds", "sound"]] as const) {
  test(`what the ${device} takes while a button is held becomes a set`, async ({ page, context }) => {
    await context.grantPermissions([device]);
    const lab = new Lab(page);
    await lab.open();
    await page.getByTestId("own").click();
    await page.getByTestId(`${device}-open`).click();
    const panel = page.getByTestId(device);
    const train = page.getByTestId(`${device}-train`);
    await expect(train).toBeDisabled();
    await panel.getByLabel("Name of class 1").fill("test");
    for (const at of [0, 2]) {
      const hold = panel.getByTestId(`hold-${at}`);
      await expect(hold).toBeEnabled();
      await hold.hover();
      await page.mouse.down();
      await page.waitForTimeout(2500);
      await page.mouse.up();
      await expect(panel.getByTestId(`count-${at}`)).toHaveText(new RegExp(`^[1-9]\\d* ${piece}`));
    }
    await train.click();
    await learns(lab, source);
    // A name that a folder of held-out files might have is one like any other.
    await expect(page.locator("body")).toContainText('"test"');
    await page.getByTestId(`${device}-open`).click();
    await expect(panel.locator("video, meter")).toHaveCount(0);
    expect(lab.errors).toEqual([]);
  });

  test(`a ${device} that the page may not use is told in words`, async ({ page }) => {
    const lab = new Lab(page);
    await lab.open();
    await page.getByTestId("own").click();
    await page.getByTestId(`${device}-open`).click();
    await expect(page.getByTestId(`${device}-error`)).toHaveText(`This page may not use the ${device}. Allow it beside the address, then open it again; or bring files.`);
    await expect(page.getByTestId("hold-0")).toBeDisabled();
  });
}
