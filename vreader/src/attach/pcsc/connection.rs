//! One connection: requests in, answers out, on one thread.
//!
//! Promises: each answer, with its payload, is one write; a client that breaks the protocol or uses a handle that is not
//! its own is disconnected, as pcscd does it; whatever ends the connection, the client's handles are released.
//! What the requests mean is not decided here but in [`crate::reader`].

use std::{
    io::{self, IoSlice, Write},
    os::unix::net::UnixStream,
    sync::Arc,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    dialect::{Dialect, WaitAnswer},
    request::{MAX_PAYLOAD, Payload, Request, RequestError},
    source::Source,
    structure::{
        ATR_LENGTH, ATTRIBUTE_LENGTH, ArraySize, Attribute, Connect, Context, Control, Disposition,
        Establish, Event, Handle, NAME_LENGTH, ReaderEvents, ReaderState, Reconnect, Structure, Transmit,
        Version,
    },
    waiting::Waiting,
};
use crate::reader::{self, Client, Refusal, ReturnCode, Snapshot};

/// Payload buffers that are larger than this are given back after use.
const KEPT: usize = 8 * 1024;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client closed it or broke the protocol.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An answer could not be written.
    #[error("the client does not read its answers: {0}")]
    Unread(#[from] io::Error),
    /// The client used a handle of another client, or one that never was.
    #[error("the client used a handle that is not its own")]
    ForeignHandle,
}

