//! This project's card, in a reader: [`card_sim::Card`] on the host's platform.

use std::path::Path;

use card_sim::{
    Card, OpenError,
    key::{KeyReference, Origin, PrivateKey, SymmetricKey},
    object::ObjectTag,
    personalise::{CacPersonalisation, Finger, Personalisation, PersonaliseError, ReferenceData},
    platform::{Parts, Platform},
    profile::Profile,
    reference::LENGTH,
    refusal::Rule,
    store::{FlashStore, MemoryFlash, Record, Store, StoreError, Update},
};
use heapless::VecView;

use crate::{
    crypto::DefaultCrypto,
    image::{self, Durability, FileStore, FlashSize, ImageError, PowerCut, TearingStore},
    inspect::Contents,
    issue::{BlankCard, CommonAccess, Finger as Minutiae, IssuedCard, yubikey::FreshYubiKey},
    random::{self, CardRng},
    reader::{InsertedCard, Interface, TouchHabit, TouchSensor},
    stock,
};

/// The host's platform: a generator, a store in memory or in a file, the host's cryptography, a sensor for touches.
pub type HostPlatform = Parts<CardRng, CardStore, DefaultCrypto, TouchSensor>;

/// Where an emulated card keeps its state.
pub enum CardStore {
    /// In a card file.
    File(FileStore),
    /// In memory: the card is gone with the process.
    Memory(FlashStore<MemoryFlash>),
    /// In memory, after a loss of power was ordered.
    Tearing(TearingStore<MemoryFlash>),
}

impl CardStore {
    /// Orders a loss of power, in place of one that was ordered before.
    fn cut_power(&mut self, cut: PowerCut) -> Result<(), StoreError> {
        if let Self::Memory(store) = self {
            let flash = store.with_image(MemoryFlash::from_image)?;
            *self = Self::Tearing(TearingStore::open(flash).map_err(|_| StoreError::Medium)?);
        }
        match self {
            Self::File(store) => store.cut_power(cut),
            Self::Tearing(store) => store.cut_power(cut),
            Self::Memory(_) => {}
        }
        Ok(())
    }

    /// Whether the power has failed.
    fn has_lost_power(&self) -> bool {
        match self {
            Self::File(store) => store.has_lost_power(),
            Self::Tearing(store) => store.has_lost_power(),
            Self::Memory(_) => false,
        }
    }

    /// There is power again: opens the store as it is.
    fn restore_power(&mut self) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.restore_power(),
            Self::Tearing(store) => store.restore_power(),
            Self::Memory(_) => Ok(()),
        }
    }
}

impl Store for CardStore {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        match self {
            Self::File(store) => store.read(record, out),
            Self::Memory(store) => store.read(record, out),
            Self::Tearing(store) => store.read(record, out),
        }
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.commit(updates),
            Self::Memory(store) => store.commit(updates),
            Self::Tearing(store) => store.commit(updates),
        }
    }
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatedError {
    /// The card file cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store holds no card that this version knows.
    #[error("{}", describe_open(*.0))]
    Open(OpenError),
    /// A new card could not be written.
    #[error("the new card cannot be written: {}", describe_personalise(*.0))]
    Personalise(PersonaliseError),
    /// The card's memory cannot be read.
    #[error("the card's memory cannot be read; restore the card file from a copy")]
    Memory(StoreError),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

fn describe_open(error: OpenError) -> &'static str {
    match error {
        OpenError::NotPersonalised => "the card file holds no card; make one with `vreader card new`",
        OpenError::UnknownProfile => {
            "the card file holds a card of a stock that this version does not know; use a newer vreader"
        }
        _ => "the card's memory cannot be read",
    }
}

fn describe_personalise(error: PersonaliseError) -> String {
    match error {
        PersonaliseError::Reference(reference) => {
            format!("the PIN, PUK or finger with key reference {:02X} is malformed", reference.to_byte())
        }
        PersonaliseError::Key(key) => format!("{:02X} holds no asymmetric key", key.to_byte()),
        PersonaliseError::TooMany => "it has more keys or objects than a card has places".into(),
        PersonaliseError::ObjectTooLong(tag) => format!("object {:X} is too long", tag.get()),
        PersonaliseError::Container(id) => format!("CAC container {:04X} is too long or malformed", id.get()),
        PersonaliseError::Store(StoreError::Full) => {
            "its flash is too small; choose a larger --flash-size".into()
        }
        _ => "its flash fails".into(),
    }
}

