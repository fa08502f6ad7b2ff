// <downhill-lab>: a network that trains in an article. Until it is near the screen it is a poster and costs nothing; whatever goes wrong, the
// poster stays, one sentence says why, and nothing is thrown at the page.
import { fetched, type Handle, type Lists, load, speaker, type State } from "./engine";
import { begin, type Events, type Run } from "./run";
import { join, leave, share, type Turn } from "./turns";

const SHOWN = ["output", "transport", "step", "score", "loss", "lab", "fullscreen"];
/** Presses of the poster's button, scrolling near, or at once. */
type Autostart = "visible" | "click" | "load";
const FAR = "600px";

/** Until the styles of the widget are there, and where they never come. */
const POSTER = `:host{display:block;position:relative;contain:layout style;min-height:var(--height,220px)}:host([hidden]){display:none}
:host(:fullscreen){overflow:auto;padding:24px;background:var(--downhill-ground,Canvas)}
.poster{all:initial;direction:ltr;display:grid;place-items:center;align-content:center;gap:12px;position:absolute;inset:0;overflow:hidden;border-radius:6px;font:13px/1.5 system-ui,sans-serif;color:#14181f;background:radial-gradient(circle at 38% 44%,#6f9fd4 0 16%,#f2f3f5 22%,#e9ab72 34% 46%,#f2f3f5 54%,#6f9fd4 70%)}
.poster.pic{background:none}.poster img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
.poster button{all:initial;position:relative;width:52px;height:52px;border-radius:50%;background:var(--downhill-accent,#0b65c2);color:#fff;font:22px/52px sans-serif;text-align:center;cursor:pointer}
.poster button:focus-visible{outline:3px solid #14181f;outline-offset:2px}
.poster p{position:relative;max-width:52ch;margin:0 12px;padding:6px 12px;border-radius:6px;background:#fff;overflow-wrap:anywhere}.poster p:empty,.poster[hidden],.poster [hidden]{display:none}
.frame{overflow:auto;height:var(--height,auto)}`;

/** What an attribute may say, where not everything will do. */
const CHOICES = { autostart: ["visible", "click", "load"], theme: ["auto", "light", "dark"] };

const words = (text: string | null): string[] => text?.split(/[\s,]+/).filter(Boolean) ?? [];

let pixel: CanvasRenderingContext2D | null | undefined;

/** Red, green, blue and opacity of a colour in any notation, 0 to 255. */
function channels(color: string): Uint8ClampedArray | undefined {
  pixel ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!pixel) return undefined;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = color;
  pixel.fillRect(0, 0, 1, 1);
  return pixel.getImageData(0, 0, 1, 1).data;
}

/** Light or dark, as the ground is on which the element lies. */
function ground(element: Element): "light" | "dark" {
  for (let at: Element | null = element; at; at = at.parentElement ?? (at.getRootNode() as ShadowRoot).host ?? null) {
    const [r, g, b, a] = channels(getComputedStyle(at).backgroundColor) ?? [];
    if (a! > 128) return 0.299 * r! + 0.587 * g! + 0.114 * b! < 128 ? "dark" : "light";
  }
  const scheme = getComputedStyle(element).colorScheme;
  return /dark/.test(scheme) && (!/light/.test(scheme) || matchMedia("(prefers-color-scheme: dark)").matches) ? "dark" : "light";
}

