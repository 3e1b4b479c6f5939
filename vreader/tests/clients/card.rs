//! Cards of a world: made with `vreader card new`, always the same.

use crate::world::{Attachment, World};

/// The program under test.
pub(crate) const VREADER: &str = env!("CARGO_BIN_EXE_vreader");

/// PIN and PUK of every sample card, and a PIN that is wrong.
pub(crate) const PIN: &str = "123456";
pub(crate) const PUK: &str = "12345678";
pub(crate) const WRONG_PIN: &str = "000000";

/// The card file of a world with one card.
pub(crate) const CARD: &str = "test.card";

impl<A: Attachment> World<A> {
    /// Makes a card file, and the certificates of its PKI in the folder `pki`. Always the same card for the
    /// same options.
    pub(crate) fn new_card(&self, file: &str, options: &[&str]) {
        let seed = ["--seed", "1"];
        let seed = if options.contains(&"--seed") { &[][..] } else { &seed };
        self.vreader(&["card", "new", file, "--export-ca", "pki"]).args(seed).args(options).succeeds();
    }
}
