//! The PIN usage policy: what the Discovery Object says of the ways to prove oneself (SP 800-73-5 part 1, 3.3.2, table 1).

use apdu::tlv_ber::{Reader, Tag};

use crate::{
    object::ObjectTag,
    store::{Record, Store, StoreError},
};

const TEMPLATE: Tag = Tag::new(0x7E);
const PIN_USAGE_POLICY: Tag = Tag::new(0x5F2F);

/// The first byte of the PIN usage policy. A card without a Discovery Object has none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PinUsagePolicy(u8);

impl PinUsagePolicy {
    /// The policy of the card in this store.
    pub fn load(store: &impl Store) -> Result<Self, StoreError> {
        let mut discovery = heapless::Vec::<u8, 64>::new();
        match store.read(Record::Object(ObjectTag::DISCOVERY), &mut discovery) {
            // Three times as long as part 1, 3.3.2, makes it: it says nothing.
            Err(StoreError::BufferTooSmall) => return Ok(Self::default()),
            read => read?,
        };
        Ok(Self::of(&discovery))
    }

    /// The policy that a Discovery Object states, with its tag `7E`.
    pub fn of(discovery: &[u8]) -> Self {
        let policy = Reader::new(discovery)
            .expect(TEMPLATE)
            .and_then(|template| Reader::new(template).find(PIN_USAGE_POLICY))
            .ok()
            .flatten()
            .and_then(|policy| policy.first().copied());
        Self(policy.unwrap_or_default())
    }

    /// Bit 6: the Global PIN satisfies the access rules as the PIV PIN does.
    pub const fn global_pin(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Bit 5: so does on-card biometric comparison.
    pub const fn on_card_comparison(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Bit 4: the card has a virtual contact interface.
    pub const fn virtual_contact_interface(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// Bit 3 is not set: the pairing code opens the virtual contact interface.
    pub const fn pairing_code_needed(self) -> bool {
        self.0 & 0x04 == 0
    }
}
