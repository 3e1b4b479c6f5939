//! One client of a script, and what it has a right to.

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::{
    message::{COMMANDS, Message, Numbers},
    raw::{INSUFFICIENT_BUFFER, SUCCESS, word},
    step::{Form, Request},
    world::Witness,
};

/// Longest wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for a server that need not read.
const IMPATIENCE: Duration = Duration::from_millis(20);

/// Size of the array of reader states.
const ARRAY: usize = 16 * 184;

/// A client.
pub(super) struct Peer {
    stream: UnixStream,
    minor: u32,
    contexts: Vec<u32>,
    handles: Vec<u32>,
    /// The context of each handle.
    of_context: Vec<u32>,
    /// It has sent whole requests only, and has all their answers: the next one is its to have, too.
    in_step: bool,
    /// Transactions that it may have open.
    transactions: usize,
}

/// Numbers that belong to other clients.
pub(super) struct Others {
    contexts: Vec<u32>,
    handles: Vec<u32>,
    witness_context: u32,
    witness_handle: u32,
}

impl Others {
    pub(super) fn new<'a>(peers: impl Iterator<Item = &'a Peer>, witness: &Witness) -> Self {
        let mut others = Self {
            contexts: Vec::new(),
            handles: Vec::new(),
            witness_context: witness.context,
            witness_handle: witness.handle,
        };
        for peer in peers {
            others.contexts.extend(&peer.contexts);
            others.handles.extend(&peer.handles);
        }
        others
    }
}

