//! Completions and manual pages, made from the command line's own definition.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use crate::args::Arguments;

/// The script that completes the command in `shell`.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bellwether", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page of the command itself, as roff.
pub fn man_page() -> Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Writes the manual pages of the command and all its subcommands into `folder`.
pub fn man_pages(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .with_context(|| format!("{}: the manual pages cannot be written", folder.display()))
}
