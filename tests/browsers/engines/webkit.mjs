// WebKit behind the face that `engines/index.mjs` describes: WebKitGTK's MiniBrowser on a virtual screen, driven over plain WebDriver.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Builder, By, Capabilities } from "selenium-webdriver";
import { listenIn } from "./ears.mjs";

const DRIVER = process.env.DOWNHILL_WEBKIT_DRIVER ?? "WebKitWebDriver";
const BROWSER = process.env.DOWNHILL_WEBKIT ?? "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const XVFB = process.env.DOWNHILL_XVFB ?? "Xvfb";
const PATIENCE_MS = 20_000;

/** A port that nobody listens on. */
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts a virtual screen and returns it with its name, which it prints when it is there. */
async function screen() {
  const xvfb = spawn(XVFB, ["-displayfd", "1", "-screen", "0", "1440x900x24", "-nolisten", "tcp"], { stdio: ["ignore", "pipe", "ignore"] });
  const number = await new Promise((resolve, reject) => {
    xvfb.stdout.once("data", resolve);
    xvfb.once("error", reject).once("exit", (code) => reject(new Error(`Xvfb has ended with ${code}`)));
  });
  return { xvfb, display: `:${String(number).trim()}` };
}

async function connect(server) {
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary: BROWSER, args: ["--automation"] },
  });
  for (let waited = 0; ; waited += 100) {
    try {
      return await new Builder().usingServer(server).withCapabilities(capabilities).build();
    } catch (error) {
      if (waited >= PATIENCE_MS || !/ECONNREFUSED/.test(error.message)) throw error;
      await sleep(100);
    }
  }
}

export async function openWebKit() {
  const { xvfb, display } = await screen();
  const port = await freePort();
  // Without a locale the browser's language is `C`, which is no language tag.
  const env = { ...process.env, DISPLAY: display, LC_ALL: "en_US.UTF-8" };
  const service = spawn(DRIVER, [`--port=${port}`], { env, stdio: ["ignore", "ignore", "inherit"] });
  const errors = [];
  const ears = await listenIn((error) => errors.push(error));
  const stop = () => {
    ears.close();
    service.kill();
    xvfb.kill();
  };
  process.once("exit", stop);
  const driver = await connect(`http://127.0.0.1:${port}`).catch((error) => {
    stop();
    throw error;
  });
  await driver.manage().window().setRect({ x: 0, y: 0, width: 1440, height: 900 });
  await driver.manage().setTimeouts({ script: 600_000 });
  return {
    errors,
    goto: (url) => driver.get(ears.through(url)),
    async evaluate(script, ...args) {
      const { value, error } = await driver.executeAsyncScript(
        `const [args, done] = arguments;
        Promise.resolve(args).then((args) => (${script})(...args)).then((value) => done({ value }), (error) => done({ error: String(error) }));`,
        args,
      );
      if (error) throw new Error(error);
      return value ?? undefined;
    },
    click: (selector) => driver.findElement(By.css(selector)).click(),
    async drag([from, ...to]) {
      const at = ([x, y], duration) => ({ x: Math.round(x), y: Math.round(y), duration });
      const actions = driver.actions().move(at(from, 0)).press();
      for (const point of to) actions.move(at(point, 200));
      await actions.release().perform();
    },
    screenshot: async (path) => writeFile(path, await driver.takeScreenshot(), "base64"),
    async close() {
      await driver.quit().finally(stop);
    },
  };
}
