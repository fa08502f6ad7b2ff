//! Safetensors files: the length of a JSON header, the header, and the numbers it points at. The format is a page long, and reading it
//! with the header as a plain JSON value takes a fifth of the library's code, all of which a visitor of the page would download.

use downhill_tensor::UserError;
use serde_json::{Map, Value, json};

/// Key of the metadata in a header.
const METADATA: &str = "__metadata__";
/// Key of our text in the metadata.
const KEY: &str = "downhill";
/// Key of an entry whose elements lie column by column, after [`TensorFile::rename`].
const TRANSPOSED: &str = "transposed";
/// What the format wants the numbers to be aligned to.
const ALIGNMENT: usize = 8;

/// A tensor to be written to a file.
#[derive(Clone, Debug)]
pub struct Array<'a> {
    /// Name in the file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Values<'a>,
}

/// Elements of an [`Array`].
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// Whole numbers below 2³¹, written as signed ones, which every reader knows.
    I32(&'a [u32]),
    /// Whole numbers held as floats, written as 64-bit integers, as PyTorch counts.
    Counts(&'a [f32]),
}

/// A safetensors file, with the text under the metadata key `downhill` where there is one.
///
/// # Errors
/// When a tensor's elements do not fill its shape.
pub fn write_arrays(arrays: &[Array<'_>], text: Option<String>) -> Result<Vec<u8>, UserError> {
    let mut header = Map::new();
    if let Some(text) = text {
        header.insert(METADATA.to_string(), json!({ KEY: text }));
    }
    let mut data = Vec::new();
    // 64-bit numbers come first: readers want every tensor at a multiple of its element's size.
    let (wide, narrow): (Vec<&Array<'_>>, Vec<_>) = arrays.iter().partition(|array| matches!(array.values, Values::Counts(_)));
    for array in wide.into_iter().chain(narrow) {
        let (dtype, count) = match array.values {
            Values::F32(values) => ("F32", values.len()),
            Values::I32(values) => ("I32", values.len()),
            Values::Counts(values) => ("I64", values.len()),
        };
        if count != array.shape.iter().product::<usize>() {
            return Err(UserError::at(array.name.as_str(), "The elements of this tensor do not fill its shape."));
        }
        let start = data.len();
        match array.values {
            Values::F32(values) => data.extend_from_slice(bytemuck::cast_slice(values)),
            Values::I32(values) => data.extend_from_slice(bytemuck::cast_slice(values)),
            Values::Counts(values) => values.iter().for_each(|v| data.extend((*v as i64).to_le_bytes())),
        }
        let offsets = [start, data.len()];
        header.insert(array.name.clone(), json!({ "dtype": dtype, "shape": array.shape, "data_offsets": offsets }));
    }
    let mut header = Value::Object(header).to_string();
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(ALIGNMENT) - header.len()));
    Ok([&(header.len() as u64).to_le_bytes(), header.as_bytes(), data.as_slice()].concat())
}

/// A safetensors file that was read.
#[derive(Debug)]
pub(crate) struct TensorFile<'a> {
    header: Value,
    data: &'a [u8],
}

