//! A card management system in a test's world: its database, its cards in their files, and what other programs say of them.

use serde_json::Value;

use crate::{
    cac::{labels, opensc},
    card::{CARD, VREADER},
    openssl::MESSAGE,
    serve::Serve,
    world::{Attachment, Client, Run, World},
};

/// The one holder, who has number 1.
pub(super) const HOLDER: &str = "Dana Quincy Sample";

/// Names of the certificates, as OpenSC has them through PIV.
pub(super) const AUTHENTICATION: &str = "Certificate for PIV Authentication";
pub(super) const SIGNATURE: &str = "Certificate for Digital Signature";
pub(super) const ENCRYPTION: &str = "Certificate for Key Management";
pub(super) const CARD_AUTHENTICATION: &str = "Certificate for Card Authentication";
pub(super) const RETIRED: &str = "Retired Certificate for Key Management 1";

/// A management system, and the time there.
pub(super) struct Office<A = Run> {
    pub(super) world: World<A>,
    pub(super) now: &'static str,
}

impl Office {
    /// A new one with its holder, and a reader for the card in the file [`CARD`].
    pub(super) fn open(now: &'static str) -> Self {
        Self::open_in(World::with_options(&["--card", CARD]), now)
    }

    /// The same, and the reader has the card in this file.
    pub(super) fn with_card(self, file: &str) -> Self {
        Self { world: self.world.changed_to(&["--card", file]), ..self }
    }

    /// The same with readers that stay.
    pub(super) fn serve(self) -> Office<Serve> {
        Office { world: self.world.serve(&["--card", CARD]), now: self.now }
    }
}

impl<A: Attachment> Office<A> {
    /// The same in another kind of world.
    pub(super) fn open_in(world: World<A>, now: &'static str) -> Self {
        let office = Self { world, now };
        office.cms(&["init", "--seed", "1"]).succeeds();
        office.cms(&["holder", "add", HOLDER]).succeeds();
        office
    }

    /// A command of card management that needs no card.
    pub(super) fn cms(&self, words: &[&str]) -> Client {
        self.world.tool(VREADER).args(["cms", "--now", self.now]).args(words)
    }

    /// One with the card in the reader.
    pub(super) fn desk(&self, words: &[&str]) -> Client {
        self.world.client(VREADER).args(["cms", "--now", self.now]).args(words)
    }

    /// What a command that needs no card says as JSON.
    pub(super) fn json(&self, words: &[&str]) -> Value {
        let said = self.cms(words).args(["--json"]).succeeds();
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The state of a card, of which the database knows.
    pub(super) fn state(&self, card: &str) -> String {
        self.json(&["show", card])["state"].as_str().expect("a state").to_owned()
    }

    /// The certificates that OpenSC finds through PIV.
    pub(super) fn listed(&self) -> Vec<String> {
        let listed = opensc(&self.world, "PIV-II", &["--list-objects", "--type", "cert"]).succeeds();
        labels(&listed).into_iter().map(str::to_owned).collect()
    }

    /// What OpenSC says to a login.
    pub(super) fn log_in(&self, pin: &str) -> String {
        opensc(&self.world, "PIV-II", &["--login", "--pin", pin, "--list-objects", "--type", "privkey"])
            .run()
            .text()
    }

    /// Reads a certificate by its PKCS#11 identifier into a file in DER.
    pub(super) fn read_certificate(&self, id: &str, file: &str) {
        let words = ["--read-object", "--type", "cert", "--id", id, "--output-file", file];
        opensc(&self.world, "PIV-II", &words).succeeds();
    }

    /// That the key with this PKCS#11 identifier is that of its certificate: openssl verifies what it signs.
    pub(super) fn signs(&self, id: &str, pin: &str, mechanism: &[&str]) {
        self.read_certificate(id, "signer.der");
        self.world.message("-sha256");
        let words = ["--login", "--pin", pin, "--sign", "--id", id, "--output-file", "signature.bin"];
        opensc(&self.world, "PIV-II", &words).args(["--mechanism"]).args(mechanism).succeeds();
        let key = self.world.public_key("signer.der");
        self.world.verify(&key, "signature.bin", &["-sha256"]);
    }

    /// That the card has what the database says, with every key proved, and that nothing is left to do.
    pub(super) fn agrees(&self, pin: &str) {
        let said = self.desk(&["compare", "--pin", pin]).succeeds();
        assert!(said.contains("agree"), "{said}");
        assert_eq!(self.json(&["list", "sessions"]), serde_json::json!([]));
    }
}

/// How pkcs11-tool signs the test's message with a key on P-256, and with one of RSA.
pub(super) const ECDSA: [&str; 5] = ["ECDSA", "--signature-format", "openssl", "--input-file", "hash.bin"];
pub(super) const RSA: [&str; 3] = ["SHA256-RSA-PKCS", "--input-file", MESSAGE];
