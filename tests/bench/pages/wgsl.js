// Hand-tuned matrix products in WGSL, in the shapes that tuning guides arrive at; n is a multiple of 64.

const times = (count, text) => Array.from({ length: count }, (_, i) => text(i)).join("\n");

const head = (n) => `
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
const VECTORS = ${n / 4}u; // in a row
`;

/** Each invocation holds `rows` × 4·`vectors` sums in registers and reads both sides straight from memory. */
function registers(rows, vectors, [x, y]) {
  const each = (text) => times(rows, (i) => times(vectors, (v) => text(i, v)));
  const lane = (l) => `
    ${times(vectors, (v) => `let b${l}_${v} = b[(4u * k + ${l}u) * VECTORS + column + ${v}u];`)}
    ${each((i, v) => `sum${i}_${v} = fma(vec4f(a${i}[${l}]), b${l}_${v}, sum${i}_${v});`)}`;
  const code = (n) => `${head(n)}
@compute @workgroup_size(${x}, ${y}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * ${rows}u;
  let column = id.x * ${vectors}u;
  ${each((i, v) => `var sum${i}_${v} = vec4f();`)}
  for (var k = 0u; k < VECTORS; k++) {
    ${times(rows, (i) => `let a${i} = a[(row + ${i}u) * VECTORS + k];`)}
    ${times(4, lane)}
  }
  ${each((i, v) => `c[(row + ${i}u) * VECTORS + column + ${v}u] = sum${i}_${v};`)}
}`;
  return { name: `${rows}×${4 * vectors} in registers, ${x}×${y}`, code, groups: (n) => [n / (4 * vectors * x), n / (rows * y)] };
}

/** A workgroup of 16 × 16 copies panels of a `16·rows` × 64 tile into its memory, 16 deep; `rows` × 4 sums per invocation. */
function shared(rows) {
  const height = 16 * rows;
  const code = (n) => `${head(n)}
var<workgroup> left: array<array<vec4f, 4>, ${height}>;
var<workgroup> right: array<array<vec4f, 16>, 16>;
@compute @workgroup_size(16, 16) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) at: vec3u, @builtin(local_invocation_index) index: u32) {
  ${times(rows, (i) => `var sum${i} = vec4f();`)}
  for (var k = 0u; k < VECTORS; k += 4u) {
    for (var i = index; i < ${4 * height}u; i += 256u) {
      left[i / 4u][i % 4u] = a[(group.y * ${height}u + i / 4u) * VECTORS + k + i % 4u];
    }
    right[at.y][at.x] = b[(4u * k + at.y) * VECTORS + group.x * 16u + at.x];
    workgroupBarrier();
    for (var q = 0u; q < 4u; q++) {
      ${times(rows, (i) => `let a${i} = left[at.y * ${rows}u + ${i}u][q];`)}
      ${times(4, (l) => `let b${l} = right[4u * q + ${l}u][at.x];
      ${times(rows, (i) => `sum${i} = fma(vec4f(a${i}[${l}]), b${l}, sum${i});`)}`)}
    }
    workgroupBarrier();
  }
  ${times(rows, (i) => `c[(group.y * ${height}u + at.y * ${rows}u + ${i}u) * VECTORS + group.x * 16u + at.x] = sum${i};`)}
}`;
  return { name: `${height}×64 in workgroup memory`, code, groups: (n) => [n / 64, n / height] };
}

export const TILES = [
  registers(4, 1, [8, 8]),
  registers(8, 1, [8, 8]),
  registers(16, 1, [4, 4]),
  registers(4, 2, [8, 8]),
  registers(8, 2, [4, 4]),
  registers(8, 2, [8, 8]),
  registers(4, 4, [4, 4]),
  shared(4),
  shared(8),
];
