//! The index that is picked by scores: the next token of a text.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::rows::{launch_rows, rows};
use super::target::leading;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Choice, Kernel, Lowered, PickSpec};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Inputs: scores `[rows…, cols]`, a number from 0 to 1 for each row `[rows…]`, and the numbers of a [`Choice`] `[4]`; output u32 `[rows…]`, the index that
/// [`Choice::pick`] picks of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick;

impl OpDef for Pick {
    const NAME: &'static str = "pick";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [scores, draw, choice] = floats(Self::NAME, inputs)?;
        if rows(scores).is_none() {
            return Err(OpError::new(Self::NAME, format!("{scores} has no rows")));
        }
        let (drawn, numbers) = (leading(scores), Shape::from([Choice::NUMBERS]));
        if *draw != drawn || *choice != numbers {
            let message = format!("of {scores} wants a draw {drawn} and a choice {numbers}, gets {draw} and {choice}");
            return Err(OpError::new(Self::NAME, message));
        }
        Ok(smallvec![TensorTy::u32(drawn)])
    }

    fn vjp(&self, _: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None, None, None] // an index has no gradient
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (rows, cols) = rows(&inputs[0].ty.shape).expect("checked by the shape rule");
        let choice = Choice::of([0, 1, 2, 3].map(|i| inputs[2].data[i] as f32));
        let mut order = vec![0; cols];
        let each = |r: usize| f64::from(choice.pick(&mut order, |i| inputs[0].data[r * cols + i], inputs[1].data[r]));
        vec![Tensor::new(&outputs[0], (0..rows).map(each).collect())]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        launch_rows(node, graph, |rows, cols| Kernel::Pick(PickSpec { rows, cols }))
    }

    fn cases() -> Vec<OpCase> {
        let all = Choice { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
        let case = |name: &str, scores: Tensor, draws: &[f64], choice: Choice| {
            let rows = leading(&scores.ty.shape);
            let choice = values([Choice::NUMBERS], &choice.numbers().map(f64::from));
            OpCase::new(format!("pick {name}"), Pick, vec![scores, values(rows, draws), choice])
        };
        let greedy = Choice { temperature: 0.0, ..all };
        let draws = |rows: u32| (0..rows).map(|r| (f64::from(r) + 0.43) / f64::from(rows)).collect::<Vec<_>>();
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let odd = values([4, 3], &[-inf, 1.0, -inf, nan, 0.5, nan, -inf, -inf, -inf, 1.0, inf, inf]);
        vec![
            case("the only one", normal([1, 1], 1), &[0.99], all),
            case("the likeliest", normal([5, 9], 2), &draws(5), greedy),
            case("the first of equal ones", values([1, 5], &[-1.0, 0.0, -0.0, 0.0, -2.0]), &[0.9], greedy),
            case("of nine", normal([20, 9], 3), &draws(20), all),
            case("of a sequence", normal([2, 3, 65], 4).map(|x| 4.0 * x), &draws(6), all),
            case("where it is cold", normal([20, 9], 5), &draws(20), Choice { temperature: 0.3, ..all }),
            case("where it is hot", normal([20, 9], 6), &draws(20), Choice { temperature: 3.0, ..all }),
            case("of the likeliest four", normal([20, 9], 7), &draws(20), Choice { top_k: 4, ..all }),
            case("of more than there are", normal([3, 9], 8), &draws(3), Choice { top_k: 4_000_000, ..all }),
            case("of a share", normal([20, 9], 9), &draws(20), Choice { top_p: 0.7, ..all }),
            case("of the least share", normal([3, 9], 10), &draws(3), Choice { top_p: 1e-6, ..all }),
            case("of a share of equal ones", values([7, 6], &[2.0; 42]), &draws(7), Choice { top_p: 0.6, ..all }),
            case("of what is not too rare", normal([20, 9], 11), &draws(20), Choice { min_p: 0.4, ..all }),
            case(
                "by all of it",
                normal([20, 65], 12),
                &draws(20),
                Choice { temperature: 0.8, top_k: 20, top_p: 0.9, min_p: 0.05 },
            ),
            case("of equal ones", values([16, 8], &[-3.0; 128]), &draws(16), all),
            case("of equal ones, some", values([16, 8], &[1.0; 128]), &draws(16), Choice { top_k: 3, min_p: 1.0, ..all }),
            case("of what is no number, or infinite", odd.clone(), &[0.1, 0.9, 0.7, 0.8], all),
            case("the likeliest of such", odd, &[0.1, 0.9, 0.7, 0.8], greedy),
            case("of many words", normal([3, 60_000], 13), &draws(3), Choice { temperature: 0.8, top_p: 0.95, ..all }),
            case("of many words, the likeliest", normal([1, 60_000], 14), &[0.5], greedy),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each index is picked of the probabilities 0.05, 0.4, 0.3, 0.05 and 0.2.
    fn shares(choice: Choice) -> Vec<f64> {
        let scores = [0.05f64, 0.4, 0.3, 0.05, 0.2].map(|p| p.ln() + 3.0);
        let (mut counts, mut order) = ([0.0; 5], [0; 5]);
        (0..1000).for_each(|i| counts[choice.pick(&mut order, |i| scores[i], (f64::from(i) + 0.5) / 1000.0) as usize] += 1.0);
        counts.iter().map(|n| n / 1000.0).collect()
    }

    #[test]
    fn an_index_is_picked_as_often_as_its_probability_says() {
        let all = Choice { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
        assert_eq!(shares(all), [0.05, 0.4, 0.3, 0.05, 0.2]);
        assert_eq!(shares(Choice { temperature: 0.0, ..all }), [0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(shares(Choice { top_k: 3, top_p: 0.75, ..all }), [0.0, 0.571, 0.429, 0.0, 0.0]);
        assert_eq!(Choice { temperature: 0.5, ..all }.pick(&mut [], |_| 0.0, 0.5), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_shapes() {
        let [scores, draw, choice] = [vec![2, 3], vec![3], vec![4]].map(|shape| TensorTy::f32(Shape::from(shape.as_slice())));
        let error = Pick.infer(&[&scores, &draw, &choice], &Graph::new()).unwrap_err().to_string();
        assert!(error.contains("[2, 3]") && error.contains("[2]") && error.contains("[3]"), "{error}");
        assert!(Pick.infer(&[&TensorTy::f32(Shape::scalar()), &draw, &choice], &Graph::new()).is_err());
    }
}
