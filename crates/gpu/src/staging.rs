//! Buffers that results are copied to and read from, used again and again.

use wgpu::{Buffer, BufferUsages};

use crate::device::GpuDevice;

/// Smallest staging buffer, in bytes.
const SMALLEST: u64 = 1 << 10;
/// Idle buffers that are kept: two for metrics and one for a snapshot.
const KEPT: usize = 4;

/// Buffers that results are copied to and read from, used again and again.
#[derive(Default)]
pub(crate) struct Staging {
    idle: Vec<Buffer>,
}

impl Staging {
    /// A buffer of at least so many bytes, unmapped.
    pub fn take(&mut self, device: &GpuDevice, bytes: u64) -> Buffer {
        let fitting = self.idle.iter().enumerate().filter(|(_, b)| b.size() >= bytes);
        if let Some((at, _)) = fitting.min_by_key(|(_, b)| b.size()) {
            return self.idle.swap_remove(at);
        }
        device.buffer("staging", bytes.next_power_of_two().max(SMALLEST), BufferUsages::MAP_READ | BufferUsages::COPY_DST)
    }

    /// Takes a buffer back, unmapped.
    pub fn give(&mut self, buffer: Buffer) {
        self.idle.push(buffer);
        if self.idle.len() > KEPT {
            self.idle.remove(0).destroy();
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.idle.iter().for_each(Buffer::destroy);
    }
}
