//! Update sessions: what makes the change of a card and of the database one unit.
//!
//! A session is written down before the card's first byte changes: its [`Step`]s for the card and its [`Effect`]s for the
//! database. Then the steps are run, then the effects are applied and the session is deleted, in one transaction. A session that was
//! interrupted (card taken out, power lost, process killed, database locked) is found by the next run on this card, and its steps are run
//! once more from the first.
//!
//! That works because each step may be run again:
//!
//! | step | run again |
//! |---|---|
//! | object | writes the same bytes |
//! | key made on the card | is not made again once its certificate is in the database; before, another one is made |
//! | key from escrow | is imported again |
//! | removal | removes what may be gone already |
//! | PUK | the new or the old one is right; which is tried first changes with each run, so that no two cuts in a row cost two tries |
//! | PIN | is set by PUK or administrator, who need not know what it was |
//!
//! And at no instant has the card a certificate without its key: a certificate is emptied before its key is replaced.

mod run;

pub(super) use run::{device, happen, set_pin};

use card_sim::key::{AsymmetricAlgorithm, KeyReference, PrivateKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::state::{CredentialEvent, DeviceEvent, Reason};
use crate::{
    card_client::Reference,
    issue::{CardNumbers, Date},
};

/// Something that the card is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// An object has these contents; none empty it.
    Object {
        /// Its tag.
        tag: u32,
        /// What is inside it.
        #[serde(with = "hexadecimal")]
        contents: Vec<u8>,
    },
    /// A key is made on the card, and gets a certificate.
    Generate {
        /// Key reference.
        slot: u8,
        /// Its algorithm.
        algorithm: u8,
        /// What its certificate says.
        draft: Draft,
    },
    /// A key from escrow is put on the card, with its certificate.
    Import {
        /// Key reference.
        slot: u8,
        /// Number of the key.
        escrow: i64,
        /// Number of the credential.
        credential: i64,
    },
    /// A key and its certificate leave the card.
    Remove {
        /// Key reference.
        slot: u8,
    },
    /// The PUK becomes the one that the database has for it.
    Puk,
    /// The PIN becomes the one that the holder chose, or a temporary one.
    Pin {
        /// The temporary one.
        temporary: Option<String>,
    },
    /// The holder changes the temporary PIN.
    OwnPin {
        /// The temporary one.
        temporary: String,
    },
    /// The PIN is blocked, and nobody knows it.
    Block,
    /// The card shows, where the PIN is given, that it has the keys of the new certificates.
    Prove,
}

/// What a certificate says that is made when its key is known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Number of the authority.
    pub authority: i64,
    /// Number of the credential in whose place it is; nothing for the first in its slot.
    pub like: Option<i64>,
    /// First day.
    pub from: String,
    /// Last day.
    pub until: String,
}

/// Something that changes in the database when all steps are done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The card's state.
    Device(DeviceEvent),
    /// Another card's state.
    OtherDevice {
        /// Which card.
        card: i64,
        /// What happens to it.
        event: DeviceEvent,
    },
    /// Another request is executed by this, too.
    Request {
        /// Which one.
        id: i64,
    },
    /// A credential's state.
    Credential {
        /// Which one.
        id: i64,
        /// What happens to it.
        event: CredentialEvent,
        /// Why.
        reason: Reason,
    },
    /// Nothing is in a slot any more.
    Remove {
        /// Key reference.
        slot: u8,
    },
    /// The hidden PIV Authentication certificate was replaced by one that can be seen.
    Activated,
    /// The PUK that was being set is the card's.
    Puk,
    /// The card is nobody's, and knows nothing of anybody.
    Forget,
}

/// What is to be done, before it is written down.
pub(super) struct Plan {
    /// In words.
    pub(super) action: String,
    pub(super) steps: Vec<Step>,
    pub(super) effects: Vec<Effect>,
    /// Keys that are made here, to be kept and imported.
    pub(super) keys: Vec<PlannedKey>,
    /// What happens to the card when the session begins.
    pub(super) at_once: Option<DeviceEvent>,
    /// What the card becomes by being issued.
    pub(super) identity: Option<(CardNumbers, Date, Date)>,
    pub(super) next_puk: Option<Reference>,
}

/// A key that is made here, with its certificate. It is written down, and imported by the step with this number.
pub(super) struct PlannedKey {
    pub(super) step: usize,
    pub(super) slot: KeyReference,
    pub(super) key: PrivateKey,
    pub(super) certificate: Vec<u8>,
    pub(super) authority: i64,
}

impl Plan {
    pub(super) fn new(action: String) -> Self {
        Self {
            action,
            steps: Vec::new(),
            effects: Vec::new(),
            keys: Vec::new(),
            at_once: None,
            identity: None,
            next_puk: None,
        }
    }

    /// A key that is made on the card.
    pub(super) fn generate(&mut self, slot: KeyReference, algorithm: AsymmetricAlgorithm, draft: Draft) {
        self.steps.push(Step::Generate { slot: slot.to_byte(), algorithm: algorithm.id(), draft });
    }

    /// A key that was made here.
    pub(super) fn import_new(
        &mut self,
        slot: KeyReference,
        key: PrivateKey,
        certificate: Vec<u8>,
        authority: i64,
    ) {
        self.keys.push(PlannedKey { step: self.steps.len(), slot, key, certificate, authority });
        // Numbers that are known when it is written down.
        self.steps.push(Step::Import { slot: slot.to_byte(), escrow: 0, credential: 0 });
    }
}

/// What the holder gives when a card is updated.
#[derive(Default)]
pub struct Access {
    /// The PIN.
    pub pin: Option<Reference>,
    /// The PIN that the holder chooses.
    pub new_pin: Option<Reference>,
}

impl Access {
    /// With these PINs, if they are well formed.
    pub fn new(pin: Option<&str>, new_pin: Option<&str>) -> Result<Self, super::CmsError> {
        let padded = |pin: Option<&str>| {
            let pad = |pin| card_sim::reference::pad_pin(pin).ok_or(super::CmsError::MalformedPin);
            pin.map(pad).transpose()
        };
        Ok(Self { pin: padded(pin)?, new_pin: padded(new_pin)? })
    }
}

/// A temporary PIN, as the card takes it.
fn temporary_pin(digits: &str) -> Reference {
    // It was made here, of eight digits.
    card_sim::reference::pad_pin(digits).unwrap_or_else(|| Zeroizing::new([0xFF; 8]))
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
