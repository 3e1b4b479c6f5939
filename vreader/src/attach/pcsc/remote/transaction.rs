//! SCardBeginTransaction and SCardEndTransaction: a card for one program alone.

use std::{
    ops::{Deref, DerefMut},
    thread,
    time::Duration,
};

use super::{
    super::structure::{self, Handle},
    RemoteCard, RemoteError, call, check,
};
use crate::reader::{Disposition, ReturnCode};

/// Commands.
const BEGIN_TRANSACTION: u32 = 0x07;
const END_TRANSACTION: u32 = 0x08;

/// How often pcscd is asked whether another program's transaction is over. This project's server answers when it is.
const AGAIN: Duration = Duration::from_millis(20);

/// While it lasts, no other program reaches the card. Dropped, it ends as it was begun to end.
///
/// A session that logs in begins it with [`Disposition::Reset`]: however the session ends, nobody finds its login.
pub struct Transaction<'a> {
    card: &'a mut RemoteCard,
    at_end: Disposition,
    over: bool,
}

impl RemoteCard {
    /// Waits until no other program is in a transaction, and begins one. `at_end` is what becomes of the card then.
    ///
    /// That another program has reset the card before is no error: nothing of this one was under way.
    pub fn transaction(&mut self, at_end: Disposition) -> Result<Transaction<'_>, RemoteError> {
        loop {
            let request = Handle { handle: self.handle, rv: 0 };
            let answer: Handle = call(&mut self.stream, BEGIN_TRANSACTION, &request)?;
            match ReturnCode::from_value(answer.rv) {
                Some(ReturnCode::SharingViolation) => thread::sleep(AGAIN),
                Some(ReturnCode::ResetCard) => self.reconnect(Disposition::Leave)?,
                _ => {
                    check("SCardBeginTransaction", answer.rv)?;
                    return Ok(Transaction { card: self, at_end, over: false });
                }
            }
        }
    }
}

impl Transaction<'_> {
    /// Ends it, and tells if that failed.
    pub fn end(mut self) -> Result<(), RemoteError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), RemoteError> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        let card = &mut *self.card;
        let request = structure::Disposition { handle: card.handle, disposition: self.at_end as u32, rv: 0 };
        let answer: structure::Disposition = call(&mut card.stream, END_TRANSACTION, &request)?;
        check("SCardEndTransaction", answer.rv)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // A card or a service that is gone holds no transaction.
        let _ = self.finish();
    }
}

impl Deref for Transaction<'_> {
    type Target = RemoteCard;

    fn deref(&self) -> &RemoteCard {
        self.card
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut RemoteCard {
        self.card
    }
}
