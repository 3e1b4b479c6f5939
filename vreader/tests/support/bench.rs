//! A card on the bench: what is on it, and openssl to verify it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use apdu::tlv_ber::Reader;
use tempfile::TempDir;
use vreader::issue::{Authority, IssuedCard};

/// 2029-01-01: within the life of every seeded card.
pub(crate) const DURING_LIFE: &[&str] = &["-attime", "1861920000"];

/// A card, and a folder with its authorities for OpenSSL.
pub(crate) struct Bench {
    pub(crate) card: IssuedCard,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new(card: IssuedCard) -> Self {
        let bench = Self { card, folder: tempfile::tempdir().unwrap() };
        let pki = &bench.card.pki;
        let [root, ca, signer] =
            [&pki.root, &pki.issuing_ca, &pki.content_signer].map(Authority::certificate_der);
        bench.write_pem("root.pem", &[root]);
        bench.write_pem("ca.pem", &[ca]);
        bench.write_pem("authorities.pem", &[root, ca]);
        bench.write_pem("signer.pem", &[signer]);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn write_pem(&self, name: &str, certificates: &[&[u8]]) {
        let mut pem = String::new();
        for certificate in certificates {
            let der = self.write("certificate.der", certificate);
            pem += &openssl(&["x509", "-inform", "DER", "-in", text(&der)]);
        }
        self.write(name, pem.as_bytes());
    }

    /// The contents of an object, without the tag and length around them.
    pub(crate) fn contents(&self, tag: u32) -> &[u8] {
        let (_, object) = self.card.objects.iter().find(|(found, _)| found.get() == tag).unwrap();
        let outer = if tag == 0x7E { 0x7E } else { 0x53 };
        let mut reader = Reader::new(object);
        let contents = reader.expect(apdu::Tag::new(outer)).unwrap();
        reader.finish().unwrap();
        contents
    }

    pub(crate) fn element(&self, tag: u32, element: u8) -> &[u8] {
        Reader::single_byte_tags(self.contents(tag)).find(element.into()).unwrap().unwrap()
    }

    /// A certificate of the card as OpenSSL prints it.
    pub(crate) fn print(&self, tag: u32) -> String {
        let der = self.write("print.der", self.element(tag, 0x70));
        openssl(&["x509", "-inform", "DER", "-in", text(&der), "-noout", "-text"])
    }

    pub(crate) fn verify_chain(&self, certificate: &[u8]) {
        self.try_verify_chain(certificate, DURING_LIFE).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The same at a time of one's own choice; an error is what OpenSSL objects to.
    pub(crate) fn try_verify_chain(&self, certificate: &[u8], time: &[&str]) -> Result<String, String> {
        self.write_pem("leaf.pem", &[certificate]);
        let (root, ca, leaf) = (self.path("root.pem"), self.path("ca.pem"), self.path("leaf.pem"));
        let files = ["-CAfile", text(&root), "-untrusted", text(&ca), text(&leaf)];
        try_openssl(&[&["verify", "-x509_strict"], time, &files].concat())
    }

    /// Verifies signed data and its signer's chain. Returns the content that was signed, or what OpenSSL objects to.
    ///
    /// OpenSSL takes no intermediate certificates here but from the message, so the issuing authority stands beside the
    /// root; that the root vouches for it is checked with the chains.
    pub(crate) fn verify_signed(&self, signature: &[u8], detached: Option<&[u8]>) -> Result<Vec<u8>, String> {
        self.verify_signed_at(signature, detached, DURING_LIFE)
    }

    /// The same at a time of one's own choice.
    pub(crate) fn verify_signed_at(
        &self,
        signature: &[u8],
        detached: Option<&[u8]>,
        time: &[&str],
    ) -> Result<Vec<u8>, String> {
        let (signature, out) = (self.write("signature.der", signature), self.path("content"));
        let (authorities, signer) = (self.path("authorities.pem"), self.path("signer.pem"));
        let content = detached.map(|content| self.write("detached", content));
        let mut arguments = vec!["cms", "-verify", "-binary", "-purpose", "any"];
        arguments.extend(time);
        arguments.extend(["-CAfile", text(&authorities), "-certfile", text(&signer)]);
        arguments.extend(["-inform", "DER", "-in", text(&signature), "-out", text(&out)]);
        if let Some(content) = &content {
            arguments.extend(["-content", text(content)]);
        }
        try_openssl(&arguments)?;
        Ok(std::fs::read(out).unwrap())
    }

    /// The structure of signed data as OpenSSL prints it.
    pub(crate) fn print_signed(&self, signature: &[u8]) -> String {
        let der = self.write("print.der", signature);
        openssl(&["cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", text(&der)])
    }
}

/// Runs OpenSSL and returns what it prints; an error is what it complains about.
pub(crate) fn try_openssl(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments).output().expect("the program openssl is installed");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// Runs OpenSSL, which must succeed.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    try_openssl(arguments).unwrap_or_else(|error| panic!("openssl {arguments:?}: {error}"))
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
