//! A device and what belongs to it: how it is found and opened, its limits, its pipelines, and how its end is told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
#[cfg(not(target_arch = "wasm32"))]
use std::task::{Context, Waker};
use std::time::Duration;

use downhill_compile::ExecError;
use downhill_tensor::UserError;
use web_time::Instant;
use wgpu::{BindGroupLayoutEntry, BindingType, BufferBindingType, DeviceType, ErrorFilter, Features, Limits};

use crate::fault::{Faults, first_line};
use crate::flight::Signal;
use crate::kernels::Style;
use crate::latency::Latency;
use crate::shader::{Dispatch, GROUP, PARAM_WORDS};

/// Pipelines that are kept for programs to come, however often a network is edited.
const MAX_PIPELINES: usize = 256;

/// Which device is wanted.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Part of the adapter's name; any adapter when `None`. Native only: a browser offers one.
    pub name: Option<String>,
    /// Ask for an adapter that computes on the CPU, for tests.
    pub software: bool,
    /// Use the kernels that suit GPUs on a software adapter too, for tests.
    pub as_hardware: bool,
    /// Largest buffer in bytes, where the adapter could have a larger one.
    pub max_buffer: Option<u64>,
    /// Most workgroups per dimension, where the adapter could run more.
    pub max_workgroups: Option<u32>,
    /// Do without timestamps, as on a device that has none.
    pub no_timestamps: bool,
}

/// What a person is told about an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name, as the driver spells it.
    pub name: String,
    /// Vulkan, Metal, DirectX 12 or WebGPU.
    pub api: &'static str,
    /// Whether it is a program that runs on the CPU: correct, and slower than the CPU backend.
    pub software: bool,
}

/// What a device can do at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// Bytes read or written per second.
    pub bytes_per_second: f64,
    /// Floating-point operations per second, in f32.
    pub flops_per_second: f64,
}

/// Objects created on a device since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// Buffers, staging buffers among them.
    pub buffers: u64,
    /// Bind groups.
    pub bind_groups: u64,
}

/// Objects that wgpu holds at the moment.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Buffers.
    pub buffers: usize,
    /// Bind groups.
    pub bind_groups: usize,
    /// Command encoders and command buffers.
    pub commands: usize,
}

/// An open device, shared by its executors, with the pipelines compiled so far.
#[derive(Clone)]
pub struct GpuDevice {
    inner: Rc<Inner>,
}

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: Adapter,
    style: Style,
    limits: Limits,
    faults: Faults,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    pipelines: RefCell<BTreeMap<String, wgpu::ComputePipeline>>,
    created: Cell<Created>,
    ceilings: Cell<Option<Ceilings>>,
    latency: Latency,
    /// For its report of what is alive.
    #[cfg(not(target_arch = "wasm32"))]
    instance: wgpu::Instance,
}

