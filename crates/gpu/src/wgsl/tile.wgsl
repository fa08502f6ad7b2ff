// A matrix product in tiles: 8×8 invocations, each with A_VECTORS·4 rows and B_VECTORS·4 columns in registers. `load_a`, `load_b`,
// `store_vector`, `store_row_sums` and the unrolled parts are generated.

// Vectors of a slab along rows and along columns.
const A_ROW: u32 = A_VECTORSu * 8u;
const B_ROW: u32 = B_VECTORSu * 8u;
const DEPTH: u32 = 16u;

var<workgroup> slab_a: array<vec4<f32>, DEPTH * A_ROW>;
var<workgroup> slab_b: array<vec4<f32>, DEPTH * B_ROW>;

fn fill(local: u32, batch: u32, first_row: u32, first_col: u32, k: u32) {
    for (var i = local; i < A_ROW * (DEPTH / 4u); i += 64u) {
        let row = i % A_ROW;
        let part = i / A_ROW * 4u;
        let block = load_a(batch, first_row + row * 4u, k + part);
        slab_a[part * A_ROW + row] = block[0];
        slab_a[(part + 1u) * A_ROW + row] = block[1];
        slab_a[(part + 2u) * A_ROW + row] = block[2];
        slab_a[(part + 3u) * A_ROW + row] = block[3];
    }
    for (var i = local; i < B_ROW * (DEPTH / 4u); i += 64u) {
        let col = i % B_ROW;
        let part = i / B_ROW * 4u;
        let block = load_b(batch, first_col + col * 4u, k + part);
        slab_b[part * B_ROW + col] = block[0];
        slab_b[(part + 1u) * B_ROW + col] = block[1];
        slab_b[(part + 2u) * B_ROW + col] = block[2];
        slab_b[(part + 3u) * B_ROW + col] = block[3];
    }
}

fn run(group: u32, local: u32) {
    let tile_n = group % p.tiles_n;
    let tile_m = (group / p.tiles_n) % p.tiles_m;
    let batch = group / (p.tiles_n * p.tiles_m);
    if (batch >= p.batch) {
        return;
    }
    let tx = local % 8u;
    let ty = local / 8u;
    let first_row = tile_m * A_ROW * 4u;
    let first_col = tile_n * B_ROW * 4u;
    //@accumulators
    for (var start = 0u; start < p.k; start += DEPTH) {
        workgroupBarrier();
        fill(local, batch, first_row, first_col, start);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            //@multiply
        }
    }
    let row = first_row + ty * 4u;
    let col = first_col + tx * 4u;
    //@store
}
