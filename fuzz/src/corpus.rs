//! The inputs of a target: its seeds, and those in `vectors/fuzz/`, which earlier campaigns found worth keeping.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::Target;

/// The committed corpus of a target.
pub fn folder(target: &Target) -> PathBuf {
    vectors::files::own("fuzz").join(target.name)
}

/// Everything to begin with, by name.
///
/// # Errors
/// The committed corpus cannot be read.
pub fn inputs(target: &Target) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs: Vec<_> =
        (target.seeds)().into_iter().map(|(name, input)| (format!("seed-{name}"), input)).collect();
    for entry in fs::read_dir(folder(target))? {
        let entry = entry?;
        inputs.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    Ok(inputs)
}

/// Writes them into a folder.
///
/// # Errors
/// They cannot be read or written.
pub fn write(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, input) in inputs(target)? {
        fs::write(folder.join(name), input)?;
    }
    Ok(())
}