impl GpuDevice {
    /// Opens a device.
    ///
    /// # Errors
    /// When there is no adapter, or none that can do what the kernels need.
    pub async fn request(options: &DeviceOptions) -> Result<Self, UserError> {
        let instance = wgpu::Instance::default();
        let adapter = find(&instance, options).await?;
        let name = name(&adapter).await?;
        let mut limits = Limits::default().or_worse_values_from(&adapter.limits());
        let available = adapter.limits();
        let largest = available.max_storage_buffer_binding_size.min(available.max_buffer_size);
        let largest = largest.min(options.max_buffer.unwrap_or(u64::MAX)) / 16 * 16;
        (limits.max_storage_buffer_binding_size, limits.max_buffer_size) = (largest, largest);
        check(&limits)?;
        let per_dimension = limits.max_compute_workgroups_per_dimension;
        limits.max_compute_workgroups_per_dimension = per_dimension.min(options.max_workgroups.unwrap_or(u32::MAX));
        let wanted = if options.no_timestamps { Features::empty() } else { Features::TIMESTAMP_QUERY };
        let required_features = adapter.features() & wanted;
        let descriptor = wgpu::DeviceDescriptor { required_features, required_limits: limits.clone(), ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| UserError::new(format!("The GPU could not be opened: {e}.")).hint("Training goes on on the CPU."))?;
        let faults = Faults::default();
        let (lost, errors) = (faults.clone(), faults.clone());
        device.set_device_lost_callback(move |_, message| {
            lost.report(if message.is_empty() { "the device was closed".to_string() } else { message });
        });
        #[cfg(target_arch = "wasm32")]
        crate::browser::on_uncaptured_error(&device, move |what| errors.report(what));
        #[cfg(not(target_arch = "wasm32"))]
        device.on_uncaptured_error(std::sync::Arc::new(move |error: wgpu::Error| errors.report(first_line(&error))));
        let bindings = bindings(&device);
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("kernels"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let adapter = describe(name, &adapter.get_info());
        let style = if adapter.software && !options.as_hardware { Style::SOFTWARE } else { Style::HARDWARE };
        let inner = Inner {
            device,
            queue,
            adapter,
            style,
            limits,
            faults,
            bindings,
            layout,
            pipelines: RefCell::default(),
            created: Cell::default(),
            ceilings: Cell::default(),
            latency: Latency::default(),
            #[cfg(not(target_arch = "wasm32"))]
            instance,
        };
        let device = Self { inner: Rc::new(inner) };
        let wait = async || {
            let encoder = device.inner.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            device.run(encoder.finish()).await.map(|nanos| Duration::from_nanos(nanos as u64))
        };
        device.inner.latency.learn(wait).await;
        Ok(device)
    }

    /// The same, waiting for it.
    ///
    /// # Errors
    /// As [`GpuDevice::request`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(options: &DeviceOptions) -> Result<Self, UserError> {
        let mut request = std::pin::pin!(Self::request(options));
        // Natively every future of wgpu is ready when it is made.
        loop {
            if let Poll::Ready(outcome) = request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return outcome;
            }
            std::thread::yield_now();
        }
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.inner.adapter
    }

    /// Objects created so far; none are created by steps that run again and again.
    pub fn created(&self) -> Created {
        self.inner.created.get()
    }

    /// Objects that are alive on all devices opened with this one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn live(&self) -> Option<Live> {
        let hub = self.inner.instance.generate_report()?.hub;
        Some(Live {
            buffers: hub.buffers.num_allocated,
            bind_groups: hub.bind_groups.num_allocated,
            commands: hub.command_encoders.num_allocated + hub.command_buffers.num_allocated,
        })
    }

    /// How long work took whose end was told at a moment, submitted as it was, behind work whose end was told `before`.
    pub fn time_of(&self, before: Option<Instant>, submitted: Instant, end: Instant) -> Duration {
        self.inner.latency.time_of(before, submitted, end)
    }

    /// Time that a submit should take.
    pub fn submit_time(&self) -> Duration {
        self.inner.latency.submit_time()
    }

    pub(crate) fn style(&self) -> Style {
        self.inner.style
    }

    /// Largest arena or data buffer, in bytes.
    pub fn max_buffer(&self) -> u64 {
        self.inner.limits.max_storage_buffer_binding_size
    }

    /// Why the device can no longer be used.
    pub fn fault(&self) -> Option<String> {
        self.inner.faults.first()
    }

    /// Gives the device up, as a driver that crashes would: executors report that it is lost.
    pub fn destroy(&self) {
        self.inner.faults.report("the device was closed".to_string());
        self.inner.device.destroy();
    }

    /// Pipelines compiled so far.
    pub fn pipelines(&self) -> usize {
        self.inner.pipelines.borrow().len()
    }

    /// Compiles the pipeline of a dispatch if it is new, and waits for what the shader compiler says.
    ///
    /// # Errors
    /// When the shader does not compile.
    pub(crate) async fn warm_pipeline(&self, dispatch: &Dispatch) -> Result<(), ExecError> {
        if self.inner.pipelines.borrow().contains_key(&dispatch.source) {
            return Ok(());
        }
        let scope = self.inner.device.push_error_scope(ErrorFilter::Validation);
        self.pipeline(dispatch);
        let Some(error) = scope.pop().await else { return Ok(()) };
        self.forget_pipeline(&dispatch.source);
        Err(self.shader_error(dispatch.name, &error))
    }

    /// The pipeline of a dispatch, compiled if it is new.
    pub(crate) fn pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        if let Some(known) = self.inner.pipelines.borrow().get(&dispatch.source) {
            return known.clone();
        }
        let pipeline = self.compile(dispatch.name, &dispatch.source, Some(&self.inner.layout));
        let mut known = self.inner.pipelines.borrow_mut();
        if known.len() >= MAX_PIPELINES {
            // Loaded programs hold on to theirs.
            known.clear();
        }
        known.insert(dispatch.source.clone(), pipeline.clone());
        pipeline
    }

    pub(crate) fn compile(&self, name: &str, source: &str, layout: Option<&wgpu::PipelineLayout>) -> wgpu::ComputePipeline {
        let device = &self.inner.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        })
    }

    pub(crate) fn forget_pipeline(&self, source: &str) {
        self.inner.pipelines.borrow_mut().remove(source);
    }

    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn bindings(&self) -> &wgpu::BindGroupLayout {
        &self.inner.bindings
    }

    pub(crate) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let created = self.inner.created.get();
        self.inner.created.set(Created { buffers: created.buffers + 1, ..created });
        self.inner.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
    }

    pub(crate) fn bind_group(&self, descriptor: &wgpu::BindGroupDescriptor<'_>) -> wgpu::BindGroup {
        let created = self.inner.created.get();
        self.inner.created.set(Created { bind_groups: created.bind_groups + 1, ..created });
        self.inner.device.create_bind_group(descriptor)
    }

    pub(crate) fn ceilings_cell(&self) -> &Cell<Option<Ceilings>> {
        &self.inner.ceilings
    }

    /// Waits for a callback, or for the device to be lost. Where callbacks need somebody to ask for them, it asks.
    pub(crate) async fn arrival(&self, signal: &Signal) {
        poll_fn(|cx| {
            #[cfg(target_arch = "wasm32")]
            if signal.get().is_none() {
                self.inner.latency.nudge(&self.inner.queue, cx);
            }
            #[cfg(not(target_arch = "wasm32"))]
            while signal.get().is_none() && self.fault().is_none() {
                let soon = Duration::from_millis(100);
                // What a failed poll means arrives through the callbacks of the device.
                let _ = self.inner.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(soon) });
            }
            if signal.poll(cx).is_ready() { Poll::Ready(()) } else { self.inner.faults.poll(cx) }
        })
        .await;
    }

    /// Submits commands and waits until they have run: nanoseconds from one to the other.
    ///
    /// # Errors
    /// When the device is lost.
    pub(crate) async fn run(&self, commands: wgpu::CommandBuffer) -> Result<f64, ExecError> {
        let start = Instant::now();
        self.inner.queue.submit([commands]);
        let done = Signal::default();
        let signal = done.clone();
        self.inner.queue.on_submitted_work_done(move || signal.set(true));
        self.arrival(&done).await;
        match (done.get(), self.fault()) {
            (Some((end, _)), None) => Ok(end.saturating_duration_since(start).as_nanos() as f64),
            (_, why) => Err(ExecError::DeviceLost(why.unwrap_or_default())),
        }
    }

    /// # Errors
    /// When the device is lost.
    pub(crate) fn alive(&self) -> Result<(), ExecError> {
        self.fault().map_or(Ok(()), |why| Err(ExecError::DeviceLost(why)))
    }

    /// A shader that did not compile, or the loss of the device, after which none does.
    pub(crate) fn shader_error(&self, name: &str, error: &wgpu::Error) -> ExecError {
        let failed = || ExecError::Shader { name: name.to_string(), message: first_line(error) };
        self.alive().err().unwrap_or_else(failed)
    }

    /// Reports what went wrong outside of the device's own callbacks.
    pub(crate) fn report(&self, what: String) {
        self.inner.faults.report(what);
    }
}

