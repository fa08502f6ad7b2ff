//! Loops along a row of elements: sums, softmax, elementwise losses, the search for non-finite numbers.

use std::cell::Cell;

use downhill_graph::kernel::LossKind;

use super::{Lanes, math, versions};

/// The vector from `at` on; lanes beyond the end are `fill`.
#[inline(always)]
pub(super) fn get<L: Lanes>(row: &[Cell<f32>], at: usize, fill: f32) -> L {
    if let Some(full) = row.get(at..at + L::N) {
        // SAFETY: N elements are there.
        return unsafe { L::load(full.as_ptr().cast()) };
    }
    let mut lanes = [fill; 8];
    for (lane, cell) in lanes.iter_mut().zip(row.get(at..).unwrap_or(&[])) {
        *lane = cell.get();
    }
    L::from_array(&lanes)
}

/// Stores a vector at `at`, or what of it fits.
#[inline(always)]
pub(super) fn put<L: Lanes>(row: &[Cell<f32>], at: usize, v: L) {
    if let Some(full) = row.get(at..at + L::N) {
        // SAFETY: N elements are there, and cells may be written.
        return unsafe { v.store(full.as_ptr().cast_mut().cast()) };
    }
    for (lane, cell) in v.to_array().into_iter().zip(row.get(at..).unwrap_or(&[])) {
        cell.set(lane);
    }
}

/// Folds a row vector by vector. Macros, not functions of closures, for the reason given in `tile.rs`.
macro_rules! fold {
    ($n:expr, $start:expr, |$at:ident, $acc:ident| $value:expr) => {{
        let (mut $acc, mut $at) = ($start, 0);
        while $at < $n {
            $acc = $value;
            $at += L::N;
        }
        $acc
    }};
}

/// Folds rows of one length into four vectors in turn, so that one need not wait for the other; all begin with `$start`, and lanes beyond the end are
/// `$fill`.
macro_rules! fold4 {
    ($start:expr, $fill:expr, |$acc:ident, $($x:ident in $row:ident),+| $value:expr) => {{
        let (mut lanes, mut at) = ([L::splat($start); 4], 0);
        let n = usize::MAX$(.min($row.len()))+;
        while n - at >= 4 * L::N {
            let mut i = 0;
            while i < 4 {
                // SAFETY: no row ends before `n`.
                $(let $x = unsafe { L::load($row.as_ptr().add(at + i * L::N).cast()) };)+
                let $acc = lanes[i];
                lanes[i] = $value;
                i += 1;
            }
            at += 4 * L::N;
        }
        while at < n {
            $(let $x: L = get($row, at, $fill);)+
            let $acc = lanes[0];
            lanes[0] = $value;
            at = n.min(at + L::N);
        }
        lanes
    }};
}

/// Walks rows of one length vector by vector: whole ones without a look at where rows end, then what is left, with `$fill` in lanes beyond the end.
macro_rules! each {
    ($fill:expr, $at:ident, $($x:ident in $row:expr),+ => $body:expr) => {{
        let (mut $at, n) = (0, usize::MAX$(.min($row.len()))+);
        while n - $at >= L::N {
            // SAFETY: no row ends before `n`.
            $(let $x = unsafe { L::load($row.as_ptr().add($at).cast()) };)+
            $body;
            $at += L::N;
        }
        if $at < n {
            $(let $x: L = get($row, $at, $fill);)+
            $body;
        }
    }};
}

/// Stores a vector for every vector of rows of one length, walked as [`each`] does.
macro_rules! map {
    ($out:expr, $($x:ident in $row:expr),+ => $value:expr) => {{
        let (mut at, n) = (0, $out.len()$(.min($row.len()))+);
        while n - at >= L::N {
            // SAFETY: no row ends before `n`, and cells may be written.
            unsafe {
                $(let $x = L::load($row.as_ptr().add(at).cast());)+
                $value.store($out.as_ptr().add(at).cast_mut().cast());
            }
            at += L::N;
        }
        if at < n {
            $(let $x: L = get($row, at, 0.0);)+
            put(&$out[..n], at, $value);
        }
    }};
}

