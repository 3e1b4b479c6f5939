//! Runs scenarios against whatever answers commands.

use super::error::{Failure, Trouble};
use super::pattern::{bytes, matches, resolve, show};
use super::{Action, Check, How, Item, Scenario, Script, Step, Values};
use crate::oracle::{
    self,
    secure_messaging::{self, Host},
};

/// What scenarios are run against: a card that has power.
pub trait Target {
    /// Sends a command and gives the answer with its status word.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;
    /// Resets the card.
    fn reset(&mut self);
    /// Takes its power away.
    fn power_off(&mut self);
    /// Gives it power.
    fn power_on(&mut self);
    /// Gives it power through the antenna.
    fn power_on_contactless(&mut self);
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Scenarios that were run.
    pub scenarios: usize,
    /// Commands whose answers were compared.
    pub exchanges: usize,
    /// What went wrong; empty if nothing did.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Adds what another run did.
    pub fn add(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.exchanges += other.exchanges;
        self.failures.extend(other.failures);
    }
}

/// Runs every scenario of `script`, each on a new card.
///
/// `insert` makes the card from the card file's values, those of the scenario file, and those that the scenario sets
/// before its first command.
pub fn run<T: Target>(script: &Script, mut insert: impl FnMut(&Values) -> T) -> Report {
    let mut report = Report::default();
    for scenario in &script.scenarios {
        report.scenarios += 1;
        let mut run = Run {
            script,
            scenario,
            insert: &mut insert,
            target: None,
            values: Values::default(),
            host: None,
            exchanges: 0,
        };
        if let Err(failure) = run.all() {
            report.failures.push(*failure);
        }
        report.exchanges += run.exchanges;
    }
    report
}

struct Run<'a, T, F> {
    script: &'a Script,
    scenario: &'a Scenario,
    insert: &'a mut F,
    target: Option<T>,
    values: Values,
    /// Secure messaging, once a session is established.
    host: Option<Host>,
    exchanges: usize,
}

impl<T: Target, F: FnMut(&Values) -> T> Run<'_, T, F> {
    fn all(&mut self) -> Result<(), Box<Failure>> {
        let (script, scenario) = (self.script, self.scenario);
        self.steps(&script.card.values, &script.file, None)?;
        self.steps(&script.values, &script.file, None)?;
        self.steps(&scenario.steps, &script.file, None)
    }

    /// Does `steps` of `file`; those of a procedure are named after the step that calls it.
    fn steps(&mut self, steps: &[Step], file: &str, caller: Option<&str>) -> Result<(), Box<Failure>> {
        for step in steps {
            if let Action::Do(name) = &step.action
                && let Some(procedure) = self.script.card.procedures.get(name)
            {
                let caller = caller.unwrap_or(&step.name);
                self.steps(&procedure.steps, &procedure.file, Some(caller))?;
                continue;
            }
            self.action(&step.action).map_err(|what| {
                Box::new(Failure {
                    file: file.to_owned(),
                    line: step.line,
                    scenario: self.scenario.name.clone(),
                    step: caller.map_or(step.name.clone(), |caller| format!("{caller}: {}", step.name)),
                    clause: self.scenario.clause.clone(),
                    what,
                })
            })?;
        }
        Ok(())
    }

    fn action(&mut self, action: &Action) -> Result<(), Trouble> {
        match action {
            Action::Set(name, value) => {
                let value = bytes(value, &self.values)?;
                self.values.set(name.clone(), value);
            }
            Action::Exchange { command, answer, how, times } => {
                for _ in 0..*times {
                    self.exchange(command, answer, *how)?;
                }
            }
            Action::Check(check) => return check_values(check, &self.values),
            Action::Do(name) => return Err(Trouble::NoValue(name.clone())),
            Action::Reset => self.target().reset(),
            Action::PowerOff => self.target().power_off(),
            Action::PowerOn => self.target().power_on(),
            Action::PowerOnContactless => self.target().power_on_contactless(),
            Action::Establish => return self.establish(),
        }
        Ok(())
    }

    /// The card, inserted when it is first needed.
    fn target(&mut self) -> &mut T {
        let Self { target, insert, values, .. } = self;
        target.get_or_insert_with(|| insert(values))
    }

    fn exchange(&mut self, command: &[Item], answer: &[Item], how: How) -> Result<(), Trouble> {
        let sent = bytes(command, &self.values)?;
        let expected = resolve(answer, &self.values)?;
        let found = match how {
            How::Whole => self.target().transmit(&sent),
            How::InPieces => in_short_pieces(self.target(), &sent)?,
            How::Protected => self.protected(&sent)?,
        };
        self.exchanges += 1;
        let mut kept = Vec::new();
        if !matches(&expected, &found, &mut kept) {
            return Err(Trouble::Answer { sent, expected: show(&expected), found });
        }
        for (name, value) in kept {
            self.values.set(name, value);
        }
        Ok(())
    }
}

