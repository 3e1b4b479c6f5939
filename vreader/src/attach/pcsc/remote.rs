//! The other end of the wire: one card behind a PC/SC socket, for programs of this project, which need no libpcsclite.
//!
//! It does what `SCardEstablishContext`, `SCardConnect` and `SCardTransmit` do, in protocol 4:6, with this project's server
//! or with a pcscd that speaks it. Promise: an answer that breaks the protocol is an error, never a panic.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    dialect::Dialect,
    request::MAX_PAYLOAD,
    structure::{Connect, Establish, Header, NAME_LENGTH, Reconnect, Structure, Transmit, Version},
};
use crate::reader::{Disposition, ReturnCode, ShareMode};

/// Commands.
const ESTABLISH_CONTEXT: u32 = 0x01;
const CONNECT: u32 = 0x04;
const RECONNECT: u32 = 0x05;
const TRANSMIT: u32 = 0x09;
const VERSION: u32 = 0x11;

/// T=0 or T=1.
const ANY_PROTOCOL: u32 = 3;

/// The lengths of a PCI, as 64-bit clients send them.
const PCI_LENGTH: u32 = 16;

/// Why a card behind a socket did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Nothing listens there.
    #[error("no PC/SC service listens at {}: {source}; start one with `vreader serve`", path.display())]
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
    /// The reader's name is too long for the wire.
    #[error("\"{0}\" is no reader's name: it is longer than 127 bytes")]
    Name(String),
}

fn in_words(code: u32) -> String {
    ReturnCode::from_value(code).map(|code| format!(", {code}")).unwrap_or_default()
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
        let mut stream = UnixStream::connect(socket)
            .map_err(|source| RemoteError::Nobody { path: socket.into(), source })?;
        let (major, minor) = Dialect::NEWEST;
        let version = Version { major, minor, rv: 0 };
        let answer: Version = call(&mut stream, VERSION, &version)?;
        check("CMD_VERSION", answer.rv)?;
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
        let request = Reconnect {
            handle: self.handle,
            share_mode: ShareMode::Shared as u32,
            preferred_protocols: ANY_PROTOCOL,
            initialization: Disposition::Reset as u32,
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

/// The name as the wire has it, with at least one NUL behind it.
fn reader_name(reader: &str) -> Option<[u8; NAME_LENGTH]> {
    let mut name = [0; NAME_LENGTH];
    let (last, place) = name.split_last_mut()?;
    place.get_mut(..reader.len())?.copy_from_slice(reader.as_bytes());
    *last = 0;
    Some(name)
}

fn message<const N: usize>(command: u32, structure: &impl Structure<N>) -> Vec<u8> {
    // No structure has more than some hundred bytes.
    let size = u32::try_from(N).unwrap_or(u32::MAX);
    [&Header { size, command }.bytes()[..], &structure.bytes()].concat()
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
