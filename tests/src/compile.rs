//! Our own C programs and plugins, compiled with the C compiler of the machine.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Compiles the C file `source`, a path below the folder `tests`, into `target`. `arguments` come after the file, where the
/// libraries that it needs have to be.
///
/// # Errors
/// Where there is no C compiler, and where it refuses the file, with what it says.
pub fn compile(
    source: &str,
    target: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<()> {
    let output = Command::new("cc")
        .arg("-o")
        .arg(target)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(source))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cc cannot be run")?;
    ensure!(
        output.status.success(),
        "{source} does not compile: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_compile_is_named_with_what_the_compiler_says() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("host");
        let error = compile("hosts/fluentbit.c", &target, ["-DSTRIDE=("]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("hosts/fluentbit.c") && error.contains("STRIDE"),
            "{error}"
        );
        assert!(!target.exists());
    }
}
