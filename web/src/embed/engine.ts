// The wasm, its bindings and its styles, fetched once for all widgets of a page, from the folder in which this script lies. Works from any
// origin: modules and wasm come by CORS, and a worker, which may not be loaded from elsewhere, begins as a line of its own that imports it.
import type { ExperimentDocument, Readings as Numbers } from "./types";

/** What the wasm gives for a run, see `crates/app/src/widget.rs`. */
export interface Handle {
  play(): void;
  pause(): void;
  reset(): void;
  state(): State;
  readings(): Readings;
  step(n: number): Promise<void>;
  set(path: string, value: unknown): void;
  /** How the last change ended: nothing yet, an empty text, or why it cannot be. */
  settled(): string | null;
  get(path: string): unknown;
  probe(names: string[], input?: unknown): Promise<Probed>;
  generate(wish: unknown): Promise<Generated>;
  snapshot(): Promise<Uint8Array>;
  restore(bytes: Uint8Array): Promise<void>;
  choose(backend: string): void;
  show(lists: Lists): void;
  hold(on: boolean): void;
  wants(): boolean;
  repaint(): void;
  link(): string;
  dispose(): void;
}

/** Parts and controls: what is to be seen, what not even inside of a part, and what is seen and cannot be changed. */
export interface Lists {
  show: string[];
  hide: string[];
  lock: string[];
}

/** How a run is doing. */
export interface Readings extends Numbers {
  /** The last evaluation: `train_loss`, `validation_loss`, `validation_accuracy`, … */
  metrics: Record<string, number>;
}

/** All that is known of a run. */
export interface State extends Readings {
  backend: "cpu" | "gpu";
  simd: string;
  /** With every default. */
  experiment: ExperimentDocument | null;
  verdict: string | null;
  /** Why the experiment cannot be trained, in a sentence. */
  problem: string | null;
}

/** Tensors of one moment of a run. */
export interface Probed {
  step: number;
  tensors: Record<string, { shape: number[]; data: Float32Array }>;
}

/** How a text is continued. */
export interface GenerateOptions {
  /** What it begins with; where this is empty, with the beginning of a sample that is held out. */
  prompt?: string;
  /** What it is about, where the network reads a sequence or a picture before it writes: the place of a held-out sample, or tokens as text. */
  about?: number | string;
  /** Tokens to add, at most. */
  tokens?: number;
  /** Above 1 the unlikely becomes likelier, below 1 rarer; 0 always takes the likeliest. */
  temperature?: number;
  /** Only so many of the likeliest are picked from; 0 for all. */
  topK?: number;
  /** Only the likeliest that together have this probability are picked from; 1 for all. */
  topP?: number;
  /** Only what is at least so likely, measured by the likeliest, is picked from; 0 for all. */
  minP?: number;
  /** Above 1, what the text has already is less likely to come again. */
  repetitionPenalty?: number;
  /** A word, or words, before which the text ends. */
  stop?: string | string[];
  /** The same seed picks the same tokens. */
  seed?: number;
  /** Whether what the network knows of the tokens so far is kept from one to the next, where it can be; the tokens are the same without. */
  cache?: boolean;
}

/** A text that a network continued: all of it, its tokens, how many of them were given, and how likely each was held; the first has no probability. */
export interface Generated {
  text: string;
  tokens: string[];
  given: number;
  probabilities: number[];
  /** Milliseconds until the first token was there. */
  firstTokenMs: number;
  /** Tokens a second after that, while the network was at work on them. */
  tokensPerSecond: number;
  /** Bytes in which was kept what the network knows of the tokens so far; 0 where nothing was kept. */
  cacheBytes: number;
}

/** What the wasm wants to know of a run that begins. */
export interface Shell {
  experiment: string;
  steps?: number;
  pace?: number | string;
  play: boolean;
  held?: boolean;
  backend?: string;
  show?: string[];
  hide?: string[];
  lock?: string[];
  tell: (name: string, detail: unknown) => void;
  fill?: () => void;
}

interface Bindings {
  default(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  later?(first: unknown): Promise<void>;
  widget(host: HTMLElement, shell: object): Handle;
}

export interface Engine {
  begin(host: HTMLElement, shell: Shell): Handle;
  sheet: CSSStyleSheet;
}

/** Where of our files those lie that belong to this very release: a folder with a slash, or nothing where all lie in one. */
declare const RELEASE: string;

/** The folder of our files: that of this script, unless a page says where they are. */
export let base = new URL("./", import.meta.url).href;

/**
 * Says in which folder the files of this package lie, its wasm among them. A page whose bundler has moved this script elsewhere copies them to a
 * folder that it serves, and calls this before the first run.
 */
export function locate(folder: string | URL): void {
  const url = new URL(folder, document.baseURI).href;
  base = url.endsWith("/") ? url : `${url}/`;
}

const validates = (...body: number[]): boolean =>
  WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, body.length + 4, 1, body.length + 2, 0, ...body, 11]));
