//! Sound as a picture, and as a file that a browser plays.

/// The loudness 0 to 1 of each band at each frame, `[bands, frames]` with the highest pitch on top, of frames `[frames, bands]` from −1 to 1.
pub fn upright(frames: &[f32], bands: usize) -> Vec<f32> {
    let loudness = |band: usize| frames.chunks_exact(bands.max(1)).map(move |frame| (frame[band] + 1.0) / 2.0);
    (0..bands).rev().flat_map(loudness).collect()
}

/// A wave within −1…1 as a WAV file of 16 bits.
pub fn wav(wave: &[f32], rate: u32) -> Vec<u8> {
    let data = 2 * wave.len() as u32;
    let mut file = Vec::with_capacity(44 + data as usize);
    let mut words = |text: &[u8; 4], numbers: &[(u32, usize)]| {
        file.extend_from_slice(text);
        numbers.iter().for_each(|(number, bytes)| file.extend_from_slice(&number.to_le_bytes()[..*bytes]));
    };
    words(b"RIFF", &[(36 + data, 4)]);
    words(b"WAVE", &[]);
    // Plain samples, one channel, so many a second, bytes a second and a sample, bits.
    words(b"fmt ", &[(16, 4), (1, 2), (1, 2), (rate, 4), (2 * rate, 4), (2, 2), (16, 2)]);
    words(b"data", &[(data, 4)]);
    file.extend(wave.iter().flat_map(|v| ((v.clamp(-1.0, 1.0) * 32767.0) as i16).to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_the_right_and_pitch_up() {
        // Two frames of three bands.
        assert_eq!(upright(&[-1.0, 0.0, 1.0, 0.5, -0.5, -1.0], 3), [1.0, 0.0, 0.5, 0.25, 0.0, 0.75]);
        assert!(upright(&[], 3).is_empty() && upright(&[1.0], 0).is_empty());
    }

    #[test]
    fn a_wave_becomes_a_file_of_sixteen_bits() {
        let file = wav(&[0.0, 1.0, -2.0], 8000);
        let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((&file[..4], &file[8..16], &file[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        assert_eq!((file.len(), number(4), number(24), number(28), number(40)), (50, 42, 8000, 16000, 6));
        assert_eq!(file[44..], [0, 0, 0xff, 0x7f, 0x01, 0x80]);
    }
}
