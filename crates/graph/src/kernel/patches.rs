//! Which elements of an image the taps of a sliding kernel meet: the geometry of convolutions, of their gradients and of pooling. Operands of
//! products are read through it, so no matrix of patches is ever stored.

/// One axis of a kernel that slides over an image. Tap `t` at place `p` meets the image at `v / divide` with `v = p·step + t·dilation + offset`,
/// and zero where that is no whole number or lies outside.
///
/// A convolution with stride 2 and padding 1 has step 2 and offset −1. Its input gradient slides over the gradient of the output: the pixel at
/// `p` was met by tap `t` of the place `(p + 1 − t) / 2`, so that step is 1, dilation −1, offset 1 and divide 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Elements of the image along the axis.
    pub size: u32,
    /// Taps of the kernel.
    pub kernel: u32,
    /// Places of the kernel.
    pub places: u32,
    /// How far the kernel moves from a place to the next.
    pub step: u32,
    /// How far a tap lies from the one before it.
    pub dilation: i32,
    /// Where the first tap of the first place lies.
    pub offset: i32,
    /// Only multiples of it meet an element.
    pub divide: u32,
}

impl Window {
    /// The element that a tap meets at a place; nothing between elements and outside of the image.
    pub fn source(&self, place: u32, tap: u32) -> Option<u32> {
        let at = i64::from(place) * i64::from(self.step) + i64::from(tap) * i64::from(self.dilation) + i64::from(self.offset);
        let divide = i64::from(self.divide);
        let inside = at >= 0 && at % divide == 0 && at / divide < i64::from(self.size);
        inside.then(|| (at / divide) as u32)
    }

    /// The lowest value of `v` that a tap has at a place.
    pub fn lowest(&self) -> i32 {
        self.offset + self.dilation.min(0) * (self.kernel as i32 - 1)
    }

    /// Number of values from the lowest `v` to the highest.
    pub fn span(&self) -> u32 {
        (self.places - 1) * self.step + self.dilation.unsigned_abs() * (self.kernel - 1) + 1
    }
}

/// A matrix whose elements are those of an image `[channels, height, width]`: a row for each tap of each channel, a column for each place of
/// the kernel, both row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patches {
    /// Channels of the image.
    pub channels: u32,
    /// Height and width.
    pub windows: [Window; 2],
    /// Whether rows are places and columns are taps.
    pub transposed: bool,
}

impl Patches {
    /// Elements of the image.
    pub fn elements(&self) -> u32 {
        self.channels * self.windows[0].size * self.windows[1].size
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (u32, u32) {
        let taps = self.channels * self.windows[0].kernel * self.windows[1].kernel;
        let places = self.windows[0].places * self.windows[1].places;
        if self.transposed { (places, taps) } else { (taps, places) }
    }

    /// Where an element of the matrix lies in the image; nothing for a zero.
    pub fn source(&self, row: u32, column: u32) -> Option<u32> {
        let (tap, place) = if self.transposed { (column, row) } else { (row, column) };
        let [height, width] = &self.windows;
        let y = height.source(place / width.places, tap / width.kernel % height.kernel)?;
        let x = width.source(place % width.places, tap % width.kernel)?;
        Some((tap / (height.kernel * width.kernel) * height.size + y) * width.size + x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_slides_over_what_the_convolution_gave() {
        // Five elements, a kernel of three, stride 2, padding 1: places 0 1 2 begin at −1, 1, 3.
        let forward = Window { size: 5, kernel: 3, places: 3, step: 2, dilation: 1, offset: -1, divide: 1 };
        let back = Window { size: 3, kernel: 3, places: 5, step: 1, dilation: -1, offset: 1, divide: 2 };
        for (place, tap) in (0..3).flat_map(|place| (0..3).map(move |tap| (place, tap))) {
            if let Some(at) = forward.source(place, tap) {
                assert_eq!(back.source(at, tap), Some(place));
            }
        }
        let met: usize = (0..5).map(|at| (0..3).filter(|&tap| back.source(at, tap).is_some()).count()).sum();
        assert_eq!(met, 7, "nine taps, two of them outside");
        assert_eq!((forward.lowest(), forward.span(), back.lowest(), back.span()), (-1, 7, -1, 7));
    }
}
