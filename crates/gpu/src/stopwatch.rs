//! How long work takes on a device.

use downhill_compile::ExecError;
use wgpu::{
    BufferUsages, CommandEncoder, CommandEncoderDescriptor, ComputePass, ComputePassTimestampWrites, Features, MapMode,
};

use crate::device::GpuDevice;
use crate::flight::Signal;

/// How long work is repeated until its time counts, in nanoseconds: timestamps are coarse.
const ENOUGH: f64 = 2e6;
/// The same for a clock that also sees submit and completion come and go.
const ENOUGH_ON_THE_WALL: f64 = 5e6;
/// Shares of an empty submit that work has to last there.
const ABOVE_IDLE: f64 = 4.0;

/// What a time was measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's own timestamps.
    Timestamps,
    /// The time from submit to completion of repeated work, less that of an empty submit.
    Replay,
}

/// Two timestamps on their way from a pass to us.
struct Stamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
}

/// Measures work by repeating it until that takes long enough.
pub(crate) struct Stopwatch<'a> {
    device: GpuDevice,
    stamps: Option<Stamps>,
    /// Encoded before the work and not counted.
    prepare: &'a dyn Fn(&mut CommandEncoder),
    /// Nanoseconds of a submit without work.
    idle: f64,
}

impl<'a> Stopwatch<'a> {
    /// One with the best clock that the device has.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn new(device: &GpuDevice, prepare: &'a dyn Fn(&mut CommandEncoder)) -> Result<Self, ExecError> {
        let stamps = device.device().features().contains(Features::TIMESTAMP_QUERY).then(|| Stamps {
            queries: device.device().create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("stopwatch"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: device.buffer("timestamps", 16, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: device.buffer("timestamps", 16, BufferUsages::MAP_READ | BufferUsages::COPY_DST),
        });
        let mut watch = Self { device: device.clone(), stamps, prepare, idle: f64::INFINITY };
        for _ in 0..4 {
            let mut encoder = watch.encoder();
            drop(encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            watch.idle = device.run(encoder.finish()).await?.min(watch.idle);
        }
        Ok(watch)
    }

    /// What it measures with.
    pub fn clock(&self) -> Clock {
        if self.stamps.is_some() { Clock::Timestamps } else { Clock::Replay }
    }

    /// Nanoseconds of one repetition of what `work` encodes so many times, at most `most`.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn each(&mut self, most: u32, work: &dyn Fn(&mut ComputePass<'_>, u32)) -> Result<f64, ExecError> {
        let mut repeats = 1;
        // Drivers compile when a pipeline is used for the first time.
        self.time(repeats, work).await?;
        loop {
            let nanos = self.time(repeats, work).await?;
            let enough = match self.clock() {
                Clock::Timestamps => ENOUGH,
                Clock::Replay => ENOUGH_ON_THE_WALL.max(ABOVE_IDLE * self.idle),
            };
            if nanos >= enough || repeats >= most {
                // Others use the machine too: the better of two.
                return Ok(self.time(repeats, work).await?.min(nanos) / f64::from(repeats));
            }
            let wanted = 1.25 * f64::from(repeats) * enough / nanos.max(1.0);
            repeats = (wanted as u32).clamp(2 * repeats, 16 * repeats).min(most);
        }
    }

    fn encoder(&self) -> CommandEncoder {
        let mut encoder = self.device.device().create_command_encoder(&CommandEncoderDescriptor::default());
        (self.prepare)(&mut encoder);
        encoder
    }

    async fn time(&mut self, repeats: u32, work: &dyn Fn(&mut ComputePass<'_>, u32)) -> Result<f64, ExecError> {
        let mut encoder = self.encoder();
        let timestamp_writes = self.stamps.as_ref().map(|stamps| ComputePassTimestampWrites {
            query_set: &stamps.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        work(&mut pass, repeats);
        drop(pass);
        if let Some(stamps) = &self.stamps {
            encoder.resolve_query_set(&stamps.queries, 0..2, &stamps.resolved, 0);
            encoder.copy_buffer_to_buffer(&stamps.resolved, 0, &stamps.staging, 0, 16);
        }
        let wall = (self.device.run(encoder.finish()).await? - self.idle).max(0.0);
        let Some(stamps) = &self.stamps else { return Ok(wall) };
        match stamps.nanos(&self.device).await {
            Some(nanos) if nanos > 0.0 || wall < ENOUGH_ON_THE_WALL => Ok(nanos),
            // A clock that stands still is none.
            _ => {
                self.stamps = None;
                Ok(wall)
            }
        }
    }
}

impl Stamps {
    /// Nanoseconds between the two.
    async fn nanos(&self, device: &GpuDevice) -> Option<f64> {
        let mapped = Signal::default();
        let signal = mapped.clone();
        self.staging.map_async(MapMode::Read, .., move |outcome| signal.set(outcome.is_ok()));
        device.arrival(&mapped).await;
        let (_, true) = mapped.get()? else { return None };
        let mut ticks = [0u64; 2];
        bytemuck::cast_slice_mut::<u64, u8>(&mut ticks).copy_from_slice(&self.staging.get_mapped_range(..).ok()?);
        self.staging.unmap();
        Some(ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(device.queue().get_timestamp_period()))
    }
}
