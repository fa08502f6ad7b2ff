// Copies the first half of a buffer into the second.

@group(0) @binding(0) var<storage, read_write> words: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let half = arrayLength(&words) / 2u;
    let i = (group.y * groups.x + group.x) * 64u + local;
    if (i < half) {
        words[half + i] = words[i];
    }
}
