//! An expression as code for the tile machine: which instruction runs when, and where every value lies meanwhile.

use downhill_compile::ExecError;
use downhill_graph::Expr;
use downhill_tensor::sort_short_by_key;
use smallvec::SmallVec;

use super::adam;
use super::value::{Source, Value, contract, read, uses};
use crate::simd::tile::{Ins, Slot, TileOp};

/// An expression in instructions of the tile machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    pub ins: Vec<Ins>,
    pub slots: Vec<Source>,
    /// Tiles that intermediates need.
    pub tiles: usize,
}

impl Code {
    /// Translates `expr`. An output goes straight to its place unless `clobbers(read)` is true of a read that is needed later.
    /// The outputs in `flush` lose their subnormals.
    ///
    /// # Errors
    /// When the expression needs more operands than a slot can number.
    pub fn new(expr: &Expr, clobbers: &dyn Fn(u8) -> bool, flush: &dyn Fn(usize) -> bool) -> Result<Self, ExecError> {
        let (mut values, outputs) = read(expr);
        match adam::find(&values, &outputs) {
            Some(operands) if (0..outputs.len()).all(|i| flush(i) == (i > 0)) => {
                contract(&mut values, &operands);
                Allocator::new(values, SmallVec::new(), &operands).run_adam(&operands)
            }
            _ => Self::in_tiles(expr, clobbers, flush),
        }
    }

    /// One instruction for each operation, or for a product and its sum.
    fn in_tiles(expr: &Expr, clobbers: &dyn Fn(u8) -> bool, flush: &dyn Fn(usize) -> bool) -> Result<Self, ExecError> {
        let (mut values, mut outputs) = read(expr);
        for (i, out) in outputs.iter_mut().enumerate() {
            if flush(i) {
                values.push(Value::Op(TileOp::Flush, [*out, 0, 0], 1));
                *out = values.len() - 1;
            }
        }
        contract(&mut values, &outputs);
        let needed = outputs.clone();
        Allocator::new(values, outputs, &needed).run(clobbers)
    }
}

/// Gives every live value a slot, reusing tiles whose value is no longer needed.
///
/// Of `tanh(r0) · (r1 + tanh(r1))`, as values `0: r0`, `1: tanh 0`, `2: r1`, `3: tanh 2`, `4: 2 + 3`, `5: 1 · 4`:
///
/// | value | instruction | why there |
/// |---|---|---|
/// | 1 | tile 0 = tanh r0 | no tile is free: a new one |
/// | 3 | tile 1 = tanh r1 | tile 0 is still needed |
/// | 4 | tile 1 = r1 + tile 1 | value 3 was needed for the last time, so its tile is free and taken again |
/// | 5 | out 0 = tile 0 · tile 1 | an output goes straight to its place, unless a read that lies there is needed later |
///
/// Two tiles are enough, and each instruction reads a whole vector before it writes it, so that it may write where it reads.
struct Allocator {
    values: Vec<Value>,
    outputs: SmallVec<[usize; 4]>,
    uses: Vec<usize>,
    slots: Vec<Source>,
    slot_of: Vec<usize>,
    free: Vec<usize>,
    tiles: u8,
    ins: Vec<Ins>,
}

impl Allocator {
    /// `needed` are the values that must be there at the end, `outputs` those among them that have a place of their own.
    fn new(values: Vec<Value>, outputs: SmallVec<[usize; 4]>, needed: &[usize]) -> Self {
        let uses = uses(&values, needed);
        let slot_of = vec![0; values.len()];
        Self { values, outputs, uses, slots: Vec::new(), slot_of, free: Vec::new(), tiles: 0, ins: Vec::new() }
    }

    fn slot(&mut self, source: Source) -> usize {
        self.slots.iter().position(|s| *s == source).unwrap_or_else(|| {
            self.slots.push(source);
            self.slots.len() - 1
        })
    }

    /// The last value that reads something an output could overwrite.
    fn last_clobbered(&self, clobbers: &dyn Fn(u8) -> bool) -> usize {
        let reads = |v: &Value| matches!(v, Value::Leaf(Source::Read(n)) if clobbers(*n));
        let user = |i: usize| self.uses[i] > 0 && self.values[i].args().iter().any(|&a| reads(&self.values[a]));
        // Outputs that are reads themselves are copied at the very end.
        if self.outputs.iter().any(|&o| reads(&self.values[o])) {
            return usize::MAX;
        }
        (0..self.values.len()).rev().find(|&i| user(i)).unwrap_or(0)
    }

    fn run(mut self, clobbers: &dyn Fn(u8) -> bool) -> Result<Code, ExecError> {
        self.emit(clobbers);
        self.finish()
    }