/// The state of one connection.
pub(super) struct Connection<'a> {
    stream: &'a Arc<UnixStream>,
    source: Source<'a>,
    client: Client,
    slots: usize,
    dialect: Dialect,
    waiting: Arc<Waiting>,
    /// The moment of the states that the client has seen last: what a 4:3 client waits from.
    seen: u64,
    payload: Zeroizing<Vec<u8>>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: &'a Arc<UnixStream>, mut client: Client, slots: usize) -> Self {
        let peer = Arc::clone(stream);
        client.set_liveness(move || is_there(&peer));
        Self {
            stream,
            source: Source::new(stream),
            seen: client.snapshot().change,
            client,
            slots,
            dialect: Dialect::UNTOLD,
            waiting: Arc::new(Waiting::new(Arc::clone(stream))),
            payload: Zeroizing::default(),
        }
    }

    /// Serves the client until one side ends it.
    pub(super) fn run(mut self) -> End {
        loop {
            if let Err(end) = self.exchange() {
                return end;
            }
        }
    }

    /// One request and its answer.
    fn exchange(&mut self) -> Result<(), End> {
        match Request::read(&mut self.source, self.dialect, &mut self.payload)? {
            Request::EstablishContext(request) => self.establish(request),
            Request::ReleaseContext(request) => {
                let result = self.client.release(request.context);
                self.reply(&Context { rv: ReturnCode::of(&result), ..request }.bytes())
            }
            Request::Connect(request) => self.connect(*request),
            Request::Reconnect(request) => self.reconnect(request),
            Request::Disconnect(request) => {
                let result = self.client.disconnect(request.handle, request.disposition);
                self.reply(&Disposition { rv: code(&result)?, ..request }.bytes())
            }
            Request::BeginTransaction(request) => {
                let result = self.client.begin(request.handle);
                self.reply(&Handle { rv: code(&result)?, ..request }.bytes())
            }
            Request::EndTransaction(request) => {
                let result = self.client.end(request.handle, request.disposition);
                self.reply(&Disposition { rv: code(&result)?, ..request }.bytes())
            }
            Request::Transmit(request, payload) => self.transmit(request, payload),
            Request::Control(request, payload) => self.control(request, payload),
            Request::Status(request) => {
                let result = self.client.status(request.handle);
                self.reply(&Handle { rv: code(&result)?, ..request }.bytes())
            }
            Request::Cancel(request) => {
                let result = self.client.cancel(request.context);
                self.reply(&Context { rv: ReturnCode::of(&result), ..request }.bytes())
            }
            Request::GetAttribute(request) => self.get_attribute(&request),
            Request::SetAttribute(request) => self.set_attribute(&request),
            Request::Version(request) => self.version(&request),
            Request::ReadersState => self.readers_state(),
            Request::WaitReaderStateChange => self.wait(),
            Request::StopWaiting => self.stop_waiting(),
            Request::ReaderEvents => {
                let count = self.client.snapshot().reader_events;
                self.reply(&ReaderEvents { count, rv: ReturnCode::SUCCESS }.bytes())
            }
            Request::ReadersStateSize => {
                // At most 48.
                let entries = i32::try_from(self.slots).unwrap_or(i32::MAX);
                self.reply(&ArraySize { entries }.bytes())
            }
            Request::ReadersStateArray => {
                self.readers_state()?;
                self.waiting.arm();
                Ok(())
            }
        }
    }

    fn version(&mut self, offered: &Version) -> Result<(), End> {
        let answer = if let Some(dialect) = Dialect::of(offered) {
            self.dialect = dialect;
            Version { rv: ReturnCode::SUCCESS, ..*offered }
        } else {
            tracing::info!(major = offered.major, minor = offered.minor, "a client speaks another version");
            let (major, minor) = Dialect::NEWEST;
            Version { major, minor, rv: ReturnCode::ServiceStopped.value() }
        };
        self.reply(&answer.bytes())
    }

    fn establish(&mut self, request: Establish) -> Result<(), End> {
        let result = self.client.establish(request.scope);
        let rv = ReturnCode::of(&result);
        self.reply(&Establish { context: result.unwrap_or(0), rv, ..request }.bytes())
    }

    fn connect(&mut self, request: Connect) -> Result<(), End> {
        let name = request.reader.split(|byte| *byte == 0).next().unwrap_or_default();
        let result =
            self.client.connect(request.context, name, request.share_mode, request.preferred_protocols);
        let rv = code(&result)?;
        let (handle, protocol) = match &result {
            Ok(connection) => (connection.handle, connection.protocol),
            Err(refusal) => (0, refusal.protocol()),
        };
        self.reply(&Connect { handle, active_protocol: protocol.value(), rv, ..request }.bytes())
    }

    fn reconnect(&mut self, request: Reconnect) -> Result<(), End> {
        let Reconnect { handle, share_mode, preferred_protocols, initialization, .. } = request;
        let result = self.client.reconnect(handle, share_mode, preferred_protocols, initialization);
        let rv = code(&result)?;
        let protocol = result.unwrap_or_else(|refusal| refusal.protocol());
        self.reply(&Reconnect { active_protocol: protocol.value(), rv, ..request }.bytes())
    }

    fn transmit(&mut self, request: Transmit, payload: Payload) -> Result<(), End> {
        let capacity = capacity(request.receive_length, MAX_PAYLOAD);
        let result = match payload {
            Payload::Read => {
                self.client.transmit(request.handle, request.send_protocol, &self.payload, capacity)
            }
            Payload::TooLong => Err(ReturnCode::InsufficientBuffer.into()),
        };
        self.forget_payload();
        let (rv, receive_length) = (code(&result)?, length(&result));
        let receive_protocol = request.send_protocol;
        let structure = Transmit { receive_protocol, receive_length, rv, ..request };
        self.reply_with(&structure.bytes(), result.unwrap_or_default())
    }

    fn control(&mut self, request: Control, payload: Payload) -> Result<(), End> {
        let capacity = capacity(request.receive_length, MAX_PAYLOAD);
        let result = match payload {
            Payload::Read => self.client.control(request.handle, request.code, &self.payload, capacity),
            Payload::TooLong => Err(ReturnCode::InsufficientBuffer.into()),
        };
        self.forget_payload();
        let structure = Control { rv: code(&result)?, returned_length: length(&result), ..request };
        self.reply_with(&structure.bytes(), result.unwrap_or_default())
    }

    fn get_attribute(&mut self, request: &Attribute) -> Result<(), End> {
        let Attribute { handle, id, .. } = *request;
        let result = self.client.get_attrib(handle, id, capacity(request.length, ATTRIBUTE_LENGTH));
        let (rv, length) = (code(&result)?, length(&result));
        let data = padded(&result.unwrap_or_default());
        self.reply(&Attribute { handle, id, data, length, rv }.bytes())
    }

    fn set_attribute(&mut self, request: &Attribute) -> Result<(), End> {
        let value = usize::try_from(request.length).ok().and_then(|length| request.data.get(..length));
        let result = match value {
            Some(value) => self.client.set_attrib(request.handle, request.id, value),
            None => Err(ReturnCode::InsufficientBuffer.into()),
        };
        self.reply(&Attribute { rv: code(&result)?, ..*request }.bytes())
    }

    fn readers_state(&mut self) -> Result<(), End> {
        let snapshot = self.client.snapshot();
        self.seen = snapshot.change;
        self.reply(&states(&snapshot, self.slots))
    }

    fn wait(&mut self) -> Result<(), End> {
        let number = self.waiting.begin();
        let waiting = Arc::clone(&self.waiting);
        let notify = move |change| waiting.notify(number, change);
        match self.dialect.wait_answer() {
            WaitAnswer::Nothing => {
                self.client.watch(self.seen, notify);
                self.waiting.arm();
                Ok(())
            }
            WaitAnswer::Array => {
                // The watch comes first: who cancels as soon as the array is there must find it.
                let snapshot = self.client.snapshot();
                self.client.watch(snapshot.change, notify);
                self.reply(&states(&snapshot, self.slots))?;
                self.waiting.arm();
                Ok(())
            }
            WaitAnswer::OnRequest => {
                let now = self.client.snapshot().change;
                self.client.watch(now, notify);
                Ok(())
            }
        }
    }

    fn stop_waiting(&mut self) -> Result<(), End> {
        let to_answer = self.waiting.stop();
        self.client.unwatch();
        if to_answer { self.reply(&Event { timeout: 0, rv: ReturnCode::SUCCESS }.bytes()) } else { Ok(()) }
    }

    /// Wipes the payload, and gives back the room of a long one.
    fn forget_payload(&mut self) {
        wipe(&mut self.payload);
        self.payload.shrink_to(KEPT);
    }

    fn reply(&mut self, structure: &[u8]) -> Result<(), End> {
        let mut stream: &UnixStream = self.stream;
        Ok(stream.write_all(structure)?)
    }

    /// Structure and payload, in one write: some clients take what one read gives for the whole answer.
    fn reply_with(&mut self, structure: &[u8], payload: Vec<u8>) -> Result<(), End> {
        let mut payload = Zeroizing::new(payload);
        let mut left = &mut [IoSlice::new(structure), IoSlice::new(&payload)][..];
        while !left.is_empty() {
            match sendmsg(self.stream, left, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL) {
                // A signal may cut a long answer.
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(Errno::INTR) => {}
                Err(error) => return Err(End::Unread(error.into())),
            }
        }
        wipe(&mut payload);
        Ok(())
    }
}