/// What goes on a new card: of one that was issued, or imported.
pub struct Personal<'a> {
    /// Data objects as GET DATA answers them.
    pub objects: &'a [(ObjectTag, Vec<u8>)],
    /// Asymmetric keys.
    pub keys: &'a [(KeyReference, PrivateKey, Origin)],
    /// Serial number, if the card tells one.
    pub serial_number: Option<u32>,
    /// Card management key, 9B.
    pub management_key: &'a SymmetricKey,
    /// PIN, padded with `FF`.
    pub pin: &'a [u8; LENGTH],
    /// PUK.
    pub puk: &'a [u8; LENGTH],
    /// Global PIN, padded with `FF`, if the card has one.
    pub global_pin: Option<&'a [u8; LENGTH]>,
    /// Primary and secondary finger, if the card compares them.
    pub fingers: &'a [Minutiae],
    /// The certificate of key `04`, if the card has secure messaging.
    pub card_verifiable_certificate: Option<&'a [u8]>,
    /// The CAC side of a Common Access Card.
    pub cac: Option<&'a CommonAccess>,
}

impl<'a> From<&'a IssuedCard> for Personal<'a> {
    fn from(issued: &'a IssuedCard) -> Self {
        Self {
            objects: &issued.objects,
            keys: &issued.keys,
            serial_number: None,
            management_key: &issued.management_key,
            pin: &issued.pin,
            puk: &issued.puk,
            global_pin: issued.global_pin.as_deref(),
            fingers: &issued.fingers,
            card_verifiable_certificate: issued.card_verifiable_certificate.as_deref(),
            cac: issued.cac.as_ref(),
        }
    }
}

impl<'a> From<&'a FreshYubiKey> for Personal<'a> {
    fn from(fresh: &'a FreshYubiKey) -> Self {
        Self {
            objects: &fresh.objects,
            keys: &fresh.keys,
            serial_number: Some(fresh.serial_number),
            management_key: &fresh.management_key,
            pin: &fresh.pin,
            puk: &fresh.puk,
            global_pin: None,
            fingers: &[],
            card_verifiable_certificate: None,
            cac: None,
        }
    }
}

impl<'a> From<&'a BlankCard> for Personal<'a> {
    fn from(blank: &'a BlankCard) -> Self {
        Self {
            objects: &blank.objects,
            keys: &[],
            serial_number: None,
            management_key: &blank.management_key,
            pin: &blank.pin,
            puk: &blank.puk,
            global_pin: None,
            fingers: &[],
            card_verifiable_certificate: None,
            cac: None,
        }
    }
}

fn personalise(
    store: &mut FlashStore<MemoryFlash>,
    profile: &'static Profile,
    tries: u8,
    personal: &Personal<'_>,
) -> Result<(), EmulatedError> {
    let objects: Vec<(ObjectTag, &[u8])> =
        personal.objects.iter().map(|(tag, object)| (*tag, object.as_slice())).collect();
    let fingers: Vec<Finger<'_>> =
        personal.fingers.iter().map(|minutiae| Finger { minutiae, tries }).collect();
    let containers: Vec<_> = personal
        .cac
        .iter()
        .flat_map(|cac| &cac.containers)
        .map(|(id, container)| (*id, container.as_slice()))
        .collect();
    let contents = Personalisation {
        profile,
        pin: ReferenceData { value: personal.pin, tries },
        puk: ReferenceData { value: personal.puk, tries },
        global_pin: personal.global_pin.map(|value| ReferenceData { value, tries }),
        fingers: &fingers,
        card_verifiable_certificate: personal.card_verifiable_certificate,
        serial_number: personal.serial_number,
        management_key: personal.management_key,
        keys: personal.keys,
        objects: &objects,
        cac: personal.cac.map(|cac| CacPersonalisation {
            identity_key: &cac.identity_key,
            containers: &containers,
            piv_authentication_hidden: cac.piv_authentication_hidden,
        }),
    };
    contents.write(store).map_err(EmulatedError::Personalise)?;
    stock::describe(profile, store)
        .map_err(|error| EmulatedError::Personalise(PersonaliseError::Store(error)))
}

/// A card of this project.
pub struct EmulatedCard {
    // Boxed: its buffers are tens of kilobytes.
    card: Box<Card<HostPlatform>>,
    /// A YubiKey's sensor for touches.
    sensor: Option<TouchSensor>,
    /// Its flash could not be opened after a loss of power.
    mute: bool,
}

impl EmulatedCard {
    /// The card in a card file, which is held until the card is dropped.
    pub fn open(path: &Path) -> Result<Self, EmulatedError> {
        Self::open_with(path, Durability::default())
    }

    /// The same, with a durability of one's own choice.
    pub fn open_with(path: &Path, durability: Durability) -> Result<Self, EmulatedError> {
        Self::on(CardStore::File(FileStore::open(path, durability)?))
    }