/// Stores a vector for every vector of a row.
macro_rules! fill {
    ($out:expr, |$at:ident| $value:expr) => {{
        let mut $at = 0;
        while $at < $out.len() {
            put::<L>($out, $at, $value);
            $at += L::N;
        }
    }};
}

#[inline(always)]
fn total<L: Lanes>([a, b, c, d]: [L; 4]) -> f32 {
    a.add(b).add(c.add(d)).sum()
}

/// Defines safe functions over rows, one version per instruction set.
macro_rules! rows {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $lanes:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name($($arg: $ty),*) -> $ret {
            versions! {
                /// One version per instruction set.
                ///
                /// # Safety
                /// None; the arguments are slices.
                unsafe fn versioned($($arg: $ty),*) -> $ret { $lanes::<L>($($arg),*) }
            }
            // SAFETY: none is needed.
            unsafe { versioned($($arg),*) }
        }
    )*};
}

rows! {
    /// The largest element; NaN if there is one.
    fn max(row: &[Cell<f32>]) -> f32 = max_lanes;
    /// Sum of the elements.
    fn sum(row: &[Cell<f32>]) -> f32 = sum_lanes;
    /// Sum of the squares.
    fn sum_squares(row: &[Cell<f32>]) -> f32 = sum_squares_lanes;
    /// Sum of the products.
    fn dot(a: &[Cell<f32>], b: &[Cell<f32>]) -> f32 = dot_lanes;
    /// `out = exp(x − shift)`; returns the sum.
    fn exp_shifted(x: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) -> f32 = exp_shifted_lanes;
    /// The sum of `exp(x − shift)`.
    fn sum_exp_shifted(x: &[Cell<f32>], shift: f32) -> f32 = sum_exp_shifted_lanes;
    /// Rows of a matrix times a factor, `[rows, columns]`; rows lie so far apart in `x` and in `out`.
    fn copy_rows(x: &[Cell<f32>], out: &[Cell<f32>], strides: [usize; 2], shape: [usize; 2], factor: f32) -> () = copy_rows_lanes;
    /// Adds rows of a matrix times a factor, as [`copy_rows`] copies them.
    fn add_rows(x: &[Cell<f32>], to: &[Cell<f32>], strides: [usize; 2], shape: [usize; 2], factor: f32) -> () = add_rows_lanes;
    /// `out = x·factor + shift`
    fn affine(x: &[Cell<f32>], factor: f32, shift: f32, out: &[Cell<f32>]) -> () = affine_lanes;
    /// `out = y·(dy − shift)`
    fn softmax_grad(y: &[Cell<f32>], dy: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) -> () = softmax_grad_lanes;
    /// `out = dy − exp(y)·shift`
    fn log_softmax_grad(y: &[Cell<f32>], dy: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) -> () = log_softmax_grad_lanes;
    /// Elementwise loss: writes its gradient times `scale`; returns the sum of the losses.
    fn loss(kind: LossKind, x: &[Cell<f32>], target: &[Cell<f32>], scale: f32, grad: &[Cell<f32>]) -> f32 = loss_lanes;
    /// Whether every element is finite, by its bits.
    fn all_finite(row: &[Cell<f32>]) -> bool = all_finite_lanes;
    /// `to += from`
    fn add_into(to: &[Cell<f32>], from: &[Cell<f32>]) -> () = add_into_lanes;
    /// The sum of `(x − shift)²`.
    fn sum_squared_differences(x: &[Cell<f32>], shift: f32) -> f32 = sum_squared_differences_lanes;
    /// `out = x̂·weight + bias`; an empty bias is none.
    fn norm(norm: &Norm<'_>, x: &[Cell<f32>], bias: &[Cell<f32>], out: &[Cell<f32>]) -> () = norm_lanes;
    /// The means of `dy·weight` and of `dy·weight·x̂`.
    fn norm_grad_means(norm: &Norm<'_>, x: &[Cell<f32>], dy: &[Cell<f32>]) -> [f32; 2] = norm_grad_means_lanes;
    /// `out = rstd·(dy·weight − means[0] − x̂·means[1]) + added`; an empty `added` is none.
    fn norm_grad(norm: &Norm<'_>, x: &[Cell<f32>], dy: &[Cell<f32>], means: [f32; 2], added: &[Cell<f32>], out: &[Cell<f32>]) -> () = norm_grad_lanes;
    /// Bends scores in their place.
    fn bend_scores(scores: &[Cell<f32>], how: RowScores) -> () = bend_scores_lanes;
    /// Scores become weights, `exp(bent − lse)`, and gradients of weights those of scores: `weight·(d − delta)`, times the slope of the cap.
    fn score_grads(scores: &[Cell<f32>], d: &[Cell<f32>], how: RowScores, lse: f32, delta: f32) -> () = score_grads_lanes;
    /// `to += dy·x̂`
    fn add_norm_product(norm: &Norm<'_>, x: &[Cell<f32>], dy: &[Cell<f32>], to: &[Cell<f32>]) -> () = add_norm_product_lanes;
}

/// How scores of attention are bent before their softmax: `cap·tanh(score/cap)` where there is a cap, less `slope` per place between the query and
/// each key, of which the first is `distance` away.
#[derive(Clone, Copy)]
pub(crate) struct RowScores {
    pub cap: f32,
    pub slope: f32,
    pub distance: f32,
}

impl RowScores {
    /// Whether scores change at all.
    pub fn bends(self) -> bool {
        self.cap > 0.0 || self.slope > 0.0
    }

    /// What the scores from `at` on lose by distance.
    #[inline(always)]
    fn loss<L: Lanes>(self, at: usize) -> L {
        let mut places = [0.0; 8];
        places.iter_mut().enumerate().for_each(|(i, place)| *place = (at + i) as f32);
        L::from_array(&places).sub(L::splat(self.distance)).abs().mul(L::splat(self.slope))
    }
}

/// How a row is normalised: `x̂ = (x − mean)·rstd`, times `weight` where that is not empty.
pub(crate) struct Norm<'a> {
    pub mean: f32,
    pub rstd: f32,
    pub weight: &'a [Cell<f32>],
}

#[inline(always)]
fn max_lanes<L: Lanes>(row: &[Cell<f32>]) -> f32 {
    let low = f32::NEG_INFINITY;
    let [a, b, c, d] = fold4!(low, low, |acc, x in row| math::max(acc, x));
    let lanes = math::max(math::max(a, b), math::max(c, d)).to_array();
    lanes[..L::N].iter().fold(low, |m, &x| if m.is_nan() || m > x { m } else { x })
}

#[inline(always)]
fn sum_lanes<L: Lanes>(row: &[Cell<f32>]) -> f32 {
    total(fold4!(0.0, 0.0, |acc, x in row| acc.add(x)))
}

#[inline(always)]
fn sum_squares_lanes<L: Lanes>(row: &[Cell<f32>]) -> f32 {
    total(fold4!(0.0, 0.0, |acc, x in row| x.fma(x, acc)))
}

#[inline(always)]
fn dot_lanes<L: Lanes>(a: &[Cell<f32>], b: &[Cell<f32>]) -> f32 {
    total(fold4!(0.0, 0.0, |acc, x in a, y in b| x.fma(y, acc)))
}

#[inline(always)]
fn exp_shifted_lanes<L: Lanes>(x: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) -> f32 {
    let (s, mut sum) = (L::splat(shift), L::splat(0.0));
    each!(f32::NEG_INFINITY, at, x in x => {
        let e = math::exp(x.sub(s));
        put(out, at, e);
        sum = sum.add(e);
    });
    sum.sum()
}

#[inline(always)]
fn sum_exp_shifted_lanes<L: Lanes>(x: &[Cell<f32>], shift: f32) -> f32 {
    let (s, mut sum) = (L::splat(shift), L::splat(0.0));
    each!(f32::NEG_INFINITY, at, x in x => sum = sum.add(math::exp(x.sub(s))));
    sum.sum()
}

#[inline(always)]
fn copy_rows_lanes<L: Lanes>(
    x: &[Cell<f32>],
    out: &[Cell<f32>],
    [x_stride, out_stride]: [usize; 2],
    [rows, columns]: [usize; 2],
    factor: f32,
) {
    let factor = L::splat(factor);
    for row in 0..rows {
        let (x, out) = (&x[row * x_stride..][..columns], &out[row * out_stride..][..columns]);
        map!(out, x in x => x.mul(factor));
    }
}

#[inline(always)]
fn add_rows_lanes<L: Lanes>(
    x: &[Cell<f32>],
    to: &[Cell<f32>],
    [x_stride, to_stride]: [usize; 2],
    [rows, columns]: [usize; 2],
    factor: f32,
) {
    let factor = L::splat(factor);
    for row in 0..rows {
        let (x, to) = (&x[row * x_stride..][..columns], &to[row * to_stride..][..columns]);
        map!(to, x in x, y in to => x.fma(factor, y));
    }
}

#[inline(always)]
fn affine_lanes<L: Lanes>(x: &[Cell<f32>], factor: f32, shift: f32, out: &[Cell<f32>]) {
    let (factor, shift) = (L::splat(factor), L::splat(shift));
    map!(out, x in x => x.fma(factor, shift));
}

#[inline(always)]
fn softmax_grad_lanes<L: Lanes>(y: &[Cell<f32>], dy: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) {
    let s = L::splat(shift);
    fill!(out, |at| get::<L>(y, at, 0.0).mul(get::<L>(dy, at, 0.0).sub(s)));
}

#[inline(always)]
fn log_softmax_grad_lanes<L: Lanes>(y: &[Cell<f32>], dy: &[Cell<f32>], shift: f32, out: &[Cell<f32>]) {
    let s = L::splat(-shift);
    fill!(out, |at| math::exp(get::<L>(y, at, 0.0)).fma(s, get(dy, at, 0.0)));
}

#[inline(always)]
fn loss_lanes<L: Lanes>(kind: LossKind, x: &[Cell<f32>], target: &[Cell<f32>], scale: f32, grad: &[Cell<f32>]) -> f32 {
    let (half, gain) = (L::splat(0.5), L::splat(scale));
    /// Walks the row with an expression that gives the loss and its slope.
    macro_rules! losses {
        (|$x:ident, $t:ident| $pair:expr) => {{
            let n = x.len();
            let sum = fold!(n, L::splat(0.0), |at, acc| {
                let ($x, $t): (L, L) = (get(x, at, 0.0), get(target, at, 0.0));
                let (value, slope): (L, L) = $pair;
                put(grad, at, slope.mul(gain));
                // Lanes beyond the end are zero in x and target, which the logistic loss does not map to zero.
                acc.add(if n - at < L::N { clear_from(value, n - at) } else { value })
            });
            sum.sum()
        }};
    }
    match kind {
        LossKind::Mse => losses!(|x, t| {
            let d = x.sub(t);
            (d.mul(d), d.add(d))
        }),
        LossKind::L1 => losses!(|x, t| {
            let d = x.sub(t);
            (d.abs(), math::sign(d))
        }),
        LossKind::Huber(delta) => {
            let delta = L::splat(delta);
            losses!(|x, t| {
                let d = x.sub(t);
                let (a, square) = (d.abs(), d.mul(d).mul(half));
                let value = delta.lt(a).select(delta.mul(a.sub(delta.mul(half))), square);
                (value, d.least(delta).most(delta.neg()))
            })
        }
        LossKind::BceWithLogits => losses!(|x, t| (math::softplus(x).sub(x.mul(t)), math::sigmoid(x).sub(t))),
        // Not elementwise: its rows are handled by the caller.
        LossKind::CrossEntropy { .. } => 0.0,
    }
}

/// The first `n` lanes, the others zero.
#[inline(always)]
fn clear_from<L: Lanes>(v: L, n: usize) -> L {
    let mut lanes = v.to_array();
    lanes.iter_mut().skip(n).for_each(|l| *l = 0.0);
    L::from_array(&lanes)
}

#[inline(always)]
fn all_finite_lanes<L: Lanes>(row: &[Cell<f32>]) -> bool {
    let exponent = L::bits(0x7f80_0000);
    let [a, b, c, d] = fold4!(0.0, 0.0, |acc, x in row| acc.or(x.and(exponent).int_eq(exponent)));
    !a.or(b).or(c.or(d)).any()
}

#[inline(always)]
fn add_into_lanes<L: Lanes>(to: &[Cell<f32>], from: &[Cell<f32>]) {
    map!(to, x in from, y in to => y.add(x));
}

#[inline(always)]
fn sum_squared_differences_lanes<L: Lanes>(x: &[Cell<f32>], shift: f32) -> f32 {
    let s = L::splat(shift);
    total(fold4!(0.0, shift, |acc, x in x| {
        let d = x.sub(s);
        d.fma(d, acc)
    }))
}

#[inline(always)]
fn norm_lanes<L: Lanes>(norm: &Norm<'_>, x: &[Cell<f32>], bias: &[Cell<f32>], out: &[Cell<f32>]) {
    let (factor, shift) = (L::splat(norm.rstd), L::splat(-norm.mean));
    match (norm.weight.is_empty(), bias.is_empty()) {
        (true, true) => map!(out, x in x => x.add(shift).mul(factor)),
        (true, false) => map!(out, x in x, b in bias => x.add(shift).fma(factor, b)),
        (false, true) => map!(out, x in x, w in norm.weight => x.add(shift).mul(factor).mul(w)),
        (false, false) => {
            map!(out, x in x, w in norm.weight, b in bias => x.add(shift).mul(factor).fma(w, b));
        }
    }
}

#[inline(always)]
fn norm_grad_means_lanes<L: Lanes>(norm: &Norm<'_>, x: &[Cell<f32>], dy: &[Cell<f32>]) -> [f32; 2] {
    let (factor, shift) = (L::splat(norm.rstd), L::splat(-norm.mean));
    // Two sums of each kind in turn, so that one need not wait for the other.
    let [mut level, mut other, mut slope, mut steep] = [L::splat(0.0); 4];
    macro_rules! sums {
        ($x:expr, $g:expr) => {{
            let (normal, g) = ($x.add(shift).mul(factor), $g);
            (level, other) = (other, level.add(g));
            (slope, steep) = (steep, normal.fma(g, slope));
        }};
    }
    if norm.weight.is_empty() {
        each!(0.0, at, x in x, dy in dy => sums!(x, dy));
    } else {
        each!(0.0, at, x in x, dy in dy, w in norm.weight => sums!(x, dy.mul(w)));
    }
    [level.add(other), slope.add(steep)].map(|lanes| lanes.sum() / x.len() as f32)
}

#[inline(always)]
fn norm_grad_lanes<L: Lanes>(
    norm: &Norm<'_>,
    x: &[Cell<f32>],
    dy: &[Cell<f32>],
    [level, slope]: [f32; 2],
    added: &[Cell<f32>],
    out: &[Cell<f32>],
) {
    let (factor, shift) = (L::splat(norm.rstd), L::splat(-norm.mean));
    let (level, slope) = (L::splat(level), L::splat(-slope));
    macro_rules! gradient {
        ($x:expr, $g:expr) => {
            $x.add(shift).mul(factor).fma(slope, $g.sub(level)).mul(factor)
        };
    }
    match (norm.weight.is_empty(), added.is_empty()) {
        (true, true) => map!(out, x in x, dy in dy => gradient!(x, dy)),
        (true, false) => map!(out, x in x, dy in dy, more in added => gradient!(x, dy).add(more)),
        (false, true) => map!(out, x in x, dy in dy, w in norm.weight => gradient!(x, dy.mul(w))),
        (false, false) => map!(out, x in x, dy in dy, w in norm.weight, more in added => gradient!(x, dy.mul(w)).add(more)),
    }
}

#[inline(always)]
fn add_norm_product_lanes<L: Lanes>(norm: &Norm<'_>, x: &[Cell<f32>], dy: &[Cell<f32>], to: &[Cell<f32>]) {
    let (factor, shift) = (L::splat(norm.rstd), L::splat(-norm.mean));
    map!(to, x in x, dy in dy, sum in to => x.add(shift).mul(factor).fma(dy, sum));
}

#[inline(always)]
fn bend_scores_lanes<L: Lanes>(scores: &[Cell<f32>], how: RowScores) {
    let (cap, inverse) = (L::splat(how.cap), L::splat(1.0 / how.cap));
    if how.cap > 0.0 {
        fill!(scores, |at| math::tanh(get::<L>(scores, at, 0.0).mul(inverse)).mul(cap).sub(how.loss(at)));
    } else {
        fill!(scores, |at| get::<L>(scores, at, 0.0).sub(how.loss(at)));
    }
}

#[inline(always)]
fn score_grads_lanes<L: Lanes>(scores: &[Cell<f32>], d: &[Cell<f32>], how: RowScores, lse: f32, delta: f32) {
    let (cap, inverse, one) = (L::splat(how.cap), L::splat(1.0 / how.cap), L::splat(1.0));
    let (lse, delta) = (L::splat(lse), L::splat(delta));
    if !how.bends() {
        each!(0.0, at, score in scores, dp in d => {
            let weight = math::exp(score.sub(lse));
            put(d, at, weight.mul(dp.sub(delta)));
            put(scores, at, weight);
        });
        return;
    }
    each!(0.0, at, score in scores, dp in d => {
        let (mut bent, mut slope) = (score, one);
        if how.cap > 0.0 {
            let tanh = math::tanh(score.mul(inverse));
            (bent, slope) = (tanh.mul(cap), one.sub(tanh.mul(tanh)));
        }
        let weight = math::exp(bent.sub(how.loss(at)).sub(lse));
        put(d, at, weight.mul(dp.sub(delta)).mul(slope));
        put(scores, at, weight);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(n: usize) -> Vec<Cell<f32>> {
        (0..n).map(|i| Cell::new((i as f32 * 0.7).sin())).collect()
    }

    #[test]
    fn rows_of_every_length_are_summed_whole() {
        for n in 0..70 {
            let row = cells(n);
            let expected: f64 = row.iter().map(|c| f64::from(c.get())).sum();
            assert!((f64::from(sum(&row)) - expected).abs() < 1e-5, "{n}");
            let e: f64 = row.iter().map(|c| f64::from(c.get() - 0.3).exp()).sum();
            assert!((f64::from(sum_exp_shifted(&row, 0.3)) - e).abs() < 1e-4 * e.max(1.0), "{n}");
        }
    }

    #[test]
    fn the_largest_element_is_nan_where_one_is() {
        let row = cells(13);
        row[5].set(f32::NAN);
        assert!(max(&row).is_nan());
        row[5].set(7.0);
        assert_eq!(max(&row), 7.0);
    }

    #[test]
    fn non_finite_elements_are_found_at_any_place() {
        for n in 1..40 {
            let row = cells(n);
            assert!(all_finite(&row));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                row[n - 1].set(bad);
                assert!(!all_finite(&row), "{n} {bad}");
            }
        }
    }
}
