//! Where the files of this crate and the shared ones are.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file or folder of this crate, such as `scenarios`.
pub fn own(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The scenario files, in the order of their names.
pub fn scenarios() -> std::io::Result<Vec<PathBuf>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(own("scenarios"))?.collect();
    let mut paths: Vec<_> = entries?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// A path for people: files of this crate without what is before the crate's folder.
pub(crate) fn shown(path: &Path) -> String {
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
    shown.display().to_string()
}

/// The shared material is needed and not there.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0} is missing, and in CI (environment variable CI) it must be there: put the folder `shared` beside the repository"
)]
pub struct SharedMissing(String);

/// A file or folder of `../shared/vectors`, which stands outside the repository.
///
/// # Errors
/// In CI its absence is an error. Elsewhere the answer is `None`, and standard output says what was not checked.
pub fn shared(name: &str) -> Result<Option<PathBuf>, SharedMissing> {
    let path = own("../../shared/vectors").join(name);
    let found = required(&path, std::env::var_os("CI").is_some())?;
    if !found {
        println!("NOT CHECKED: ../shared/vectors/{name} is not there");
    }
    Ok(found.then_some(path))
}

/// Whether `path` is there; an error if it is not and must be.
fn required(path: &Path, must_be_there: bool) -> Result<bool, SharedMissing> {
    match path.exists() {
        false if must_be_there => Err(SharedMissing(path.display().to_string())),
        found => Ok(found),
    }
}

/// The rows of a table in `known/`: columns between tabs, `#` comments, the first row names the columns.
pub fn known(name: &str) -> std::io::Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(own("known").join(name))?;
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(rows.skip(1).map(|row| row.split('\t').map(str::to_owned).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::{SharedMissing, own, required};

    #[test]
    fn what_ci_needs_must_be_there() {
        let (present, absent) = (own("cards/piv.card"), own("cards/none.card"));
        for must_be_there in [false, true] {
            assert_eq!(required(&present, must_be_there), Ok(true));
        }
        assert_eq!(required(&absent, false), Ok(false));
        assert_eq!(required(&absent, true), Err(SharedMissing(absent.display().to_string())));
    }
}
