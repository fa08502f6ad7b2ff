//! The lists of views: a new one is a file here and a line in its list.

mod attention;
mod attribution;
mod boundary;
mod by_itself;
#[cfg(feature = "bundle")]
mod chart_options;
#[cfg(feature = "bundle")]
pub mod charts;
mod code;
mod confusion;
mod curve;
mod draw;
mod feature_maps;
mod forecast;
pub(crate) mod gallery;
mod heard;
mod inspector;
pub mod kinds;
mod lens;
mod listen;
mod neuron_map;
mod pictures;
mod positions;
mod profile;
mod program;
mod receptive;
mod recurrent;
mod rows;
mod sample_image;
mod samples;
mod search;
mod strip;
mod table_columns;
mod text;
mod tokenized;
mod tokens;
mod try_row;
mod values;
mod words;
mod write;
mod written;

use kinds::{Inside, LayerView, OutputView, Panel};

/// Which views the page has, each list in the order in which they are tried or offered.
#[derive(Clone)]
pub struct Views {
    /// Of layers; the last fits every one.
    pub layers: Vec<&'static dyn LayerView>,
    /// Of what happens inside a layer.
    pub inside: Vec<&'static dyn Inside>,
    /// Of the output; the last fits all data.
    pub outputs: Vec<&'static dyn OutputView>,
    /// Tabs of the drawer.
    pub panels: Vec<&'static dyn Panel>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            layers: vec![
                &table_columns::TableColumns,
                &sample_image::SampleImage,
                &written::Written,
                &heard::Heard,
                &receptive::Receptive,
                &neuron_map::NeuronMap,
                &feature_maps::FeatureMaps,
                &tokens::Tokens,
                &attention::Heads,
                &values::Values,
                &strip::Strip,
            ],
            inside: vec![&attention::Attention, &recurrent::Recurrent, &lens::Lens],
            outputs: vec![
                &boundary::Boundary,
                &curve::LearnedCurve,
                &forecast::Forecast,
                &pictures::Pictures,
                &draw::Draw,
                &write::Write,
                &listen::Listen,
                &rows::Rows,
                &text::Text,
                &by_itself::ByItself,
                &search::Search,
                &positions::Positions,
                &tokenized::Tokenized,
                &words::Words,
                &samples::Samples,
                &confusion::Confusion,
                &attribution::Attribution,
            ],
            panels: panels(),
        }
    }
}

fn panels() -> Vec<&'static dyn Panel> {
    let listed: &[&dyn Panel] = &[
        #[cfg(feature = "bundle")]
        &charts::Charts,
        &inspector::Inspector,
        &program::Program,
        &code::Code,
    ];
    listed.to_vec()
}
