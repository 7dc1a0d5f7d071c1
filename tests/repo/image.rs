//! What can be told of the image without building it.

use std::process::Command;

use crate::{read, repository};

/// The instructions of the Dockerfile, without comments, each on one line.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn all(name: &str) -> Vec<String> {
    instructions().into_iter().filter(|(found, _)| found == name).map(|(_, rest)| rest).collect()
}

#[test]
fn the_image_is_built_in_stages_with_the_pinned_toolchain() {
    let toolchain = read("rust-toolchain.toml");
    let pinned =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"').to_owned();
    let stages = all("FROM");
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert!(stages[0].starts_with(&format!("rust:{pinned}-")), "{}", stages[0]);
    assert!(stages[1].starts_with("gcr.io/distroless/static-") && stages[1].ends_with(":nonroot"), "{}", stages[1]);
    assert!(all("ENV")[0].contains(&format!("RUSTUP_TOOLCHAIN={pinned}")));
}

#[test]
fn the_image_runs_the_program_as_nobody_and_has_nothing_else() {
    let user = all("USER").pop().expect("it does not run as root");
    let numbers: Vec<u32> = user.split(':').map(|part| part.parse().expect("by number")).collect();
    assert!(numbers.iter().all(|number| *number > 0), "{user}");
    assert_eq!(all("ENTRYPOINT"), ["[\"/bin/external-secrets\"]"]);
    let copies: Vec<_> = all("COPY").into_iter().filter(|copy| copy.starts_with("--from")).collect();
    assert_eq!(
        copies,
        [
            "--from=build /root-of-image/bin/external-secrets /bin/external-secrets",
            "--from=build /root-of-image/licenses /licenses",
        ]
    );
}

#[test]
fn the_program_of_the_image_is_a_locked_release_build_without_the_sandbox() {
    let run = all("RUN").pop().unwrap();
    let build = run.split("&&").find(|command| command.contains("cargo build")).unwrap();
    for word in ["--release", "--locked", "--features otlp", "--bin external-secrets"] {
        assert!(build.contains(word), "{build}: no {word}");
    }
    assert!(!build.contains("sandbox") && !build.contains("--all-features"), "{build}");
    assert!(all("ENV")[0].contains("+crt-static"));
}

#[test]
fn what_the_dockerfile_copies_is_all_that_cargo_needs() {
    let folder = tempfile::tempdir().unwrap();
    for copy in all("COPY").into_iter().filter(|copy| !copy.starts_with("--from")) {
        let words: Vec<_> = copy.split(' ').collect();
        let (target, sources) = words.split_last().unwrap();
        let target = folder.path().join(target);
        for source in sources {
            let to = if words.len() == 2 { target.clone() } else { target.join(source) };
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(repository(source), to).unwrap();
        }
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder.path()).args([
        "metadata",
        "--locked",
        "--offline",
        "--format-version=1",
        "--features=otlp",
        // The crates of other platforms need not be on this machine.
        &format!("--filter-platform={}", host()),
    ]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The platform of this machine, as rustc calls it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn the_published_image_comes_with_its_parts_list_and_its_origin() {
    let makefile = read("Makefile");
    let recipe = makefile.split("\nimage-archive:").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    for word in ["--sbom=true", "--provenance=mode=max", "SOURCE_DATE_EPOCH", "rewrite-timestamp=true"] {
        assert!(recipe.contains(word), "make image-archive: no {word}");
    }
}
