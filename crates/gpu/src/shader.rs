//! Shaders put together from text: bindings, the functions that are called, generated functions, a template with `run`, and `main`.

use downhill_compile::{Arg, ExecError, Space};

/// Invocations per workgroup of every kernel: two warps, so that small kernels waste little.
pub(crate) const GROUP: u32 = 64;
/// Words of parameters that one dispatch can have.
pub(crate) const PARAM_WORDS: usize = 256;

const BINDINGS: &str = wgsl!("bindings.wgsl");
const MAIN: &str = wgsl!("main.wgsl");
const MATH: &str = wgsl!("math.wgsl");
const LANES: &str = wgsl!("lanes.wgsl");
/// The same for a lane that is alone: a shader with a barrier in it, even one that is never reached, is slow on software adapters.
const ONE_LANE: &str = wgsl!("one_lane.wgsl");

/// Elements that one invocation handles at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    One,
    Four,
}

impl Width {
    /// Elements per item.
    pub fn elements(self) -> u32 {
        match self {
            Width::One => 1,
            Width::Four => 4,
        }
    }

    fn aliases(self) -> &'static str {
        match self {
            Width::One => "alias T = f32;\nalias U = u32;\nalias I = i32;\nalias B = bool;\n",
            Width::Four => "alias T = vec4<f32>;\nalias U = vec4<u32>;\nalias I = vec4<i32>;\nalias B = vec4<bool>;\n",
        }
    }
}

/// One kernel launch: which shader, with which parameters, on how many workgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch {
    /// Name of the shader, for errors and profiles.
    pub name: &'static str,
    /// The shader's text; equal texts share a pipeline.
    pub source: String,
    /// The words of its `Params`.
    pub params: Vec<u32>,
    /// Workgroups in all.
    pub groups: u32,
}

/// The parameters of a dispatch, named in the shader and given as words: declared and filled in one go, so that both always agree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    names: Vec<String>,
    words: Vec<u32>,
    has_zero: bool,
}

impl Params {
    /// Adds a word; returns how the shader names it.
    pub fn add(&mut self, name: impl Into<String>, word: u32) -> String {
        let name = name.into();
        let used = format!("p.{name}");
        self.names.push(name);
        self.words.push(word);
        used
    }

    /// The word of this name, which is added where it is not there yet.
    pub fn once(&mut self, name: &str, word: u32) -> String {
        if self.get(name).is_some() { format!("p.{name}") } else { self.add(name, word) }
    }

    fn get(&self, name: &str) -> Option<u32> {
        self.names.iter().position(|n| n == name).map(|at| self.words[at])
    }

    /// A word that is 0, unknown to the compiler.
    pub fn zero(&mut self) -> &'static str {
        if !self.has_zero {
            self.has_zero = true;
            self.add("zero", 0);
        }
        "p.zero"
    }

    /// A sum of indices times strides, each with its stride's name. Strides 0 and 1 are part of the text, for they decide how it is loaded.
    pub fn offset(&mut self, terms: impl Iterator<Item = (String, u32, String)>) -> String {
        let terms: Vec<String> = terms
            .filter(|(_, stride, _)| *stride != 0)
            .map(|(index, stride, name)| if stride == 1 { index } else { format!("{index} * {}", self.add(name, stride)) })
            .collect();
        if terms.is_empty() { "0u".to_string() } else { terms.join(" + ") }
    }

    fn declaration(&self) -> String {
        let fields: String = self.names.iter().map(|n| format!("    {n}: u32,\n")).collect();
        format!("struct Params {{\n{fields}}}\n")
    }
}

/// An operand as the shader sees it: a base and how to load from it.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    space: Space,
    /// Offset of its first element, as WGSL.
    base: String,
    /// Whether four elements can be loaded at once from a place that is a multiple of four from the base.
    pub aligned: bool,
}

impl Operand {
    /// Declares the operand's parameters under `name`.
    pub fn new(params: &mut Params, name: &str, arg: &Arg) -> Self {
        let start = arg.region.offset + arg.start;
        let mut base = params.add(format!("{name}_at"), start);
        if arg.per_batch != 0 {
            base = format!("({base} + step.batch * {})", params.add(format!("{name}_per_batch"), arg.per_batch));
        }
        // Data is an array of words in every shader: four loads instead of one, and no alignment to keep.
        let aligned = arg.region.space == Space::Data || start.is_multiple_of(4);
        Self { space: arg.region.space, base, aligned }
    }

    /// The place of an offset in the buffer, as WGSL.
    pub fn at(&self, offset: &str) -> String {
        if offset == "0u" { self.base.clone() } else { format!("{} + {offset}", self.base) }
    }

