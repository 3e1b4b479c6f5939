//! What `card new` writes beside the card.

use std::{
    fs,
    path::{Path, PathBuf},
};

use der::pem::{self, LineEnding};
use vreader::issue::{Authority, IssuedCard, OffCardCertificates};

use crate::cli::Failure;

/// The certificates of the PKI, in PEM.
pub(in crate::cli) fn authorities(issued: &IssuedCard, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let pki = &issued.pki;
    let mut authorities = vec![
        ("root-ca.pem", &pki.root),
        ("issuing-ca.pem", &pki.issuing_ca),
        ("content-signer.pem", &pki.content_signer),
    ];
    if let Some(cac) = &issued.cac {
        authorities.extend([("id-ca.pem", &cac.id_ca), ("email-ca.pem", &cac.email_ca)]);
    }
    let mut written = Vec::new();
    for (name, authority) in authorities {
        written.push(certificate(name, authority, folder)?);
    }
    Ok(written)
}

/// The certificate of the authority behind a YubiKey's attestations.
pub(super) fn attestation_root(root: &Authority, folder: &Path) -> Result<PathBuf, Failure> {
    certificate("attestation-root-ca.pem", root, folder)
}

/// One certificate in PEM.
pub(in crate::cli) fn certificate(
    name: &str,
    authority: &Authority,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let pem = pem::encode_string("CERTIFICATE", LineEnding::LF, authority.certificate_der())
        .map_err(|source| Failure(format!("cannot encode {name}: {source}")))?;
    write(folder, name, pem.as_bytes())
}

/// The file with the certificates of retired keys that are not on the card, under its name.
pub(super) fn off_card_certificates(
    certificates: &OffCardCertificates,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    write(folder, &certificates.name, &certificates.file)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|source| Failure(format!("cannot write {}: {source}", path.display())))?;
    Ok(path)
}
