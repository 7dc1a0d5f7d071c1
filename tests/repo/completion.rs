//! The scripts that complete commands.

use std::process::Command;

use rstest::rstest;

use crate::printed;

#[rstest]
#[case("bash", &["bash", "-n"])]
#[case("zsh", &["zsh", "-n"])]
#[case("fish", &["fish", "--no-execute"])]
#[case("powershell", &[])]
#[case("kubectl", &["sh", "-n"])]
fn a_script_is_one_that_its_shell_can_read(#[case] shell: &str, #[case] check: &[&str]) {
    let script = printed(&["completion", shell]);
    if shell == "kubectl" {
        assert!(script.contains("kubectl-external_secrets __complete"), "{script}");
    } else {
        for word in ["doctor", "lint", "kubeconfig"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script");
    std::fs::write(&path, &script).unwrap();
    // Shells that a machine does not have are not asked.
    let Some((program, arguments)) = check.split_first() else { return };
    let Ok(output) = Command::new(program).args(arguments).arg(&path).output() else { return };
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
}
