//! Independent answers: everything here is computed by openssl from certificates and public keys.

use crate::world::{Attachment, World};

/// What the tests sign.
pub(crate) const MESSAGE: &str = "message.txt";

impl<A: Attachment> World<A> {
    /// Runs openssl, which must succeed.
    pub(crate) fn openssl<S: AsRef<str>>(&self, words: impl IntoIterator<Item = S>) -> String {
        self.tool("openssl").args(words).succeeds()
    }

    /// Writes a message to sign, and its hash by an algorithm of openssl in `hash.bin`.
    pub(crate) fn message(&self, hash: &str) {
        self.write(MESSAGE, "A message that nobody has signed before.\n");
        self.openssl(["dgst", hash, "-binary", "-out", "hash.bin", MESSAGE]);
    }

    /// Takes the public key out of a certificate in DER, and returns the name of the file that it is in.
    pub(crate) fn public_key(&self, certificate: &str) -> String {
        let file = format!("{certificate}.pub");
        self.openssl(["x509", "-inform", "DER", "-in", certificate, "-pubkey", "-noout", "-out", &file]);
        file
    }

    /// That a signature over the message is right, and that it is not right over another message.
    pub(crate) fn verify(&self, public_key: &str, signature: &str, options: &[&str]) {
        let verify = |message: &str| {
            let words = ["dgst", "-verify", public_key, "-signature", signature];
            self.tool("openssl").args(words).args(options).args([message])
        };
        assert!(verify(MESSAGE).succeeds().contains("Verified OK"));
        self.write("other.txt", "Another message.\n");
        assert!(verify("other.txt").fails().contains("Verification failure"));
    }

    /// That a certificate in PEM leads to the root of the card's PKI.
    pub(crate) fn verify_chain(&self, certificate: &str) {
        // Cards with a seed are valid from 2026 to 2031 whenever the test runs: this is 2027-01-01.
        let words = ["verify", "-attime", "1798761600", "-CAfile", "pki/root-ca.pem"];
        let chain = ["-untrusted", "pki/issuing-ca.pem", certificate];
        let said = self.tool("openssl").args(words).args(chain).succeeds();
        assert!(said.contains(&format!("{certificate}: OK")), "{said}");
    }
}
