//! Who has proved what since power-on, and the one function that says whether something may run.
//!
//! The rules are the access-control rules of SP 800-73-5 part 1, tables 2, 4 and 5. Everything here is volatile: a
//! reset or a loss of power replaces the whole `SecurityStatus` by a fresh one.

use heapless::Vec;
#[cfg(feature = "yubico")]
use zeroize::Zeroizing;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{interface::Interface, key::SymmetricAlgorithm, reference::Reference};

/// What must be true before something may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRule {
    /// Nothing.
    Always,
    /// Cannot be true.
    Never,
    /// The PIV PIN, or the Global PIN where the Discovery Object lets it, is verified.
    Pin,
    /// The PIN or, on cards that have it, on-card biometric comparison.
    PinOrOcc,
    /// One of the two was verified by the command immediately before.
    PinOrOccAlways,
    /// The PIN or, on a YubiKey Bio, the fingerprint.
    #[cfg(feature = "yubico")]
    PinOrFingerprint,
    /// One of these two was verified by the command immediately before.
    #[cfg(feature = "yubico")]
    PinOrFingerprintAlways,
    /// The card management key is authenticated.
    Administrator,
    /// The virtual contact interface: a command under secure messaging, and pairing where the card asks for it.
    Vci,
    /// The virtual contact interface and the PIN.
    VciAndPin,
    /// The virtual contact interface, and the PIN or on-card biometric comparison.
    VciAndPinOrOcc,
    /// The virtual contact interface, and one of the two verified by the command immediately before.
    VciAndPinOrOccAlways,
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

/// How the command that runs now came.
#[derive(Clone, Copy, Default)]
pub(crate) struct Channel {
    /// Under secure messaging.
    pub(crate) protected: bool,
    /// Through the virtual contact interface.
    pub(crate) virtual_contact: bool,
}

/// What has been proved.
#[derive(Default)]
pub(crate) struct SecurityStatus {
    interface: Interface,
    channel: Channel,
    /// Statuses of the PIV application: they fall when another application is selected.
    application: ApplicationStatus,
    /// Global PIN, `00`: survives the selection of other applications.
    global_pin: bool,
}

#[derive(Default)]
struct ApplicationStatus {
    verified: Verified,
    administrator: bool,
    /// The pairing code was verified in this session of secure messaging.
    paired: bool,
    /// What a YubiKey Bio's sensor proved.
    #[cfg(feature = "yubico")]
    fingerprint: Fingerprint,
    /// Proofs for the next command only.
    next: OneShot,
    /// The same for the command that runs now.
    now: OneShot,
}

/// Which reference data of the application is verified.
#[derive(Default)]
struct Verified {
    pin: bool,
    primary_finger: bool,
    secondary_finger: bool,
}

/// The status of a YubiKey Bio's fingerprint. It opens keys whose policy says so, and nothing else.
#[cfg(feature = "yubico")]
#[derive(Default)]
struct Fingerprint {
    verified: bool,
    temporary_pin: Option<TemporaryPin>,
}

/// What a YubiKey Bio takes in place of a finger that it saw before.
#[cfg(feature = "yubico")]
pub(crate) type TemporaryPin = Zeroizing<[u8; 16]>;

/// What is good for one command.
#[derive(Default)]
struct OneShot {
    /// A PIN or a finger was verified.
    verified: bool,
    /// A YubiKey Bio's fingerprint was.
    #[cfg(feature = "yubico")]
    fingerprint: bool,
    challenge: Option<Challenge>,
}

