//! `--backend`: which device a command computes on, and how `auto` chooses one.

use clap::ValueEnum;
use downhill_tensor::UserError;
use downhill_train::{DeviceOptions, GpuDevice, Session, open, ready};

/// Work that the CPU does in so many seconds is not worth looking for a GPU.
const SHORT: f64 = 5.0;

/// What is to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Whichever is measured to be faster; the processor for what takes it a few seconds.
    Auto,
    /// The processor.
    Cpu,
    /// The graphics card, through Vulkan, Metal or DirectX 12.
    Gpu,
}

impl Backend {
    /// The device that is meant; `None` is the CPU. `auto` is the CPU here: nothing is known of the work yet.
    ///
    /// # Errors
    /// When a GPU was asked for and there is none, or it failed its test.
    pub fn device(self) -> Result<Option<GpuDevice>, UserError> {
        match self {
            Backend::Gpu => {
                let device = ready(open(&DeviceOptions::default()))?;
                let adapter = device.adapter();
                let kind = if adapter.software { ", which computes on the processor" } else { "" };
                eprintln!("note: on the GPU {} ({}){kind}", adapter.name, adapter.api);
                Ok(Some(device))
            }
            Backend::Cpu | Backend::Auto => Ok(None),
        }
    }

    /// Puts a session where it is to train for so many steps.
    ///
    /// # Errors
    /// When a GPU was asked for and cannot train this.
    pub fn settle(self, session: &mut Session, steps: u64) -> Result<(), UserError> {
        if self == Backend::Auto {
            return settle_by_itself(session, steps);
        }
        match self.device()? {
            Some(device) => ready(session.move_to(Some(&device))),
            None => Ok(()),
        }
    }
}

fn settle_by_itself(session: &mut Session, steps: u64) -> Result<(), UserError> {
    let cpu = ready(session.rate_on(None))?;
    if steps as f64 / cpu < SHORT {
        return Ok(());
    }
    // A GPU that is not there, or cannot do this, is no reason not to train.
    let Ok(device) = ready(open(&DeviceOptions::default())) else { return Ok(()) };
    let Ok(gpu) = ready(session.rate_on(Some(&device))) else { return Ok(()) };
    if device.adapter().software || gpu < cpu {
        return Ok(());
    }
    eprintln!("note: on the GPU {}, {:.1}× as fast as the processor", device.adapter().name, gpu / cpu);
    ready(session.move_to(Some(&device)))
}
