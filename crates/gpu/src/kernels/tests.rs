//! Shaders without a device: all of them validate, and some are looked at.

use std::collections::BTreeSet;

use downhill_compile::{LayoutSpec, Options, Plan, StateLayout, compile};
use downhill_graph::Graph;
use downhill_graph::ops::all_cases;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::Style;
use crate::program::dispatches;
use crate::self_test;
use crate::shader::Dispatch;

fn plans(graph: &Graph, slots: usize) -> [Plan; 2] {
    let mut spec = LayoutSpec { slots, ring: 2, metrics: 8, ..LayoutSpec::default() };
    spec.include(graph);
    let layout = StateLayout::new(&spec).expect("a test's state fits");
    [true, false].map(|fuse| compile(graph, "test", &layout, &Options { fuse, alias: true }).expect("a test compiles"))
}

fn of(plan: &Plan) -> Vec<Dispatch> {
    on(Style::HARDWARE, plan)
}

fn on(style: Style, plan: &Plan) -> Vec<Dispatch> {
    dispatches(style, plan).expect("every kernel is supported").into_iter().flat_map(|l| l.dispatches).collect()
}

/// Parses and validates; returns the error with the line it is in.
fn validate(source: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    validator.validate(&module).map(|_| ()).map_err(|e| e.emit_to_string(source))
}

#[test]
fn every_shader_of_every_case_is_valid_without_any_extension() {
    let mut sources = BTreeSet::new();
    let cases = all_cases();
    let cases = cases.iter().filter(|c| c.inputs.iter().all(|t| t.ty.shape.numel() > 0));
    for case in cases {
        for (graph, env) in std::iter::once(case.graph()).chain(case.gradient_graph()) {
            for plan in plans(&graph, env.slots.len()) {
                let all = [Style::HARDWARE, Style::SOFTWARE].into_iter().flat_map(|style| on(style, &plan));
                sources.extend(all.map(|d| d.source));
            }
        }
    }
    assert!(sources.len() > 200, "{} shaders", sources.len());
    let broken: Vec<String> = sources.iter().filter_map(|s| validate(s).err().map(|e| format!("{e}\n{s}"))).collect();
    assert!(broken.is_empty(), "{} of {}: {}", broken.len(), sources.len(), broken[0]);
}

#[test]
fn the_shaders_that_measure_a_device_are_valid() {
    for source in [crate::ceilings::COPY, crate::ceilings::FMA] {
        validate(source).expect("it is valid");
    }
}

#[test]
fn the_shaders_of_the_self_test_are_as_they_were() {
    let mut seen = BTreeSet::new();
    for dispatch in of(&self_test::plan(true)) {
        validate(&dispatch.source).expect("it is valid");
        let number = seen.iter().filter(|(name, _)| *name == dispatch.name).count();
        if number < 2 && seen.insert((dispatch.name, dispatch.source.clone())) {
            insta::assert_snapshot!(format!("{}_{number}", dispatch.name), dispatch.source);
        }
    }
    assert!(seen.len() >= 10, "{} shaders", seen.len());
}

#[test]
fn no_dispatch_names_a_parameter_twice() {
    for dispatch in of(&self_test::plan(true)).into_iter().chain(of(&self_test::plan(false))) {
        let fields =
            dispatch.source.split("struct Params {").nth(1).and_then(|s| s.split('}').next()).expect("it has parameters");
        let names: Vec<&str> = fields.split(',').map(str::trim).filter(|f| !f.is_empty()).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{fields}");
        assert_eq!(names.len(), dispatch.params.len(), "{}", dispatch.name);
    }
}
