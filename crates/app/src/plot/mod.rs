//! The mathematics of pictures: colours, heat maps, wires, curves, pads. Numbers in, numbers out; nothing here touches the page.

pub mod colour;
pub mod confusion;
pub mod curve;
pub mod forecast;
pub mod heatmap;
pub mod network;
pub mod offset;
pub mod pad;
pub mod picture;
pub mod place;
pub mod profile;
pub mod rows;
pub mod search;
pub mod sequence;
pub mod series;
pub mod spectrogram;
pub mod spread;
pub mod wires;
pub mod words;
pub mod writing;
