// Seeded synthetic data: what every page trains on.
import { normal, uniform } from "./random.js";
import { BATCHES, TRAINING } from "./workloads.js";

/** Batches of `{ x, y }` with numbers to come close to, or `{ x, labels }`, where the workload has classes. */
export function batches(workload) {
  const { network, sizes, side, channels, steps, classes, batch } = TRAINING[workload];
  if (network === "gpt") return sequences(batch, steps, classes);
  if (network === "lstm") return sequences(batch, steps, classes).map(({ x, labels }) => ({ x: byStep(x, steps), labels: byStep(labels, steps) }));
  if (network === "cnn") return images(batch, channels[0] * side ** 2, classes);
  return classes ? images(batch, sizes[0], classes) : circles(batch);
}

/** What makes a sum of products out of picking: a row per label, one at its class. */
export function oneHot(labels, classes) {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, row) => (rows[row * classes + label] = 1));
  return rows;
}

/** The circle of the 2-D playgrounds: the first class in the ring, the second inside. */
function circles(batch) {
  const next = uniform(1);
  return Array.from({ length: BATCHES }, () => {
    const x = new Float32Array(batch * 2);
    const y = new Float32Array(batch);
    for (let i = 0; i < batch; i++) {
      const inner = next() < 0.5;
      const radius = inner ? 0.5 * next() : 0.7 + 0.3 * next();
      const angle = 2 * Math.PI * next();
      x.set([radius * Math.cos(angle), radius * Math.sin(angle)], 2 * i);
      y[i] = inner ? 1 : -1;
    }
    return { x, y };
  });
}

/** A prototype of each class and noise. */
function images(batch, pixels, classes) {
  const next = uniform(2);
  const prototypes = Array.from({ length: classes }, (_, label) => normal(pixels, 1, 100 + label));
  return Array.from({ length: BATCHES }, (_, index) => {
    const x = normal(batch * pixels, 0.5, 200 + index);
    const labels = new Int32Array(batch);
    for (let i = 0; i < batch; i++) {
      labels[i] = Math.floor(next() * classes);
      for (let j = 0; j < pixels; j++) x[i * pixels + j] += 0.3 * prototypes[labels[i]][j];
    }
    return { x, labels };
  });
}

/** Sequences of a chain in which four tokens may follow each, some more often; to be predicted is the next one. */
function sequences(batch, steps, tokens) {
  const next = uniform(3);
  const draw = (below) => Math.floor(next() * below);
  const successors = Array.from({ length: tokens }, () => [0, 0, 0, 0].map(() => draw(tokens)));
  return Array.from({ length: BATCHES }, () => {
    const x = new Int32Array(batch * steps);
    const labels = new Int32Array(batch * steps);
    for (let row = 0; row < batch; row++) {
      let token = draw(tokens);
      for (let at = row * steps; at < (row + 1) * steps; at++) {
        x[at] = token;
        token = successors[token][Math.min(draw(4), draw(4))];
        labels[at] = token;
      }
    }
    return { x, labels };
  });
}

/** Sequences in the order in which recurrent cells read them: first the first tokens of all. */
function byStep(tokens, steps) {
  const batch = tokens.length / steps;
  return Int32Array.from(tokens, (_, at) => tokens[(at % batch) * steps + Math.floor(at / batch)]);
}