impl Peer {
    pub(super) fn new(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream,
            minor: 4,
            contexts: Vec::new(),
            handles: Vec::new(),
            of_context: Vec::new(),
            in_step: true,
            transactions: 0,
        }
    }

    /// Sends bytes that may be anything; whether they went out.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        if self.in_step {
            self.in_step = false;
            self.stream.set_write_timeout(Some(IMPATIENCE)).expect("a timeout");
            self.stream.set_nonblocking(true).expect("it need not block");
        }
        // What has come must not keep the server from reading.
        while matches!(self.stream.read(&mut [0; 4096]), Ok(1..)) {}
        self.stream.set_nonblocking(false).expect("it may block");
        let sent = self.stream.write_all(bytes).is_ok();
        self.stream.set_nonblocking(true).expect("it need not block");
        sent
    }

    /// Sends nothing more.
    pub(super) fn finish(&self) {
        // The server may have closed it.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits for the server to close the connection, for a moment: it may be in a call that waits for others.
    pub(super) fn leave(mut self) {
        self.stream.set_nonblocking(false).expect("it may block");
        self.stream.set_read_timeout(Some(IMPATIENCE)).expect("a timeout");
        while matches!(self.stream.read(&mut [0; 4096]), Ok(1..)) {}
    }

    /// Sends a request, and takes its answer if it must come. `false`: the connection is at its end.
    pub(super) fn request(
        &mut self,
        request: Request,
        form: Form,
        others: &Others,
        transaction: bool,
    ) -> bool {
        let contexts =
            Numbers { own: &self.contexts, others: &others.contexts, witness: others.witness_context };
        let handles = Numbers { own: &self.handles, others: &others.handles, witness: others.witness_handle };
        let message = Message::new(request, self.minor, &contexts, &handles);
        let waits_for_others = [0x04, 0x06].contains(&message.command);
        if waits_for_others && self.transactions > 0 {
            // It would wait for itself, until somebody sees, a second later, that it is gone.
            return true;
        }
        if message.command == 0x07 && !(self.in_step && form == Form::Whole) {
            self.transactions = usize::MAX;
        }
        match form {
            Form::Cut(length) => {
                let bytes = message.bytes();
                self.send(&bytes[..usize::from(length) % bytes.len()]);
                false
            }
            Form::Size(size) => self.send(&message.with_size(size)),
            Form::Claim(claim) => self.send(&message.with_claim(claim)),
            Form::Whole | Form::Pieces => {
                if !self.in_step || message.command == 0x13 || transaction && waits_for_others {
                    return self.send(&message.bytes());
                }
                self.write(&message, form);
                self.answer(&message, others)
            }
        }
    }

    fn write(&mut self, message: &Message, form: Form) {
        let bytes = message.bytes();
        let piece = if form == Form::Pieces { 7 + bytes.len() / 64 } else { 8 + message.structure.len() };
        for piece in bytes.chunks(piece) {
            match self.stream.write_all(piece) {
                Ok(()) => {}
                // The server may have seen enough of it; if it has not, the answer is missed.
                Err(error) if [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()) => {
                    return;
                }
                Err(error) => panic!("the server does not read command {:02X}: {error}", message.command),
            }
        }
    }

    /// Takes the answer to a whole request. `false`: the server has rightly closed the connection.
    fn answer(&mut self, message: &Message, others: &Others) -> bool {
        let command = message.command;
        let about_handle = [0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0F, 0x10].contains(&command);
        let own = !about_handle || self.handles.contains(&message.subject());
        let known = COMMANDS.iter().any(|(known, _)| *known == command);
        let length = match command {
            0x14 => 0,
            0x12 | 0x17 => ARRAY,
            0x15 => 8,
            0x16 => 4,
            _ => message.structure.len(),
        };
        let Some(answer) = self.read(length.max(usize::from(!known)), command) else {
            assert!(
                !known || !own,
                "a client that broke no rule was disconnected after command {command:02X}"
            );
            return false;
        };
        assert!(known, "command {command:02X} was answered");
        if about_handle && message.subject() == others.witness_handle {
            // Too long, it is refused before anybody looks at the handle.
            let rv = word(&answer, answer.len() - 4);
            assert_eq!(rv, INSUFFICIENT_BUFFER, "command {command:02X} took a handle of another client");
        }
        let payload = match command {
            0x09 if word(&answer, 28) == SUCCESS => word(&answer, 24),
            0x0A if word(&answer, 20) == SUCCESS => word(&answer, 16),
            _ => 0,
        };
        if payload > 0 {
            let payload = self.read(payload as usize, command).expect("an answer has its payload");
            if command == 0x09 {
                assert!(
                    payload == [&message.payload[..], &[0x90, 0x00]].concat(),
                    "an answer to another command"
                );
            }
        }
        self.note(message, &answer);
        true
    }

    /// Keeps what the answer says.
    fn note(&mut self, message: &Message, answer: &[u8]) {
        match message.command {
            0x11 if word(answer, 8) == SUCCESS => self.minor = word(answer, 4),
            0x01 if word(answer, 8) == SUCCESS => self.contexts.push(word(answer, 4)),
            0x04 if word(answer, 148) == SUCCESS => {
                self.handles.push(word(answer, 140));
                self.of_context.push(message.subject());
            }
            0x06 if word(answer, 8) == SUCCESS => self.forget(|handle, _| handle == message.subject()),
            0x07 if word(answer, 4) == SUCCESS => self.transactions = self.transactions.saturating_add(1),
            0x08 if word(answer, 8) == SUCCESS && self.transactions < usize::MAX => {
                self.transactions = self.transactions.saturating_sub(1);
            }
            0x02 if word(answer, 4) == SUCCESS => {
                self.contexts.retain(|context| *context != message.subject());
                self.forget(|_, context| context == message.subject());
            }
            _ => {}
        }
    }

    fn forget(&mut self, gone: impl Fn(u32, u32) -> bool) {
        for place in (0..self.handles.len()).rev() {
            if gone(self.handles[place], self.of_context[place]) {
                self.handles.remove(place);
                self.of_context.remove(place);
            }
        }
    }

    /// So many bytes, or nothing if the server closed the connection.
    fn read(&mut self, length: usize, command: u32) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self.stream.read_exact(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) if [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()) => {
                None
            }
            Err(error) => panic!("no answer to command {command:02X}: {error}"),
        }
    }
}
