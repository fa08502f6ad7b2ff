//! Layer norm and its gradient over several rows at a time: sums of one row need not wait for those of the other, and what rows share is read once for all.
//! Rows are whole vectors on every machine.

use std::cell::Cell;

use super::{Lanes, versions};

type Cells<'a> = &'a [Cell<f32>];

/// Rows are multiples of this long.
pub(crate) const WHOLE: usize = 8;

/// First element of a slice, of which a kernel may write what is given to be written.
fn at(cells: Cells<'_>) -> *mut f32 {
    cells.as_ptr().cast_mut().cast()
}

/// Rows to normalise, one for each of `rstd`.
pub(crate) struct Forward<'a> {
    pub cols: usize,
    pub eps: f32,
    pub x: Cells<'a>,
    pub weight: Cells<'a>,
    /// Empty where there is none.
    pub bias: Cells<'a>,
    pub out: Cells<'a>,
    /// Empty where rows are not centered.
    pub mean: Cells<'a>,
    pub rstd: Cells<'a>,
}

/// Normalises rows.
///
/// # Panics
/// When something has another size than the rows.
pub(crate) fn forward(p: &Forward<'_>) {
    versions! {
        /// See [`forward`].
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn rows(p: &Forward<'_>) {
            let mut row = 0;
            // SAFETY: rows that there are.
            unsafe {
                while row + 4 <= p.rstd.len() {
                    forward_rows::<L, 4>(p, row);
                    row += 4;
                }
                while row < p.rstd.len() {
                    forward_rows::<L, 1>(p, row);
                    row += 1;
                }
            }
        }
    }
    let (count, all) = (p.rstd.len(), p.rstd.len() * p.cols);
    assert!(p.cols.is_multiple_of(WHOLE) && p.x.len() == all && p.out.len() == all, "rows are whole vectors");
    let optional = |cells: Cells<'_>, len: usize| cells.is_empty() || cells.len() == len;
    assert!(p.weight.len() == p.cols && optional(p.bias, p.cols) && optional(p.mean, count), "all belongs to the rows");
    // SAFETY: as was just checked.
    unsafe { rows(p) }
}

#[inline(always)]
unsafe fn forward_rows<L: Lanes, const R: usize>(p: &Forward<'_>, row: usize) {
    let (cols, first) = (p.cols, row * p.cols);
    let (x, out) = (at(p.x).wrapping_add(first), at(p.out).wrapping_add(first));
    let mut mean = [0.0; R];
    // SAFETY: whole vectors of R rows.
    unsafe {
        if !p.mean.is_empty() {
            let mut sums = [L::splat(0.0); R];
            for c in (0..cols).step_by(L::N) {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(L::load(x.add(r * cols + c)));
                }
            }
            for r in 0..R {
                mean[r] = sums[r].sum() / cols as f32;
                p.mean[row + r].set(mean[r]);
            }
        }
        let (mut shift, mut factor) = ([L::splat(0.0); R], [L::splat(0.0); R]);
        for r in 0..R {
            shift[r] = L::splat(-mean[r]);
        }
        let mut squares = [L::splat(0.0); R];
        for c in (0..cols).step_by(L::N) {
            for (r, sum) in squares.iter_mut().enumerate() {
                let d = L::load(x.add(r * cols + c)).add(shift[r]);
                *sum = d.fma(d, *sum);
            }
        }
        for r in 0..R {
            let rstd = 1.0 / (squares[r].sum() / cols as f32 + p.eps).sqrt();
            p.rstd[row + r].set(rstd);
            factor[r] = L::splat(rstd);
        }
        let [weight, bias] = [p.weight, p.bias].map(at);
        for c in (0..cols).step_by(L::N) {
            let w = L::load(weight.add(c));
            let b = if p.bias.is_empty() { L::splat(0.0) } else { L::load(bias.add(c)) };
            for r in 0..R {
                let normal = L::load(x.add(r * cols + c)).add(shift[r]).mul(factor[r]);
                normal.fma(w, b).store(out.add(r * cols + c));
            }
        }
    }
}

