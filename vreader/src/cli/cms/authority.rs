//! Those who sign certificates.

use std::{fs, path::PathBuf};

use der::pem::{self, LineEnding};
use serde_json::json;
use vreader::cms::database::AuthorityRow;

use super::Common;
use crate::cli::{Failure, Outcome, print, print_json};

/// Authorities.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// All of them
    #[command(after_help = "Example:\n  vreader cms authority list")]
    List,
    /// Write their certificates into a folder, in PEM
    #[command(
        after_help = "Example:\n  vreader cms authority export pki && openssl verify -CAfile pki/root.pem -untrusted pki/issuing.pem my.pem"
    )]
    Export {
        /// The folder
        folder: PathBuf,
    },
    /// It signs nothing any more
    #[command(after_help = "Example:\n  vreader cms authority revoke 'Issuing CA'")]
    Revoke {
        /// A part of its name
        name: String,
    },
    /// Its private key is lost
    #[command(after_help = "Example:\n  vreader cms authority forget-key 'Issuing CA'")]
    ForgetKey {
        /// A part of its name
        name: String,
    },
}

pub(super) fn run(common: &Common, command: &Command) -> Outcome {
    let mut cms = common.open()?;
    let rows = match command {
        Command::List => cms.authorities()?,
        Command::Export { folder } => return export(common, &cms.authorities()?, folder),
        Command::Revoke { name } => vec![cms.revoke_authority(name)?],
        Command::ForgetKey { name } => {
            cms.forget_authority_key(name)?;
            vec![cms.authority(name)?]
        }
    };
    if common.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "authority": row.id, "role": row.role, "name": row.name,
                    "revoked": row.revoked.is_some(), "has_key": row.authority.is_some(),
                })
            })
            .collect();
        return print_json(&rows);
    }
    let line = |row: &AuthorityRow| {
        let revoked = if row.revoked.is_some() { ", revoked" } else { "" };
        let key = if row.authority.is_some() { "" } else { ", its key is not here" };
        format!("authority {} ({}): {}{revoked}{key}\n", row.id, row.role, row.name)
    };
    print(&rows.iter().map(line).collect::<String>())
}

fn export(common: &Common, rows: &[AuthorityRow], folder: &PathBuf) -> Outcome {
    let mut written = Vec::new();
    fs::create_dir_all(folder)
        .map_err(|error| Failure(format!("cannot make the folder {}: {error}", folder.display())))?;
    for row in rows {
        let name = match row.role.name() {
            "cac" => format!("cac-{}", row.id),
            role => role.to_owned(),
        };
        let path = folder.join(format!("{name}.pem"));
        let text = pem::encode_string("CERTIFICATE", LineEnding::LF, &row.certificate)
            .map_err(|error| Failure(format!("cannot encode {}: {error}", row.name)))?;
        fs::write(&path, text)
            .map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
        written.push(path);
    }
    if common.json {
        return print_json(&written);
    }
    print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())
}
