//! Products large enough for tiles, in every layout, with what is fused into them.

use downhill_compile::conformance::check;
use downhill_gpu::GpuDevice;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{FeedKind, Graph, UnaryOp, Value, autodiff};
use downhill_tensor::TensorTy;
use downhill_tensor::rng::{Rng, Stream};

use super::Gpu;

/// Rows, columns and the summed dimension: vectors and not, one tile and several, full and ragged, a k that is no multiple of four.
const SIZES: [[usize; 3]; 7] =
    [[24, 24, 4], [32, 40, 16], [33, 70, 17], [96, 65, 130], [65, 96, 30], [260, 264, 36], [520, 516, 5]];

fn feed(graph: &mut Graph, env: &mut Env, shape: &[usize]) -> Value {
    let mut rng = Rng::new(env.feeds.len() as u32, Stream::Data, shape.len() as u32);
    let data = (0..shape.iter().product()).map(|_| f64::from(rng.normal() as f32)).collect();
    env.feeds.push(Tensor::f32(shape, data));
    let name = format!("in{}", env.feeds.len());
    graph.new_feed(name, TensorTy::f32(shape), FeedKind::Resident).expect("a feed")
}

/// gelu(x·Wᵀ + b) and its gradients: NT with an epilogue of two outputs, NN, and TN with row sums.
fn layer([m, n, k]: [usize; 3], batch: usize) -> (Graph, Env) {
    let (mut graph, mut env) = (Graph::new(), Env::default());
    let shape = |rows, cols| if batch == 1 { vec![rows, cols] } else { vec![batch, rows, cols] };
    let (x, w, b) =
        (feed(&mut graph, &mut env, &shape(m, k)), feed(&mut graph, &mut env, &shape(n, k)), feed(&mut graph, &mut env, &[n]));
    // Computed, so that it lies in the arena; what comes from feeds lies in the data.
    let x = graph.unary(UnaryOp::Square, x).expect("floats");
    let y = if batch == 1 {
        graph.linear(x, w, Some(b))
    } else {
        let w = graph.transpose(w).expect("a matrix");
        let y = graph.matmul(x, w).expect("it fits");
        graph.plus(y, b)
    };
    let y = graph.unary(UnaryOp::Gelu, y.expect("it fits")).expect("floats");
    let total = graph.sum_all(y).expect("floats");
    graph.output("y", y);
    for (i, gradient) in autodiff::grad(&mut graph, total, &[x, w, b]).expect("rules are right").into_iter().enumerate() {
        graph.output(format!("gradient {i}"), gradient);
    }
    (graph, env)
}

/// Runs them all. The tolerance is that of sums of some hundred products in f32, in any order, twice.
pub async fn agree(device: &GpuDevice) {
    let gpu = Gpu(device);
    for (size, batch) in SIZES.into_iter().map(|s| (s, 1)).chain([([33, 40, 12], 3)]) {
        let (graph, env) = layer(size, batch);
        let name = format!("layer {size:?} × {batch}");
        if let Err(why) = check(&gpu, &name, &graph, &env, 2e-5).await {
            panic!("{why}");
        }
    }
}
