//! The security rules of a PIV card, small enough to be read in one sitting.
//!
//! A [`Model`] knows the secrets on a card. It sees each command with its answer and says whether a card may answer so:
//!
//! * Counters: a wrong value costs one try, a right one gives all back, nothing else moves a counter, and at none left
//!   nothing is compared any more.
//! * Status: what was verified falls with the power, with another application, with a wrong value.
//! * Access: [`access`] is the matrix. What it forbids is refused; what it allows is not refused for want of a proof.
//! * Contents: GET DATA answers with what was written, no refusal carries data.
//!
//! Beyond the standard, it knows RESET RETRY COUNTER with P1 `02` and IMPORT ASYMMETRIC KEY.
//!
//! It says nothing of what the standard leaves open, nor of the result of a private key, nor of fingers. It was written from
//! SP 800-73-5, parts 1 and 2, for the contact interface without secure messaging, and shares no code with the card but the
//! parsing of APDUs and TLVs.
//!
//! | file | what is there |
//! |---|---|
//! | `lib.rs` | judging an answer: chains, answers in parts |
//! | `rules` | what each command may do, and what changes by it |
//! | [`access`] | who may read an object, use a key |
//! | [`persistent`] | what a card keeps without power; formats of PIN and PUK |
//! | `request` | what a command asks for |
//! | `administrator` | proofs with the card management key |

pub mod access;
mod administrator;
pub mod persistent;
mod request;
mod rules;

use std::{collections::BTreeSet, mem::take};

use administrator::Asked;
pub use administrator::ManagementKey;
use apdu::{Command, CommandHeader};
use persistent::Persistent;
use request::Request;

/// A card as the rules see it.
#[derive(Clone)]
pub struct Model {
    persistent: Persistent,
    management_key: ManagementKey,
    volatile: Volatile,
}

/// What a loss of power takes away.
#[derive(Clone, Default)]
struct Volatile {
    /// Another application than PIV is selected.
    elsewhere: bool,
    /// The PINs that are verified.
    verified: BTreeSet<u8>,
    administrator: bool,
    /// Good for the next command only.
    next: Next,
    chain: Option<(CommandHeader, Vec<u8>)>,
    rest: Rest,
}

#[derive(Clone, Default)]
struct Next {
    /// The command before this one verified a PIN.
    fresh: bool,
    asked: Option<Asked>,
}

/// What GET RESPONSE may bring.
#[derive(Clone, Default)]
enum Rest {
    #[default]
    Nothing,
    Known(Vec<u8>),
    Anything,
}

/// How a card may answer.
enum Answer {
    /// With this status word only; success carries these data.
    Only(u16, Vec<u8>),
    /// In any way but success.
    Refusal,
    /// In any way, but not that a proof is missing.
    Anything,
}

use Answer::{Anything, Only, Refusal};

/// An answer that the rules forbid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{command:02X?} was answered with {status:04X} and {length} bytes; {rule}")]
pub struct Violation {
    /// The command's first five bytes.
    pub command: Vec<u8>,
    /// The status word of the answer.
    pub status: u16,
    /// Its bytes.
    pub length: usize,
    /// What had to be.
    pub rule: String,
}

const SUCCESS: u16 = 0x9000;
const NOT_SATISFIED: u16 = 0x6982;
const TOO_LONG: u16 = 0x6A84;

impl Model {
    /// A card that holds this, after a reset.
    pub fn new(persistent: Persistent, management_key: ManagementKey) -> Self {
        Self { persistent, management_key, volatile: Volatile::default() }
    }

    /// What the card keeps without power.
    pub fn persistent(&self) -> &Persistent {
        &self.persistent
    }

    /// The answer that proves the card management key to the challenge that the command before asked for, if it did.
    pub fn proof(&self) -> Option<Vec<u8>> {
        self.volatile.next.asked.as_ref()?.expected(&self.management_key)
    }

    /// Reset, or power off and on.
    pub fn reset(&mut self) {
        self.volatile = Volatile::default();
    }

    /// Power fails during this command: what the card may hold afterwards, the old state first.
    pub fn after_power_cut(&self, command: &[u8]) -> Vec<Persistent> {
        let mut states = vec![self.persistent.clone()];
        let Ok(command) = Command::parse(command) else { return states };
        if self.volatile.elsewhere || command.class.is_chained() {
            return states;
        }
        let mut new = self.clone();
        let (data, next) = new.whole(&command);
        let request = Request::new(&command, &data);
        if let Request::Present(present) = &request
            && self.comparable(present).is_ok()
        {
            let mut spent = self.persistent.clone();
            spent.spend(present.reference);
            states.push(spent);
        }
        if !matches!(new.expect(&request, &next), Refusal) {
            new.succeed(request, &[]);
        }
        states.push(new.persistent);
        states
    }

    /// A command and the card's answer, which may be the first part of it.
    pub fn judge(&mut self, command: &[u8], data: &[u8], status: u16) -> Result<(), Violation> {
        self.judge_answer(command, data, status).map_err(|rule| Violation {
            command: command.iter().take(5).copied().collect(),
            status,
            length: data.len(),
            rule,
        })
    }

