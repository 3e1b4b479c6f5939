//! Chaining: long commands that arrive in pieces, long responses that leave in pieces.
//!
//! Follows ISO/IEC 7816-4:2020, 5.3 (command chaining, and response chaining with GET
//! RESPONSE), as SP 800-73-5 part 2 uses them.
//!
//! [`CommandChain`] owns the bytes it collects, because the pieces come in separate APDUs, and
//! wipes them when they are no longer wanted: a PIN or a private key may be among them.
//! [`ResponseCursor`] owns no bytes; it only remembers how far a response has been sent.

use core::{fmt, hint, ops::Range};

use crate::{
    command::{Case, Command, CommandHeader},
    status::Status,
};

/// What a pushed command means for the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Progress {
    /// The fragment was kept and more will follow; the card answers `9000`.
    More,
    /// The last fragment was kept; [`CommandChain::command`] is the whole command.
    Complete,
    /// No chain was running and the command is not a fragment. Nothing was copied: the caller
    /// uses the command as it is.
    Single,
    /// The command does not belong to the chain that was running, and that chain is gone. The
    /// command itself was not looked at further: the caller pushes it again (this time it is
    /// `Single` or begins a chain of its own), or answers [`Status::LastCommandExpected`].
    Interrupted,
}

/// Collects the fragments of one chained command, up to `N` bytes of data.
///
/// Fragments belong together when CLA (but for the chaining bit), INS, P1 and P2 are equal;
/// since CLA is compared, they also agree on secure messaging and on the channel. An Le on a
/// fragment that is not the last is ignored: some clients send one on every APDU.
///
/// ```
/// use apdu::{Command, CommandChain, Progress};
///
/// let mut chain = CommandChain::<64>::new();
/// let first = Command::parse(&[0x10, 0xDB, 0x3F, 0xFF, 0x02, 0x5C, 0x01])?;
/// let last = Command::parse(&[0x00, 0xDB, 0x3F, 0xFF, 0x01, 0x7E])?;
///
/// assert_eq!(chain.push(&first), Ok(Progress::More));
/// assert_eq!(chain.push(&last), Ok(Progress::Complete));
/// assert_eq!(chain.data(), [0x5C, 0x01, 0x7E]);
/// chain.abort(); // wipes the data
/// assert_eq!(chain.data(), []);
/// # Ok::<(), apdu::ParseError>(())
/// ```
pub struct CommandChain<const N: usize> {
    buffer: [u8; N],
    length: usize,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Idle,
    /// Fragments were kept, the last is still to come. The header has no chaining bit.
    Collecting(CommandHeader),
    /// The whole command is there; case and Ne are those of its last fragment.
    Complete(CommandHeader, Case, u32),
}

impl<const N: usize> CommandChain<N> {
    /// An empty chain.
    pub const fn new() -> Self {
        Self { buffer: [0; N], length: 0, state: State::Idle }
    }

    /// Takes the next command. A complete chain that was left here is wiped first.
    ///
    /// # Errors
    ///
    /// [`Status::WrongLength`] when the data exceeds `N` bytes; the whole chain is then
    /// dropped and wiped.
    pub fn push(&mut self, command: &Command<'_>) -> Result<Progress, Status> {
        let header = command.header().without_chaining();
        match self.state {
            State::Collecting(running) if running == header => {}
            State::Collecting(_) => {
                self.abort();
                return Ok(Progress::Interrupted);
            }
            State::Idle | State::Complete(..) => {
                self.abort();
                if !command.class.is_chained() {
                    return Ok(Progress::Single);
                }
            }
        }
        if self.append(command.data).is_none() {
            self.abort();
            return Err(Status::WrongLength);
        }
        if command.class.is_chained() {
            self.state = State::Collecting(header);
            Ok(Progress::More)
        } else {
            self.state = State::Complete(header, command.case, command.ne());
            Ok(Progress::Complete)
        }
    }

