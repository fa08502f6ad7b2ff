use downhill_compile::ExecError;
use downhill_graph::{BinaryOp, Expr, ExprOp, ScalarId, UnaryOp};
use downhill_tensor::{rng::Stream, sort_short_by_key};
use smallvec::SmallVec;

use crate::simd::tile::{Ins, Slot, TileOp};

/// What a slot of a [`Code`] stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// A constant, repeated.
    Const(f32),
    /// A step scalar, repeated.
    Scalar(ScalarId),
    /// A read of the kernel.
    Read(u8),
    /// An output of the kernel.
    Out(u8),
    /// A tile of the machine, for intermediates.
    Tile(u8),
}

/// An expression in instructions of the tile machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    pub ins: Vec<Ins>,
    pub slots: Vec<Source>,
    /// Tiles that intermediates need.
    pub tiles: usize,
}

/// A value while the code is made.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Leaf(Source),
    Op(TileOp, [usize; 3], usize),
}

impl Value {
    fn args(&self) -> SmallVec<[usize; 3]> {
        match self {
            Value::Leaf(_) => SmallVec::new(),
            Value::Op(_, args, n) => SmallVec::from_slice(&args[..*n]),
        }
    }
}

impl Code {
    /// Translates `expr`. An output goes straight to its place unless `clobbers(read)` is true of a read that is needed later.
    /// The outputs in `flush` lose their subnormals.
    ///
    /// # Errors
    /// When the expression needs more operands than a slot can number.
    pub fn new(expr: &Expr, clobbers: &dyn Fn(u8) -> bool, flush: &dyn Fn(usize) -> bool) -> Result<Self, ExecError> {
        let mut values: Vec<Value> = expr.ops.iter().map(value).collect();
        let mut outputs: SmallVec<[usize; 4]> = expr.outputs.iter().map(|&r| usize::from(r)).collect();
        for (i, out) in outputs.iter_mut().enumerate() {
            if flush(i) {
                values.push(Value::Op(TileOp::Flush, [*out, 0, 0], 1));
                *out = values.len() - 1;
            }
        }
        contract(&mut values, &outputs);
        Allocator::new(values, outputs).run(clobbers)
    }
}

fn value(op: &ExprOp) -> Value {
    let (unary, binary) = (
        |op, a: &u16| Value::Op(op, [usize::from(*a), 0, 0], 1),
        |op, a: &u16, b: &u16| Value::Op(op, [usize::from(*a), usize::from(*b), 0], 2),
    );
    match op {
        ExprOp::Read(n) => Value::Leaf(Source::Read(*n)),
        ExprOp::Scalar(id) => Value::Leaf(Source::Scalar(*id)),
        ExprOp::Const(c) => Value::Leaf(Source::Const(*c)),
        ExprOp::Random { salt } => Value::Op(TileOp::Random(Stream::Dropout as u32 | salt << 8), [0; 3], 0),
        ExprOp::Unary(op, a) => unary(TileOp::Unary(*op), a),
        ExprOp::Binary(op, a, b) => binary(TileOp::Binary(*op), a, b),
        ExprOp::Select(c, a, b) => Value::Op(TileOp::Select, [usize::from(*c), usize::from(*a), usize::from(*b)], 3),
    }
}

fn uses(values: &[Value], outputs: &[usize]) -> Vec<usize> {
    let mut uses = vec![0; values.len()];
    for &out in outputs {
        uses[out] += 1;
    }
    // Backwards, so that what only dead values use is dead too.
    for i in (0..values.len()).rev() {
        if uses[i] > 0 {
            for arg in values[i].args() {
                uses[arg] += 1;
            }
        }
    }
    uses
}

/// Joins a product with the sum or difference that is its only reader: one instruction less over the tile.
fn contract(values: &mut [Value], outputs: &[usize]) {
    let mut uses = uses(values, outputs);
    for i in 0..values.len() {
        let Value::Op(TileOp::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)), [x, y, _], _) = values[i] else { continue };
        let factors = |v: usize, uses: &[usize]| match values[v] {
            Value::Op(TileOp::Binary(BinaryOp::Mul), [a, b, _], _) if uses[v] == 1 => Some([a, b]),
            Value::Op(TileOp::Unary(UnaryOp::Square), [a, ..], _) if uses[v] == 1 => Some([a, a]),
            _ => None,
        };
        let (joined, product) = match (op, factors(x, &uses), factors(y, &uses)) {
            (BinaryOp::Add, Some([a, b]), _) => ((TileOp::MulAdd, [a, b, y]), x),
            (BinaryOp::Add, None, Some([a, b])) => ((TileOp::MulAdd, [a, b, x]), y),
            (BinaryOp::Sub, Some([a, b]), _) => ((TileOp::MulSub, [a, b, y]), x),
            (BinaryOp::Sub, None, Some([a, b])) => ((TileOp::SubMul, [a, b, x]), y),
            _ => continue,
        };
        values[i] = Value::Op(joined.0, joined.1, 3);
        uses[product] = 0;
    }
}

/// Gives every live value a slot, reusing tiles whose value is no longer needed.
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
    fn new(values: Vec<Value>, outputs: SmallVec<[usize; 4]>) -> Self {
        let uses = uses(&values, &outputs);
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
        if self.slots.len() > usize::from(Slot::MAX) {
            return Err(ExecError::Unsupported(format!("a fused expression with {} operands", self.slots.len())));
        }
        Ok(Code { ins: self.ins, slots: self.slots, tiles: usize::from(self.tiles) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adam_like() -> Expr {
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
        let code = Code::new(&adam_like(), &|_| false, &|_| false).unwrap();
        let ops: Vec<TileOp> = code.ins.iter().map(|i| i.op).collect();
        assert_eq!(ops, [TileOp::Binary(BinaryOp::Mul), TileOp::MulAdd, TileOp::SubMul]);
        assert_eq!(code.tiles, 1);
    }

    #[test]
    fn an_output_waits_while_a_read_at_its_place_is_still_needed() {
        let code = Code::new(&adam_like(), &|_| true, &|_| false).unwrap();
        let last_read = code
            .ins
            .iter()
            .rposition(|i| [i.a, i.b, i.c].iter().any(|&s| matches!(code.slots[usize::from(s)], Source::Read(_))));
        let first_write = code.ins.iter().position(|i| matches!(code.slots[usize::from(i.dst)], Source::Out(_)));
        assert!(last_read <= first_write, "{code:?}");
    }
}
