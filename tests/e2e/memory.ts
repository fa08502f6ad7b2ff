// Weighs the memory of page and worker, and keeps count of what the worker asks of WebGPU.
import type { CDPSession, Page } from "@playwright/test";

/** What one of the two threads holds after its garbage was collected, in bytes. */
export interface Held {
  /** Objects of JavaScript, nodes of the document, contents of array buffers. */
  heap: number;
  /** The wasm instance's memory, which never shrinks. */
  wasm: number;
}

/** Both threads. */
export interface Weight {
  page: Held;
  worker: Held;
}

interface HeapUsage {
  usedSize: number;
  embedderHeapUsedSize: number;
  backingStorageSize: number;
}

/** Weighs page and worker. */
export class Scale {
  private worker = "";
  private asked = 0;
  private readonly answers = new Map<number, (result: unknown) => void>();

  private constructor(
    private readonly page: Page,
    private readonly session: CDPSession,
  ) {
    session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
      if (targetInfo.type === "worker") this.worker = sessionId;
    });
    session.on("Target.receivedMessageFromTarget", ({ message }) => {
      const { id, result } = JSON.parse(message);
      this.answers.get(id)?.(result);
      this.answers.delete(id);
    });
  }

  static async of(page: Page): Promise<Scale> {
    const scale = new Scale(page, await page.context().newCDPSession(page));
    await scale.session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
    return scale;
  }

  async weigh(): Promise<Weight> {
    const ofPage = (): Promise<unknown> => this.session.send("HeapProfiler.collectGarbage");
    // What one thread lets go of can free something of the other.
    for (let round = 0; round < 2; round++) await Promise.all([ofPage(), this.askWorker("HeapProfiler.collectGarbage")]);
    const [page, worker] = [await this.session.send("Runtime.getHeapUsage"), await this.askWorker("Runtime.getHeapUsage")];
    const size = (heap: unknown): number => {
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = heap as HeapUsage;
      return usedSize + embedderHeapUsedSize + backingStorageSize;
    };
    // The bindings are loaded once, and started once: here they hand out the instance that runs.
    const ofPageWasm = this.page.evaluate(async () => {
      const bindings = await import(new URL(window.downhillWorker!.bindings, location.href).href);
      return (await bindings.default()).memory.buffer.byteLength as number;
    });
    const ofWorkerWasm = this.page.workers()[0]!.evaluate(async () => {
      const bindings = await import(self.name);
      return (await bindings.default()).memory.buffer.byteLength as number;
    });
    return { page: { heap: size(page), wasm: await ofPageWasm }, worker: { heap: size(worker), wasm: await ofWorkerWasm } };
  }

  private askWorker(method: string): Promise<unknown> {
    const id = ++this.asked;
    const answer = new Promise((resolve) => this.answers.set(id, resolve));
    void this.session.send("Target.sendMessageToTarget", { sessionId: this.worker, message: JSON.stringify({ id, method, params: {} }) });
    return answer;
  }
}

/** What the worker has asked of WebGPU since it began. */
export interface Ledger {
  /** Buffers that were made and not destroyed, and their bytes. */
  buffers: number;
  bytes: number;
  created: number;
  groups: number;
  submits: number;
  reads: number;
}

/** Put in front of the worker, keeps a [`Ledger`]. */
export const bookkeeping = `{
  const ledger = (self.ledger = { buffers: 0, bytes: 0, created: 0, groups: 0, submits: 0, reads: 0 });
  const sizes = new WeakMap();
  const around = (kind, name, note) => {
    const original = kind.prototype[name];
    kind.prototype[name] = function (...given) {
      const made = original.apply(this, given);
      note(this, made);
      return made;
    };
  };
  around(GPUDevice, "createBuffer", (_, buffer) => {
    sizes.set(buffer, buffer.size);
    ledger.buffers += 1;
    ledger.created += 1;
    ledger.bytes += buffer.size;
  });
  around(GPUBuffer, "destroy", (buffer) => {
    if (!sizes.has(buffer)) return;
    ledger.buffers -= 1;
    ledger.bytes -= sizes.get(buffer);
    sizes.delete(buffer);
  });
  around(GPUDevice, "createBindGroup", () => (ledger.groups += 1));
  around(GPUQueue, "submit", () => (ledger.submits += 1));
  around(GPUBuffer, "mapAsync", () => (ledger.reads += 1));
}`;

export async function readLedger(page: Page): Promise<Ledger> {
  return page.workers()[0]!.evaluate(() => ({ ...(self as unknown as { ledger: Ledger }).ledger }));
}
