// What every kernel sees. Words, not floats: integers may lie in the arena, and a float load could flush them to zero.

struct Step {
    number: u32,
    seed: u32,
    batch: u32,
    record: u32,
    values: array<vec4<f32>, 7>,
}

@group(0) @binding(0) var<storage, read_write> arena: array<U>;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<uniform> p: Params;
@group(0) @binding(3) var<uniform> step: Step;
