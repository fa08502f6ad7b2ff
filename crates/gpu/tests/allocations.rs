//! A training step allocates nothing on the host beyond what wgpu does for the same calls.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use downhill_compile::conformance::block_on;
use shared::allocations::{self, Submit};
use shared::native::device;
use wgpu::{BufferBindingType, BufferUsages};

mod shared;

#[test]
fn a_step_allocates_nothing_beyond_what_wgpu_does() {
    let Some(device) = device() else { return };
    let (ours, dispatches) = block_on(allocations::of_the_executor(&device));
    let wgpu = block_on(Bare::new(dispatches).allocations());
    eprintln!("a submit of {dispatches} dispatches a step: {ours:?}, {:.2} per further step", ours.per_step());
    eprintln!("the same calls of wgpu alone: {wgpu:?}, {:.2} per further step", wgpu.per_step());
    // It makes a list of barriers for every dispatch and lets its list of commands grow.
    assert!(wgpu.per_step() >= dispatches as f64, "its calls allocate");
    assert!(ours.per_step() - wgpu.per_step() < 1.0, "less than one allocation of ours per step");
}

/// A program of kernels that do next to nothing, run by calls of wgpu alone.
struct Bare {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Vec<wgpu::ComputePipeline>,
    bind_group: wgpu::BindGroup,
    scalars: wgpu::Buffer,
}

/// Bytes from the parameters of a dispatch, or the scalars of a step, to the next.
const SLOT: u32 = 256;

const KERNEL: &str = "
@group(0) @binding(0) var<storage, read_write> arena: array<u32>;
@group(0) @binding(1) var<storage> data: array<u32>;
@group(0) @binding(2) var<uniform> params: vec4<u32>;
@group(0) @binding(3) var<uniform> step: vec4<u32>;
@compute @workgroup_size(1) fn main() { arena[0] += data[0] + params.x + step.x; }";

impl Bare {
    fn new(dispatches: usize) -> Self {
        let instance = wgpu::Instance::default();
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
        let (device, queue) = block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap();
        let storage = |read_only| (BufferBindingType::Storage { read_only }, BufferUsages::STORAGE);
        let uniform = (BufferBindingType::Uniform, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        let kinds = [storage(false), storage(true), uniform, uniform];
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[0, 1, 2, 3].map(|binding| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: kinds[binding as usize].0,
                    has_dynamic_offset: binding >= 2,
                    min_binding_size: None,
                },
                count: None,
            }),
        });
        let buffers = kinds.map(|(_, usage)| {
            let size = u64::from(SLOT) * dispatches.max(allocations::STEPS as usize) as u64;
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &bindings,
            entries: &[0, 1, 2, 3].map(|binding| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffers[binding as usize],
                    offset: 0,
                    size: (binding >= 2).then_some(wgpu::BufferSize::new(16).unwrap()),
                }),
            }),
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let source = wgpu::ShaderSource::Wgsl(KERNEL.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = |_| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let pipelines = (0..dispatches).map(pipeline).collect();
        let [.., scalars] = buffers;
        Self { device, queue, pipelines, bind_group, scalars }
    }

    async fn allocations(&self) -> Submit {
        let scalars = [0; (SLOT * allocations::STEPS) as usize];
        Submit::fewest(async |steps| {
            let info = measure(|| {
                let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for step in 0..steps {
                    for (i, pipeline) in self.pipelines.iter().enumerate() {
                        pass.set_pipeline(pipeline);
                        pass.set_bind_group(0, &self.bind_group, &[SLOT * i as u32, SLOT * step]);
                        pass.dispatch_workgroups(1, 1, 1);
                    }
                }
                drop(pass);
                let commands = encoder.finish();
                self.queue.write_buffer(&self.scalars, 0, &scalars[..(SLOT * steps) as usize]);
                self.queue.submit([commands]);
                self.device.poll(wgpu::PollType::Poll).unwrap();
            });
            self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            info.count_total
        })
        .await
    }
}