/// What a person reads where there is no adapter.
pub fn no_gpu() -> UserError {
    UserError::new("This machine or browser offers no GPU to compute on.")
        .hint("Training goes on on the CPU; in a browser, look whether WebGPU is switched on.")
}

async fn find(instance: &wgpu::Instance, options: &DeviceOptions) -> Result<wgpu::Adapter, UserError> {
    #[cfg(not(target_arch = "wasm32"))]
    if let Some(name) = &options.name {
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let wanted = name.to_ascii_lowercase();
        let found = adapters.into_iter().find(|a| a.get_info().name.to_ascii_lowercase().contains(&wanted));
        return found.ok_or_else(|| UserError::new(format!("There is no GPU called {name:?} here.")));
    }
    let wanted = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        force_fallback_adapter: options.software,
        ..Default::default()
    };
    instance.request_adapter(&wanted).await.map_err(|_| no_gpu())
}

fn check(limits: &Limits) -> Result<(), UserError> {
    let enough = limits.max_compute_invocations_per_workgroup >= GROUP
        && limits.max_compute_workgroup_size_x >= GROUP
        && limits.max_compute_workgroup_storage_size >= 16 << 10
        && limits.max_storage_buffers_per_shader_stage >= 2
        && limits.max_dynamic_uniform_buffers_per_pipeline_layout >= 2
        && limits.max_uniform_buffer_binding_size >= 4 * PARAM_WORDS as u64
        && limits.max_storage_buffer_binding_size >= 1 << 16;
    if enough {
        return Ok(());
    }
    Err(UserError::new("The GPU is too limited for the kernels.").hint("Training goes on on the CPU."))
}

