// One invocation per item.

fn run(group: u32, local: u32) {
    let i = group * 64u + local;
    if (i < p.items) {
        item(i);
    }
}
