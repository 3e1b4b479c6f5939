//! Requests: bytes of a connection become a type before anything acts on them.
//!
//! A request is a [`Header`], a structure whose size its command fixes, and with TRANSMIT and CONTROL a payload.
//! Promises: a wrong size or an unknown command is an error after which the connection ends, as pcscd ends it; nothing
//! is allocated for a length that a client only claims; a payload longer than any client may send is read past, so that
//! the client can be told.

use std::io::{self, BufRead, Read};

use super::{
    dialect::Dialect,
    structure::{
        Attribute, Connect, Context, Control, Disposition, Establish, Handle, Header, Reconnect, Structure,
        Transmit, Version,
    },
};

/// Longest payload, and longest answer: an extended APDU with 65,536 bytes of data.
pub(super) const MAX_PAYLOAD: usize = 4 + 3 + (1 << 16) + 3 + 2;

/// One request. Payloads go into a buffer of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    EstablishContext(Establish),
    ReleaseContext(Context),
    Connect(Box<Connect>),
    Reconnect(Reconnect),
    Disconnect(Disposition),
    BeginTransaction(Handle),
    EndTransaction(Disposition),
    Transmit(Transmit, Payload),
    Control(Control, Payload),
    Status(Handle),
    Cancel(Context),
    GetAttribute(Box<Attribute>),
    SetAttribute(Box<Attribute>),
    Version(Version),
    ReadersState,
    WaitReaderStateChange,
    StopWaiting,
    ReaderEvents,
    ReadersStateSize,
    ReadersStateArray,
}

/// What became of the bytes behind a TRANSMIT or CONTROL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// They are in the buffer.
    Read,
    /// They were too many, and have been read past.
    TooLong,
}

/// Why no further request comes from a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The client closed the connection between two requests.
    #[error("the client is gone")]
    End,
    /// The connection failed, or ended within a request.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// There is no such command.
    #[error("there is no command {0:#X}")]
    UnknownCommand(u32),
    /// The command's structure has another size.
    #[error("command {command:#04X} came with {size} bytes, and it has {expected}")]
    WrongSize {
        /// Which command.
        command: u32,
        /// What the header says.
        size: u32,
        /// What the protocol says.
        expected: usize,
    },
}

impl Request {
    /// Reads one request; a payload goes into `payload`, which is emptied first.
    pub(super) fn read(
        source: &mut impl BufRead,
        dialect: Dialect,
        payload: &mut Vec<u8>,
    ) -> Result<Self, RequestError> {
        if source.fill_buf().map_err(end_or_broken)?.is_empty() {
            return Err(RequestError::End);
        }
        let header = Header::parse(&array(source)?);
        let expected =
            body_size(header.command, dialect).ok_or(RequestError::UnknownCommand(header.command))?;
        if u32::try_from(expected) != Ok(header.size) {
            return Err(RequestError::WrongSize { command: header.command, size: header.size, expected });
        }
        Ok(match header.command {
            0x01 => Self::EstablishContext(Establish::parse(&array(source)?)),
            0x02 => Self::ReleaseContext(Context::parse(&array(source)?)),
            0x04 => Self::Connect(Box::new(Connect::parse(&array(source)?))),
            0x05 => Self::Reconnect(Reconnect::parse(&array(source)?)),
            0x06 => Self::Disconnect(Disposition::parse(&array(source)?)),
            0x07 => Self::BeginTransaction(Handle::parse(&array(source)?)),
            0x08 => Self::EndTransaction(Disposition::parse(&array(source)?)),
            0x09 => {
                let transmit = Transmit::parse(&array(source)?);
                let read = read_payload(source, transmit.send_length, payload)?;
                Self::Transmit(transmit, read)
            }
            0x0A => {
                let control = Control::parse(&array(source)?);
                let read = read_payload(source, control.send_length, payload)?;
                Self::Control(control, read)
            }
            0x0B => Self::Status(Handle::parse(&array(source)?)),
            0x0D => Self::Cancel(Context::parse(&array(source)?)),
            0x0F => Self::GetAttribute(Box::new(Attribute::parse(&array(source)?))),
            0x10 => Self::SetAttribute(Box::new(Attribute::parse(&array(source)?))),
            0x11 => Self::Version(Version::parse(&array(source)?)),
            0x12 => Self::ReadersState,
            0x13 | 0x14 => {
                // In 4:3 a structure of two zeros comes along, which says nothing.
                skip(source, expected)?;
                if header.command == 0x13 { Self::WaitReaderStateChange } else { Self::StopWaiting }
            }
            0x15 => Self::ReaderEvents,
            0x16 => Self::ReadersStateSize,
            0x17 => Self::ReadersStateArray,
            other => return Err(RequestError::UnknownCommand(other)),
        })
    }
}

