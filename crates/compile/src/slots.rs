//! What an executor has loaded, by the numbers it gave out. The number of what was unloaded is given out again.

use crate::ProgramId;

/// Something for each program that is loaded: with programs 0, 1 and 2 loaded and 1 unloaded, the next one is 1 again, and the one after it 3.
#[derive(Clone, Debug)]
pub struct Slots<P>(Vec<Option<P>>);

impl<P> Default for Slots<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P> Slots<P> {
    /// Puts a program in the first place that is free, and says which.
    pub fn put(&mut self, program: P) -> ProgramId {
        let at = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        match self.0.get_mut(at) {
            Some(slot) => *slot = Some(program),
            None => self.0.push(Some(program)),
        }
        ProgramId(at as u32)
    }

    /// Takes a program out, if it is loaded.
    pub fn take(&mut self, id: ProgramId) -> Option<P> {
        self.0.get_mut(id.0 as usize)?.take()
    }

    /// A program, if it is loaded.
    pub fn get(&self, id: ProgramId) -> Option<&P> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: ProgramId) -> Option<&mut P> {
        self.0.get_mut(id.0 as usize)?.as_mut()
    }

    /// Every number that was given out, in order, with what is loaded there.
    pub fn iter(&self) -> impl Iterator<Item = Option<&P>> {
        self.0.iter().map(Option::as_ref)
    }

    /// Everything that is loaded, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.0.iter_mut().flatten()
    }
}

impl<P> FromIterator<Option<P>> for Slots<P> {
    fn from_iter<I: IntoIterator<Item = Option<P>>>(places: I) -> Self {
        Self(places.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_out_again_once_its_program_is_unloaded() {
        let mut slots = Slots::default();
        let ids = ["a", "b", "c"].map(|program| slots.put(program).0);
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!((slots.take(ProgramId(1)), slots.take(ProgramId(1)), slots.take(ProgramId(9))), (Some("b"), None, None));
        assert_eq!(slots.get(ProgramId(1)), None);
        assert_eq!([slots.put("d").0, slots.put("e").0], [1, 3]);
        assert_eq!(slots.iter().flatten().copied().collect::<String>(), "adce");
    }
}
