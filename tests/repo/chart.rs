//! The Helm chart agrees with the rest of the repository.

use crate::{files, read};

const CHART: &str = "helm/external-secrets";

#[test]
fn the_chart_has_the_definitions_of_crds() {
    let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
    let ours: Vec<_> = files("crds", &["yaml"]).iter().map(name).collect();
    let copies: Vec<_> = files(&format!("{CHART}/files/crds"), &["yaml"]).iter().map(name).collect();
    assert_eq!(copies, ours, "run `make generate` and commit the result");
    for name in ours {
        let same = read(&format!("crds/{name}")) == read(&format!("{CHART}/files/crds/{name}"));
        assert!(same, "{CHART}/files/crds/{name} is not crds/{name}: run `make generate` and commit the result");
    }
}

#[test]
fn each_definition_has_a_template() {
    let templates: String =
        files(&format!("{CHART}/templates/crds"), &["yaml"]).iter().map(|file| read(file)).collect();
    for file in files("crds", &["yaml"]) {
        let name = file.rsplit('/').next().unwrap();
        assert!(
            templates.contains(&format!("\"{name}\"")),
            "{CHART}/templates/crds has no template that renders {name}"
        );
    }
}
