//! Why a PC/SC call did not succeed: the return codes of pcsc-lite's `pcsclite.h` that this reader gives.

use super::Protocol;

/// A PC/SC return code other than success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[repr(u32)]
pub enum ReturnCode {
    /// The wait was ended by SCardCancel.
    #[error("the call was cancelled")]
    Cancelled = 0x8010_0002,
    /// There is no such context.
    #[error("there is no such context or handle")]
    InvalidHandle = 0x8010_0003,
    /// An argument makes no sense.
    #[error("an argument is invalid")]
    InvalidParameter = 0x8010_0004,
    /// A limit on contexts or handles is reached.
    #[error("too many contexts or handles are open")]
    NoMemory = 0x8010_0006,
    /// The answer is longer than the client's buffer.
    #[error("the answer is longer than the buffer given")]
    InsufficientBuffer = 0x8010_0008,
    /// No reader has this name.
    #[error("no reader has this name")]
    UnknownReader = 0x8010_0009,
    /// The time is over.
    #[error("the time is over")]
    Timeout = 0x8010_000A,
    /// Another handle holds the reader.
    #[error("another program holds the reader")]
    SharingViolation = 0x8010_000B,
    /// There is no card in the reader.
    #[error("there is no card in the reader")]
    NoSmartcard = 0x8010_000C,
    /// Card and caller have no protocol in common.
    #[error("card and program have no protocol in common")]
    ProtocolMismatch = 0x8010_000F,
    /// An argument has no meaning.
    #[error("an argument has no meaning")]
    InvalidValue = 0x8010_0011,
    /// The connection to the service broke.
    #[error("the connection to the service broke")]
    CommunicationError = 0x8010_0013,
    /// The card gave no answer, or there is no transaction to end.
    #[error("the card gave no answer, or there is no transaction to end")]
    NotTransacted = 0x8010_0016,
    /// The reader was unplugged.
    #[error("the reader is gone")]
    ReaderUnavailable = 0x8010_0017,
    /// There is no service.
    #[error("there is no PC/SC service")]
    NoService = 0x8010_001D,
    /// The service is stopping.
    #[error("the PC/SC service is stopping")]
    ServiceStopped = 0x8010_001E,
    /// The reader does not do this.
    #[error("the reader does not do this")]
    UnsupportedFeature = 0x8010_001F,
    /// There is no reader at all.
    #[error("there is no reader")]
    NoReadersAvailable = 0x8010_002E,
    /// The card does not answer.
    #[error("the card does not answer to reset")]
    UnresponsiveCard = 0x8010_0066,
    /// The card has no power.
    #[error("the card has no power")]
    UnpoweredCard = 0x8010_0067,
    /// Somebody reset the card.
    #[error("the card was reset by another program")]
    ResetCard = 0x8010_0068,
    /// The card was taken out.
    #[error("the card was taken out")]
    RemovedCard = 0x8010_0069,
    /// The client may not do this.
    #[error("the program may not do this")]
    SecurityViolation = 0x8010_006A,
}

impl ReturnCode {
    /// The value of success, which is no [`ReturnCode`].
    pub const SUCCESS: u32 = 0;

    const ALL: [Self; 23] = [
        Self::Cancelled,
        Self::InvalidHandle,
        Self::InvalidParameter,
        Self::NoMemory,
        Self::InsufficientBuffer,
        Self::UnknownReader,
        Self::Timeout,
        Self::SharingViolation,
        Self::NoSmartcard,
        Self::ProtocolMismatch,
        Self::InvalidValue,
        Self::CommunicationError,
        Self::NotTransacted,
        Self::ReaderUnavailable,
        Self::NoService,
        Self::ServiceStopped,
        Self::UnsupportedFeature,
        Self::NoReadersAvailable,
        Self::UnresponsiveCard,
        Self::UnpoweredCard,
        Self::ResetCard,
        Self::RemovedCard,
        Self::SecurityViolation,
    ];

    /// The code with this value.
    pub fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.value() == value)
    }

    /// The value that goes over the wire.
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// The wire's value of a result: 0, or the code.
    pub fn of<T>(result: &Result<T, Self>) -> u32 {
        result.as_ref().err().map_or(Self::SUCCESS, |code| code.value())
    }
}

/// Why a call of a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The answer is a return code and nothing else.
    #[error(transparent)]
    Code(#[from] ReturnCode),
    /// Connect or Reconnect: SHARING_VIOLATION, after the protocol had been chosen. pcscd tells it all the same.
    #[error("{}", ReturnCode::SharingViolation)]
    NotExclusive {
        /// The card's protocol.
        protocol: Protocol,
    },
    /// INSUFFICIENT_BUFFER, with the length of the answer that is not given. What was to be done is done.
    #[error("the answer of {needed} bytes is longer than the buffer given")]
    InsufficientBuffer {
        /// Length of the answer, in bytes.
        needed: usize,
    },
    /// The handle is not one of this client's. There is no return code for it: pcscd closes the connection.
    #[error("the handle is not one of this client's")]
    ForeignHandle,
}

impl Refusal {
    /// The return code; `None` when the attachment is to close the connection instead of answering.
    pub const fn code(&self) -> Option<ReturnCode> {
        match self {
            Self::Code(code) => Some(*code),
            Self::NotExclusive { .. } => Some(ReturnCode::SharingViolation),
            Self::InsufficientBuffer { .. } => Some(ReturnCode::InsufficientBuffer),
            Self::ForeignHandle => None,
        }
    }

    /// What an answer to Connect or Reconnect gives as active protocol.
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::NotExclusive { protocol } => *protocol,
            _ => Protocol::Undefined,
        }
    }

    /// What an answer to Transmit, Control or GetAttrib gives as length.
    pub const fn needed(&self) -> usize {
        match self {
            Self::InsufficientBuffer { needed } => *needed,
            _ => 0,
        }
    }
}
