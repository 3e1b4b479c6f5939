//! The other end of the wire: readers and cards behind a PC/SC socket, for programs of this project, which need no
//! libpcsclite.
//!
//! It does what `SCardEstablishContext`, `SCardListReaders`, `SCardConnect`, `SCardTransmit`, `SCardBeginTransaction`
//! ([`Transaction`]) and `SCardGetStatusChange` ([`Watcher`]) do, in the version of the protocol that the service
//! speaks: this project's server, or a pcscd since 1.8.4. Promise: an answer that breaks the protocol is an error, never
//! a panic.

mod transaction;
mod watch;

use std::{
    env,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

pub use self::{
    transaction::Transaction,
    watch::{ReaderEvent, Watcher},
};
use super::{
    SOCKET_VARIABLE, Slots,
    dialect::{Dialect, WaitAnswer},
    request::MAX_PAYLOAD,
    structure::{
        self, ArraySize, Connect, Establish, Header, NAME_LENGTH, ReaderState, Reconnect, Structure,
        Transmit, Version,
    },
};
use crate::reader::{Disposition, ReturnCode, ShareMode};

/// Commands.
const ESTABLISH_CONTEXT: u32 = 0x01;
const CONNECT: u32 = 0x04;
const RECONNECT: u32 = 0x05;
const DISCONNECT: u32 = 0x06;
const TRANSMIT: u32 = 0x09;
const VERSION: u32 = 0x11;
const GET_READERS_STATE: u32 = 0x12;
const GET_READERS_STATE_SIZE: u32 = 0x16;
const GET_READERS_STATE_ARRAY: u32 = 0x17;

/// Where pcscd listens.
const SYSTEM_SOCKET: &str = "/run/pcscd/pcscd.comm";

/// More readers than any service has.
const MOST_READERS: usize = 1024;

/// T=0 or T=1.
const ANY_PROTOCOL: u32 = 3;

/// The lengths of a PCI, as 64-bit clients send them.
const PCI_LENGTH: u32 = 16;

/// Why a card behind a socket did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Nothing listens there.
    #[error("no PC/SC service listens at {}: {source}; start pcscd, or a world with `vreader serve` or `vreader run`", path.display())]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the PC/SC service broke the connection: {0}")]
    Broken(#[from] io::Error),
    /// The service refuses.
    #[error("{call} was answered with {code:08X}{}", in_words(*code))]
    Refused {
        /// Which call.
        call: &'static str,
        /// The PC/SC return code.
        code: u32,
    },
    /// No reader has this name.
    #[error("no reader {}; there {there}", missing(wanted))]
    NoReader {
        /// What was looked for; empty for any reader.
        wanted: String,
        /// The readers that there are.
        there: String,
    },
    /// The reader's name is too long for the wire.
    #[error("\"{0}\" is no reader's name: it is longer than 127 bytes")]
    Name(String),
}

/// What no reader is.
fn missing(wanted: &str) -> String {
    if wanted.is_empty() {
        "has a card".to_owned()
    } else {
        format!("with a card has \"{wanted}\" in its name")
    }
}

fn in_words(code: u32) -> String {
    ReturnCode::from_value(code).map(|code| format!(", {code}")).unwrap_or_default()
}

/// The socket that libpcsclite would use: the one that the environment names, or the system's pcscd's.
pub fn default_socket() -> PathBuf {
    env::var_os(SOCKET_VARIABLE).map_or_else(|| SYSTEM_SOCKET.into(), PathBuf::from)
}

/// A reader behind a PC/SC socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReader {
    /// Its full name.
    pub name: String,
    /// The card's answer to reset; nothing without a card.
    pub atr: Vec<u8>,
}

impl RemoteReader {
    /// The readers behind a socket.
    pub fn list(socket: &Path) -> Result<Vec<Self>, RemoteError> {
        let (mut stream, dialect) = open(socket)?;
        if dialect.wait_answer() != WaitAnswer::OnRequest {
            stream.write_all(&header(GET_READERS_STATE, 0))?;
        }
        let states = receive_states(&mut stream, dialect)?;
        Ok(states.iter().filter_map(Self::of).collect())
    }

