//! What ops that compare predictions with targets share: their checks.

use downhill_tensor::{Dtype, Shape, TensorTy};

use super::check::float;
use super::rows::rows;
use crate::OpError;

/// Number of inputs is right, and where there are weights there is one per row.
pub(super) fn check_weights(op: &'static str, inputs: &[&TensorTy]) -> Result<(), OpError> {
    if !(2..=3).contains(&inputs.len()) {
        return Err(OpError::new(
            op,
            format!("takes a prediction, a target and perhaps weights, gets {} input(s)", inputs.len()),
        ));
    }
    let prediction = float(op, inputs[0])?;
    if rows(prediction).is_none() {
        return Err(OpError::new(op, format!("a prediction {prediction} has no rows")));
    }
    let Some(weights) = inputs.get(2) else { return Ok(()) };
    let (weights, expected) = (float(op, weights)?, leading(prediction));
    if *weights == expected {
        Ok(())
    } else {
        Err(OpError::new(op, format!("weights {weights} should be {expected}, one per row of {prediction}")))
    }
}

/// All sizes but the last.
pub(super) fn leading(shape: &Shape) -> Shape {
    shape[..shape.rank().saturating_sub(1)].into()
}

/// The target has the type that the prediction asks for.
pub(super) fn check_target(op: &'static str, target: &TensorTy, expected: &TensorTy) -> Result<(), OpError> {
    if target == expected {
        return Ok(());
    }
    let what = if expected.dtype == Dtype::U32 { "a label per row" } else { "a number per prediction" };
    Err(OpError::new(op, format!("target {target} should be {expected}, {what}")))
}
