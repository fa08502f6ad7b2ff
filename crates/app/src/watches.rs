//! Everything that is watched, counted: who asks for what, what the worker has been told, and who gets an answer.
//!
//! Readers that ask about the same source share one watch, with all their tensors in it, and the worker hears of its end when the last of
//! them has left. No page here: a reader is whatever the page finds its way back by.

use std::sync::Arc;

use downhill_protocol::{Command, Elements, Input, Query, Tensor, View, Watch};

/// What a reader asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What the network runs on.
    pub source: Source,
    /// The tensors to see.
    pub tensors: Vec<Query>,
    /// At most one answer in this many milliseconds.
    pub every_ms: f64,
}

/// What the network runs on, as the page says it.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The sample that is chosen, whichever it is; no answer while there is none.
    Chosen,
    /// The sample that is chosen, with each of its parts hidden; see [`Input::Occluded`].
    Occluded {
        /// Pixels along a side of what hides them.
        side: u32,
        /// Pixels from one place to the next.
        stride: u32,
    },
    /// An input of the protocol.
    Of(Input),
}

/// Tensors as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Run.
    pub run: u32,
    /// Step that they show.
    pub step: u64,
    /// What was asked for, with shapes.
    pub tensors: Vec<Tensor>,
    /// Their elements.
    pub arrays: Vec<Vec<f32>>,
}

impl Answer {
    /// What was asked for by this very query.
    pub fn find(&self, query: &Query) -> Option<Elements<'_>> {
        let tensor = self.tensors.iter().find(|t| t.query == *query)?;
        Some(Elements { shape: &tensor.shape, data: self.arrays.get(tensor.data.0 as usize)? })
    }

    /// The whole tensor of a name.
    pub fn get(&self, name: &str) -> Option<Elements<'_>> {
        let tensor = self.tensors.iter().find(|t| t.query.name == name && t.query.view == View::All)?;
        Some(Elements { shape: &tensor.shape, data: self.arrays.get(tensor.data.0 as usize)? })
    }

    fn holds(&self, queries: &[Query]) -> bool {
        queries.iter().all(|query| self.tensors.iter().any(|t| t.query == *query))
    }
}

/// The table of everything that is watched. `R` is how a reader is reached.
pub struct Watches<R> {
    entries: Vec<Entry<R>>,
    /// What the chosen sample is.
    chosen: Option<Input>,
    /// Whether there is a run to watch.
    open: bool,
    last_reader: u32,
    last_key: u32,
}

struct Entry<R> {
    key: u32,
    source: Source,
    readers: Vec<(u32, Ask, R)>,
    /// What the worker was told.
    told: Option<Watch>,
    last: Option<Arc<Answer>>,
}

impl<R> Default for Watches<R> {
    fn default() -> Self {
        Self { entries: Vec::new(), chosen: None, open: false, last_reader: 0, last_key: 0 }
    }
}

