// A worker that is none, where a page may start none: the engine once more, in the thread of the page. It is spoken to as a worker is.

interface Bindings {
  default(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  later?(first: unknown): Promise<void>;
}

let begun = 0;
let before: Promise<unknown> = Promise.resolve();

async function begin(bindings: string, module: WebAssembly.Module): Promise<MessagePort> {
  // Of one address there is one instance.
  const { default: start, later } = (await import(`${bindings}?here=${begun++}`)) as Bindings;
  const { port1, port2 } = new MessageChannel();
  const timers = { setTimeout: setTimeout.bind(globalThis), clearTimeout: clearTimeout.bind(globalThis) };
  // What begins finds its scope here, and takes it away.
  Object.assign(globalThis, { downhillHere: Object.assign(port2, timers) });
  await later?.(await start({ module_or_path: module }));
  return Object.assign(port1, { terminate: () => port1.postMessage({ end: true }) });
}

/** Begins one; one after the other, for all look for their scope in the same place. */
export function here(bindings: string, module: WebAssembly.Module): Promise<MessagePort> {
  const made = before.then(() => begin(bindings, module));
  before = made.catch(() => {});
  return made;
}
