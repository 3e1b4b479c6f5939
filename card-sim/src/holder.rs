//! The person who holds the card: asked for a touch before a key is used whose touch policy wants one, and for a finger where
//! a YubiKey Bio verifies that.
//!
//! Follows Yubico's documentation of touch policies and of its Bio series. The card has no sensor and no clock: it asks its platform, and waits for
//! the answer as long as the platform lets it.

use crate::key::policy::TouchPolicy;

/// Who is asked for a touch.
pub trait Holder {
    /// Asks for the touch that `policy` wants ([`Always`](TouchPolicy::Always): one after the question;
    /// [`Cached`](TouchPolicy::Cached): one within [`CACHED_TOUCH`](crate::key::policy::CACHED_TOUCH) before it will do), and
    /// waits for it. `false` when the time for it is over; a genuine YubiKey waits for 15 seconds.
    fn touches(&mut self, policy: TouchPolicy) -> bool;

    /// Whether the finger that touched last is one that the card knows. Asked after a [`touch`](Self::touches) only.
    fn finger_is_enrolled(&mut self) -> bool {
        true
    }
}

/// A holder who touches the card whenever it asks, with the right finger.
#[derive(Clone, Copy, Debug, Default)]
pub struct Obliging;

impl Holder for Obliging {
    fn touches(&mut self, _: TouchPolicy) -> bool {
        true
    }
}
