//! What a person may choose about readers.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Interface;

/// Choices that hold for all readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// When an unused card loses its power.
    pub auto_power_off: AutoPowerOff,
    /// How much clients may have.
    pub limits: Limits,
    /// How long BeginTransaction waits before it answers SHARING_VIOLATION, which makes the client library ask again.
    pub begin_patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_power_off: AutoPowerOff::default(),
            limits: Limits::default(),
            begin_patience: Duration::from_secs(1),
        }
    }
}

/// When a card that no handle uses loses its power, and with it its security status.
///
/// Clients do not see it: state bits, ATR and event counter stay. The next Connect powers the card up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoPowerOff {
    /// Never.
    Off,
    /// After 600 ms, as pcscd does with a driver that it has to poll, like vpcd's.
    Quick,
    /// After 5 s, as pcscd does with a driver that tells events, like libccid: with nearly every real reader.
    #[default]
    Slow,
}

impl AutoPowerOff {
    /// How long the card keeps its power.
    pub const fn grace(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::Quick => Some(Duration::from_millis(600)),
            Self::Slow => Some(Duration::from_secs(5)),
        }
    }
}

/// How much clients may have; what is more is NO_MEMORY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Readers at one time. Clients up to protocol 4:5 see no more than 16.
    pub readers: usize,
    /// Contexts at one time.
    pub contexts: usize,
    /// Handles of one context.
    pub handles_per_context: usize,
    /// Handles to one reader.
    pub handles_per_reader: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { readers: 16, contexts: 200, handles_per_context: 200, handles_per_reader: 200 }
    }
}

/// What a reader says of itself.
#[derive(Clone)]
pub struct ReaderSettings {
    /// Its name, without the numbers that pcscd appends: at most 121 bytes, no NUL.
    pub name: String,
    /// Its maker (attribute VENDOR_NAME).
    pub vendor: String,
    /// Its serial number (attribute VENDOR_IFD_SERIAL_NO); without one the attribute is unsupported.
    pub serial: Option<String>,
    /// Longest data field of a command, in bytes (dwMaxAPDUDataSize): what makes clients use extended APDUs.
    pub max_apdu_data: u32,
    /// How it gives cards their power: through their contacts, or through their antenna.
    pub interface: Interface,
    /// The key-pad, if it has one: clients then leave the PIN to it.
    pub pin_pad: Option<PinPad>,
}

impl ReaderSettings {
    /// A reader with this name and nothing special.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            vendor: "vreader".into(),
            serial: None,
            max_apdu_data: 0x1_0000,
            interface: Interface::Contact,
            pin_pad: None,
        }
    }

    /// The same reader with this interface.
    #[must_use]
    pub fn with_interface(mut self, interface: Interface) -> Self {
        self.interface = interface;
        self
    }

    /// The same reader with a key-pad, at which somebody enters `pin` whenever he is asked.
    #[must_use]
    pub fn with_pin_pad(mut self, pin: impl Into<String>) -> Self {
        self.pin_pad = Some(PinPad::new(pin));
        self
    }
}

/// A simulated key-pad and the person before it.
#[derive(Clone)]
pub struct PinPad {
    /// What is entered at every prompt for the present PIN.
    pub(super) pin: Zeroizing<String>,
    /// What is entered at a prompt for a new PIN; without it, the present PIN.
    pub(super) new_pin: Option<Zeroizing<String>>,
    /// What is entered at the prompt that repeats the new PIN; without it, the same.
    pub(super) confirmation: Option<Zeroizing<String>>,
    /// What the person does at the first prompt.
    pub(super) mood: Mood,
}

/// What the person before the key-pad does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Enters what is asked for.
    #[default]
    Enters,
    /// Presses the cancel key (answer 6401).
    Cancels,
    /// Does nothing until the time is over (answer 6400, at once).
    Waits,
}

impl PinPad {
    /// A person who enters this PIN, and enters it again when asked for a new one.
    pub fn new(pin: impl Into<String>) -> Self {
        Self { pin: Zeroizing::new(pin.into()), new_pin: None, confirmation: None, mood: Mood::Enters }
    }

    /// The person enters `new_pin` when asked for a new PIN.
    #[must_use]
    pub fn with_new_pin(mut self, new_pin: impl Into<String>) -> Self {
        self.new_pin = Some(Zeroizing::new(new_pin.into()));
        self
    }

    /// The person repeats the new PIN as `confirmation` (answer 6402 if it differs).
    #[must_use]
    pub fn with_confirmation(mut self, confirmation: impl Into<String>) -> Self {
        self.confirmation = Some(Zeroizing::new(confirmation.into()));
        self
    }

    /// What the person does at the first prompt.
    #[must_use]
    pub fn in_mood(mut self, mood: Mood) -> Self {
        self.mood = mood;
        self
    }
}
