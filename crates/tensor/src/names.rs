//! A map by name for a few hundred entries. The library's tree is several kilobytes of code for every type it holds, which a page has to
//! download; here a name is found by halving a sorted list.

/// Values by name, in the order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct NameMap<V>(Vec<(String, V)>);

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> NameMap<V> {
    /// Where a name stands, or where it would.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.as_str().cmp(name))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    /// Whether a name has a value.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Gives a name a value; returns the one it had.
    pub fn insert(&mut self, name: String, value: V) -> Option<V> {
        match self.find(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a name and its value out.
    pub fn remove(&mut self, name: &str) -> Option<(String, V)> {
        self.find(name).ok().map(|at| self.0.remove(at))
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, V)> {
        self.0.iter()
    }

    /// The same, to change the values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl<V: Default> NameMap<V> {
    /// The value of a name; one that has none gets the default.
    pub fn or_default(&mut self, name: &str) -> &mut V {
        let at = match self.find(name) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (name.to_string(), V::default()));
                at
            }
        };
        &mut self.0[at].1
    }
}

impl<V> Extend<(String, V)> for NameMap<V> {
    fn extend<I: IntoIterator<Item = (String, V)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.insert(name, value);
        }
    }
}

impl<V> FromIterator<(String, V)> for NameMap<V> {
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<V> IntoIterator for NameMap<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_tree_holds(steps in prop::collection::vec(("[a-d]{1,2}", 0..9, any::<bool>()), 0..40)) {
            let (mut ours, mut theirs) = (NameMap::default(), BTreeMap::new());
            for (name, value, out) in steps {
                if out {
                    prop_assert_eq!(ours.remove(&name), theirs.remove_entry(&name));
                } else {
                    prop_assert_eq!(ours.insert(name.clone(), value), theirs.insert(name.clone(), value));
                    prop_assert_eq!(ours.get(&name), theirs.get(&name));
                }
                prop_assert_eq!(ours.contains("a"), theirs.contains_key("a"));
            }
            prop_assert_eq!(ours.names().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
            *ours.or_default("new") += 1;
            *theirs.entry("new".to_string()).or_default() += 1;
            prop_assert_eq!(ours.into_iter().collect::<Vec<_>>(), theirs.into_iter().collect::<Vec<_>>());
        }
    }
}
