//! What the console's commands share: the card in a reader, for this program alone, and questions to its holder.

use std::io::{self, BufRead, IsTerminal, Write};

use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader, default_socket},
    console::Console,
    reader::Disposition,
};
use zeroize::Zeroizing;

use super::{Failure, prompt};

/// What the help of each of them ends with.
pub(super) const READERS: &str =
    "Readers are those of the world of `vreader run`, or of pcscd: PCSCLITE_CSOCK_NAME decides.";

/// Which card.
#[derive(clap::Args)]
pub(super) struct Desk {
    /// The card in the reader that has this in its name [default: the first reader that has a card]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
}

impl Desk {
    /// Works with the card while no other program reaches it. `at_end` is what becomes of the card: who has verified a PIN
    /// resets it, so that nobody finds the login.
    pub(super) fn with_card<R>(
        &self,
        at_end: Disposition,
        work: impl FnOnce(&mut Console<&mut RemoteCard>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.with_remote(at_end, |card, atr| work(&mut Console::new(card, atr)?))
    }

    /// The same without a console: with the card as it is, and its answer to reset.
    pub(super) fn with_remote<R>(
        &self,
        at_end: Disposition,
        work: impl FnOnce(&mut RemoteCard, &[u8]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let socket = default_socket();
        let reader = RemoteReader::find(&socket, self.reader.as_deref())?;
        let mut card = RemoteCard::connect(&socket, &reader.name)?;
        let mut transaction = card.transaction(at_end)?;
        let result = work(&mut transaction, &reader.atr)?;
        transaction.end()?;
        Ok(result)
    }
}

/// A secret from the command line, or from its holder if it is `-` or not there.
pub(super) fn secret(given: Option<&str>, question: &str) -> Result<Zeroizing<String>, Failure> {
    match given {
        Some(secret) if secret != "-" => Ok(Zeroizing::new(secret.to_owned())),
        _ => Ok(prompt::ask(question)?),
    }
}

/// The same for a new secret, which at a terminal is typed twice: nobody sees a slip.
pub(super) fn new_secret(given: Option<&str>, question: &str) -> Result<Zeroizing<String>, Failure> {
    let new = secret(given, question)?;
    if given.is_none_or(|given| given == "-") && io::stdin().is_terminal() {
        let again = prompt::ask(&format!("{question}, once more"))?;
        if *again != *new {
            return Err(Failure(
                "the two are not the same; the card was not asked, and nothing changed".into(),
            ));
        }
    }
    Ok(new)
}

/// Asks a question; only `y` and `yes` are a yes.
pub(super) fn confirms(question: &str) -> Result<bool, Failure> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        eprint!("{question} [yes/no] ");
    } else {
        eprintln!("{question} [yes/no]");
    }
    io::stderr().flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
