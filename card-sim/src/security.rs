//! Who has proved what since power-on, and the one function that says whether something may run.
//!
//! The rules are the access-control rules of SP 800-73-5 part 1, tables 2, 4 and 5. Everything here is volatile: a
//! reset or a loss of power replaces the whole `SecurityStatus` by a fresh one.

use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::key::SymmetricAlgorithm;

/// What must be true before something may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRule {
    /// Nothing.
    Always,
    /// Cannot be true.
    Never,
    /// The PIV PIN, or the Global PIN where the Discovery Object lets it, is verified.
    Pin,
    /// The PIN was verified by the command immediately before.
    PinAlways,
    /// The PIN or, on cards that have it, on-card biometric comparison.
    PinOrOcc,
    /// The card management key is authenticated.
    Administrator,
    /// The virtual contact interface: a command under secure messaging, and pairing where the card asks for it.
    Vci,
    /// The virtual contact interface and the PIN.
    VciAndPin,
    /// The virtual contact interface, and the PIN or on-card biometric comparison.
    VciAndPinOrOcc,
}

/// A challenge that waits for its answer.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Challenge {
    #[zeroize(skip)]
    pub(crate) algorithm: SymmetricAlgorithm,
    #[zeroize(skip)]
    pub(crate) kind: ChallengeKind,
    /// The bytes that prove the other side: the encrypted challenge, or the decrypted witness.
    pub(crate) expected: Vec<u8, 16>,
}

/// Which exchange a challenge belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChallengeKind {
    /// The host proves itself.
    External,
    /// Host and card prove themselves to each other.
    Mutual,
}

/// What has been proved.
#[derive(Default)]
pub(crate) struct SecurityStatus {
    /// Statuses of the PIV application: they fall when another application is selected.
    application: ApplicationStatus,
    /// Global PIN, `00`: survives the selection of other applications.
    global_pin: bool,
}

#[derive(Default)]
struct ApplicationStatus {
    pin: bool,
    administrator: bool,
    /// Proofs for the next command only.
    next: OneShot,
    /// The same for the command that runs now.
    now: OneShot,
}

/// What is good for one command.
#[derive(Default)]
struct OneShot {
    pin_always: bool,
    challenge: Option<Challenge>,
}

impl SecurityStatus {
    /// Whether `rule` is satisfied.
    pub(crate) fn permits(&self, rule: AccessRule) -> bool {
        match rule {
            AccessRule::Always => true,
            // A virtual contact interface is made by secure messaging; a command that came here was plain.
            AccessRule::Never | AccessRule::Vci | AccessRule::VciAndPin | AccessRule::VciAndPinOrOcc => false,
            AccessRule::Pin | AccessRule::PinOrOcc => self.application.pin || self.global_pin,
            AccessRule::PinAlways => self.application.now.pin_always,
            AccessRule::Administrator => self.application.administrator,
        }
    }

    /// A new command starts: what was good for one command is good for this one, and for none after it.
    pub(crate) fn begin_command(&mut self) {
        self.application.now = core::mem::take(&mut self.application.next);
    }

    /// A command ends that SP 800-73-5 does not count as one between a proof and its use: what was good for this
    /// command is good for the next one again, unless the command made something newer.
    pub(crate) fn pass_on(&mut self) {
        let now = core::mem::take(&mut self.application.now);
        self.application.next.pin_always |= now.pin_always;
    }

    /// A command ends.
    pub(crate) fn end_command(&mut self) {
        self.application.now = OneShot::default();
    }

    /// A command came and went that did nothing: what was good for the next command only is good for none.
    pub(crate) fn spend_proofs(&mut self) {
        self.begin_command();
        self.end_command();
    }

    /// Another application is selected.
    pub(crate) fn leave_application(&mut self) {
        self.application = ApplicationStatus::default();
    }

    pub(crate) fn pin(&self) -> bool {
        self.application.pin
    }

    pub(crate) fn set_pin(&mut self, verified: bool) {
        self.application.pin = verified;
        self.application.next.pin_always = verified;
        self.application.now.pin_always = false;
    }

    pub(crate) fn global_pin(&self) -> bool {
        self.global_pin
    }

    pub(crate) fn set_global_pin(&mut self, verified: bool) {
        self.global_pin = verified;
        self.application.next.pin_always = verified;
        self.application.now.pin_always = false;
    }

    pub(crate) fn set_administrator(&mut self, authenticated: bool) {
        self.application.administrator = authenticated;
    }

    /// Keeps a challenge for the next command.
    pub(crate) fn challenge(&mut self, challenge: Challenge) {
        self.application.next.challenge = Some(challenge);
    }

    /// The challenge that the command before this one made, once.
    pub(crate) fn take_challenge(&mut self) -> Option<Challenge> {
        self.application.now.challenge.take()
    }
}