    /// The reader in a slot of the service's array, unless the slot is free.
    fn of(state: &ReaderState) -> Option<Self> {
        let name = state.name.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
        let length = usize::try_from(state.atr_length).unwrap_or(0);
        let name = String::from_utf8_lossy(name).into_owned();
        Some(Self { name, atr: state.atr.get(..length).unwrap_or_default().to_vec() })
    }

    /// The first reader behind a socket that has a card and this in its name; without it, the first that has a card.
    pub fn find(socket: &Path, wanted: Option<&str>) -> Result<Self, RemoteError> {
        let readers = Self::list(socket)?;
        let wanted = wanted.unwrap_or_default();
        let fits = |reader: &&Self| reader.name.contains(wanted) && !reader.atr.is_empty();
        if let Some(reader) = readers.iter().find(fits) {
            return Ok(reader.clone());
        }
        let with_card = |reader: &Self| if reader.atr.is_empty() { " (empty)" } else { "" };
        let names: Vec<_> =
            readers.iter().map(|reader| format!("\"{}\"{}", reader.name, with_card(reader))).collect();
        let there = if names.is_empty() { "is no reader".into() } else { format!("is {}", names.join(", ")) };
        Err(RemoteError::NoReader { wanted: wanted.into(), there })
    }
}

/// A card behind a PC/SC socket. It is disconnected when it is dropped, and stays as it is.
pub struct RemoteCard {
    stream: UnixStream,
    handle: u32,
    protocol: u32,
}

impl RemoteCard {
    /// Connects to the card in a reader, which others may use at the same time.
    pub fn connect(socket: &Path, reader: &str) -> Result<Self, RemoteError> {
        let name = reader_name(reader).ok_or_else(|| RemoteError::Name(reader.to_owned()))?;
        let (mut stream, _) = open(socket)?;
        let establish = Establish { scope: 0, context: 0, rv: 0 };
        let answer: Establish = call(&mut stream, ESTABLISH_CONTEXT, &establish)?;
        check("SCardEstablishContext", answer.rv)?;
        let connect = Connect {
            context: answer.context,
            reader: name,
            share_mode: ShareMode::Shared as u32,
            preferred_protocols: ANY_PROTOCOL,
            handle: 0,
            active_protocol: 0,
            rv: 0,
        };
        let answer: Connect = call(&mut stream, CONNECT, &connect)?;
        check("SCardConnect", answer.rv)?;
        Ok(Self { stream, handle: answer.handle, protocol: answer.active_protocol })
    }

    /// Resets the card, for all who are connected to it.
    pub fn reset(&mut self) -> Result<(), RemoteError> {
        self.reconnect(Disposition::Reset)
    }

    /// Ends the connection; `disposition` is what becomes of the card.
    pub fn disconnect(mut self, disposition: Disposition) -> Result<(), RemoteError> {
        let request = structure::Disposition { handle: self.handle, disposition: disposition as u32, rv: 0 };
        let answer: structure::Disposition = call(&mut self.stream, DISCONNECT, &request)?;
        check("SCardDisconnect", answer.rv)
    }

    /// Connects anew, after this.
    fn reconnect(&mut self, initialization: Disposition) -> Result<(), RemoteError> {
        let request = Reconnect {
            handle: self.handle,
            share_mode: ShareMode::Shared as u32,
            preferred_protocols: ANY_PROTOCOL,
            initialization: initialization as u32,
            active_protocol: 0,
            rv: 0,
        };
        let answer: Reconnect = call(&mut self.stream, RECONNECT, &request)?;
        check("SCardReconnect", answer.rv)?;
        self.protocol = answer.active_protocol;
        Ok(())
    }

    /// Runs one command APDU; the whole response APDU.
    pub fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let too_long =
            || RemoteError::Refused { call: "SCardTransmit", code: ReturnCode::InsufficientBuffer.value() };
        let send_length = u32::try_from(command.len()).map_err(|_| too_long())?;
        // Fits: an extended APDU has less than 2^17 bytes.
        let receive_length = u32::try_from(MAX_PAYLOAD).map_err(|_| too_long())?;
        let request = Transmit {
            handle: self.handle,
            send_protocol: self.protocol,
            send_pci_length: PCI_LENGTH,
            send_length,
            receive_protocol: self.protocol,
            receive_pci_length: PCI_LENGTH,
            receive_length,
            rv: 0,
        };
        // One write: the server need not wait for the rest. A command may hold a PIN.
        let message = Zeroizing::new([&message(TRANSMIT, &request)[..], command].concat());
        self.stream.write_all(&message)?;
        let answer: Transmit = receive(&mut self.stream)?;
        check("SCardTransmit", answer.rv)?;
        let length = usize::try_from(answer.receive_length).unwrap_or(usize::MAX);
        if length > MAX_PAYLOAD {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        let mut response = vec![0; length];
        self.stream.read_exact(&mut response)?;
        Ok(response)
    }
}