    /// Makes a card file of this size with an issued or imported card on a card stock, and opens it. `tries` are those of
    /// PIN and PUK.
    pub fn create<'a>(
        path: &Path,
        size: FlashSize,
        profile: &'static Profile,
        tries: u8,
        personal: impl Into<Personal<'a>>,
    ) -> Result<Self, EmulatedError> {
        let personal = personal.into();
        let store = FileStore::create(path, size, |store| personalise(store, profile, tries, &personal))?;
        Self::on(CardStore::File(store))
    }

    /// An issued or imported card on a card stock, in memory. `tries` are those of PIN and PUK.
    pub fn in_memory<'a>(
        profile: &'static Profile,
        tries: u8,
        personal: impl Into<Personal<'a>>,
    ) -> Result<Self, EmulatedError> {
        let mut store = FlashSize::DEFAULT.blank_store();
        personalise(&mut store, profile, tries, &personal.into())?;
        Self::with_store(store)
    }

    /// The card in a store in memory.
    pub fn with_store(store: FlashStore<MemoryFlash>) -> Result<Self, EmulatedError> {
        Self::on(CardStore::Memory(store))
    }

    fn on(store: CardStore) -> Result<Self, EmulatedError> {
        let holder = TouchSensor::default();
        let rng = random::from_system()?;
        let platform = Parts { rng, store, crypto: DefaultCrypto::default(), holder: holder.clone() };
        let card = match stock::of_card(&platform.store).map_err(EmulatedError::Memory)? {
            Some(profile) => Card::of_stock(platform, profile),
            // It says what is wrong.
            None => Card::new(platform),
        };
        let card = Box::new(card.map_err(EmulatedError::Open)?);
        let sensor = card.profile().yubico.is_some().then_some(holder);
        Ok(Self { card, sensor, mute: false })
    }

    /// Makes everything that the card draws at random repeatable.
    pub fn seed(&mut self, seed: u64) {
        self.card.platform().parts().rng = random::from_seed("card", seed);
    }

    /// When the card is touched, if it asks for it.
    pub fn set_touch_habit(&mut self, habit: TouchHabit) {
        self.card.platform().parts().holder.set_habit(habit);
    }

    /// What is on the card, without its secrets.
    pub fn contents(&mut self) -> Result<Contents, EmulatedError> {
        let Parts { store, crypto, .. } = self.card.platform().parts();
        image::contents(store, crypto).map_err(EmulatedError::Memory)
    }

    /// The card stock of the card in a card file, which another process may be using; `None` if this version does not know it.
    pub fn profile_of(path: &Path) -> Result<Option<&'static Profile>, EmulatedError> {
        stock::of_card(&FileStore::peek(path)?).map_err(EmulatedError::Memory)
    }

    /// What is on the card in a card file, which another process may be using.
    pub fn contents_of(path: &Path) -> Result<Contents, EmulatedError> {
        let store = FileStore::peek(path)?;
        image::contents(&store, &mut DefaultCrypto::default()).map_err(EmulatedError::Memory)
    }

    /// The card itself.
    pub fn card(&mut self) -> &mut Card<HostPlatform> {
        &mut self.card
    }

    fn has_lost_power(&mut self) -> bool {
        self.card.platform().parts().store.has_lost_power()
    }

    /// Puts in order what a loss of power interrupted. A card whose flash cannot be opened stays mute.
    fn recover(&mut self) {
        let store = &mut self.card.platform().parts().store;
        self.mute = store.has_lost_power() && store.restore_power().is_err();
        if self.mute {
            tracing::error!("the card's flash cannot be opened after the loss of power; the card is mute");
        }
    }
}

impl InsertedCard for EmulatedCard {
    fn atr(&self) -> &[u8] {
        if self.mute { &[] } else { self.card.atr() }
    }

    fn power_on(&mut self, interface: Interface) {
        self.recover();
        self.card.platform().parts().holder.power_on(interface);
        self.card.power_on_through(interface);
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.recover();
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if self.has_lost_power() {
            return Vec::new();
        }
        let response = self.card.transmit(command);
        let mut answer = Vec::with_capacity(response.encoded_len());
        answer.extend_from_slice(response.data);
        answer.extend_from_slice(&response.status.to_bytes());
        let header = command.get(..4).unwrap_or(command);
        if self.has_lost_power() {
            tracing::debug!(header = hex::encode(header), "lost its power");
            self.card.power_off();
            // Whatever it was about to say, it says nothing any more.
            return Vec::new();
        }
        // Headers and status words only: data fields hold PINs and keys.
        if let Some(refusal) = self.card.last_refusal() {
            tracing::debug!(header = hex::encode(header), %refusal, "refused");
        } else {
            tracing::debug!(header = hex::encode(header), length = answer.len(), "answered");
        }
        answer
    }

    fn broken_rule(&self) -> Option<&'static Rule> {
        self.card.last_refusal().map(|refusal| refusal.rule)
    }

    fn touch_sensor(&self) -> Option<TouchSensor> {
        self.sensor.clone()
    }

    fn cut_power(&mut self, cut: PowerCut) -> bool {
        self.card.platform().parts().store.cut_power(cut).is_ok()
    }
}
