//! Files as their makers write them are read, and broken ones are answered with what is wrong with them.

use downhill_tensor::UserError;
use miniz_oxide::deflate::compress_to_vec;
use serde_json::{Value, json};

use super::*;
use crate::{Assets, Column, Dataset, Source};

/// The IDX file of bytes.
fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    bytes.extend(b"name\0");
    bytes.extend(compress_to_vec(content, 6));
    bytes.extend(rawzip::crc32(content).to_le_bytes());
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes
}

fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<Member> =
        members.iter().map(|(name, bytes)| Member { name: (*name).to_string(), bytes: bytes.clone() }).collect();
    pack(&members).unwrap()
}

/// An own file under any name.
struct Own(Vec<u8>);

impl Assets for Own {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn own(&self, _: &str) -> Result<Vec<u8>, UserError> {
        Ok(self.0.clone())
    }
}

fn build(bytes: Vec<u8>, fields: Value) -> Result<Dataset, UserError> {
    let mut fields = fields;
    fields["file"] = json!("set.npz");
    Source::from_json("images", &fields).unwrap().build(3, &Own(bytes))
}

fn error(bytes: Vec<u8>) -> String {
    build(bytes, json!({})).unwrap_err().to_string()
}

/// `count` pictures of `side` × `side` pixels, each of one brightness.
fn plain(count: usize, side: usize) -> Vec<u8> {
    (0..count).flat_map(|i| std::iter::repeat_n(i as u8, side * side)).collect()
}

fn mnist() -> Vec<(&'static str, Vec<u8>)> {
    let labels = |count: u32| idx(&[count], &(0..count).map(|i| (i % 3) as u8).collect::<Vec<_>>());
    vec![
        ("train-images-idx3-ubyte.gz", gzip(&idx(&[12, 28, 28], &plain(12, 28)))),
        ("train-labels-idx1-ubyte.gz", gzip(&labels(12))),
        ("t10k-images-idx3-ubyte", idx(&[6, 28, 28], &plain(6, 28))),
        ("t10k-labels-idx1-ubyte", labels(6)),
    ]
}

fn bytes(set: &Dataset) -> &[u8] {
    match &set.train.fields[0].column {
        Column::U8 { bytes, .. } => bytes,
        _ => panic!("pictures are bytes"),
    }
}

#[test]
fn files_of_mnist_are_read_as_they_are_given_away_and_the_test_part_is_held_out() {
    let set = build(zip(&mnist()), json!({})).unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.image), (12, 6, Some((28, 28))));
    assert_eq!(bytes(&set), plain(12, 28));
    assert_eq!(set.train.field("y").unwrap().column, Column::U32((0..12).map(|i| i % 3).collect()));
    assert_eq!(set.notes, ["The set's own test part, 6 pictures, is held out."]);
    // All pictures to test with are among those to learn from.
    assert_eq!(set.card.duplicates, 6);
}

#[test]
fn arrays_of_numpy_are_read_whatever_their_type_and_order() {
    let f64s = |values: &[f64], big: bool| -> Vec<u8> {
        values.iter().flat_map(|v| if big { v.to_be_bytes() } else { v.to_le_bytes() }).collect()
    };
    let values: Vec<f64> = (0..6).map(|i| f64::from(i) - 2.5).collect();
    for (kind, big) in [("<f8", false), (">f8", true)] {
        let array = read("a.npy", &write_npy(kind, &[2, 3], &f64s(&values, big))).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], Values::F32(values.iter().map(|&v| v as f32).collect())));
    }
    let negative: Vec<u8> = [-3i16, 300].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(read("a.npy", &write_npy("<i2", &[2], &negative)).unwrap().values, Values::I64(vec![-3, 300]));
    assert_eq!(
        read("a.npy", &write_npy("<f2", &[3], &[0, 0x3c, 0, 0xc1, 1, 0])).unwrap().values,
        Values::F32(vec![1.0, -2.5, 5.960_464_5e-8])
    );
    // As numpy.save writes numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]).
    let turned = String::from_utf8_lossy(&write_npy("|u1", &[2, 3], &[1, 4, 2, 5, 3, 6])[10..]).replace("False", "True ");
    let turned = [&write_npy("|u1", &[2, 3], &[])[..10], turned.as_bytes()].concat();
    assert_eq!(read("a.npy", &turned).unwrap().values, Values::U8(vec![1, 2, 3, 4, 5, 6]));
    let cats: Vec<u8> = "cat\0dog\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert_eq!(read("y.npy", &write_npy("<U4", &[2], &cats)).unwrap().values, Values::Text(vec!["cat".into(), "dog".into()]));
}

#[test]
fn colours_stay_or_become_grey_and_classes_get_their_names() {
    // Red, then green, of two pixels' height and three pixels' width.
    let pixels: Vec<u8> = [[255, 0, 0], [0, 255, 0]].iter().flat_map(|pixel| pixel.repeat(6)).collect();
    let file = zip(&[
        ("x.npy", write_npy("|u1", &[2, 2, 3, 3], &pixels)),
        ("y.npy", write_npy("|u1", &[2], &[1, 0])),
        ("classes.txt", b"grass\nrose\n".to_vec()),
    ]);
    let fields = |colour: bool| json!({ "size": 8, "colour": colour, "validation": 0 });
    let (grey, coloured) = (build(file.clone(), fields(false)).unwrap(), build(file, fields(true)).unwrap());
    assert_eq!(bytes(&grey), [vec![76; 64], vec![150; 64]].concat());
    assert_eq!(coloured.train.fields[0].shape.to_vec(), [3, 8, 8]);
    assert_eq!(bytes(&coloured)[..192], [vec![255; 64], vec![0; 128]].concat());
    assert!(matches!(&grey.task, crate::Task::Classification { classes } if *classes == ["grass", "rose"]));
    assert!(grey.notes.iter().any(|note| note.contains("cut to the square")), "{:?}", grey.notes);
    assert_eq!(grey.notes.iter().filter(|note| note.contains("one picture of the class")).count(), 2);
}

