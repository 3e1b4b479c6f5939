//! Copies of a card's certificates where other programs look for them: an NSS database, as Firefox, Thunderbird and Chromium
//! have them, or a folder of PEM files. The private keys stay on the card.
//!
//! A copy has the certificate's label for its name; an earlier copy of this name is replaced, and nothing else is touched.
//! NSS is reached through its own program `certutil`.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use der::pem::{LineEnding, encode_string};
use serde::Serialize;

use super::certificates::{Certificates, Listed};

/// NSS's program, from Debian's package `libnss3-tools`.
const CERTUTIL: &str = "certutil";

/// The file of an NSS database that has its certificates.
const DATABASE: &str = "cert9.db";

/// More copies of one name than any database has.
const MOST_COPIES: usize = 64;

/// Where copies go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// The NSS database in this folder (`sql:`). It is made if there is none.
    Nss(PathBuf),
    /// This folder, a file a certificate. It is made if there is none.
    Pem(PathBuf),
}

/// Why there are no copies, or one is missing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// NSS's program is missing.
    #[error(
        "certutil, which writes NSS databases, is not installed: install it (Debian, Ubuntu: apt-get install libnss3-tools; Fedora: nss-tools), or copy to a folder with --pem"
    )]
    NoCertutil,
    /// NSS's program does not want.
    #[error("certutil refuses: {0}")]
    Certutil(String),
    /// A file or folder.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What became of a card's certificates.
#[derive(Debug, Default, Serialize)]
pub struct Exported {
    /// The labels of those that were copied.
    pub installed: Vec<String>,
    /// Those that were not.
    pub failed: Vec<Failed>,
}

/// A certificate that was not copied.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its label.
    pub label: String,
    /// Why.
    pub reason: String,
}

impl Store {
    /// Copies the certificates of a card. It fails as a whole only if there is no store to copy to.
    pub fn export(&self, certificates: &Certificates) -> Result<Exported, ExportError> {
        self.prepare()?;
        let mut exported = Exported::default();
        for listed in &certificates.certificates {
            let label = listed.label.clone();
            match self.put(listed) {
                Ok(()) => exported.installed.push(label),
                Err(error) => exported.failed.push(Failed { label, reason: error.to_string() }),
            }
        }
        exported.failed.extend(
            certificates
                .unreadable
                .iter()
                .map(|unreadable| Failed { label: unreadable.label(), reason: unreadable.reason.to_owned() }),
        );
        Ok(exported)
    }

    /// Makes the store, if there is none.
    fn prepare(&self) -> Result<(), ExportError> {
        match self {
            Self::Pem(folder) => create(folder),
            Self::Nss(folder) if folder.join(DATABASE).exists() => Ok(()),
            Self::Nss(folder) => {
                create(folder)?;
                certutil(folder, &["-N", "--empty-password"], &[])
            }
        }
    }

    fn put(&self, listed: &Listed) -> Result<(), ExportError> {
        match self {
            Self::Pem(folder) => {
                let path = folder.join(file_name(&listed.label));
                let pem = encode_string("CERTIFICATE", LineEnding::LF, &listed.der).map_err(io::Error::other);
                let written = pem.and_then(|pem| fs::write(&path, pem));
                written.map_err(|source| ExportError::File { path, source })
            }
            Self::Nss(folder) => {
                // NSS would keep a renewed certificate beside the old one. Deleting fails when none is left.
                let delete = || certutil(folder, &["-D", "-n", &listed.label], &[]);
                (0..MOST_COPIES).take_while(|_| delete().is_ok()).for_each(drop);
                certutil(folder, &["-A", "-n", &listed.label, "-t", ",,"], &listed.der)
            }
        }
    }
}

fn create(folder: &Path) -> Result<(), ExportError> {
    fs::create_dir_all(folder).map_err(|source| ExportError::File { path: folder.to_owned(), source })
}

/// A label as the name of a file: whatever a card says, in this folder and seen.
fn file_name(label: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | '_' | '\'');
    let name: String = label.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    format!("{name}.pem")
}

/// Runs certutil on the database in a folder, and gives it this to read.
fn certutil(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<(), ExportError> {
    let mut database = std::ffi::OsString::from("sql:");
    database.push(folder);
    let mut command = Command::new(CERTUTIL);
    command.args(arguments).arg("-d").arg(database);
    let output = run(&mut command, input).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ExportError::NoCertutil,
        _ => ExportError::Certutil(error.to_string()),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ExportError::Certutil(said.lines().next().unwrap_or("it does not say why").to_owned()))
}

fn run(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A certificate fits into a pipe; a program that ends without reading says why.
        let _ = pipe.write_all(input);
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_files_of_the_folder() {
        for (label, name) in [
            ("ID - SAMPLE.DANA.Q.1234567890", "ID - SAMPLE.DANA.Q.1234567890.pem"),
            ("ID - O'Sample", "ID - O'Sample.pem"),
            ("ID - ../../etc/passwd", "ID - .._.._etc_passwd.pem"),
            ("ID - a\0b\u{1b}", "ID - a_b_.pem"),
        ] {
            assert_eq!(file_name(label), name);
        }
    }
}