    /// What goes into the operands, then the one instruction that reads them side by side.
    fn run_adam(mut self, operands: &[usize]) -> Result<Code, ExecError> {
        self.emit(&|_| false);
        let first = self.slots.len() as Slot;
        let sources = operands.iter().map(|&o| self.slots[self.slot_of[o]]).collect::<Vec<_>>();
        self.slots.extend(sources);
        self.slots.extend([0, 1, 2].map(Source::Out));
        self.ins.push(Ins { op: TileOp::Adam, dst: first, a: first, b: first, c: first });
        self.finish()
    }

    /// Instructions for all values that are needed.
    fn emit(&mut self, clobbers: &dyn Fn(u8) -> bool) {
        let hazard = self.last_clobbered(clobbers);
        let mut remaining = self.uses.clone();
        let mut placed: SmallVec<[bool; 4]> = self.outputs.iter().map(|_| false).collect();
        for i in 0..self.values.len() {
            if self.uses[i] == 0 {
                continue;
            }
            let (op, args) = match self.values[i] {
                Value::Leaf(source) => {
                    self.slot_of[i] = self.slot(source);
                    continue;
                }
                Value::Op(op, ..) => (op, self.values[i].args()),
            };
            for &arg in &args {
                remaining[arg] -= 1;
                if remaining[arg] == 0 && matches!(self.slots[self.slot_of[arg]], Source::Tile(_)) {
                    self.free.push(self.slot_of[arg]);
                }
            }
            let own = self.outputs.iter().position(|&o| o == i).filter(|_| i >= hazard);
            let dst = match own {
                Some(out) => {
                    placed[out] = true;
                    self.slot(Source::Out(out as u8))
                }
                None => self.free.pop().unwrap_or_else(|| {
                    self.tiles += 1;
                    self.slot(Source::Tile(self.tiles - 1))
                }),
            };
            self.slot_of[i] = dst;
            let arg = |n: usize| args.get(n).map_or(dst, |&a| self.slot_of[a]) as Slot;
            let ins = Ins { op, dst: dst as Slot, a: arg(0), b: arg(1), c: arg(2) };
            self.ins.push(ins);
        }
        // Reads first: another output may lie where they lie.
        let is_read = |o: usize| matches!(self.values[self.outputs[o]], Value::Leaf(Source::Read(_)));
        let mut waiting: SmallVec<[usize; 4]> = (0..self.outputs.len()).filter(|&o| !placed[o]).collect();
        sort_short_by_key(&mut waiting, |&o| !is_read(o));
        for out in waiting {
            let a = self.slot_of[self.outputs[out]] as Slot;
            let dst = self.slot(Source::Out(out as u8)) as Slot;
            self.ins.push(Ins { op: TileOp::Copy, dst, a, b: a, c: a });
        }
    }

    fn finish(self) -> Result<Code, ExecError> {
        if self.slots.len() > usize::from(Slot::MAX) {
            return Err(ExecError::Unsupported(format!("a fused expression with {} operands", self.slots.len())));
        }
        Ok(Code { ins: self.ins, slots: self.slots, tiles: usize::from(self.tiles) })
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "runs code over arrays of its own")]
mod tests {
    use downhill_graph::{BinaryOp, ScalarId, UnaryOp};

    use super::*;
    use crate::simd::OVERREAD;
    use crate::simd::tile::{self, Counter, Place, TILE};

    fn momentum() -> Expr {
        let mut e = Expr::default();
        let (w, g, m) = (e.read(0), e.read(1), e.read(2));
        let (b, c) = (e.constant(0.9), e.constant(0.1));
        let (bm, cg) = (e.binary(BinaryOp::Mul, b, m), e.binary(BinaryOp::Mul, c, g));
        let m = e.binary(BinaryOp::Add, bm, cg);
        let lr = e.scalar(ScalarId::LR);
        let step = e.binary(BinaryOp::Mul, lr, m);
        let w = e.binary(BinaryOp::Sub, w, step);
        e.outputs.extend([w, m]);
        e
    }

    #[test]
    fn products_join_their_sums_and_outputs_are_written_in_place() {
        let code = Code::new(&momentum(), &|_| false, &|_| false).unwrap();
        let ops: Vec<TileOp> = code.ins.iter().map(|i| i.op).collect();
        assert_eq!(ops, [TileOp::Binary(BinaryOp::Mul), TileOp::MulAdd, TileOp::SubMul]);
        assert_eq!(code.tiles, 1);
    }

