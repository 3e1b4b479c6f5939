//! Those who sign certificates, and what they publish.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};

use der::pem::{self, LineEnding};
use serde_json::json;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use vreader::{
    cms::{database::AuthorityRow, publish::Office},
    revocation::http::{Publisher, Reach},
};

use super::{Common, PATIENCE};
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

/// Writes the revocation list of an authority, as it is now, in PEM.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms crl --out crl.pem\n  vreader cms crl --authority 'EMAIL CA' --out email.pem"
)]
pub(super) struct Crl {
    /// A part of the authority's name
    #[arg(long, default_value = "Sample Issuing CA")]
    authority: String,
    /// The file; it is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// In DER
    #[arg(long)]
    der: bool,
}

pub(super) fn crl(common: &Common, arguments: &Crl) -> Outcome {
    let list = common.open()?.revocation_list(&arguments.authority)?;
    let bytes = if arguments.der { list.into_der() } else { list.pem()?.into_bytes() };
    let path = &arguments.out;
    fs::write(path, bytes).map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
    if common.json {
        return print_json(&json!({ "file": path }));
    }
    print(&format!("the revocation list is in {}\n", path.display()))
}

/// Publishes revocation lists, certificates of authorities and OCSP answers over HTTP, until it is stopped.
///
/// The addresses are /NAME.crl, /NAME.cer and /ocsp. Only programs on this machine reach it, unless --network is given.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms serve --address 127.0.0.1:8888 &\n  openssl ocsp -url http://127.0.0.1:8888/ocsp -issuer pki/issuing.pem -cert my.pem -CAfile pki/root.pem"
)]
pub(super) struct Serve {
    /// Where it listens; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Let other machines reach it
    #[arg(long)]
    network: bool,
}

pub(super) fn serve(common: &Common, arguments: &Serve) -> Outcome {
    // Before anything that a signal must not leave behind.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let office = Office::open(&common.path(), common.clock(), &common.operator(), PATIENCE)?;
    let names = office.names()?;
    let reach = if arguments.network { Reach::Network } else { Reach::Loopback };
    let publisher = Publisher::start(arguments.address, reach, Arc::new(office))?;
    let address = publisher.address();
    if common.json {
        print_json(&json!({ "address": address.to_string(), "authorities": names }))?;
    } else {
        let mut text = format!("http://{address}/ocsp\n");
        text.extend(names.iter().map(|name| format!("http://{address}/{name}.crl\n")));
        print(&text)?;
    }
    signals.forever().next();
    Ok(())
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
    let lines: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    print(&(lines.join("\n") + "\n"))
}