const splat = [65, 0, 253, 15];

/** The address of a file of this release. */
const ours = (name: string): string => base + RELEASE + name;

/** What lies at an address, ours or not; or a sentence that says why it cannot be had. */
export async function fetched(url: string): Promise<Response> {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${url} cannot be loaded: there is no network, or its host lets no other page read it (Access-Control-Allow-Origin).`);
  }
  if (!response.ok) throw new Error(`${url} cannot be loaded (${response.status}).`);
  return response;
}

async function compiled(name: string): Promise<WebAssembly.Module> {
  const response = await fetched(ours(name));
  // Not every host knows what wasm is, and only what is named rightly may be compiled while it arrives.
  const streams = response.headers.get("Content-Type")?.startsWith("application/wasm");
  try {
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (error) {
    if (!/unsafe-eval/.test(String(error))) throw error;
    throw new Error("This page's policy forbids WebAssembly: its `script-src` has to allow 'wasm-unsafe-eval'.");
  }
}

/**
 * A worker of this script's origin, or of a line that the page owns and that imports it: later, for a policy takes what is imported at once for
 * a worker of that origin. What is sent until then waits.
 */
function worker(bindings: string): Worker {
  const url = ours("worker.js");
  const own = new URL(base).origin === self.origin;
  // What cannot be imported is thrown outside of the promise, where whoever made the worker hears of it.
  const borrowed = `const early=[];onmessage=(e)=>early.push(e);import(${JSON.stringify(url)}).then(()=>early.forEach((e)=>onmessage(e)),(e)=>setTimeout(()=>{throw e}))`;
  const source = own ? url : URL.createObjectURL(new Blob([borrowed], { type: "text/javascript" }));
  // A sandbox lets no module begin a worker, but lets a script import one.
  return new Worker(source, { type: own ? "module" : "classic", name: bindings });
}

/** Whoever is to know that the wasm has panicked: it is one for all. */
export const crashes = new Set<(message: string) => void>();
const crashed = (message: string): void => [...crashes].forEach((tell) => tell(`Downhill stopped because of a mistake of its own; reload the page. (${message})`));

async function start(): Promise<Engine> {
  if (typeof WebAssembly !== "object" || !validates(...splat, 253, 98)) {
    throw new Error("This browser cannot run WebAssembly with SIMD, which Downhill needs. Chrome 91, Firefox 89 and Safari 16.4 can.");
  }
  try {
    document.createElement("template").innerHTML = "<i></i>";
  } catch {
    throw new Error("This page's policy (`require-trusted-types-for`) does not let Downhill make its elements; in a frame it works.");
  }
  const name = validates(...splat, ...splat, ...splat, 253, 133, 2) ? "site-relaxed" : "site";
  const address = ours(`${name}.js`);
  const [bindings, module, css] = await Promise.all([
    import(address) as Promise<Bindings>,
    compiled(`${name}_bg.wasm`),
    fetched(ours("widget.css")).then((response) => response.text()),
  ]);
  const first = await bindings.default({ module_or_path: module });
  await bindings.later?.(first);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  const begin = (host: HTMLElement, shell: Shell): Handle => bindings.widget(host, { ...shell, base, crashed, bindings: address, start: () => worker(address) });
  return { begin, sheet };
}

/** Languages that there is a list of words for, in `words`. */
const LANGUAGES = ["de", "es", "fr"];

/**
 * What has a widget speak a language; `de-AT` has the words of `de`. Nothing for English, and where there is no list or it cannot be had.
 */
export async function speaker(language: string): Promise<((stage: HTMLElement) => void) | undefined> {
  const short = language.toLowerCase().split("-")[0]!;
  if (!LANGUAGES.includes(short)) return undefined;
  try {
    const [{ speak }, list] = await Promise.all([
      import(ours("speak.js")) as Promise<typeof import("../speak")>,
      fetched(`${base}words/${short}.json`).then((response) => response.json()),
    ]);
    return (stage) => speak(stage, list);
  } catch {
    return undefined;
  }
}

let engine: Promise<Engine> | undefined;

/** The engine; what could not be loaded is tried again by whoever asks next. */
export function load(): Promise<Engine> {
  return (engine ??= start().catch((error: unknown) => {
    engine = undefined;
    throw error;
  }));
}