/// Empties and wipes. `Vec`'s own wiping goes byte by byte over what is in it, and at once over the room behind it.
fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.zeroize();
}

/// The return code of a result, unless the connection ends with it.
fn code<T>(result: &Result<T, Refusal>) -> Result<u32, End> {
    match result {
        Ok(_) => Ok(ReturnCode::SUCCESS),
        Err(refusal) => refusal.code().map(ReturnCode::value).ok_or(End::ForeignHandle),
    }
}

/// What an answer gives as the length of its payload.
fn length(result: &Result<Vec<u8>, Refusal>) -> u32 {
    let length = match result {
        Ok(answer) => answer.len(),
        Err(refusal) => refusal.needed(),
    };
    // No answer is longer than MAX_PAYLOAD.
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The size of a client's buffer; more than `most` never comes.
fn capacity(length: u32, most: usize) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX).min(most)
}

/// The array of reader states.
fn states(snapshot: &Snapshot, slots: usize) -> Vec<u8> {
    let mut array = Vec::with_capacity(slots * ReaderState::SIZE);
    for reader in snapshot.readers.iter().take(slots) {
        array.extend_from_slice(&state(reader).bytes());
    }
    array.resize(slots * ReaderState::SIZE, 0);
    array
}

fn state(reader: &reader::ReaderState) -> ReaderState {
    let atr = reader.atr.get(..ATR_LENGTH).unwrap_or(&reader.atr);
    let mut name = padded(reader.name.as_bytes());
    name[NAME_LENGTH - 1] = 0;
    ReaderState {
        name,
        event_counter: reader.event_counter.into(),
        state: reader.state,
        sharing: reader.sharing,
        atr: padded(atr),
        padding: [0; 3],
        // At most 33.
        atr_length: u32::try_from(atr.len()).unwrap_or(u32::MAX),
        protocol: reader.protocol.value(),
    }
}

/// The bytes, cut or filled with zeros.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    for (place, byte) in field.iter_mut().zip(bytes) {
        *place = *byte;
    }
    field
}

/// Whether the client still has its end of the connection.
fn is_there(stream: &UnixStream) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    let asked = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    // POLLHUP comes unasked, and only when the whole of the other end is closed.
    asked.is_err() || !polled[0].revents().contains(PollFlags::HUP)
}