/** A server that makes pages imports this too, and has no elements. */
const PageElement = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class DownhillLab extends PageElement implements Turn {
  static observedAttributes = ["show", "hide", "lock", "theme", "height", "poster", "src", "experiment", "steps", "pace", "autostart"];

  readonly #root = this.attachShadow({ mode: "open" });
  readonly #poster = document.createElement("div");
  readonly #frame = document.createElement("div");
  readonly #said = document.createElement("p");
  readonly #go = document.createElement("button");
  readonly #near = new IntersectionObserver((entries) => entries.at(-1)!.isIntersecting && this.#approach(), { rootMargin: FAR });
  readonly #seen = new IntersectionObserver((entries) => {
    this.#visible = entries.at(-1)!.isIntersecting;
    if (this.#visible) this.#approach();
    share();
  });
  #run: Promise<Run> | undefined;
  #handle: Handle | undefined;
  #made: Run | undefined;
  #stage: HTMLElement | undefined;
  #visible = false;
  #going: ReturnType<typeof setTimeout> | undefined;
  /** Counts up when what is under way is not wanted any more. */
  #turn = 0;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(POSTER);
    this.#root.adoptedStyleSheets = [sheet];
    this.#poster.className = "poster";
    this.#poster.part = "poster";
    this.#poster.lang = "en";
    this.#frame.className = "frame";
    this.#said.setAttribute("role", "status");
    this.#go.type = "button";
    this.#go.textContent = "▶";
    this.#go.ariaLabel = "Start training";
    this.#go.addEventListener("click", () => {
      this.start().catch(() => {});
    });
    this.#poster.append(this.#go, this.#said);
    this.#root.append(this.#poster, this.#frame);
  }

  get eager(): boolean {
    return this.#visible && this.#handle?.wants() === true;
  }

  hold(on: boolean): void {
    this.#handle?.hold(on);
  }

  connectedCallback(): void {
    labs.add(this);
    clearTimeout(this.#going);
    this.#look();
    this.#near.observe(this);
    this.#seen.observe(this);
    if (this.#autostart === "load") this.#approach();
  }

  disconnectedCallback(): void {
    labs.delete(this);
    this.#near.disconnect();
    this.#seen.disconnect();
    this.#visible = false;
    share();
    // What is only moved to another place of the page goes on there.
    this.#going = setTimeout(() => this.#end(), 100);
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (["src", "experiment", "steps"].includes(name) && this.#run) this.#end();
    this.#look();
    if (name === "pace") this.#made?.set("pace", now ?? "max").catch(({ message }: Error) => this.#hear("error", { message }));
    // What is near already is looked at once more.
    if (this.isConnected && !this.#run) {
      this.#near.disconnect();
      this.#near.observe(this);
    }
  }

  /** The run, as soon as there is one; asking for it begins it, once more where it has failed. */
  run(): Promise<Run> {
    if (this.#said.textContent) this.#end();
    return (this.#run ??= this.#begin(++this.#turn));
  }

  /** The attribute's word, of those that it may be. */
  #choice(name: keyof typeof CHOICES): string {
    const asked = this.getAttribute(name);
    return asked !== null && CHOICES[name].includes(asked) ? asked : CHOICES[name][0]!;
  }

  /** Trains. */
  async start(): Promise<void> {
    (await this.run()).start();
  }
  async pause(): Promise<void> {
    (await this.run()).pause();
  }
  async step(n?: number): Promise<void> {
    await (await this.run()).step(n);
  }
  async reset(): Promise<void> {
    (await this.run()).reset();
  }
  async set(path: string, value: unknown): Promise<void> {
    await (await this.run()).set(path, value);
  }
  async get(path: string): Promise<unknown> {
    return (await this.run()).get(path);
  }
  async state(): Promise<State> {
    return (await this.run()).state();
  }
  async link(): Promise<string> {
    return (await this.run()).link();
  }
  async predict(sample: number[] | number[][]): Promise<Float32Array> {
    return (await this.run()).predict(sample);
  }
  async generate(...args: Parameters<Run["generate"]>): ReturnType<Run["generate"]> {
    return (await this.run()).generate(...args);
  }
  async probe(...args: Parameters<Run["probe"]>): ReturnType<Run["probe"]> {
    return (await this.run()).probe(...args);
  }
  async snapshot(): Promise<Uint8Array> {
    return (await this.run()).snapshot();
  }
  async restore(bytes: Uint8Array): Promise<void> {
    await (await this.run()).restore(bytes);
  }
  /** Ends the run; its poster stands there again, until somebody asks for the run. */
  dispose(): void {
    this.#end();
    this.#go.hidden = false;
  }
  /** Listens as `addEventListener` does, with the detail itself; what it gives stops that. */
  on<K extends keyof Events>(name: K, listener: (detail: Events[K]) => void): () => void {
    const hear = (event: Event): void => listener((event as CustomEvent<Events[K]>).detail);
    this.addEventListener(name, hear);
    return () => this.removeEventListener(name, hear);
  }

  get #autostart(): Autostart {
    return this.#choice("autostart") as Autostart;
  }

  /** What moves by itself disturbs whoever asked for less of it. */
  get #plays(): boolean {
    return this.#autostart !== "click" && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  get #lists(): Lists {
    const [hide, lock] = [words(this.getAttribute("hide")), words(this.getAttribute("lock"))];
    const shown = this.hasAttribute("show") ? words(this.getAttribute("show")) : SHOWN;
    // A button that could do nothing is not there.
    const cannot = (word: string): boolean => word === "fullscreen" && !document.fullscreenEnabled;
    return { show: shown.filter((word) => !hide.includes(word) && !cannot(word)), hide, lock };
  }

  /** Takes up the attributes that can change while it runs. */
  #look(): void {
    const height = parseFloat(this.getAttribute("height") ?? "");
    if (height > 0) this.style.setProperty("--height", `${height}px`);
    else this.style.removeProperty("--height");
    const poster = this.getAttribute("poster");
    this.#poster.querySelector("img")?.remove();
    this.#poster.classList.toggle("pic", Boolean(poster));
    if (poster) {
      const image = new Image();
      image.alt = "";
      image.onerror = () => {
        image.remove();
        this.#poster.classList.remove("pic");
      };
      image.src = poster;
      this.#poster.prepend(image);
    }
    this.#go.hidden = this.#plays && !this.#said.textContent;
    if (!this.#stage || !this.isConnected) return;
    const asked = this.#choice("theme");
    const theme = asked === "auto" ? ground(this) : asked;
    if (this.#stage.dataset.theme !== theme) {
      this.#stage.dataset.theme = theme;
      // What the widget fills the screen with.
      this.style.setProperty("--downhill-ground", theme === "dark" ? "#0d1117" : "#fff");
      this.#handle?.repaint();
    }
    this.#handle?.show(this.#lists);
  }

  #approach(): void {
    // What has failed is not tried again by itself.
    if (this.#autostart !== "click" && this.isConnected && !this.#run) this.run().catch(() => {});
  }

  /** The experiment: of a child script, an attribute, or an address. */
  async #experiment(): Promise<string> {
    const child = this.querySelector('script[type="application/json"]')?.textContent;
    const inline = child?.trim() || this.getAttribute("experiment")?.trim();
    if (inline) return inline;
    const src = this.getAttribute("src")?.trim();
    if (!src && document.readyState === "loading") {
      // A script inside of the element may still be on its way.
      await new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
      return this.#experiment();
    }
    if (!src) throw new Error("This widget has no experiment: it wants `src`, `experiment`, or a JSON script inside.");
    if (/^[\w-]+$/.test(src) || /(^|[#?&])[cp]=/.test(src)) return src;
    const text = (await (await fetched(src)).text()).trim();
    if (!text.startsWith("{")) throw new Error(`${src} is no experiment, which is a JSON document: it begins with "${text.slice(0, 20)}".`);
    return text;
  }

  async #begin(turn: number): Promise<Run> {
    try {
      const [experiment, engine, speaks] = await Promise.all([this.#experiment(), load(), speaker(this.lang)]);
      if (turn !== this.#turn) throw new DOMException("The widget was taken away.", "AbortError");
      const stage = document.createElement("div");
      stage.className = "downhill";
      stage.lang = speaks ? this.lang : "en";
      speaks?.(stage);
      stage.dir = "ltr";
      this.#stage = stage;
      this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets.slice(0, 1), engine.sheet];
      this.#look();
      this.#frame.replaceChildren(stage);
      for (const [name, choices] of Object.entries(CHOICES)) {
        const asked = this.getAttribute(name);
        if (asked !== null && !choices.includes(asked)) throw new Error(`\`${name}\` is "${asked}", and can be ${choices.join(", ")}.`);
      }
      const number = (name: string): number | undefined => {
        const text = this.getAttribute(name);
        if (text === null) return undefined;
        const value = Number(text);
        if (!(value > 0)) throw new Error(`\`${name}\` is "${text}", which is not a number above zero.`);
        return value;
      };
      number("height");
      const [steps, pace] = [number("steps"), this.getAttribute("pace") === "max" ? "max" : number("pace")];
      const { run, handle } = await begin(
        stage,
        {
          experiment,
          play: this.#plays,
          held: true,
          ...this.#lists,
          ...(steps !== undefined && { steps: Math.round(steps) }),
          ...(pace !== undefined && { pace }),
          fill: () => void (this.matches(":fullscreen") ? document.exitFullscreen() : this.requestFullscreen()).catch(() => {}),
        },
        (name, detail) => turn === this.#turn && this.#hear(name, detail),
      );
      if (turn !== this.#turn) {
        run.dispose();
        const why = this.#said.textContent;
        throw why ? new Error(why) : new DOMException("The widget was taken away.", "AbortError");
      }
      this.#handle = handle;
      this.#made = run;
      this.#look();
      join(this);
      return run;
    } catch (error) {
      if (turn === this.#turn) this.#fail(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #hear(name: string, detail: unknown): void {
    if (name === "ready") {
      this.#poster.hidden = true;
      this.style.setProperty("min-height", "0");
    } else if (name === "wanted") {
      return share();
    } else if (name === "crashed" || (name === "error" && !this.#poster.hidden)) {
      return this.#fail((detail as { message: string }).message);
    }
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Gives up, and says why; whoever asks for the run is told the same. */
  #fail(message: string): void {
    this.#end();
    this.#said.textContent = message;
    this.#run = Promise.reject(new Error(message));
    this.#run.catch(() => {});
    // By hand it can be tried again.
    this.#go.hidden = false;
    this.dispatchEvent(new CustomEvent("error", { detail: { message } }));
  }

  #end(): void {
    this.#turn++;
    leave(this);
    this.#made?.dispose();
    this.#run = this.#handle = this.#made = this.#stage = undefined;
    this.#frame.replaceChildren();
    this.#said.textContent = "";
    this.#poster.hidden = false;
    this.style.removeProperty("min-height");
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "downhill-lab": DownhillLab;
  }
}

/** Those that are in a page, in shadow trees too. */
const labs = new Set<DownhillLab>();

/** Makes the element known to the page. */
function define(): void {
  // A second script of another version on the same page leaves the name to the first.
  if (!customElements.get("downhill-lab")) customElements.define("downhill-lab", DownhillLab);
  const look = (): void => labs.forEach((lab) => lab.attributeChangedCallback("theme", "", null));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  // Pages that have a switch of their own mark their root or their body, and may take their time to get there.
  const marks = { attributes: true, attributeFilter: ["class", "style", "data-theme"] };
  const switched = new MutationObserver(look);
  switched.observe(document.documentElement, marks);
  const body = (): void => document.body && switched.observe(document.body, marks);
  document.body ? body() : document.addEventListener("DOMContentLoaded", body);
  document.addEventListener("transitionend", ({ propertyName }) => propertyName.startsWith("background") && look());
}
if (globalThis.customElements) define();