    /// The word at an offset.
    pub fn word(&self, width: Width, offset: &str) -> String {
        self.word_at(width, &self.at(offset))
    }

    fn word_at(&self, width: Width, at: &str) -> String {
        match (self.space, width) {
            (Space::Data, _) => format!("data[{at}]"),
            (Space::Arena, Width::One) => format!("arena[{at}]"),
            (Space::Arena, Width::Four) => format!("arena[({at}) >> 2u][({at}) & 3u]"),
        }
    }

    /// The float at an offset.
    pub fn float(&self, width: Width, offset: &str) -> String {
        self.float_at(width, &self.at(offset))
    }

    /// Whether it lies in the arena, where vectors load at once.
    pub fn in_arena(&self) -> bool {
        self.space == Space::Arena
    }

    /// The vector of floats at a place in the arena, counted in vectors.
    pub fn vector(&self, place: &str) -> String {
        format!("bitcast<vec4<f32>>(arena[{place}])")
    }

    /// One float of such a vector.
    pub fn part(&self, place: &str, part: &str) -> String {
        format!("bitcast<f32>(arena[{place}][{part}])")
    }

    /// The float at a place in the buffer.
    pub fn float_at(&self, width: Width, at: &str) -> String {
        format!("bitcast<f32>({})", self.word_at(width, at))
    }

    /// As many words as the width has, from an offset that is a multiple of it.
    pub fn words(&self, width: Width, offset: &str) -> String {
        self.words_at(width, &self.at(offset))
    }

    fn words_at(&self, width: Width, at: &str) -> String {
        match (self.space, width) {
            (_, Width::One) => self.word_at(width, at),
            (Space::Arena, Width::Four) => format!("arena[({at}) >> 2u]"),
            (Space::Data, Width::Four) => {
                format!("vec4<u32>(data[{at}], data[{at} + 1u], data[{at} + 2u], data[{at} + 3u])")
            }
        }
    }

    /// The same as floats.
    pub fn floats(&self, width: Width, offset: &str) -> String {
        self.floats_at(width, &self.at(offset))
    }

    /// The same at a place in the buffer.
    pub fn floats_at(&self, width: Width, at: &str) -> String {
        format!("bitcast<T>({})", self.words_at(width, at))
    }

    /// A statement that stores words (of type `U`) at an offset that is a multiple of the width.
    pub fn store_words(&self, width: Width, offset: &str, words: &str) -> String {
        match width {
            Width::One => format!("arena[{}] = {words};", self.at(offset)),
            Width::Four => format!("arena[({}) >> 2u] = {words};", self.at(offset)),
        }
    }

    /// The same for floats (of type `T`).
    pub fn store(&self, width: Width, offset: &str, value: &str) -> String {
        self.store_words(width, offset, &format!("bitcast<U>({value})"))
    }
}

/// Puts a shader together: `functions` are generated, `template` has `run(group, local)`, which `main` calls.
///
/// # Errors
/// When the parameters do not fit into a dispatch.
pub(crate) fn assemble(
    name: &'static str,
    width: Width,
    params: Params,
    functions: &str,
    template: &str,
    groups: u32,
) -> Result<Dispatch, ExecError> {
    if params.words.len() > PARAM_WORDS {
        return Err(ExecError::Unsupported(format!("a {name} kernel with {} parameters", params.words.len())));
    }
    let lanes = match params.get("lanes") {
        None => "",
        Some(1) => ONE_LANE,
        Some(_) => LANES,
    };
    let own = format!("{lanes}\n{functions}\n{template}");
    let math = called(&own);
    let source = [width.aliases(), &params.declaration(), BINDINGS, &math, &own, MAIN].join("\n").trim_end().to_string() + "\n";
    Ok(Dispatch { name, source, params: params.words, groups })
}

/// The functions of the library that a text calls, directly or not; callers stand behind what they call.
fn called(text: &str) -> String {
    let mut taken: Vec<&str> = Vec::new();
    for block in MATH.split("\n\n").collect::<Vec<_>>().into_iter().rev() {
        let block = block.trim();
        let Some(name) = function_name(block) else { continue };
        let call = format!("{name}(");
        if text.contains(&call) || taken.iter().any(|t| t.contains(&call)) {
            taken.push(block);
        }
    }
    taken.reverse();
    taken.iter().map(|block| format!("{block}\n\n")).collect()
}

fn function_name(block: &str) -> Option<&str> {
    let (_, rest) = block.split_once("fn ")?;
    Some(rest.split_once('(')?.0)
}
