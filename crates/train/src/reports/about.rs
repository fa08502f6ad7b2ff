//! What a text is about, where the network reads a sequence or a picture before it writes: as words for its feeds. The text itself is the
//! business of `writing.rs`.

use downhill_data::Dataset;
use downhill_model::Checked;
use downhill_protocol::{About, Part};
use downhill_tensor::{Dtype, UserError};

use super::rows::Rows;

/// The words of all inputs but the one that is written, each with the name of its feed; none where there is nothing beside that.
///
/// # Errors
/// When there is no such sample, or what was typed is not what the network reads.
pub(crate) fn about(checked: &Checked, data: &Dataset, about: &About) -> Result<Vec<(String, Vec<u32>)>, UserError> {
    let at_field = |error: UserError| error.under("about");
    let alone = data.language.as_ref().is_none_or(|language| language.input == 0);
    let rows = match about {
        About::Sample(_) if alone => return Ok(Vec::new()),
        About::Typed(_) if alone => {
            let error = UserError::at("about", "The network is given nothing beside the text that it continues.");
            return Err(error.hint("Say with `prompt` what that begins with."));
        }
        About::Sample(row) => Rows::samples(data, Part::Validation, Some(vec![*row])).map_err(at_field)?,
        About::Typed(text) => typed(data, text).map_err(at_field)?,
    };
    let feeds = rows.feeds(checked, data, 0..1, false).into_iter();
    let others = feeds.filter(|(name, _)| Some(name) != data.written());
    Ok(others.map(|(name, words)| (format!("rows.{name}"), words)).collect())
}

/// A sample of which only what is read was typed.
fn typed(data: &Dataset, text: &str) -> Result<Rows, UserError> {
    let Some(language) = &data.language else { return Ok(Rows::None) };
    let mut values = Vec::new();
    for (at, field) in data.inputs.iter().filter_map(|name| data.train.field(name)).enumerate() {
        if at == language.input {
            values.push(field.numbers(0));
        } else if field.column.dtype() == Dtype::U32 {
            values.push(language.tokenizer.encode(text)?.into_iter().map(|token| token as f32).collect());
        } else {
            let message = format!("The network reads `{}` before it writes, which is no text.", field.name);
            return Err(UserError::new(message).hint("Say which sample it is about."));
        }
    }
    Rows::given(data, &values)
}
