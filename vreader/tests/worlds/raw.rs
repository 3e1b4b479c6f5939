//! A client of the wire, written from the protocol's tables and not with the server's code.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing must come.
const SILENCE: Duration = Duration::from_millis(50);

pub(crate) const SHARED: u32 = 2;
pub(crate) const DIRECT: u32 = 3;
pub(crate) const ANY_PROTOCOL: u32 = 3;
pub(crate) const T1: u32 = 2;
pub(crate) const LEAVE: u32 = 0;

pub(crate) const SUCCESS: u32 = 0;
pub(crate) const CANCELLED: u32 = 0x8010_0002;
pub(crate) const INVALID_HANDLE: u32 = 0x8010_0003;
pub(crate) const NO_MEMORY: u32 = 0x8010_0006;
pub(crate) const INSUFFICIENT_BUFFER: u32 = 0x8010_0008;
pub(crate) const UNKNOWN_READER: u32 = 0x8010_0009;
pub(crate) const SERVICE_STOPPED: u32 = 0x8010_001E;
pub(crate) const RESET_CARD: u32 = 0x8010_0068;
pub(crate) const REMOVED_CARD: u32 = 0x8010_0069;

/// One connection.
pub(crate) struct Raw {
    pub(crate) stream: UnixStream,
}

/// Words in the host's byte order, one after another.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The word at an offset.
pub(crate) fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

/// A message of the wire: header and structure.
pub(crate) fn message(command: u32, structure: &[u8]) -> Vec<u8> {
    let size = u32::try_from(structure.len()).expect("a short structure");
    [words(&[size, command]), structure.to_vec()].concat()
}

impl Raw {
    /// A connection that has said nothing.
    pub(crate) fn silent(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream }
    }

    /// A connection that speaks 4:`minor`.
    pub(crate) fn new(socket: &Path, minor: u32) -> Self {
        let mut raw = Self::silent(socket);
        assert_eq!(raw.call(0x11, &words(&[4, minor, 0])), words(&[4, minor, SUCCESS]));
        raw
    }

    pub(crate) fn send(&mut self, command: u32, structure: &[u8]) {
        self.stream.write_all(&message(command, structure)).expect("the server reads");
    }

    pub(crate) fn receive(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("an answer");
        bytes
    }

    /// A request whose answer has the same structure.
    pub(crate) fn call(&mut self, command: u32, structure: &[u8]) -> Vec<u8> {
        self.send(command, structure);
        self.receive(structure.len())
    }

    /// SCardEstablishContext.
    pub(crate) fn establish(&mut self) -> u32 {
        let answer = self.call(0x01, &words(&[2, 0, 0]));
        assert_eq!(word(&answer, 8), SUCCESS);
        word(&answer, 4)
    }

    /// SCardConnect: handle, active protocol, return code.
    pub(crate) fn connect(&mut self, context: u32, reader: &str, share_mode: u32) -> (u32, u32, u32) {
        let mut name = reader.as_bytes().to_vec();
        name.resize(128, 0);
        let structure = [words(&[context]), name, words(&[share_mode, ANY_PROTOCOL, 0, 0, 0])].concat();
        let answer = self.call(0x04, &structure);
        (word(&answer, 140), word(&answer, 144), word(&answer, 148))
    }

    /// A context and a shared handle.
    pub(crate) fn handle(&mut self, reader: &str) -> u32 {
        let context = self.establish();
        let (handle, protocol, rv) = self.connect(context, reader, SHARED);
        assert_eq!((protocol, rv), (T1, SUCCESS));
        handle
    }

    /// SCardBeginTransaction: the return code.
    pub(crate) fn begin(&mut self, handle: u32) -> u32 {
        word(&self.call(0x07, &words(&[handle, 0])), 4)
    }

    /// SCardStatus: the return code.
    pub(crate) fn status(&mut self, handle: u32) -> u32 {
        word(&self.call(0x0B, &words(&[handle, 0])), 4)
    }

    /// SCardTransmit: the answer's structure.
    pub(crate) fn transmit(&mut self, handle: u32, command: &[u8], capacity: u32) -> Vec<u8> {
        let length = u32::try_from(command.len()).expect("a short command");
        self.send(0x09, &words(&[handle, T1, 16, length, 0, 16, capacity, 0]));
        self.stream.write_all(command).expect("the server reads");
        self.receive(32)
    }

    /// SCardTransmit of a command that the echo card must answer.
    pub(crate) fn echoes(&mut self, handle: u32, command: &[u8]) {
        let expected = [command, &[0x90, 0x00]].concat();
        let answer = self.transmit(handle, command, 65_548);
        assert_eq!((word(&answer, 24) as usize, word(&answer, 28)), (expected.len(), SUCCESS));
        assert!(self.receive(expected.len()) == expected);
    }

    /// That nothing comes for a while.
    pub(crate) fn hears_nothing(&mut self) {
        self.stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
        let heard = self.stream.read(&mut [0; 64]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert!(matches!(&heard, Err(error) if error.kind() == ErrorKind::WouldBlock), "{heard:?}");
    }

    /// That the server has closed the connection.
    pub(crate) fn is_closed(&mut self) {
        assert_eq!(self.drain(), 0);
    }

    /// How many bytes still come before the server closes the connection.
    pub(crate) fn drain(&mut self) -> usize {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            // What was sent and not read resets a connection.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection should be closed: {error}"),
        }
        rest.len()
    }
}