/// Gradients of rows, one for each of `rstd`.
pub(crate) struct Backward<'a> {
    pub cols: usize,
    pub dy: Cells<'a>,
    pub x: Cells<'a>,
    pub weight: Cells<'a>,
    /// Empty where rows are not centered.
    pub mean: Cells<'a>,
    pub rstd: Cells<'a>,
    /// What is added to the gradients; empty where that is nothing.
    pub added: Cells<'a>,
    pub dx: Cells<'a>,
    /// What gradients of the weight, and of the bias, are added to; the latter is empty where there is none.
    pub dweight: Cells<'a>,
    pub dbias: Cells<'a>,
}

/// `dx = rstd·(dy·weight − a − x̂·b) + added` with the means a and b of `dy·weight` and of `dy·weight·x̂`, and adds `dy·x̂` and `dy`.
///
/// # Panics
/// When something has another size than the rows.
pub(crate) fn backward(p: &Backward<'_>) {
    versions! {
        /// See [`backward`].
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn rows(p: &Backward<'_>) {
            let mut row = 0;
            // SAFETY: rows that there are.
            unsafe {
                while row + 2 <= p.rstd.len() {
                    backward_rows::<L, 2>(p, row);
                    row += 2;
                }
                if row < p.rstd.len() {
                    backward_rows::<L, 1>(p, row);
                }
            }
        }
    }
    let (count, all) = (p.rstd.len(), p.rstd.len() * p.cols);
    let whole = p.cols.is_multiple_of(WHOLE) && [p.dy, p.x, p.dx].iter().all(|cells| cells.len() == all);
    assert!(whole, "rows are whole vectors");
    let optional = |cells: Cells<'_>, len: usize| cells.is_empty() || cells.len() == len;
    assert!(optional(p.mean, count) && optional(p.added, all) && optional(p.dbias, p.cols), "all belongs to the rows");
    assert!(p.weight.len() == p.cols && p.dweight.len() == p.cols, "there is a weight for each column");
    // SAFETY: as was just checked.
    unsafe { rows(p) }
}

#[inline(always)]
unsafe fn backward_rows<L: Lanes, const R: usize>(p: &Backward<'_>, row: usize) {
    let (cols, first) = (p.cols, row * p.cols);
    let [x, dy, dx, added] = [p.x, p.dy, p.dx, p.added].map(|cells| at(cells).wrapping_add(first));
    let [weight, dweight, dbias] = [p.weight, p.dweight, p.dbias].map(at);
    let (mut shift, mut factor) = ([L::splat(0.0); R], [L::splat(0.0); R]);
    for r in 0..R {
        shift[r] = L::splat(-p.mean.get(row + r).map_or(0.0, Cell::get));
        factor[r] = L::splat(p.rstd[row + r].get());
    }
    let (mut level, mut slope) = ([L::splat(0.0); R], [L::splat(0.0); R]);
    // SAFETY: whole vectors of R rows.
    unsafe {
        for c in (0..cols).step_by(L::N) {
            let w = L::load(weight.add(c));
            for r in 0..R {
                let g = L::load(dy.add(r * cols + c)).mul(w);
                let normal = L::load(x.add(r * cols + c)).add(shift[r]).mul(factor[r]);
                level[r] = level[r].add(g);
                slope[r] = normal.fma(g, slope[r]);
            }
        }
        for r in 0..R {
            let mean = if p.mean.is_empty() { 0.0 } else { level[r].sum() / cols as f32 };
            level[r] = L::splat(mean);
            slope[r] = L::splat(-slope[r].sum() / cols as f32);
        }
        for c in (0..cols).step_by(L::N) {
            let w = L::load(weight.add(c));
            let mut dw = L::load(dweight.add(c));
            let mut db = if p.dbias.is_empty() { L::splat(0.0) } else { L::load(dbias.add(c)) };
            for r in 0..R {
                let place = r * cols + c;
                let dy = L::load(dy.add(place));
                let normal = L::load(x.add(place)).add(shift[r]).mul(factor[r]);
                dw = normal.fma(dy, dw);
                db = db.add(dy);
                let mut g = normal.fma(slope[r], dy.mul(w).sub(level[r])).mul(factor[r]);
                if !p.added.is_empty() {
                    g = g.add(L::load(added.add(place)));
                }
                g.store(dx.add(place));
            }
            dw.store(dweight.add(c));
            if !p.dbias.is_empty() {
                db.store(dbias.add(c));
            }
        }
    }
}
