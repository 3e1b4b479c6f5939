//! What the fuzz targets share with their seeds, with the replay of findings, and with the tests that play both.
//!
//! A target is one module here with two functions: `play` runs one input and panics if anything is harmed by it, `seeds`
//! gives the inputs to begin with. An input is bytes, and every bytes are an input.
//!
//! | target | an input is |
//! |---|---|
//! | [`apdu`] | a state of the card and one command |
//! | [`apdu_sequence`] | commands, proofs, resets and losses of power |
//! | [`cac`] | commands to both faces of a Common Access Card, resets and losses of power |
//! | [`card_file`] | changes to a card file |
//! | [`pcsc_wire`] | what clients do to the PC/SC socket |
//! | [`secure_messaging`] | the same as of `apdu_sequence`, protected, changed on the way, and sessions |
//! | [`tlv`] | bytes for every reader and writer of the crate `apdu` |
//! | [`yubikey`] | the same as of `apdu_sequence`, on YubiKeys |
//!
//! What must hold of a card after every command is judged by [`vreader::fuzz::Guard`].

pub mod apdu;
pub mod apdu_sequence;
pub mod cac;
mod card;
pub mod card_file;
pub mod corpus;
mod input;
mod material;
pub mod pcsc_wire;
pub mod secure_messaging;
mod step;
pub mod tlv;
pub mod yubikey;

/// A target by its name.
pub struct Target {
    /// Its name, which is that of its program.
    pub name: &'static str,
    /// Runs one input; a panic is a finding.
    pub play: fn(&[u8]),
    /// What to begin with.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    Target { name: "apdu", play: apdu::play, seeds: apdu::seeds },
    Target { name: "apdu_sequence", play: apdu_sequence::play, seeds: apdu_sequence::seeds },
    Target { name: "cac", play: cac::play, seeds: cac::seeds },
    Target { name: "card_file", play: card_file::play, seeds: card_file::seeds },
    Target { name: "pcsc_wire", play: pcsc_wire::play, seeds: pcsc_wire::seeds },
    Target { name: "secure_messaging", play: secure_messaging::play, seeds: secure_messaging::seeds },
    Target { name: "tlv", play: tlv::play, seeds: tlv::seeds },
    Target { name: "yubikey", play: yubikey::play, seeds: yubikey::seeds },
];

impl Target {
    /// The target of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        const { &TARGETS }.iter().find(|target| target.name == name)
    }
}