impl<'a> TensorFile<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, UserError> {
        let read = || {
            let (length, rest) = bytes.split_first_chunk()?;
            let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
            let header: Value = serde_json::from_str(str::from_utf8(header).ok()?).ok()?;
            header.is_object().then_some(Self { header, data })
        };
        read().ok_or_else(|| {
            UserError::new("The file could not be read as safetensors: its header is damaged.").hint("Choose another file.")
        })
    }

    /// The text that was written with the tensors.
    pub fn text(&self) -> Option<&str> {
        self.header.get(METADATA)?.get(KEY)?.as_str()
    }

    /// The names of its tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.as_object().into_iter().flat_map(Map::keys).map(String::as_str).filter(|name| *name != METADATA)
    }

    /// Whether there is a tensor of this name.
    pub fn holds(&self, name: &str) -> bool {
        self.header.get(name).is_some()
    }

    /// Takes a tensor that a file may hold under another name, too, as PyTorch's does of layers that share a weight: only `name` is left where
    /// both are the same or only the other is there.
    pub fn take_as(&mut self, other: &str, name: &str) {
        let Some(header) = self.header.as_object_mut() else { return };
        let Some(entry) = header.get(other).cloned() else { return };
        let elements = |entry: &Value| {
            let offset = |i: usize| usize::try_from(entry["data_offsets"][i].as_u64()?).ok();
            self.data.get(offset(0)?..offset(1)?)
        };
        let is_same =
            |of: &Value| ["dtype", "shape"].iter().all(|key| of[key] == entry[key]) && elements(of) == elements(&entry);
        if header.get(name).is_none_or(is_same) {
            header.remove(other);
            header.insert(name.to_string(), entry);
        }
    }

    /// Gives a tensor that is there another name, or forgets it; where it is `transposed`, the rows of a matrix are its columns from now on.
    pub fn rename(&mut self, from: &str, to: Option<String>, transposed: bool) {
        let Some(header) = self.header.as_object_mut() else { return };
        let Some(mut entry) = header.remove(from) else { return };
        if let (true, Some([rows, columns])) = (transposed, entry["shape"].as_array().map(Vec::as_slice)) {
            entry["shape"] = json!([columns, rows]);
            entry[TRANSPOSED] = json!(true);
        }
        if let Some(to) = to {
            header.insert(to, entry);
        }
    }

    /// The elements of a tensor of floats, of whatever precision they were saved in.
    ///
    /// # Errors
    /// When the file does not hold it in this shape.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, UserError> {
        let values = self.stored(name, shape)?;
        match *shape {
            [rows, columns] if self.header[name].get(TRANSPOSED).is_some() => {
                Ok((0..rows * columns).map(|i| values[i % columns * rows + i / columns]).collect())
            }
            _ => Ok(values),
        }
    }

    /// The same in the order in which they are stored.
    fn stored(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, UserError> {
        // They may lie at any address, so they are not cast in place.
        match self.header.get(name).and_then(|entry| entry["dtype"].as_str()) {
            Some("F64") => {
                let bytes = self.bytes(name, shape, ("F64", size_of::<f64>()))?;
                Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect())
            }
            Some("BF16") => {
                let bytes = self.bytes(name, shape, ("BF16", size_of::<u16>()))?;
                Ok(bytes.as_chunks().0.iter().map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16)).collect())
            }
            Some("F16") => {
                let bytes = self.bytes(name, shape, ("F16", size_of::<u16>()))?;
                Ok(bytes.as_chunks().0.iter().map(|b| half(u16::from_le_bytes(*b))).collect())
            }
            _ => {
                let bytes = self.bytes(name, shape, ("F32", size_of::<f32>()))?;
                Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
            }
        }
    }

    /// The elements of a tensor of 64-bit integers.
    ///
    /// # Errors
    /// When the file does not hold it in this shape.
    pub fn counts(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, UserError> {
        let bytes = self.bytes(name, shape, ("I64", size_of::<i64>()))?;
        Ok(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect())
    }

    fn bytes(&self, name: &str, shape: &[usize], (wanted, size): (&str, usize)) -> Result<&'a [u8], UserError> {
        let other = |message: String| UserError::at(name, message).hint("Its weights belong to another model.");
        let entry = self.header.get(name).ok_or_else(|| other("The file does not hold this tensor.".to_string()))?;
        let (dtype, found) = (entry["dtype"].as_str().unwrap_or("nameless"), &entry["shape"]);
        if dtype != wanted || *found != json!(shape) {
            return Err(other(format!(
                "The file holds a {dtype} tensor of shape {found} here; the model needs {wanted} {shape:?}."
            )));
        }
        let offset = |i: usize| usize::try_from(entry["data_offsets"][i].as_u64()?).ok();
        let bytes = offset(0).zip(offset(1)).and_then(|(from, to)| self.data.get(from..to));
        let bytes = bytes.filter(|bytes| bytes.len() == size * shape.iter().product::<usize>());
        bytes.ok_or_else(|| UserError::at(name, "The elements of this tensor are missing.").hint("Choose another file."))
    }
}

/// A number of half precision (IEEE 754, binary16): its fraction moved to where a single one has it, and its exponent by the difference of their
/// biases.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    sign * match exponent {
        0 => fraction as f32 * f32::from_bits((127 - 24) << 23),
        31 => f32::from_bits(255 << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    #[test]
    fn numbers_of_half_precision_are_what_they_say() {
        let known = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    fn file() -> Vec<u8> {
        let arrays = [
            Array { name: "0.weight".to_string(), shape: vec![2, 3], values: Values::F32(&[1.0, -2.5, 3.0, 0.0, 1e-30, 7.0]) },
            Array { name: "indices".to_string(), shape: vec![2], values: Values::I32(&[5, 6]) },
            Array { name: "seen".to_string(), shape: Vec::new(), values: Values::Counts(&[7.0]) },
        ];
        write_arrays(&arrays, Some("a \"text\"".to_string())).expect("the elements fill the shapes")
    }

    #[test]
    fn the_library_reads_what_is_written() {
        let bytes = file();
        let read = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let weight = read.tensor("0.weight").expect("there is one");
        assert_eq!((weight.shape(), weight.data().len()), (&[2, 3][..], 24));
        assert_eq!(read.tensor("indices").expect("there is one").data(), &[5, 0, 0, 0, 6, 0, 0, 0]);
        assert_eq!(read.tensor("seen").expect("there is one").data(), &[7, 0, 0, 0, 0, 0, 0, 0]);
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        assert_eq!(header.metadata().as_ref().and_then(|m| m.get(KEY)).map(String::as_str), Some("a \"text\""));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = file();
        let read = TensorFile::read(&bytes).expect("a safetensors file");
        assert_eq!(read.text(), Some("a \"text\""));
        assert_eq!(read.floats("0.weight", &[2, 3]).expect("there is one"), [1.0, -2.5, 3.0, 0.0, 1e-30, 7.0]);
        assert_eq!(read.counts("seen", &[]).expect("there is one"), [7.0]);
        assert!(read.holds("seen") && !read.holds("unseen"));
    }

    #[test]
    fn damage_and_other_tensors_are_told() {
        let bytes = file();
        for cut in 0..bytes.len() {
            let part = TensorFile::read(&bytes[..cut]);
            // The integers are last.
            let whole = part.and_then(|file| file.floats("0.weight", &[2, 3]));
            assert_eq!(whole.is_ok(), cut >= bytes.len() - 8, "{cut} bytes");
        }
        let read = TensorFile::read(&bytes).expect("a safetensors file");
        for (name, shape) in [("1.weight", &[2, 3][..]), ("0.weight", &[3, 2]), ("indices", &[2]), ("seen", &[])] {
            assert!(read.floats(name, shape).is_err(), "{name} {shape:?}");
        }
        assert!(TensorFile::read(&[255; 16]).is_err());
        assert!(write_arrays(&[Array { name: String::new(), shape: vec![3], values: Values::F32(&[1.0]) }], None).is_err());
    }
}