/// Size of a command's structure, or `None` for a number that is no command. LIST_READERS (03), GET_STATUS_CHANGE (0C)
/// and CANCEL_TRANSACTION (0E) have numbers, but no client has ever sent them.
fn body_size(command: u32, dialect: Dialect) -> Option<usize> {
    Some(match command {
        0x01 => Establish::SIZE,
        0x02 | 0x0D => Context::SIZE,
        0x04 => Connect::SIZE,
        0x05 => Reconnect::SIZE,
        0x06 | 0x08 => Disposition::SIZE,
        0x07 | 0x0B => Handle::SIZE,
        0x09 => Transmit::SIZE,
        0x0A => Control::SIZE,
        0x0F | 0x10 => Attribute::SIZE,
        0x11 => Version::SIZE,
        0x13 | 0x14 => dialect.wait_size(),
        0x12 | 0x15..=0x17 => 0,
        _ => return None,
    })
}

fn array<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_payload(source: &mut impl BufRead, length: u32, payload: &mut Vec<u8>) -> io::Result<Payload> {
    payload.clear();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        skip(source, length)?;
        return Ok(Payload::TooLong);
    }
    // At most MAX_PAYLOAD, whatever the client says.
    payload.resize(length, 0);
    source.read_exact(payload)?;
    Ok(Payload::Read)
}

/// Reads past `length` bytes, keeping none of them.
fn skip(source: &mut impl BufRead, mut length: usize) -> io::Result<()> {
    while length > 0 {
        let here = source.fill_buf()?.len().min(length);
        if here == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        source.consume(here);
        length -= here;
    }
    Ok(())
}

