//! Cards of a world: made with `vreader card new`, plugged in with `vreader vpcd`.

use crate::world::{Companion, World, wait_for};

const VREADER: &str = env!("CARGO_BIN_EXE_vreader");

/// PIN and PUK of every sample card, and a PIN that is wrong.
pub(crate) const PIN: &str = "123456";
pub(crate) const PUK: &str = "12345678";
pub(crate) const WRONG_PIN: &str = "000000";

/// The card file of a world with one card.
const CARD: &str = "test.card";

impl World {
    /// A world with pcscd and one card in its reader. `options` are those of `vreader card new`.
    pub(crate) fn with_card(options: &[&str]) -> (Self, Companion) {
        let world = Self::new();
        world.new_card(CARD, options);
        let vreader = world.plug(&[CARD]);
        (world, vreader)
    }

    /// Makes a card file, and the certificates of its PKI in the folder `pki`. Always the same card for the
    /// same options.
    pub(crate) fn new_card(&self, file: &str, options: &[&str]) {
        let seed = ["--seed", "1"];
        let seed = if options.contains(&"--seed") { &[][..] } else { &seed };
        self.vreader(&["card", "new", file, "--export-ca", "pki"]).args(seed).args(options).succeeds();
    }

    /// Runs `vreader` to its end.
    pub(crate) fn vreader(&self, words: &[&str]) -> crate::world::Client<'_> {
        self.client(VREADER).args(words)
    }

    /// Starts `vreader vpcd` without waiting for anything.
    pub(crate) fn begin_to_plug(&self, files: &[&str]) -> Companion {
        let mut words = vec![VREADER, "vpcd"];
        for file in files {
            words.extend(["--card", file]);
        }
        self.companion(&words)
    }

    /// Plugs cards in, the first into the first slot, and waits until PC/SC programs see them.
    pub(crate) fn plug(&self, files: &[&str]) -> Companion {
        let vreader = self.begin_to_plug(files);
        for slot in 0..files.len() {
            self.wait_for_card(slot, true);
        }
        vreader
    }

    /// Waits until a PC/SC program sees a card in a slot, or none.
    pub(crate) fn wait_for_card(&self, slot: usize, present: bool) {
        let what = format!("a card in slot {slot} is seen: {present}");
        wait_for(&what, || (self.sees_card(slot) == Some(present)).then_some(()));
    }

    /// Whether a PC/SC program sees a card in a slot; nothing if it does not even see the reader.
    fn sees_card(&self, slot: usize) -> Option<bool> {
        // pcscd may be just starting, which is a failure of this client and no reason to give up.
        let listing = self.client("opensc-tool").args(["--list-readers"]).run().text();
        let name = format!("Virtual PCD 00 {slot:02}");
        let line = listing.lines().find(|line| line.contains(&name))?;
        Some(line.split_whitespace().nth(1)? == "Yes")
    }

    /// Pulls the card of slot 0 and puts it back: power and all volatile state are lost in between.
    pub(crate) fn reinsert(&self, vreader: &mut Companion) {
        vreader.say("remove 0");
        self.wait_for_card(0, false);
        vreader.say("insert 0");
        self.wait_for_card(0, true);
    }
}
