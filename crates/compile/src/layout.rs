//! Where the state of a run lies: parameters, gradients, optimizer slots, states, metrics and feeds, at the same place for all of its programs.

use std::fmt;

use downhill_graph::{Feed, FeedKind, Graph, Parameter, StateTensor};
use downhill_tensor::{Shape, sort_short_by_key};

/// What the state of a run consists of; the same for all of its programs.
#[derive(Clone, Debug, Default)]
pub struct LayoutSpec {
    /// All parameters, in the order the model declares them.
    pub parameters: Vec<Parameter>,
    /// Optimizer slots per parameter.
    pub slots: usize,
    /// All states, in the order the model declares them.
    pub states: Vec<StateTensor>,
    /// Feeds of all programs; those of one name are one.
    pub feeds: Vec<Feed>,
    /// Rows of every per-step feed's ring, and of the metrics ring.
    pub ring: u32,
    /// Scalars per row of the metrics ring, not counting step and flag.
    pub metrics: u32,
}

/// The place of a parameter or a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name in the state dict.
    pub name: String,
    /// Shape.
    pub shape: Shape,
    /// First element, counted from the start of the parameters (and so of the gradients and of each slot), or from that of the states (and so
    /// of their next values).
    pub offset: u32,
    /// Elements without padding.
    pub len: u32,
}

/// Where the parts of the state start, in elements of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateOffsets {
    /// Length of the parameters with padding; gradients and each slot have the same.
    pub parameter_len: u32,
    /// First parameter element.
    pub parameters: u32,
    /// First gradient element.
    pub gradients: u32,
    /// First element of slot 0; slot i follows `i · parameter_len` later.
    pub slots: u32,
    /// Number of slots.
    pub slot_count: u32,
    /// First element of the states.
    pub states: u32,
    /// Length of the states with padding; their next values have the same and follow them.
    pub states_len: u32,
    /// The sticky non-finite flag: one word, u32 bits, followed by padding.
    pub flag: u32,
    /// First element of the metrics ring.
    pub ring: u32,
    /// Rows of the ring.
    pub ring_rows: u32,
    /// Words per row: step (u32 bits), flag (u32 bits), then the recorded scalars.
    pub ring_stride: u32,
}

/// Why a layout cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state needs {elements} elements, more than an arena can hold")]
pub struct LayoutError {
    /// Elements needed.
    pub elements: u64,
}

/// The fixed head of the arena and the data buffer's map: the same for all programs and both backends, so that state moves between
/// them as one copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateLayout {
    /// Parameters in arena order: sorted by group, then by declaration; each starts at a multiple of 4 and is zero padded.
    pub entries: Vec<Entry>,
    /// Place in `entries` of each parameter, by [`downhill_graph::ParamId`].
    pub order: Vec<u32>,
    /// Places in `entries`, sorted by name.
    pub by_name: Vec<u32>,
    /// States in the order of declaration, by [`downhill_graph::StateId`]; each starts at a multiple of 4 and is zero padded.
    pub states: Vec<Entry>,
    /// Where things start.
    pub offsets: StateOffsets,
    /// Feeds with their first element in the data buffer; a per-step feed has `ring` rows of its padded length.
    pub feeds: Vec<(Feed, u32)>,
    /// Elements of the arena's head.
    pub state_len: u32,
    /// Elements of the data buffer.
    pub data_len: u32,
    /// Rows of every ring.
    pub ring: u32,
}

/// Rounds up to a multiple of 4 elements (16 bytes), the alignment of everything in a buffer.
pub fn padded(len: usize) -> u64 {
    (len as u64).div_ceil(4).saturating_mul(4)
}

impl StateOffsets {
    /// First element of the next values of the states, from where [`downhill_graph::kernel::AssignSpec`] copies them.
    pub fn next_states(&self) -> u32 {
        self.states + self.states_len
    }
}

impl LayoutSpec {
    /// Takes up a graph's parameters and states (the first graph gives them; later ones must declare the same) and feeds.
    ///
    /// # Panics
    /// When two graphs of one run declare different parameters or states, or one feed with two types: a bug of the caller.
    pub fn include(&mut self, graph: &Graph) {
        if self.parameters.is_empty() {
            self.parameters = graph.parameters().to_vec();
            self.states = graph.states().to_vec();
        }
        assert!(self.parameters == graph.parameters(), "all programs of a run declare the same parameters");
        assert!(self.states == graph.states(), "all programs of a run declare the same states");
        for feed in graph.feeds() {
            match self.feeds.iter().find(|f| f.name == feed.name) {
                Some(known) => assert!(known == feed, "feed {} has one type in all programs", feed.name),
                None => self.feeds.push(feed.clone()),
            }
        }
    }
}