impl<R: Clone> Watches<R> {
    /// A reader joins; gives its number, for [`Watches::leave`], and the last answer where it holds all that the reader asks for.
    pub fn join(&mut self, ask: Ask, reader: R) -> (u32, Option<Arc<Answer>>) {
        self.last_reader += 1;
        let id = self.last_reader;
        let at = self.entries.iter().position(|e| e.source == ask.source).unwrap_or_else(|| {
            self.last_key += 1;
            let source = ask.source.clone();
            self.entries.push(Entry { key: self.last_key, source, readers: Vec::new(), told: None, last: None });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[at];
        let last = entry.last.clone().filter(|answer| answer.holds(&ask.tensors));
        entry.readers.push((id, ask, reader));
        (id, last)
    }

    /// A reader leaves; the others stay.
    pub fn leave(&mut self, reader: u32) {
        self.entries.iter_mut().for_each(|e| e.readers.retain(|r| r.0 != reader));
    }

    /// The chosen sample is another one. Where none is chosen any more, says whose answers are void.
    pub fn choose(&mut self, input: Option<Input>) -> Vec<R> {
        self.chosen = input;
        if self.chosen.is_some() {
            return Vec::new();
        }
        let void = self.entries.iter_mut().filter(|e| !matches!(e.source, Source::Of(_)));
        void.flat_map(|entry| {
            entry.last = None;
            entry.readers.iter().map(|r| r.2.clone()).collect::<Vec<_>>()
        })
        .collect()
    }

    /// There is a run, of a worker or session that knows of no watch.
    pub fn renew(&mut self) {
        self.open = true;
        self.entries.iter_mut().for_each(|e| e.told = None);
    }

    /// There is no run any more.
    pub fn close(&mut self) {
        self.open = false;
    }

    /// Forgets all answers, and says who has to.
    pub fn forget(&mut self) -> Vec<R> {
        self.entries.iter_mut().for_each(|e| e.last = None);
        self.entries.iter().flat_map(|e| &e.readers).map(|r| r.2.clone()).collect()
    }

    /// What the worker has to be told by now. Whoever has changed what is watched asks for this once all changes of the moment are made, so
    /// that a watch which many readers leave and join again is told once.
    pub fn changes(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        if !self.open {
            self.entries.retain(|e| !e.readers.is_empty());
            return commands;
        }
        for entry in &mut self.entries {
            let wanted = entry.wanted(self.chosen.as_ref());
            if wanted == entry.told {
                continue;
            }
            commands.push(match &wanted {
                Some(watch) => Command::Watch(watch.clone()),
                None => Command::Unwatch { key: entry.key },
            });
            entry.told = wanted;
        }
        self.entries.retain(|e| !e.readers.is_empty());
        commands
    }

    /// Keeps an answer and says who reads it; nobody where the last reader has left meanwhile.
    pub fn answer(&mut self, key: u32, answer: &Arc<Answer>) -> Vec<R> {
        let Some(entry) = self.entries.iter_mut().find(|e| e.key == key) else { return Vec::new() };
        entry.last = Some(answer.clone());
        let asked = entry.readers.iter().filter(|r| answer.holds(&r.1.tensors));
        asked.map(|r| r.2.clone()).collect()
    }

    /// Whether this is what is watched under its key now, and was not asked differently meanwhile.
    pub fn is_current(&self, watch: &Watch) -> bool {
        self.entries.iter().any(|e| e.told.as_ref() == Some(watch) && !e.readers.is_empty())
    }
}

impl<R> Entry<R> {
    /// The one watch of all readers: every tensor once, as often as the most eager one asks.
    fn wanted(&self, chosen: Option<&Input>) -> Option<Watch> {
        let input = match self.source {
            Source::Chosen => chosen?.clone(),
            Source::Occluded { side, stride } => Input::Occluded { image: Box::new(chosen?.clone()), side, stride },
            Source::Of(ref input) => input.clone(),
        };
        let mut tensors: Vec<Query> = Vec::new();
        for query in self.readers.iter().flat_map(|r| &r.1.tensors) {
            if !tensors.contains(query) {
                tensors.push(query.clone());
            }
        }
        let every_ms = self.readers.iter().map(|r| r.1.every_ms).reduce(f64::min)?;
        (!tensors.is_empty()).then_some(Watch { key: self.key, input, tensors, every_ms })
    }
}

#[cfg(test)]
mod tests {
    use downhill_protocol::ArrayRef;

    use super::*;

    fn ask(name: &str, every_ms: f64) -> Ask {
        Ask { source: Source::Of(Input::State), tensors: vec![Query::all(name)], every_ms }
    }

    fn answer(names: &[&str]) -> Arc<Answer> {
        let tensor = |name: &&str| Tensor { query: Query::all(*name), shape: vec![1], data: ArrayRef(0) };
        Arc::new(Answer { tensors: names.iter().map(tensor).collect(), arrays: vec![vec![2.0]], ..Answer::default() })
    }

    fn opened() -> Watches<&'static str> {
        let mut watches = Watches::default();
        watches.renew();
        watches
    }

    #[test]
    fn what_two_ask_for_is_one_watch_that_ends_with_the_last_of_them() {
        let mut watches = opened();
        let (chart, _) = watches.join(ask("a", 250.0), "chart");
        let (table, _) = watches.join(ask("b", 500.0), "table");
        let told = watches.changes();
        let [Command::Watch(watch)] = told.as_slice() else { panic!("one watch: {told:?}") };
        assert_eq!((watch.tensors.len(), watch.every_ms), (2, 250.0));
        watches.leave(chart);
        let told = watches.changes();
        let [Command::Watch(rest)] = told.as_slice() else { panic!("the rest goes on: {told:?}") };
        assert_eq!((rest.key, rest.every_ms, &rest.tensors[..]), (watch.key, 500.0, &[Query::all("b")][..]));
        assert_eq!(watches.answer(watch.key, &answer(&["b"])), ["table"]);
        watches.leave(table);
        assert_eq!(watches.changes(), [Command::Unwatch { key: watch.key }]);
        assert!(watches.answer(watch.key, &answer(&["b"])).is_empty());
    }

    #[test]
    fn leaving_and_joining_in_one_moment_tells_the_worker_nothing() {
        let mut watches = opened();
        let (first, _) = watches.join(ask("a", 50.0), "before");
        watches.changes();
        watches.leave(first);
        watches.join(ask("a", 50.0), "after");
        assert!(watches.changes().is_empty());
    }

    #[test]
    fn who_joins_late_sees_the_last_answer_if_it_has_what_is_asked_for() {
        let mut watches = opened();
        watches.join(ask("a", 50.0), "first");
        watches.changes();
        watches.answer(1, &answer(&["a"]));
        assert!(watches.join(ask("a", 50.0), "second").1.is_some());
        assert!(watches.join(ask("b", 50.0), "third").1.is_none());
        assert_eq!(watches.answer(1, &answer(&["a"])), ["first", "second"], "the third waits for its own");
        assert_eq!(watches.forget().len(), 3);
        assert!(watches.join(ask("a", 50.0), "fourth").1.is_none());
    }

    #[test]
    fn another_chosen_sample_keeps_the_watch_under_its_key() {
        let mut watches = opened();
        let source = Source::Chosen;
        watches.join(Ask { source, tensors: vec![Query::all("output")], every_ms: 50.0 }, "bars");
        assert!(watches.changes().is_empty(), "nothing is chosen yet");
        let mut told = |input: Option<Input>| {
            watches.choose(input);
            watches.changes().pop()
        };
        let given = |v: f32| Some(Input::Given(vec![vec![v]]));
        let Some(Command::Watch(one)) = told(given(1.0)) else { panic!("a watch") };
        let Some(Command::Watch(two)) = told(given(2.0)) else { panic!("a watch") };
        assert_eq!((one.key, two.input), (two.key, given(2.0).unwrap()));
        assert_eq!(told(None), Some(Command::Unwatch { key: one.key }));
        watches.leave(1);
        watches.join(
            Ask { source: Source::Occluded { side: 2, stride: 1 }, tensors: vec![Query::all("output")], every_ms: 50.0 },
            "parts",
        );
        assert!(watches.changes().is_empty());
        watches.choose(given(3.0));
        let Some(Command::Watch(hidden)) = watches.changes().pop() else { panic!("a watch") };
        assert!(matches!(hidden.input, Input::Occluded { image, .. } if Some(*image.clone()) == given(3.0)));
        watches.answer(hidden.key, &answer(&["output"]));
        assert_eq!(watches.choose(None), ["parts"], "whose answers are void");
    }

    #[test]
    fn a_refusal_of_what_is_not_asked_any_more_is_told_apart() {
        let mut watches = opened();
        let (old, _) = watches.join(ask("old", 50.0), "view");
        let Some(Command::Watch(refused)) = watches.changes().pop() else { panic!("a watch") };
        assert!(watches.is_current(&refused));
        watches.leave(old);
        watches.join(ask("new", 50.0), "view");
        watches.changes();
        assert!(!watches.is_current(&refused));
    }

    #[test]
    fn a_new_worker_is_told_everything_and_none_nothing() {
        let mut watches: Watches<&str> = Watches::default();
        watches.join(ask("a", 50.0), "view");
        assert!(watches.changes().is_empty(), "there is no run yet");
        watches.renew();
        assert_eq!(watches.changes().len(), 1);
        assert!(watches.changes().is_empty());
        watches.renew();
        assert_eq!(watches.changes().len(), 1);
    }
}
