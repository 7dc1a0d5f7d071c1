//! The Tekton pipeline in the examples is consistent; the integration tests run its scripts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::manifest::documents;
use crate::read;

/// Each parameter's name, and whether it has a default.
fn parameters(spec: &Value) -> BTreeMap<String, bool> {
    let declared = spec["params"].as_array().into_iter().flatten();
    declared.map(|param| (param["name"].as_str().unwrap().to_owned(), !param["default"].is_null())).collect()
}

/// The names in all `$(params.NAME)` of a manifest.
fn used(manifest: &Value) -> Vec<String> {
    let text = manifest.to_string();
    text.split("$(params.").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// Panics unless `given` names only parameters of the task or pipeline, and all the required ones.
fn check_given(what: &str, given: &Value, declared: &BTreeMap<String, bool>) {
    let given: Vec<_> = given.as_array().unwrap().iter().map(|param| param["name"].as_str().unwrap()).collect();
    for name in &given {
        assert!(declared.contains_key(*name), "{what} has no parameter {name}");
    }
    for (name, has_default) in declared {
        assert!(*has_default || given.contains(&name.as_str()), "{what} is not given {name}");
    }
}

#[test]
fn the_pipeline_gives_its_tasks_the_parameters_that_they_have() {
    let tasks = documents(&read("examples/pipeline/tasks.yaml")).unwrap();
    let [pipeline] = <[Value; 1]>::try_from(documents(&read("examples/pipeline/pipeline.yaml")).unwrap()).unwrap();
    let [run] = <[Value; 1]>::try_from(documents(&read("examples/pipeline/run.yaml")).unwrap()).unwrap();
    for manifest in tasks.iter().chain([&pipeline]) {
        let declared = parameters(&manifest["spec"]);
        for name in used(manifest) {
            assert!(declared.contains_key(&name), "{} has no parameter {name}", manifest["metadata"]["name"]);
        }
    }
    let stages = pipeline["spec"]["tasks"].as_array().unwrap();
    assert_eq!(stages.len(), tasks.len());
    for (stage, task) in stages.iter().zip(&tasks) {
        assert_eq!(stage["taskRef"]["name"], task["metadata"]["name"]);
        check_given(&task["metadata"]["name"].to_string(), &stage["params"], &parameters(&task["spec"]));
    }
    check_given("the pipeline", &run["spec"]["params"], &parameters(&pipeline["spec"]));
}

#[test]
fn no_value_becomes_a_command() {
    for task in documents(&read("examples/pipeline/tasks.yaml")).unwrap() {
        for step in task["spec"]["steps"].as_array().unwrap() {
            let script = step["script"].as_str().unwrap();
            assert!(!script.contains("$("), "{}: pass values through the environment", task["metadata"]["name"]);
        }
    }
}