impl StateLayout {
    /// Places everything.
    ///
    /// # Errors
    /// When the state or the data exceed what 32-bit byte addresses reach.
    pub fn new(spec: &LayoutSpec) -> Result<Self, LayoutError> {
        let mut layout = StateLayout { order: vec![0; spec.parameters.len()], ring: spec.ring.max(1), ..Self::default() };
        let mut by_group: Vec<usize> = (0..spec.parameters.len()).collect();
        sort_short_by_key(&mut by_group, |&i| spec.parameters[i].group);
        let mut at = 0u64;
        for i in by_group {
            let p = &spec.parameters[i];
            let start = at;
            at = at.saturating_add(padded(p.shape.numel()));
            if at > MAX_ELEMENTS {
                return Err(LayoutError { elements: at });
            }
            layout.order[i] = layout.entries.len() as u32;
            layout.entries.push(Entry {
                name: p.name.clone(),
                shape: p.shape.clone(),
                offset: start as u32,
                len: p.shape.numel() as u32,
            });
        }
        layout.by_name = (0..layout.entries.len() as u32).collect();
        sort_short_by_key(&mut layout.by_name, |&i| layout.entries[i as usize].name.as_str());
        let states = layout.place_states(spec)?;
        layout.place_parts([at, states], spec)?;
        layout.place_feeds(spec)?;
        Ok(layout)
    }

    /// Places the states one after the other; returns how long they are together.
    fn place_states(&mut self, spec: &LayoutSpec) -> Result<u64, LayoutError> {
        let mut at = 0u64;
        for state in &spec.states {
            let (offset, len) = (at as u32, state.shape.numel() as u32);
            self.states.push(Entry { name: state.name.clone(), shape: state.shape.clone(), offset, len });
            at = at.saturating_add(padded(state.shape.numel()));
            if at > MAX_ELEMENTS {
                return Err(LayoutError { elements: at });
            }
        }
        Ok(at)
    }

    fn place_parts(&mut self, [parameter_len, states_len]: [u64; 2], spec: &LayoutSpec) -> Result<(), LayoutError> {
        let stride = padded(spec.metrics as usize + 2);
        let gradients = parameter_len;
        let slots = gradients + parameter_len;
        let states = slots + parameter_len * spec.slots as u64;
        let flag = states + 2 * states_len;
        let ring = flag + 4;
        let end = ring + stride * u64::from(self.ring);
        if end > MAX_ELEMENTS {
            return Err(LayoutError { elements: end });
        }
        self.offsets = StateOffsets {
            parameter_len: parameter_len as u32,
            parameters: 0,
            gradients: gradients as u32,
            slots: slots as u32,
            slot_count: spec.slots as u32,
            states: states as u32,
            states_len: states_len as u32,
            flag: flag as u32,
            ring: ring as u32,
            ring_rows: self.ring,
            ring_stride: stride as u32,
        };
        self.state_len = end as u32;
        Ok(())
    }

    fn place_feeds(&mut self, spec: &LayoutSpec) -> Result<(), LayoutError> {
        let mut at = 0u64;
        for feed in &spec.feeds {
            let rows = if feed.kind == FeedKind::PerStep { self.ring } else { 1 };
            self.feeds.push((feed.clone(), at as u32));
            at = at.saturating_add(padded(feed.ty.shape.numel()).saturating_mul(u64::from(rows)));
            if at > MAX_ELEMENTS {
                return Err(LayoutError { elements: at });
            }
        }
        self.data_len = at as u32;
        Ok(())
    }

    /// Where a feed starts in the data buffer, and the distance between rows of its ring (0 for a resident feed).
    pub fn feed(&self, name: &str) -> Option<(u32, u32)> {
        let (feed, at) = self.feeds.iter().find(|(f, _)| f.name == name)?;
        let row = padded(feed.ty.shape.numel()) as u32;
        Some((*at, if feed.kind == FeedKind::PerStep { row } else { 0 }))
    }

    /// The entry of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let entry = |&i: &u32| &self.entries[i as usize];
        let at = self.by_name.binary_search_by(|i| entry(i).name.as_str().cmp(name)).ok()?;
        self.by_name.get(at).map(entry)
    }
}

/// 1 GiB of floats: half of what a 32-bit wasm memory can address, so that a snapshot fits beside it.
pub(crate) const MAX_ELEMENTS: u64 = 1 << 28;

impl fmt::Display for StateLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for e in &self.entries {
            writeln!(f, "{:6}+{:<6} {} {}", e.offset, e.len, e.name, e.shape)?;
        }
        let o = &self.offsets;
        for s in &self.states {
            writeln!(f, "{:6}+{:<6} {} {}", o.states + s.offset, s.len, s.name, s.shape)?;
        }
        writeln!(f, "gradients {} slots {}×{} flag {} ring {}", o.gradients, o.slots, o.slot_count, o.flag, o.ring)?;
        for (feed, at) in &self.feeds {
            writeln!(f, "data {at:6} {} {} {:?}", feed.name, feed.ty, feed.kind)?;
        }
        Ok(())
    }
}