impl SecurityStatus {
    /// Whether `rule` is satisfied.
    pub(crate) fn permits(&self, rule: AccessRule) -> bool {
        match rule {
            AccessRule::Always => true,
            AccessRule::Never => false,
            AccessRule::Pin => self.application.verified.pin || self.global_pin,
            AccessRule::PinOrOcc => {
                self.permits(AccessRule::Pin)
                    || self.application.verified.primary_finger
                    || self.application.verified.secondary_finger
            }
            AccessRule::PinOrOccAlways => self.application.now.verified,
            #[cfg(feature = "yubico")]
            AccessRule::PinOrFingerprint => {
                self.permits(AccessRule::Pin) || self.application.fingerprint.verified
            }
            #[cfg(feature = "yubico")]
            AccessRule::PinOrFingerprintAlways => {
                self.application.now.verified || self.application.now.fingerprint
            }
            AccessRule::Vci => self.channel.virtual_contact,
            AccessRule::VciAndPin => self.channel.virtual_contact && self.permits(AccessRule::Pin),
            AccessRule::VciAndPinOrOcc => self.channel.virtual_contact && self.permits(AccessRule::PinOrOcc),
            AccessRule::VciAndPinOrOccAlways => {
                self.channel.virtual_contact && self.permits(AccessRule::PinOrOccAlways)
            }
            AccessRule::Administrator => self.application.administrator,
        }
    }

    /// The status of a card that just got its power.
    pub(crate) fn fresh(interface: Interface) -> Self {
        Self { interface, ..Self::default() }
    }

    pub(crate) fn interface(&self) -> Interface {
        self.interface
    }

    /// The one of two rules that holds for the interface in use.
    pub(crate) fn permits_here(&self, contact: AccessRule, contactless: AccessRule) -> bool {
        self.permits(match self.interface {
            Interface::Contact => contact,
            Interface::Contactless => contactless,
        })
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel
    }

    /// How the command came that runs next.
    pub(crate) fn set_channel(&mut self, channel: Channel) {
        self.channel = channel;
    }

    pub(crate) fn paired(&self) -> bool {
        self.application.paired
    }

    pub(crate) fn set_paired(&mut self, paired: bool) {
        self.application.paired = paired;
    }

    /// A new command starts: what was good for one command is good for this one, and for none after it.
    pub(crate) fn begin_command(&mut self) {
        self.application.now = core::mem::take(&mut self.application.next);
    }

    /// A command ends that SP 800-73-5 does not count as one between a proof and its use: what was good for this
    /// command is good for the next one again, unless the command made something newer.
    pub(crate) fn pass_on(&mut self) {
        let now = core::mem::take(&mut self.application.now);
        self.application.next.verified |= now.verified;
        #[cfg(feature = "yubico")]
        {
            self.application.next.fingerprint |= now.fingerprint;
        }
    }

    /// A command ends.
    pub(crate) fn end_command(&mut self) {
        self.application.now = OneShot::default();
        self.channel = Channel::default();
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

    /// The status of reference data. The PUK has none: it opens nothing but the command that presents it.
    pub(crate) fn verified(&self, reference: Reference) -> bool {
        match reference {
            Reference::GlobalPin => self.global_pin,
            Reference::PivPin => self.application.verified.pin,
            Reference::Puk => false,
            Reference::PrimaryFinger => self.application.verified.primary_finger,
            Reference::SecondaryFinger => self.application.verified.secondary_finger,
        }
    }

    pub(crate) fn set_verified(&mut self, reference: Reference, verified: bool) {
        let status = match reference {
            Reference::GlobalPin => &mut self.global_pin,
            Reference::PivPin => &mut self.application.verified.pin,
            Reference::Puk => return,
            Reference::PrimaryFinger => &mut self.application.verified.primary_finger,
            Reference::SecondaryFinger => &mut self.application.verified.secondary_finger,
        };
        *status = verified;
        self.application.next.verified = verified;
        self.application.now.verified = false;
    }

    #[cfg(feature = "yubico")]
    pub(crate) fn set_fingerprint_verified(&mut self, verified: bool) {
        self.application.fingerprint.verified = verified;
        self.application.next.fingerprint = verified;
    }

    #[cfg(feature = "yubico")]
    pub(crate) fn temporary_pin(&self) -> Option<&TemporaryPin> {
        self.application.fingerprint.temporary_pin.as_ref()
    }

    #[cfg(feature = "yubico")]
    pub(crate) fn set_temporary_pin(&mut self, pin: Option<TemporaryPin>) {
        self.application.fingerprint.temporary_pin = pin;
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