/// Secure messaging. The card's suite and certificate are among its values, and so are the host's keys.
impl<T: Target, F: FnMut(&Values) -> T> Run<'_, T, F> {
    fn establish(&mut self) -> Result<(), Trouble> {
        let value = |name: &str| {
            self.values.get(name).map(<[u8]>::to_vec).ok_or_else(|| Trouble::NoValue(name.to_owned()))
        };
        let (algorithm, curve) =
            if value("algorithm-04")? == [0x14] { (0x2E, "p384") } else { (0x27, "p256") };
        let scalar = value(&format!("host-private-{curve}"))?;
        let point = value(&format!("host-public-{curve}"))?;
        let request = secure_messaging::request(algorithm, &point)
            .ok_or(Trouble::NotComputable("the host's key does not fit the suite"))?;
        let answer = in_short_pieces(self.target(), &request)?;
        let contents = answer
            .strip_suffix(&[0x90, 0x00])
            .ok_or_else(|| Trouble::Check(format!("establish: the card answers {answer:02X?}")))?;
        self.host = Host::established(algorithm, &scalar, &point, contents);
        if self.host.is_some() {
            Ok(())
        } else {
            Err(Trouble::Check("establish: the card proves nothing".into()))
        }
    }

    fn protected(&mut self, command: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut host = self.host.take().ok_or(Trouble::NotComputable("no session is established"))?;
        let sent = host.protect(command).ok_or(Trouble::NotComputable("the command cannot be protected"))?;
        let answer = in_short_pieces(self.target(), &sent)?;
        let Some(contents) = answer.strip_suffix(&[0x90, 0x00]) else {
            // The card has ended its session; the host's goes on, to show that it is no use.
            self.host = Some(host);
            return Ok(answer);
        };
        let opened = host.open(contents);
        self.host = Some(host);
        opened.ok_or_else(|| Trouble::Check("the answer's protection is wrong".into()))
    }
}

/// Sends `command` as a client with short commands does: data above 255 bytes as a command chain, and the answer
/// fetched with GET RESPONSE for as long as the card announces more (ISO 7816-4, 5.3.3 and 5.3.4).
fn in_short_pieces<T: Target>(target: &mut T, command: &[u8]) -> Result<Vec<u8>, Trouble> {
    /// More than any object needs: 65535 bytes in pieces of 256.
    const MOST: usize = 256;
    let mut answer = match command {
        [class, instruction, p1, p2, 0, high, low, rest @ ..] if !rest.is_empty() => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let data =
                rest.get(..length).ok_or(Trouble::NotComputable("the command ends inside its data"))?;
            let mut pieces = data.chunks(0xFF).peekable();
            let mut answer = Vec::new();
            while let Some(piece) = pieces.next() {
                let last = pieces.peek().is_none();
                let class = if last { *class } else { *class | 0x10 };
                let length = u8::try_from(piece.len()).unwrap_or(0xFF);
                let header = [class, *instruction, *p1, *p2, length];
                let le: &[u8] = if last { &[0] } else { &[] };
                answer = target.transmit(&[&header[..], piece, le].concat());
                if !last && answer != [0x90, 0x00] {
                    return Ok(answer);
                }
            }
            answer
        }
        _ => target.transmit(command),
    };
    for _ in 0..MOST {
        let Some([0x61, more]) = answer.last_chunk() else { return Ok(answer) };
        let next = target.transmit(&[0x00, 0xC0, 0x00, 0x00, *more]);
        answer.truncate(answer.len() - 2);
        answer.extend(next);
    }
    Err(Trouble::Endless)
}

fn check_values(check: &Check, values: &Values) -> Result<(), Trouble> {
    let named = |kind: &str, key: &str| {
        let name = format!("{kind}-{key}");
        values.get(&name).ok_or(Trouble::NoValue(name))
    };
    let (holds, text) = match check {
        Check::Ecdsa(key, digest, signature) => (
            oracle::ecdsa(named("public", key)?, &bytes(digest, values)?, &bytes(signature, values)?),
            format!("ecdsa: the signature is not one of {key} over this digest"),
        ),
        Check::Rsa(key, block, result) => (
            oracle::rsa(
                named("modulus", key)?,
                named("exponent", key)?,
                &bytes(block, values)?,
                &bytes(result, values)?,
            ),
            format!("rsa: the result is not the private operation of {key} on this block"),
        ),
        Check::Point(key) => (
            oracle::on_curve(named("public", key)?),
            format!("point: public-{key} is not an uncompressed point of P-256 or P-384"),
        ),
        Check::Equal(a, b) => (bytes(a, values)? == bytes(b, values)?, "equal: the bytes differ".to_owned()),
        Check::Differ(a, b) => {
            (bytes(a, values)? != bytes(b, values)?, "differ: the bytes are the same".to_owned())
        }
    };
    if holds { Ok(()) } else { Err(Trouble::Check(text)) }
}
