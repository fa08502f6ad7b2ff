//! How long each step of a program takes.

use std::time::Duration;

use downhill_compile::{ExecError, ProgramId};
use downhill_graph::StepScalars;
use web_time::Instant;

use crate::CpuExecutor;
use crate::arena::Memory;
use crate::budget::Budget;
use crate::kernels::{Cursor, Cx};

/// How long a step is repeated, so that a coarse clock gives a fair mean.
const ENOUGH: Duration = Duration::from_millis(2);

impl CpuExecutor {
    /// Nanoseconds that each step of a program takes: every step is repeated for at least 2 ms. Buffers are afterwards as they were.
    ///
    /// # Errors
    /// When the program is not loaded, or there is no room for a copy of the arena.
    pub fn profile(&mut self, program: ProgramId, step: &StepScalars) -> Result<Vec<(usize, f64)>, ExecError> {
        let Some(program) = self.programs.get(program) else {
            return Err(ExecError::Unsupported("the program is not loaded".to_string()));
        };
        if u64::from(step.batch) >= program.batches {
            return Err(ExecError::Unsupported(format!("there is no batch {}", step.batch)));
        }
        let mut copy: Vec<u32> = Vec::new();
        let needed = 4 * self.arena.len() as u64;
        copy.try_reserve_exact(self.arena.len()).map_err(|_| ExecError::OutOfMemory { needed })?;
        copy.extend_from_slice(self.arena.words());

        let memory = Memory::new(&mut self.arena, &mut self.data).with_batch(step.batch);
        let mut times = Vec::with_capacity(program.ops.len());
        for (index, op) in program.ops.iter().enumerate() {
            let start = Instant::now();
            let (mut runs, mut block) = (0u64, 1u64);
            while start.elapsed() < ENOUGH {
                for _ in 0..block {
                    let budget = &mut Budget::unlimited();
                    op.run(&mut Cursor::default(), &mut Cx { scratch: &mut self.scratch, memory, step, budget });
                }
                runs += block;
                block *= 2;
            }
            times.push((index, start.elapsed().as_nanos() as f64 / runs as f64));
        }
        self.arena.words_mut()[..copy.len()].copy_from_slice(&copy);
        Ok(times)
    }
}
