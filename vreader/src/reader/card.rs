//! A card as a reader sees it: contacts, an answer to reset, and APDUs.

use card_sim::refusal::Rule;

use super::{Interface, TouchSensor};
use crate::image::PowerCut;

/// A card that can be put into a slot.
///
/// Attachments use cards only through this trait, so that they hold no card logic. Commands may take as long as they
/// like: nothing but the caller waits for them. The other functions return at once.
pub trait InsertedCard: Send {
    /// The answer to reset of the interface in use, 2 to 33 bytes. A card with any other number of bytes is mute.
    fn atr(&self) -> &[u8];

    /// Gives the card power through this interface. Volatile state is fresh afterwards. A card that does not have the
    /// interface is mute.
    fn power_on(&mut self, interface: Interface);

    /// Takes the power away. Volatile state is gone.
    fn power_off(&mut self);

    /// Warm reset, through the same interface: volatile state is fresh afterwards.
    fn reset(&mut self);

    /// Runs one command APDU and returns the response APDU: at least the two status bytes, at most 65,535 bytes. Nothing
    /// if the card lost its power in the middle of the command, or before; it then says nothing until it gets power or
    /// is reset.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;

    /// The rule that the last command broke, if the card refused it and tells why. No client sees it; traces do.
    fn broken_rule(&self) -> Option<&'static Rule> {
        None
    }

    /// Orders that the power fails in a write to come, in place of what was ordered before. `false` if this card has no
    /// flash that could be torn.
    fn cut_power(&mut self, _cut: PowerCut) -> bool {
        false
    }

    /// The sensor at which the card waits for touches, if it has one: always the same.
    fn touch_sensor(&self) -> Option<TouchSensor> {
        None
    }
}
