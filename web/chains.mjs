// Puts pieces of code that have much in common in chains, each beside those that it is most like.

/** Bytes that count as something in common. */
const RUN = 5;
/** What stands in more pieces than this says nothing of any two of them. */
const COMMON = 200;
/** Neighbours that are looked at for each piece, and the least part of their runs that two neighbours share. */
const NEAREST = 40;
const LEAST = 0.05;

function runs(bytes) {
  const found = new Set();
  for (let i = 0; i + RUN <= bytes.length; i++) {
    let hash = 0;
    for (let j = 0; j < RUN; j++) hash = (Math.imul(hash, 31) + bytes[i + j]) | 0;
    found.add(hash);
  }
  return found;
}

/** Pairs of pieces and how much of both they share, the most first. */
function pairs(pieces) {
  const all = pieces.map(runs);
  const holders = new Map();
  all.forEach((found, piece) => {
    for (const run of found) {
      const known = holders.get(run);
      if (known) known.push(piece);
      else holders.set(run, [piece]);
    }
  });
  const likest = (found, piece) => {
    const shared = new Map();
    for (const run of found) {
      const others = holders.get(run);
      if (others.length <= COMMON) for (const other of others) if (other > piece) shared.set(other, (shared.get(other) ?? 0) + 1);
    }
    const likeness = ([other, count]) => ({ piece, other, likeness: count / (found.size + all[other].size - count) });
    return [...shared].map(likeness).filter((pair) => pair.likeness >= LEAST).sort((a, b) => b.likeness - a.likeness).slice(0, NEAREST);
  };
  return all.flatMap(likest).sort((a, b) => b.likeness - a.likeness);
}

/** The numbers of the pieces in chains; one that is like no other is a chain of its own. */
export function chains(pieces) {
  const chainOf = pieces.map((_, piece) => [piece]);
  for (const { piece, other } of pairs(pieces)) {
    const [a, b] = [chainOf[piece], chainOf[other]];
    const ends = (chain, at) => chain[0] === at || chain.at(-1) === at;
    if (a === b || !ends(a, piece) || !ends(b, other)) continue;
    if (a[0] === piece) a.reverse();
    if (b[0] !== other) b.reverse();
    a.push(...b);
    b.forEach((moved) => (chainOf[moved] = a));
  }
  return [...new Set(chainOf)];
}
