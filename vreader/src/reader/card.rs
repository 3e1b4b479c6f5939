//! A card as a reader sees it: contacts, an answer to reset, and APDUs.

use card_sim::refusal::Rule;

/// A card that can be put into a slot.
///
/// Attachments use cards only through this trait, so that they hold no card logic. Commands may take as long as they
/// like: nothing but the caller waits for them. The other functions return at once.
pub trait InsertedCard: Send {
    /// The answer to reset of the interface in use, 2 to 33 bytes. A card with any other number of bytes is mute.
    fn atr(&self) -> &[u8];

    /// Gives the card power. Volatile state is fresh afterwards.
    fn power_on(&mut self);

    /// Takes the power away. Volatile state is gone.
    fn power_off(&mut self);

    /// Warm reset: volatile state is fresh afterwards.
    fn reset(&mut self);

    /// Runs one command APDU and returns the response APDU: at least the two status bytes, at most 65,535 bytes.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;

    /// The rule that the last command broke, if the card refused it and tells why. No client sees it; traces do.
    fn broken_rule(&self) -> Option<&'static Rule> {
        None
    }
}