    fn append(&mut self, data: &[u8]) -> Option<()> {
        let end = self.length.checked_add(data.len())?;
        self.buffer.get_mut(self.length..end)?.copy_from_slice(data);
        self.length = end;
        Some(())
    }

    /// True while the last fragment of a chain is still to come.
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Collecting(_))
    }

    /// The header the fragments share, without the chaining bit; `None` when nothing is kept.
    pub const fn header(&self) -> Option<CommandHeader> {
        match self.state {
            State::Idle => None,
            State::Collecting(header) | State::Complete(header, ..) => Some(header),
        }
    }

    /// The data collected so far.
    pub fn data(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The whole command once its last fragment is there, else `None`. Case and Ne are those of
    /// the last fragment, so a short case may come with more than 255 bytes of data.
    pub fn command(&self) -> Option<Command<'_>> {
        match self.state {
            State::Complete(header, case, ne) => Some(Command::assemble(header, self.data(), case, ne)),
            State::Idle | State::Collecting(_) => None,
        }
    }

    /// Forgets what was collected, complete or not, and overwrites it with zeros.
    pub fn abort(&mut self) {
        if let Some(used) = self.buffer.get_mut(..self.length) {
            used.fill(0);
        }
        // Without unsafe code this is the way to keep the compiler from leaving the zeros out.
        hint::black_box(&self.buffer);
        self.length = 0;
        self.state = State::Idle;
    }
}

impl<const N: usize> Default for CommandChain<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for CommandChain<N> {
    fn drop(&mut self) {
        self.abort();
    }
}

impl<const N: usize> fmt::Debug for CommandChain<N> {
    /// Prints the header and the number of bytes, never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandChain")
            .field("header", &self.header())
            .field("length", &self.length)
            .field("capacity", &N)
            .field("active", &self.is_active())
            .finish_non_exhaustive()
    }
}

/// How far a response that is longer than one APDU has been sent.
///
/// The caller keeps the response bytes; the cursor says which of them go next and which status
/// word to put behind them. Only responses that end in `9000` have data, so that is the only
/// final word a cursor gives; any other outcome is sent without one.
///
/// ```
/// use apdu::{ResponseCursor, Status};
///
/// let mut cursor = ResponseCursor::new();
/// cursor.start(300);
/// assert_eq!(cursor.take(256), (0..256, Status::MoreData(44)));
/// // ... GET RESPONSE ...
/// assert_eq!(cursor.take(44), (256..300, Status::Ok));
/// assert!(!cursor.is_pending());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseCursor {
    sent: usize,
    total: usize,
}

impl ResponseCursor {
    /// A cursor with nothing to send.
    pub const fn new() -> Self {
        Self { sent: 0, total: 0 }
    }

    /// Begins a response of `total_len` bytes and forgets any earlier one.
    pub const fn start(&mut self, total_len: usize) {
        *self = Self { sent: 0, total: total_len };
    }

    /// The next bytes to send, at most `limit` of them ([`Command::response_limit`]), and the
    /// status word for this APDU: `9000` if they are the last, else `61xx` with what is left.
    ///
    /// With nothing pending the answer is an empty range and `9000`; GET RESPONSE deserves
    /// another word then, so ask [`ResponseCursor::is_pending`] before.
    pub fn take(&mut self, limit: usize) -> (Range<usize>, Status) {
        let start = self.sent;
        let end = start.saturating_add(limit).min(self.total);
        self.sent = end;
        let status = match self.remaining() {
            0 => Status::Ok,
            // One byte cannot say 256 or more, and `00` is ISO's way of saying so.
            left => Status::MoreData(u8::try_from(left).unwrap_or(0)),
        };
        (start..end, status)
    }

    /// How many bytes are still to be sent.
    pub const fn remaining(&self) -> usize {
        self.total.saturating_sub(self.sent)
    }

    /// True while bytes are still to be sent.
    pub const fn is_pending(&self) -> bool {
        self.remaining() > 0
    }

    /// Forgets the response. The caller wipes its bytes.
    pub const fn clear(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
