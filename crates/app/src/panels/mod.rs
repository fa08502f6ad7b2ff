//! The panels that are always there, one file or folder each. What is shown inside of some of them is chosen from the lists in `views`.

pub mod augment;
pub mod backend;
pub mod compare;
pub mod csv;
pub mod data;
pub mod dialog;
pub mod drawer;
pub mod embed;
pub mod export;
pub mod gallery;
pub mod header;
pub mod help;
pub mod images;
pub mod kept;
pub mod later;
pub mod network;
pub mod notices;
pub mod output;
pub mod own_text;
pub mod parts;
pub mod popover;
pub mod share;
pub mod soon;
pub mod table;
pub mod training;
pub mod verdict;