/// A client that died with an answer unread resets the connection: for the server, that is an end like another.
fn end_or_broken(error: io::Error) -> RequestError {
    if error.kind() == io::ErrorKind::ConnectionReset {
        RequestError::End
    } else {
        RequestError::Broken(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(command: u32, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap();
        [&Header { size, command }.bytes()[..], body].concat()
    }

    fn read(bytes: &[u8], dialect: Dialect) -> Result<(Request, Vec<u8>), RequestError> {
        let mut payload = Vec::new();
        let mut source = bytes;
        let request = Request::read(&mut source, dialect, &mut payload)?;
        assert!(source.is_empty(), "{} bytes were left", source.len());
        Ok((request, payload))
    }

    fn dialect(minor: i32) -> Dialect {
        Dialect::of(&Version { major: 4, minor, rv: 0 }).unwrap()
    }

    /// Every command with the size of its structure, in the dialect 4:4.
    const COMMANDS: [(u32, usize); 20] = [
        (0x01, 12),
        (0x02, 8),
        (0x04, 152),
        (0x05, 24),
        (0x06, 12),
        (0x07, 8),
        (0x08, 12),
        (0x09, 32),
        (0x0A, 24),
        (0x0B, 8),
        (0x0D, 8),
        (0x0F, 280),
        (0x10, 280),
        (0x11, 12),
        (0x12, 0),
        (0x13, 0),
        (0x14, 0),
        (0x15, 0),
        (0x16, 0),
        (0x17, 0),
    ];

    #[test]
    fn each_command_is_read_in_its_size_and_in_no_other() {
        for (command, size) in COMMANDS {
            let (request, _) = read(&message(command, &vec![0; size]), Dialect::UNTOLD).unwrap();
            assert!(!format!("{request:?}").is_empty());
            for wrong in [size + 1, size.wrapping_sub(1), 0x7FFF_FFFF] {
                let Ok(wrong) = u32::try_from(wrong) else { continue };
                let header = Header { size: wrong, command }.bytes();
                let error = read(&header, Dialect::UNTOLD).unwrap_err();
                assert!(matches!(error, RequestError::WrongSize { .. }), "{command:02X}: {error}");
            }
        }
    }

    #[test]
    fn numbers_without_a_command_are_refused() {
        let known: Vec<u32> = COMMANDS.iter().map(|(command, _)| *command).collect();
        for command in (0..0x20).chain([0x100, 0xFFFF_FFFF]).filter(|command| !known.contains(command)) {
            let error = read(&message(command, &[]), Dialect::UNTOLD).unwrap_err();
            assert!(matches!(error, RequestError::UnknownCommand(number) if number == command), "{error}");
        }
    }

    #[test]
    fn the_oldest_dialect_sends_eight_bytes_with_wait_and_stop() {
        for (command, request) in [(0x13, Request::WaitReaderStateChange), (0x14, Request::StopWaiting)] {
            assert_eq!(read(&message(command, &[0; 8]), dialect(3)).unwrap().0, request);
            assert!(read(&message(command, &[]), dialect(3)).is_err());
            for minor in [4, 5, 6] {
                assert_eq!(read(&message(command, &[]), dialect(minor)).unwrap().0, request);
                assert!(read(&message(command, &[0; 8]), dialect(minor)).is_err());
            }
        }
    }

    #[test]
    fn a_payload_follows_its_structure() {
        let command = [0x00, 0xA4, 0x04, 0x00];
        let mut transmit = Transmit::parse(&[0; 32]);
        transmit.send_length = 4;
        let (request, payload) =
            read(&[&message(0x09, &transmit.bytes())[..], &command].concat(), Dialect::UNTOLD).unwrap();
        assert_eq!((request, payload), (Request::Transmit(transmit, Payload::Read), command.to_vec()));
        let mut control = Control::parse(&[0; 24]);
        control.send_length = 4;
        let (request, payload) =
            read(&[&message(0x0A, &control.bytes())[..], &command].concat(), Dialect::UNTOLD).unwrap();
        assert_eq!((request, payload), (Request::Control(control, Payload::Read), command.to_vec()));
    }

    #[test]
    fn a_payload_that_is_too_long_is_read_past() {
        let mut transmit = Transmit::parse(&[0; 32]);
        for (length, expected) in [(MAX_PAYLOAD, Payload::Read), (MAX_PAYLOAD + 1, Payload::TooLong)] {
            transmit.send_length = u32::try_from(length).unwrap();
            let bytes = [message(0x09, &transmit.bytes()), vec![0xA5; length]].concat();
            let (request, payload) = read(&bytes, Dialect::UNTOLD).unwrap();
            assert_eq!(request, Request::Transmit(transmit, expected));
            assert_eq!(payload.len(), if expected == Payload::Read { length } else { 0 });
        }
        transmit.send_length = u32::MAX;
        let claimed = [message(0x09, &transmit.bytes()), vec![0xA5; 100]].concat();
        assert!(matches!(read(&claimed, Dialect::UNTOLD), Err(RequestError::Broken(_))));
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error_and_nothing_else() {
        for (command, size) in COMMANDS {
            let whole = message(command, &vec![0; size]);
            for length in 0..whole.len() {
                let error = read(&whole[..length], Dialect::UNTOLD).unwrap_err();
                assert_eq!(matches!(error, RequestError::End), length == 0, "{command:02X} cut at {length}");
            }
        }
    }
}
