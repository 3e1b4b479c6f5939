//! The person who holds the card: asked for a touch before a key is used whose touch policy wants one.
//!
//! Follows Yubico's documentation of touch policies. The card has no sensor and no clock: it asks its platform, and waits for
//! the answer as long as the platform lets it.

use crate::key::policy::TouchPolicy;

/// Who is asked for a touch.
pub trait Holder {
    /// Asks for the touch that `policy` wants ([`Always`](TouchPolicy::Always): one after the question;
    /// [`Cached`](TouchPolicy::Cached): one within [`CACHED_TOUCH`](crate::key::policy::CACHED_TOUCH) before it will do), and
    /// waits for it. `false` when the time for it is over; a genuine YubiKey waits for 15 seconds.
    fn touches(&mut self, policy: TouchPolicy) -> bool;
}

/// A holder who touches the card whenever it asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Obliging;

impl Holder for Obliging {
    fn touches(&mut self, _: TouchPolicy) -> bool {
        true
    }
}