#[test]
fn a_smaller_picture_is_the_mean_of_the_pixels_that_it_covers() {
    // torch.nn.functional.interpolate(torch.arange(16.).reshape(1, 1, 4, 4) * 10, size=(2, 2), mode="bilinear", antialias=True)
    let mut small = Vec::new();
    resize::Resize::new(4, 4, 2).plane(|i| 10 * i as u8, &mut small);
    assert_eq!(small, [36, 51, 99, 114]);
    let mut large = Vec::new();
    // torch.nn.functional.interpolate(torch.tensor([[[[0., 100.], [50., 200.]]]]), size=(3, 3), mode="bilinear", antialias=True)
    resize::Resize::new(2, 2, 3).plane(|i| [0, 100, 50, 200][i], &mut large);
    assert_eq!(large, [0, 50, 100, 25, 88, 150, 50, 125, 200]);
    // Of a wide picture the square in the middle.
    let mut middle = Vec::new();
    resize::Resize::new(2, 6, 2).plane(|i| i as u8, &mut middle);
    assert_eq!(middle, [2, 3, 8, 9]);
}

#[test]
fn a_file_that_is_cut_short_or_lies_about_its_size_is_told_by_its_numbers() {
    let pictures = idx(&[2, 3, 3], &[0; 18]);
    let of = |bytes: &[u8]| read("train-images", bytes).unwrap_err().to_string();
    assert!(
        of(&pictures[..pictures.len() - 1])
            .contains("cut short: it says that it holds 2 × 3 × 3 values of 1 bytes, but only 17")
    );
    assert!(of(&pictures[..9]).contains("its header is not complete"));
    assert!(of(&[&pictures[..], &[0]].concat()).contains("which are 18 bytes, but has 19"));
    assert!(of(&idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9])).contains("is cut short"));
    let array = write_npy("<f4", &[4], &[0; 16]);
    assert!(of(&array[..array.len() - 3]).contains("holds 4 values of 4 bytes, but only 13"));
    assert!(of(&array[..40]).contains("its header is not complete"));
    assert!(of(&write_npy("|O", &[1], b"pickle")).contains("holds Python objects. Save numbers"));
    assert!(of(b"\x93NUMPY\x01\x00\x04\x00{}  ").contains("a header that cannot be read"));
    assert!(of(&write_npy("<c16", &[1], &[0; 16])).contains("values of the type <c16"));
}

#[test]
fn what_does_not_make_a_set_is_told_with_what_to_do() {
    let pictures = ("x.npy", write_npy("|u1", &[3, 8, 8], &plain(3, 8)));
    let labels = |values: &[u8]| ("y.npy", write_npy("|u1", &[values.len()], values));
    assert!(error(zip(std::slice::from_ref(&pictures))).contains("no labels came with it. Take both files together"));
    assert!(error(zip(&[labels(&[0, 1])])).contains("holds no pictures"));
    assert!(
        error(zip(&[pictures.clone(), labels(&[0, 1])]))
            .contains("There are 3 pictures in \"x.npy\" and 2 labels in \"y.npy\"")
    );
    assert!(error(zip(&[pictures.clone(), labels(&[4, 4, 4])])).contains("All pictures are of the class \"4\""));
    assert!(error(zip(&[("x.npy", write_npy("|u1", &[3, 7], &[0; 21])), labels(&[0, 1, 0])])).contains("the shape 3 × 7"));
    assert!(
        error(zip(&[pictures, ("z.npy", write_npy("|u1", &[3, 8, 8], &[0; 192]))]))
            .contains("Both \"x.npy\" and \"z.npy\" hold pictures")
    );
    assert!(error(b"<html>".to_vec()).contains("holds no pictures"));
    let empty = Source::from_json("images", &json!({})).unwrap().build(1, &crate::NoAssets).unwrap_err();
    assert!(empty.to_string().contains("There are no pictures yet"));
}

#[test]
fn an_archive_is_unpacked_within_what_it_may_fill() {
    let set = zip(&mnist());
    assert!(error(set[..set.len() - 30].to_vec()).contains("is damaged, or no zip"));
    // A byte of the pictures that are not packed: the checksum tells.
    let mut changed = set.clone();
    let at = changed.windows(4).position(|w| w == [0, 0, 8, 3]).unwrap();
    changed[at + 900] ^= 1;
    assert!(error(changed).contains("is damaged, or no zip"));
    let packed = gzip(&idx(&[1], &[0]));
    assert!(members("a.gz", packed[..packed.len() - 2].to_vec()).unwrap_err().to_string().contains("damaged or cut short"));
    // Half a gigabyte and a bit of zeros, by the kilobyte: more than any file may fill.
    let block = compress_to_vec(&vec![0; MOST_BYTES + 1], 1);
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &block, &[0; 8]].concat();
    assert!(members("bomb.gz", bomb).unwrap_err().to_string().contains("holds more than 512 MB once it is unpacked"));
    // One that says of itself that it holds as much.
    let mut liar = zip(&[("a.npy", vec![1; 10])]);
    let at = liar.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    liar[at + 24..at + 28].copy_from_slice(&(MOST_BYTES as u32 + 1).to_le_bytes());
    assert!(members("bomb.zip", liar).unwrap_err().to_string().contains("holds more than 512 MB"));
}
