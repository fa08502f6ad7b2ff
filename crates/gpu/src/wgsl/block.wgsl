// A matrix product in blocks: 8×8 invocations, each with A_VECTORS·4 rows and B_VECTORS·4 columns in registers, loading for itself;
// what lies beyond the last row or column is computed and not stored. `store_vector`, `store_row_sums` and the unrolled parts are generated.

fn run(group: u32, local: u32) {
    let tile_n = group % p.tiles_n;
    let tile_m = (group / p.tiles_n) % p.tiles_m;
    let batch = group / (p.tiles_n * p.tiles_m);
    let tx = local % 8u;
    let row = (tile_m * 8u + local / 8u) * A_VECTORSu * 4u;
    let col = (tile_n * 8u + tx) * B_VECTORSu * 4u;
    // Reading beyond the last row is harmless: buffers are checked, and what comes of it is not stored.
    if (batch >= p.batch || row >= p.m || col >= p.n) {
        return;
    }
    //@accumulators
    //@starts
    for (var k = 0u; k < p.k; k++) {
        //@multiply
    }
    //@store
}
