//! Where the files of this crate and the shared ones are.

use std::path::PathBuf;

use thiserror::Error;

/// A file or folder of this crate, such as `scenarios`.
pub fn own(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The shared material is needed and not there.
#[derive(Debug, Error)]
#[error(
    "{path} is missing, and in CI (environment variable CI) it must be there: put the shared folder beside the repository"
)]
pub struct SharedMissing {
    path: String,
}

/// A file or folder of `../shared/vectors`, which stands outside the repository.
///
/// # Errors
/// In CI its absence is an error. Elsewhere the answer is `None`, and standard output says what was not checked.
pub fn shared(name: &str) -> Result<Option<PathBuf>, SharedMissing> {
    let path = own("../../shared/vectors").join(name);
    if path.exists() {
        return Ok(Some(path));
    }
    if std::env::var_os("CI").is_some() {
        return Err(SharedMissing { path: path.display().to_string() });
    }
    println!("NOT CHECKED: ../shared/vectors/{name} is not there");
    Ok(None)
}

/// The rows of a table in `known/`: columns between tabs, `#` comments, the first row names the columns.
pub fn known(name: &str) -> std::io::Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(own("known").join(name))?;
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(rows.skip(1).map(|row| row.split('\t').map(str::to_owned).collect()).collect())
}
