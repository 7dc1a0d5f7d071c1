//! What can be checked about the image without building it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

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
        // This machine may lack the crates for other platforms.
        &format!("--filter-platform={}", host()),
    ]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// This machine's platform, in rustc's notation.
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

/// Writes what the Dockerfile's first stage produces, with this program in it.
fn write_stage(root: &Path, program: &str) {
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::create_dir_all(root.join("licenses")).unwrap();
    std::fs::write(root.join("bin/external-secrets"), program).unwrap();
    std::fs::set_permissions(root.join("bin/external-secrets"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(root.join("licenses/LICENSE"), read("LICENSE")).unwrap();
    std::fs::write(root.join("public.crt"), "-----BEGIN CERTIFICATE-----\n").unwrap();
}

/// Builds the image without a container engine; returns the archive.
fn archive(root: &Path) -> PathBuf {
    let out = root.join("image.tar");
    let output = Command::new("python3")
        .current_dir(repository(""))
        .arg("tests/image/archive.py")
        .args([root, Path::new("example.test/external-secrets:1"), &out])
        .env("SOURCE_DATE_EPOCH", "1000000000")
        .env("AUTHORITIES", root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

/// Unpacks an archive into a new folder.
fn unpacked(archive: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(folder.path());
    assert!(tar.status().unwrap().success());
    folder
}

/// An unpacked image: its configuration and its only layer.
struct Image {
    folder: tempfile::TempDir,
    name: String,
    config: Value,
    layer: PathBuf,
}

impl Image {
    fn open(archive: &Path) -> Self {
        let folder = unpacked(archive);
        let json = |path: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.path().join(path)).unwrap()).unwrap()
        };
        let blob = |descriptor: &Value| format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
        assert_eq!(json("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
        let entry = json("index.json")["manifests"][0].clone();
        let manifest = json(&blob(&entry));
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1);
        let name = entry["annotations"]["io.containerd.image.name"].as_str().unwrap().to_owned();
        let config = json(&blob(&manifest["config"]))["config"].clone();
        Self { name, config, layer: folder.path().join(blob(&layers[0])), folder }
    }

    /// The lines of `tar --list --verbose` with owners as numbers: mode, owner, size, date, time and path.
    fn files(&self) -> Vec<String> {
        let mut tar = Command::new("tar");
        tar.args(["--list", "--verbose", "--numeric-owner", "--utc", "--gzip", "--file"]).arg(&self.layer);
        let output = tar.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn content(&self, path: &str) -> String {
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--to-stdout", "--gzip", "--file"]).arg(&self.layer).arg(path);
        String::from_utf8(tar.current_dir(self.folder.path()).output().unwrap().stdout).unwrap()
    }
}

#[test]
fn the_image_that_is_made_without_an_engine_is_that_of_the_dockerfile() {
    let root = tempfile::tempdir().unwrap();
    write_stage(root.path(), "the program");
    let image = Image::open(&archive(root.path()));
    assert_eq!(image.name, "example.test/external-secrets:1");

    assert_eq!(image.config["User"], *all("USER").last().unwrap());
    let entrypoint: Value = serde_json::from_str(all("ENTRYPOINT").last().unwrap()).unwrap();
    assert_eq!(image.config["Entrypoint"], entrypoint);
    let labels = image.config["Labels"].as_object().unwrap();
    let said = all("LABEL").join(" ");
    for (name, value) in labels {
        assert!(said.contains(&format!("{name}={value}")), "{name}={value} is not in {said}");
    }
    assert_eq!(labels.len(), said.matches("=\"").count(), "{said}");
    assert_eq!(image.content("bin/external-secrets"), "the program");
    assert_eq!(image.content("licenses/LICENSE"), read("LICENSE"));

    // Including the stand-in for the base image.
    let files = image.files();
    let time = "2001-09-09 01:46";
    for file in [
        format!("-rwxr-xr-x 0/0 11 {time} bin/external-secrets"),
        format!("drwxr-xr-x 0/0 0 {time} licenses/"),
        format!("drwxrwxrwt 0/0 0 {time} tmp/"),
        format!("drwx------ 65532/65532 0 {time} home/nonroot/"),
    ] {
        assert!(files.contains(&file), "no {file} in {files:#?}");
    }
    let paths: Vec<_> = files.iter().filter(|file| file.starts_with('-')).map(|file| file.split(' ').nth(5)).collect();
    let expected = [
        "bin/external-secrets",
        "etc/group",
        "etc/nsswitch.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
        "licenses/LICENSE",
    ];
    assert_eq!(paths, expected.map(Some));
    assert!(image.content("etc/passwd").contains("\nnonroot:x:65532:65532:"));
}

#[test]
fn the_image_that_is_made_without_an_engine_has_the_same_bytes_each_time() {
    let [one, another, changed] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    write_stage(one.path(), "the program");
    write_stage(another.path(), "the program");
    let file = std::fs::File::open(another.path().join("bin/external-secrets")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    write_stage(changed.path(), "another program");
    let bytes = |root: &tempfile::TempDir| std::fs::read(archive(root.path())).unwrap();
    assert!(bytes(&one) == bytes(&another), "the time of a file or the folder's name has changed the image");
    assert!(bytes(&one) != bytes(&changed));
}
