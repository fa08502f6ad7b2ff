//! The order in which samples are handed out: one permutation per epoch, from seed and epoch alone. It deals in indices; the samples stay in the
//! [`Dataset`](crate::Dataset).

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};
use serde::{Deserialize, Serialize};

/// Where a [`Sampler`] stands: enough to go on bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerPosition {
    /// Which permutation is being read.
    pub epoch: u32,
    /// How many of its samples have been handed out.
    pub index: u32,
}

/// Hands out sample indices: a seeded permutation per epoch, read without gaps, so that a batch may run across the border of
/// two epochs (or of many, when the set is smaller than the batch). A clone shares the permutation until one of the two reaches another epoch.
#[derive(Clone, Debug)]
pub struct Sampler {
    seed: u32,
    order: Rc<Vec<u32>>,
    position: SamplerPosition,
}

impl Sampler {
    /// A sampler over `0..len`, at the start of epoch 0.
    ///
    /// # Panics
    /// When `len` is 0 or above `u32::MAX`: a [`crate::Dataset`] never has such a training part.
    pub fn new(seed: u32, len: usize) -> Self {
        let count = u32::try_from(len).ok().filter(|&n| n > 0);
        let count = count.expect("a sampler needs between 1 and 2^32 - 1 samples");
        let mut sampler = Self { seed, order: Rc::new((0..count).collect()), position: SamplerPosition::default() };
        sampler.shuffle();
        sampler
    }

    /// Fills `out` with the next indices. Allocates nothing.
    pub fn next_batch(&mut self, out: &mut [u32]) {
        let mut filled = 0;
        while filled < out.len() {
            let start = self.position.index as usize;
            let take = (self.order.len() - start).min(out.len() - filled);
            out[filled..filled + take].copy_from_slice(&self.order[start..start + take]);
            filled += take;
            self.position.index += take as u32;
            if self.position.index as usize == self.order.len() {
                self.position = SamplerPosition { epoch: self.position.epoch.wrapping_add(1), index: 0 };
                self.shuffle();
            }
        }
    }

    /// Where it stands now.
    pub fn position(&self) -> SamplerPosition {
        self.position
    }

    /// Goes to `position`, as if the samples before it had been drawn.
    ///
    /// # Errors
    /// When the position lies beyond the end of an epoch, as it does when it was saved for a larger set.
    pub fn restore(&mut self, position: SamplerPosition) -> Result<(), UserError> {
        if position.index as usize >= self.order.len() {
            let message = format!("The saved position {} lies beyond the {} samples.", position.index, self.order.len());
            return Err(UserError::at("sampler", message).hint("The snapshot belongs to another data set."));
        }
        let same_epoch = self.position.epoch == position.epoch;
        self.position = position;
        if !same_epoch {
            self.shuffle();
        }
        Ok(())
    }

    /// Passes over the data so far, with the fraction of the present one.
    pub fn epochs_seen(&self) -> f64 {
        f64::from(self.position.epoch) + f64::from(self.position.index) / self.order.len() as f64
    }

    /// Puts `order` into the permutation of the present epoch, whatever it was before.
    fn shuffle(&mut self) {
        let order = Rc::make_mut(&mut self.order);
        for (value, i) in order.iter_mut().zip(0..) {
            *value = i;
        }
        Rng::new(self.seed, Stream::Order, self.position.epoch).shuffle(order);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draw(sampler: &mut Sampler, n: usize) -> Vec<u32> {
        let mut out = vec![0; n];
        sampler.next_batch(&mut out);
        out
    }

    proptest! {
        #[test]
        fn every_epoch_is_a_permutation_whatever_the_batch(seed: u32, len in 1usize..60, batch in 1usize..90) {
            let mut sampler = Sampler::new(seed, len);
            let mut drawn = Vec::new();
            while drawn.len() < 4 * len {
                drawn.extend(draw(&mut sampler, batch));
            }
            for epoch in drawn.chunks_exact(len) {
                let mut sorted = epoch.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..len as u32).collect::<Vec<_>>());
            }
            let epochs = drawn.len() as f64 / len as f64;
            prop_assert!((sampler.epochs_seen() - epochs).abs() < 1e-9);
        }

        #[test]
        fn the_order_does_not_depend_on_the_batch_size(seed: u32, len in 1usize..40, batch in 1usize..50) {
            let mut by_batch = Sampler::new(seed, len);
            let small: Vec<u32> = (0..6).flat_map(|_| draw(&mut by_batch, batch)).collect();
            prop_assert_eq!(small, draw(&mut Sampler::new(seed, len), 6 * batch));
        }

        #[test]
        fn a_restored_sampler_goes_on_exactly(seed: u32, len in 1usize..40, before in 0usize..200, after in 1usize..200) {
            let mut whole = Sampler::new(seed, len);
            draw(&mut whole, before);
            let mut resumed = Sampler::new(seed, len);
            resumed.restore(whole.position()).unwrap();
            prop_assert_eq!(draw(&mut whole, after), draw(&mut resumed, after));
        }
    }

    #[test]
    fn a_clone_shares_the_order_until_an_epoch_ends() {
        let mut sampler = Sampler::new(1, 10);
        draw(&mut sampler, 12);
        let mut ahead = sampler.clone();
        ahead.restore(SamplerPosition { epoch: 1, index: 1 }).unwrap();
        assert_eq!(draw(&mut ahead, 2)[1], draw(&mut sampler, 1)[0]);
        assert!(Rc::ptr_eq(&ahead.order, &sampler.order));
        draw(&mut ahead, 10);
        assert!(!Rc::ptr_eq(&ahead.order, &sampler.order));
        let mut again = Sampler::new(1, 10);
        draw(&mut again, 13);
        assert_eq!(draw(&mut sampler, 20), draw(&mut again, 20));
    }

    #[test]
    fn a_position_of_a_larger_set_is_refused() {
        let mut sampler = Sampler::new(1, 10);
        assert!(sampler.restore(SamplerPosition { epoch: 0, index: 10 }).is_err());
        assert_eq!(sampler.position(), SamplerPosition::default());
    }
}
