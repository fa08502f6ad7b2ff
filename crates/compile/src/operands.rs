//! What operands a kernel needs: how many, how large for its walks, and how much it writes.

use downhill_graph::kernel::{Kernel, LossKind, MapSpec, MatLayout, MatMulSpec, RowsKind};

/// Checks that operands, given as (start, length of the region) and lengths of the writes, are as large as the kernel walks.
pub(crate) fn check_operands(kernel: &Kernel, reads: &[(usize, usize)], writes: &[usize]) -> Result<(), String> {
    let numel = |shape: &[u32]| shape.iter().map(|&n| n as usize).product::<usize>();
    match kernel {
        Kernel::Map(map) => {
            check_map(map, reads, 4)?;
            exact("writes", writes, &vec![numel(&map.shape); map.expr.outputs.len()])
        }
        Kernel::Reduce { map, .. } => {
            check_map(map, reads, 3)?;
            let [outer, _, inner] = map.shape[..] else { return Err("a reduction walks three dimensions".into()) };
            exact("outputs of the expression", &[map.expr.outputs.len()], &[1])?;
            exact("writes", writes, &[numel(&[outer, inner])])
        }
        Kernel::MatMul(spec) => check_matmul(spec, reads, writes),
        Kernel::Rows { kind, rows, cols } => check_rows(*kind, *rows as usize, *cols as usize, reads, writes),
        Kernel::IndexSelect(spec) => {
            at_least(reads, &[spec.table_len(), spec.rows as usize])?;
            exact("writes", writes, &[numel(&[spec.rows, spec.width])])
        }
        Kernel::IndexAdd { rows, width, entries } => {
            at_least(reads, &[numel(&[*rows, *width]), *rows as usize])?;
            exact("writes", writes, &[numel(&[*entries, *width])])
        }
        Kernel::CopyInto { outer, len, stride, start } => {
            at_least(reads, &[numel(&[*outer, *len])])?;
            let last = (outer.saturating_sub(1) as usize) * *stride as usize + (*start + *len) as usize;
            match writes {
                [n] if last <= *n => Ok(()),
                _ => Err(format!("copies up to {last} into {writes:?}")),
            }
        }
        Kernel::Norm => exact("writes", writes, &[1]),
        Kernel::FlatUpdate { scaled, .. } => {
            at_least(reads, &[1, 1][..1 + usize::from(*scaled)])?;
            exact("writes", writes, &[])
        }
        Kernel::Record => {
            at_least(reads, &vec![1; reads.len()])?;
            exact("writes", writes, &[])
        }
    }
}

fn exact(what: &str, got: &[usize], want: &[usize]) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what} are {got:?}, the kernel gives {want:?}")) }
}

fn at_least(reads: &[(usize, usize)], want: &[usize]) -> Result<(), String> {
    let fits = reads.len() == want.len() && reads.iter().zip(want).all(|((start, len), want)| start + want <= *len);
    if fits { Ok(()) } else { Err(format!("reads (start, length) {reads:?} where {want:?} elements are needed")) }
}

fn last(start: usize, shape: &[u32], strides: &[u32]) -> usize {
    start + shape.iter().zip(strides).map(|(&n, &s)| (n.max(1) - 1) as usize * s as usize).sum::<usize>()
}

fn check_map(map: &MapSpec, reads: &[(usize, usize)], rank: usize) -> Result<(), String> {
    if map.shape.is_empty() || map.shape.len() > rank || map.shape.contains(&0) {
        return Err(format!("iteration space {:?}", map.shape.as_slice()));
    }
    if map.expr.reads() > reads.len() || map.read_strides.len() != reads.len() {
        return Err(format!("{} reads, {} walks, {} in the expression", reads.len(), map.read_strides.len(), map.expr.reads()));
    }
    for (&(start, len), strides) in reads.iter().zip(&map.read_strides) {
        if strides.len() != map.shape.len() || last(start, &map.shape, strides) >= len {
            return Err(format!("walk {:?} from {start} leaves {len} elements", strides.as_slice()));
        }
    }
    Ok(())
}

fn check_matmul(spec: &MatMulSpec, reads: &[(usize, usize)], writes: &[usize]) -> Result<(), String> {
    let extra: &[[u32; 3]] = spec.epilogue.as_ref().map_or(&[], |e| &e.read_strides);
    if reads.len() != 2 + extra.len() {
        return Err(format!("{} reads, not {}", reads.len(), 2 + extra.len()));
    }
    let walk = |l: &MatLayout| [l.batch_stride, l.row_stride, l.col_stride];
    let (a, b, c) = ([spec.batch, spec.m, spec.k], [spec.batch, spec.k, spec.n], [spec.batch, spec.m, spec.n]);
    let walks = [(a, walk(&spec.a)), (b, walk(&spec.b))].into_iter().chain(extra.iter().map(|s| (c, *s)));
    for (&(start, len), (shape, strides)) in reads.iter().zip(walks) {
        if shape.contains(&0) || last(start, &shape, &strides) >= len {
            return Err(format!("{strides:?} over {shape:?} from {start} leaves {len} elements"));
        }
    }
    for layout in [&spec.a, &spec.b] {
        if layout.row_stride != 1 && layout.col_stride != 1 {
            return Err(format!("{layout:?} has no unit stride"));
        }
    }
    let size = c.iter().map(|&n| n as usize).product();
    let mut want = vec![size; spec.epilogue.as_ref().map_or(1, |e| e.expr.outputs.len())];
    want.extend(spec.row_sum.then_some(spec.m as usize));
    exact("writes", writes, &want)
}

fn check_rows(kind: RowsKind, rows: usize, cols: usize, reads: &[(usize, usize)], writes: &[usize]) -> Result<(), String> {
    let all = rows * cols;
    let weights = |weighted: bool| weighted.then_some(rows);
    match kind {
        RowsKind::Softmax | RowsKind::LogSoftmax => {
            at_least(reads, &[all])?;
            exact("writes", writes, &[all])
        }
        RowsKind::SoftmaxGrad | RowsKind::LogSoftmaxGrad => {
            at_least(reads, &[all, all])?;
            exact("writes", writes, &[all])
        }
        RowsKind::Loss { kind, weighted } => {
            let target = if matches!(kind, LossKind::CrossEntropy { .. }) { rows } else { all };
            at_least(reads, &[all, target].into_iter().chain(weights(weighted)).collect::<Vec<_>>())?;
            exact("writes", writes, &[1, all])
        }
        RowsKind::Accuracy { weighted } => {
            at_least(reads, &[all, rows].into_iter().chain(weights(weighted)).collect::<Vec<_>>())?;
            exact("writes", writes, &[1])
        }
    }
}

#[cfg(test)]
mod tests {
    use downhill_graph::kernel::{Element, IndexSelectSpec};

    use super::*;

    #[test]
    fn a_walk_beyond_an_operand_is_refused() {
        let spec = IndexSelectSpec { rows: 2, width: 3, stride: 3, entries: 4, element: Element::Word };
        let kernel = Kernel::IndexSelect(spec);
        assert_eq!(check_operands(&kernel, &[(0, 12), (0, 2)], &[6]), Ok(()));
        assert!(check_operands(&kernel, &[(1, 12), (0, 2)], &[6]).is_err());
        assert!(check_operands(&kernel, &[(0, 12), (0, 2)], &[5]).is_err());
    }
}