    #[test]
    fn an_output_waits_while_a_read_at_its_place_is_still_needed() {
        let code = Code::new(&momentum(), &|_| true, &|_| false).unwrap();
        let last_read = code
            .ins
            .iter()
            .rposition(|i| [i.a, i.b, i.c].iter().any(|&s| matches!(code.slots[usize::from(s)], Source::Read(_))));
        let first_write = code.ins.iter().position(|i| matches!(code.slots[usize::from(i.dst)], Source::Out(_)));
        assert!(last_read <= first_write, "{code:?}");
    }

    fn adam(penalty: bool) -> Expr {
        let mut e = Expr::default();
        let [w, mut g, m, v] = [0, 1, 2, 3].map(|n| e.read(n));
        if penalty {
            let decay = e.scalar(ScalarId::DECAY);
            let pull = e.binary(BinaryOp::Mul, decay, w);
            g = e.binary(BinaryOp::Add, g, pull);
        }
        let average = |e: &mut Expr, keep: f32, old, new| {
            let (keep, take) = (e.constant(keep), e.constant(1.0 - keep));
            let (kept, taken) = (e.binary(BinaryOp::Mul, keep, old), e.binary(BinaryOp::Mul, new, take));
            e.binary(BinaryOp::Add, kept, taken)
        };
        let m = average(&mut e, 0.9, m, g);
        let square = e.unary(UnaryOp::Square, g);
        let v = average(&mut e, 0.99, v, square);
        let (root, eps, lr) = (e.unary(UnaryOp::Sqrt, v), e.constant(1e-8), e.scalar(ScalarId::LR));
        let denominator = e.binary(BinaryOp::Add, root, eps);
        let direction = e.binary(BinaryOp::Div, m, denominator);
        let change = e.binary(BinaryOp::Mul, lr, direction);
        let w = e.binary(BinaryOp::Sub, w, change);
        e.outputs.extend([w, m, v]);
        e
    }

    #[test]
    fn adam_is_one_instruction_behind_what_makes_its_gradient() {
        let ops = |e: &Expr| Code::new(e, &|_| true, &|o| o > 0).unwrap().ins.iter().map(|i| i.op).collect::<Vec<_>>();
        assert_eq!(ops(&adam(false)), [TileOp::Adam]);
        assert_eq!(ops(&adam(true)), [TileOp::MulAdd, TileOp::Adam]);
        let mut other = adam(false);
        other.outputs.swap(1, 2);
        assert!(!ops(&other).contains(&TileOp::Adam));
    }

    /// Runs code over one tile whose outputs lie where reads 0, 2 and 3 do.
    fn run_in_place(code: &Code, reads: &[Vec<f32>; 4]) -> [Vec<f32>; 4] {
        let mut memory = reads.clone();
        let mut tiles = vec![vec![0.0f32; TILE + OVERREAD]; code.tiles];
        let mut splats: Vec<[f32; 8]> = vec![[0.0; 8]; code.slots.len()];
        let mut splat = |slot: usize, x: f32| {
            splats[slot] = [x; 8];
            Place { ptr: splats[slot].as_mut_ptr(), step: 0 }
        };
        let places: Vec<Place> = (code.slots.iter().enumerate())
            .map(|(slot, source)| match *source {
                Source::Const(c) => splat(slot, c),
                Source::Scalar(_) => splat(slot, 0.01),
                Source::Read(n) => Place { ptr: memory[usize::from(n)].as_mut_ptr(), step: 1 },
                Source::Out(n) => Place { ptr: memory[[0, 2, 3][usize::from(n)]].as_mut_ptr(), step: 1 },
                Source::Tile(n) => Place { ptr: tiles[usize::from(n)].as_mut_ptr(), step: 1 },
            })
            .collect();
        // SAFETY: every place holds a tile and what may be read beyond it.
        unsafe { tile::run(&code.ins, &places, reads[0].len() - OVERREAD, Counter::default()) };
        memory
    }

    #[test]
    fn one_instruction_gives_the_bits_of_the_many() {
        for n in [1, 3, 8, 13, 100] {
            let values = |seed: usize| -> Vec<f32> {
                let one = |i: usize| if i % 7 == 2 { 1e-39 } else { ((i * 37 + seed) % 101) as f32 / 90.0 };
                (0..n + OVERREAD).map(one).collect()
            };
            let reads = [values(1), values(2), values(3), values(4)];
            let one = Code::new(&adam(true), &|_| true, &|o| o > 0).unwrap();
            let many = Code::in_tiles(&adam(true), &|_| true, &|o| o > 0).unwrap();
            assert!(one.ins.len() < many.ins.len());
            assert_eq!(run_in_place(&one, &reads), run_in_place(&many, &reads), "{n} elements");
        }
    }
}