/// The adapter's name. A browser that tells nothing of its adapter is too old: wgpu would throw at it.
#[cfg_attr(not(target_arch = "wasm32"), expect(clippy::unused_async, reason = "a browser is asked"))]
async fn name(adapter: &wgpu::Adapter) -> Result<String, UserError> {
    #[cfg(target_arch = "wasm32")]
    let told = crate::browser::adapter_name().await.ok_or_else(|| {
        UserError::new("This browser's WebGPU is too old.").hint("Update the browser; training goes on on the CPU.")
    })?;
    #[cfg(not(target_arch = "wasm32"))]
    let told = String::new();
    let known = adapter.get_info().name;
    Ok([known, told].into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "an adapter without a name".to_string()))
}

fn describe(name: String, info: &wgpu::AdapterInfo) -> Adapter {
    let api = match info.backend {
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "DirectX 12",
        wgpu::Backend::BrowserWebGpu => "WebGPU",
        wgpu::Backend::Gl => "OpenGL",
        wgpu::Backend::Noop => "nothing",
    };
    let lower = name.to_ascii_lowercase();
    let known = ["swiftshader", "llvmpipe", "lavapipe", "software", "basic render", "warp"];
    let software = info.device_type == DeviceType::Cpu || known.iter().any(|name| lower.contains(name));
    Adapter { name, api, software }
}

/// Arena, data, parameters of the dispatch, scalars of the step: the same for all pipelines.
fn bindings(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding: u32, ty: BufferBindingType, dynamic: bool| BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
        count: None,
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("kernels"),
        entries: &[
            entry(0, BufferBindingType::Storage { read_only: false }, false),
            entry(1, BufferBindingType::Storage { read_only: true }, false),
            entry(2, BufferBindingType::Uniform, true),
            entry(3, BufferBindingType::Uniform, true),
        ],
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_shader_that_does_not_compile_is_named_and_forgotten() {
        let Ok(device) = GpuDevice::open(&DeviceOptions::default()) else {
            assert!(std::env::var_os("DOWNHILL_REQUIRE_GPU").is_none());
            return;
        };
        let broken = Dispatch { name: "matmul_tile", source: "fn main() { nonsense }".into(), params: Vec::new(), groups: 1 };
        let mut warm = std::pin::pin!(device.warm_pipeline(&broken));
        let outcome = warm.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(ExecError::Shader { name, message })) = outcome else { panic!("{outcome:?}") };
        assert_eq!(name, "matmul_tile");
        assert!(!message.is_empty());
        assert_eq!((device.pipelines(), device.fault()), (0, None), "other kernels can still run");
    }

    #[test]
    fn an_adapter_below_any_of_our_needs_is_refused() {
        let fits = Limits::default();
        assert!(check(&fits).is_ok());
        let narrow = [
            Limits { max_compute_invocations_per_workgroup: 32, ..fits.clone() },
            Limits { max_compute_workgroup_storage_size: 8 << 10, ..fits.clone() },
            Limits { max_storage_buffers_per_shader_stage: 1, ..fits.clone() },
            Limits { max_uniform_buffer_binding_size: 256, ..fits.clone() },
            Limits { max_storage_buffer_binding_size: 1 << 15, ..fits.clone() },
        ];
        narrow.iter().for_each(|limits| assert!(check(limits).is_err(), "{limits:?}"));
    }
}