/// A connection, and the version that both ends speak: the newest, or what the service answered to it.
fn open(socket: &Path) -> Result<(UnixStream, Dialect), RemoteError> {
    let (major, minor) = Dialect::NEWEST;
    let mut offered = Version { major, minor, rv: 0 };
    loop {
        let mut stream = UnixStream::connect(socket)
            .map_err(|source| RemoteError::Nobody { path: socket.into(), source })?;
        let answer: Version = call(&mut stream, VERSION, &offered)?;
        let answered = Version { rv: 0, ..answer };
        match Dialect::of(&answered) {
            Some(dialect) if answered == offered && answer.rv == ReturnCode::SUCCESS => {
                return Ok((stream, dialect));
            }
            // Older than this client: once more, in its version.
            Some(_) if answered != offered && answered.minor < offered.minor => offered = answered,
            _ => {
                check("CMD_VERSION", answer.rv)?;
                return Err(io::Error::from(io::ErrorKind::Unsupported).into());
            }
        }
    }
}

/// The array of reader states, which is on its way, or is asked for now in the versions whose clients ask for its size.
fn receive_states(stream: &mut UnixStream, dialect: Dialect) -> Result<Vec<ReaderState>, RemoteError> {
    let entries = if dialect.wait_answer() == WaitAnswer::OnRequest {
        stream.write_all(&header(GET_READERS_STATE_SIZE, 0))?;
        let size: ArraySize = receive(stream)?;
        stream.write_all(&header(GET_READERS_STATE_ARRAY, 0))?;
        let entries = usize::try_from(size.entries).ok().filter(|entries| *entries <= MOST_READERS);
        entries.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?
    } else {
        Slots::of_this_system().count()
    };
    Ok((0..entries).map(|_| receive(stream)).collect::<io::Result<_>>()?)
}

/// The name as the wire has it, with at least one NUL behind it.
fn reader_name(reader: &str) -> Option<[u8; NAME_LENGTH]> {
    let mut name = [0; NAME_LENGTH];
    let (last, place) = name.split_last_mut()?;
    place.get_mut(..reader.len())?.copy_from_slice(reader.as_bytes());
    *last = 0;
    Some(name)
}

fn header(command: u32, size: usize) -> [u8; 8] {
    // No structure has more than some hundred bytes.
    Header { size: u32::try_from(size).unwrap_or(u32::MAX), command }.bytes()
}

fn message<const N: usize>(command: u32, structure: &impl Structure<N>) -> Vec<u8> {
    [&header(command, N)[..], &structure.bytes()].concat()
}

/// Sends a request that has no payload, and waits for its answer.
fn call<S: Structure<N>, const N: usize>(
    stream: &mut UnixStream,
    command: u32,
    structure: &S,
) -> io::Result<S> {
    stream.write_all(&message(command, structure))?;
    receive(stream)
}

fn receive<S: Structure<N>, const N: usize>(stream: &mut UnixStream) -> io::Result<S> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(S::parse(&bytes))
}

fn check(call: &'static str, code: u32) -> Result<(), RemoteError> {
    if code == ReturnCode::SUCCESS { Ok(()) } else { Err(RemoteError::Refused { call, code }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_nobody() {
        assert_eq!(reader_name("Desk 00 00").unwrap()[..11], *b"Desk 00 00\0");
        assert_eq!(reader_name(&"x".repeat(127)).unwrap()[126..], *b"x\0");
        assert!(reader_name(&"x".repeat(128)).is_none());
    }

    #[test]
    fn refusals_say_what_the_code_means() {
        let refused = |code| RemoteError::Refused { call: "SCardConnect", code }.to_string();
        assert_eq!(
            refused(0x8010_000C),
            "SCardConnect was answered with 8010000C, there is no card in the reader"
        );
        assert_eq!(refused(0x8010_FFFF), "SCardConnect was answered with 8010FFFF");
    }
}
