// A map of vectors that keeps near ones near (UMAP, McInnes, Healy and Melville, 2018): a worker of its own, begun for each map that is asked for. It is given
// the vectors and their width, and tells the share that is done, then the places, two numbers for each vector; or a sentence that says what is wrong.
import { UMAP } from "umap-js";

/** Vectors that count as near to one, with itself: what the library takes where nothing is said. */
const NEAR = 15;
/** Milliseconds from one word of how far it is to the next. */
const EVERY = 100;

/** Random numbers from 0 to 1 (mulberry32), always the same, so that the same vectors have the same map. */
function numbers(): () => number {
  let state = 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A vector of length 1 in the same direction; one of zeros points nowhere and stays. */
function unit(vector: Float32Array): number[] {
  const length = Math.hypot(...vector) || 1;
  return Array.from(vector, (number) => number / length);
}

/** The nearest of each vector, itself first, and how far they point apart: 1 less the cosine. All pairs are looked at: there are few words. */
function nearest(vectors: number[][], count: number): [number[][], number[][]] {
  const apart = (a: number[], b: number[]) => Math.max(0, 1 - a.reduce((sum, number, at) => sum + number * b[at]!, 0));
  const found = vectors.map((vector, own) => {
    const all = vectors.map((other, at): [number, number] => [at, at === own ? -1 : apart(vector, other)]);
    return all.sort((a, b) => a[1] - b[1] || a[0] - b[0]).slice(0, count);
  });
  return [found.map((near) => near.map(([at]) => at)), found.map((near) => near.map(([, far]) => Math.max(0, far)))];
}

function map(values: Float32Array, width: number): Float32Array | string {
  if (!values.every(Number.isFinite)) return "Some vectors are no numbers any more, so there is no telling which are near. Go back to before the run diverged.";
  const vectors = Array.from({ length: values.length / width }, (_, at) => unit(values.subarray(at * width, (at + 1) * width)));
  const near = Math.min(NEAR, vectors.length - 1);
  const umap = new UMAP({ random: numbers(), nNeighbors: near });
  umap.setPrecomputedKNN(...nearest(vectors, near));
  const steps = umap.initializeFit(vectors);
  let told = performance.now();
  for (let step = 0; step < steps; step++) {
    umap.step();
    if (performance.now() - told < EVERY) continue;
    told = performance.now();
    postMessage(step / steps);
  }
  return Float32Array.from(umap.getEmbedding().flat());
}

onmessage = ({ data: [values, width] }: MessageEvent<[Float32Array, number]>) => {
  postMessage(map(values, width));
  close();
};