    fn judge_answer(&mut self, bytes: &[u8], data: &[u8], status: u16) -> Result<(), String> {
        let command = match Command::parse(bytes) {
            Ok(command) if matches!(command.class.raw(), 0x00 | 0x10) => command,
            _ => {
                self.volatile.interrupt();
                return must(!succeeded(status) && data.is_empty(), "this is no command");
            }
        };
        if command.instruction == 0xC0 && !command.class.is_chained() {
            return self.judge_rest(data, status);
        }
        self.volatile.rest = Rest::Nothing;
        if command.class.is_chained() {
            return self.judge_part(&command, data, status);
        }
        let chained = self.volatile.chain.is_some();
        let (command_data, next) = self.whole(&command);
        if chained && status == TOO_LONG {
            // How long a chain may be is the card's to say, before anybody asks what it wants.
            return must(data.is_empty(), "a refusal carries no data");
        }
        // SP 800-73-5 part 1, table 5, "PIN always"; clients read objects between VERIFY and the signature.
        self.volatile.next.fresh = next.fresh && command.instruction == 0xCB;
        let request = Request::new(&command, &command_data);
        match self.expect(&request, &next) {
            Only(expected, contents) => self.judge_exactly(expected, &contents, data, status)?,
            Refusal => return must(!succeeded(status) && data.is_empty(), "it had to be refused"),
            Anything => {
                must(status != NOT_SATISFIED, "all that it needs was proved")?;
                must(succeeded(status) || data.is_empty(), "a refusal carries no data")?;
                if status >> 8 == 0x61 {
                    self.volatile.rest = Rest::Anything;
                }
            }
        }
        if succeeded(status) {
            self.succeed(request, data);
        }
        Ok(())
    }

    /// The command's data with those of its chain, and what the command before it left for this one.
    fn whole(&mut self, command: &Command<'_>) -> (Vec<u8>, Next) {
        let mut next = take(&mut self.volatile.next);
        let data = match self.volatile.chain.take() {
            Some((header, data)) if header == command.header() => [&data, command.data].concat(),
            Some(_) => {
                next = Next::default();
                command.data.to_vec()
            }
            None => command.data.to_vec(),
        };
        (data, next)
    }

    /// A part of a chain that is not the last (part 2, 4.2: only the commands of table 2 with a "Yes").
    fn judge_part(&mut self, command: &Command<'_>, data: &[u8], status: u16) -> Result<(), String> {
        let with_finger = command.instruction == 0x20 && matches!(command.p2, 0x96 | 0x97);
        if self.volatile.elsewhere
            || !(with_finger || matches!(command.instruction, 0x47 | 0x87 | 0xDB | 0xFE))
        {
            self.volatile.interrupt();
            return must(!succeeded(status) && data.is_empty(), "it does not come in a chain");
        }
        if status != SUCCESS {
            self.volatile.interrupt();
            return must(!succeeded(status) && data.is_empty(), "a part of a chain has no answer");
        }
        let header = command.header().without_chaining();
        match &mut self.volatile.chain {
            Some((of, parts)) if *of == header => parts.extend(command.data),
            chain => {
                if chain.replace((header, command.data.to_vec())).is_some() {
                    self.volatile.next = Next::default();
                }
            }
        }
        must(data.is_empty(), "a part of a chain has no answer")
    }

    fn judge_rest(&mut self, data: &[u8], status: u16) -> Result<(), String> {
        if self.volatile.chain.is_some() {
            self.volatile.interrupt();
        }
        if let Some(asked) = &mut self.volatile.next.asked {
            asked.answer.extend(data);
        }
        match take(&mut self.volatile.rest) {
            Rest::Nothing => must(!succeeded(status) && data.is_empty(), "nothing was left to answer"),
            Rest::Known(rest) => self.judge_exactly(SUCCESS, &rest, data, status),
            Rest::Anything if status >> 8 == 0x61 => {
                self.volatile.rest = Rest::Anything;
                Ok(())
            }
            Rest::Anything => Ok(()),
        }
    }

    fn judge_exactly(
        &mut self,
        expected: u16,
        contents: &[u8],
        data: &[u8],
        status: u16,
    ) -> Result<(), String> {
        let in_parts = expected == SUCCESS && status >> 8 == 0x61;
        must(status == expected || in_parts, &format!("it had to be {expected:04X}"))?;
        let rest = contents.strip_prefix(data).ok_or("the data had to be others")?;
        must(in_parts != rest.is_empty(), "61xx stands for more to come")?;
        if in_parts {
            self.volatile.rest = Rest::Known(rest.to_vec());
        }
        Ok(())
    }
}

impl Volatile {
    /// Something came that is no part of what was going on.
    fn interrupt(&mut self) {
        (self.next, self.chain, self.rest) = Default::default();
    }
}

fn succeeded(status: u16) -> bool {
    status == SUCCESS || status >> 8 == 0x61
}

fn must(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}
