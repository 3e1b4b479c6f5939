//! The card: power, application selection, command chaining, GET RESPONSE, dispatch.
//!
//! Bytes in, bytes out. Promise: whatever the bytes, [`Card::transmit`] returns a status word, in bounded time and
//! without a panic; a refused command has changed nothing but counters that the standard says it spends.
//! Follows ISO/IEC 7816-4 (transport) and SP 800-73-5 part 2, section 3 (selection and security status).

use apdu::{Class, Command, CommandChain, Progress, Response, ResponseCursor, SecureMessaging, Status};
use heapless::Vec;
use zeroize::Zeroize;

use crate::{
    piv::{self, Context},
    platform::Platform,
    profile::Profile,
    refusal::{Refusal, rules},
    security::SecurityStatus,
    store::{Record, Store, StoreError},
};

/// Longest data field of a chained command, in bytes: the facial image (12,710) and more. Without the feature
/// `large-objects`, for machines with little memory: every object but images of face and irises.
pub const COMMAND_CAPACITY: usize = if cfg!(feature = "large-objects") { 16 * 1024 } else { 4 * 1024 };

/// Longest answer, in bytes.
pub const RESPONSE_CAPACITY: usize = COMMAND_CAPACITY;

const SELECT: u8 = 0xA4;
const GET_RESPONSE: u8 = 0xC0;

/// The name of the issuer security domain (GlobalPlatform Card Specification, annex H).
const ISSUER_SECURITY_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// Its answer to SELECT: file control information with its name.
const ISSUER_SECURITY_DOMAIN_ANSWER: [u8; 18] = [
    0x6F, 0x10, 0x84, 0x08, 0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00, 0xA5, 0x04, 0x9F, 0x65, 0x01,
    0xFF,
];

/// An application on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Application {
    /// Selected after a reset (SP 800-73-5 part 2, 2.3.1).
    #[default]
    Piv,
    /// The card's own domain. It can be selected, as on every real card, and does nothing else here.
    IssuerSecurityDomain,
}

/// Why a card could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The store holds no card.
    NotPersonalised,
    /// The store holds a card of a stock that this version does not know.
    UnknownProfile,
    /// The store failed.
    Store(StoreError),
}

/// A card with its platform.
pub struct Card<P: Platform> {
    platform: P,
    profile: &'static Profile,
    powered: bool,
    volatile: Volatile,
    refusal: Option<Refusal>,
}

/// All that a loss of power takes away.
#[derive(Default)]
struct Volatile {
    application: Application,
    security: SecurityStatus,
    chain: CommandChain<COMMAND_CAPACITY>,
    response: Vec<u8, RESPONSE_CAPACITY>,
    cursor: ResponseCursor,
}

impl Volatile {
    /// Forgets everything, in place: the buffers are too large to be moved around.
    fn clear(&mut self) {
        self.application = Application::default();
        self.security = SecurityStatus::default();
        self.chain.abort();
        self.response.zeroize();
        self.cursor.clear();
    }
}

impl<P: Platform> Card<P> {
    /// The card that the platform's store holds, without power.
    pub fn new(mut platform: P) -> Result<Self, OpenError> {
        let mut name = Vec::<u8, 32>::new();
        let found = platform.parts().store.read(Record::Profile, &mut name).map_err(OpenError::Store)?;
        if !found {
            return Err(OpenError::NotPersonalised);
        }
        let name = core::str::from_utf8(&name).map_err(|_| OpenError::UnknownProfile)?;
        let profile = Profile::find(name).ok_or(OpenError::UnknownProfile)?;
        Ok(Self { platform, profile, powered: false, volatile: Volatile::default(), refusal: None })
    }

    /// The card's stock.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The answer to reset.
    pub fn atr(&self) -> &'static [u8] {
        self.profile.atr
    }

    /// The platform, for those who keep the card's state.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Gives the card power; answers with the answer to reset.
    pub fn power_on(&mut self) -> &'static [u8] {
        self.volatile.clear();
        self.powered = true;
        self.atr()
    }

    /// Takes the power away.
    pub fn power_off(&mut self) {
        self.volatile.clear();
        self.powered = false;
    }

    /// Warm reset; answers with the answer to reset.
    pub fn reset(&mut self) -> &'static [u8] {
        self.power_on()
    }

    /// Why the last command was refused, if it was.
    pub fn last_refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Runs one command.
    ///
    /// Answers longer than the command's Le come in parts: `61xx`, then GET RESPONSE.
    pub fn transmit(&mut self, command: &[u8]) -> Response<'_> {
        match self.receive(command) {
            Ok((range, status)) => {
                self.refusal = None;
                Response { data: self.volatile.response.get(range).unwrap_or_default(), status }
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                Response::from_status(refusal.status)
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(core::ops::Range<usize>, Status), Refusal> {
        if !self.powered {
            return Err(rules::UNPOWERED.refuse());
        }
        let volatile = &mut self.volatile;
        let command = match Command::parse(bytes).map_err(|_| rules::LENGTHS.refuse()) {
            Ok(command) => check_class(command.class).map(|()| command),
            Err(refusal) => Err(refusal),
        };
        let command = command.inspect_err(|_| volatile.interrupt())?;

        if command.instruction == GET_RESPONSE && !command.class.is_chained() {
            return volatile.get_response(&command);
        }
        volatile.clear_response();
        if command.class.is_chained() && !volatile.may_be_chained(command.instruction) {
            volatile.interrupt();
            return Err(rules::CHAINING.refuse());
        }
        match volatile.push(&command)? {
            Progress::More => return Ok((0..0, Status::Ok)),
            // The command was not looked at: it is single now, or begins a chain of its own. The chain that will not be
            // ended was a command all the same, and what was proved for one command was proved for that one.
            Progress::Interrupted => {
                volatile.security.spend_proofs();
                match volatile.push(&command)? {
                    Progress::More => return Ok((0..0, Status::Ok)),
                    Progress::Complete | Progress::Single | Progress::Interrupted => {}
                }
            }
            Progress::Complete | Progress::Single => {}
        }
        let limit = command.response_limit();
        self.run(&command)?;
        self.volatile.cursor.start(self.volatile.response.len());
        Ok(self.volatile.cursor.take(limit))
    }

    /// Runs a command, `last` or the chain that it ends.
    fn run(&mut self, last: &Command<'_>) -> Result<(), Refusal> {
        let Self { platform, profile, volatile, .. } = self;
        let Volatile { application, security, chain, response, .. } = volatile;
        security.begin_command();
        let parts = platform.parts();
        let result = {
            let collected = chain.command();
            let command = collected.as_ref().unwrap_or(last);
            let mut context = Context::<P> { platform: parts, security, profile, response };
            dispatch(application, &mut context, command)
        };
        if piv::passes_on_proofs(last.instruction) {
            security.pass_on();
        }
        security.end_command();
        chain.abort();
        if result.is_err() {
            response.clear();
        }
        result
    }
}

impl Volatile {
    /// Something came that is no part of what was going on: a chain is rolled back, an answer forgotten.
    fn interrupt(&mut self) {
        self.chain.abort();
        self.clear_response();
        self.security.spend_proofs();
    }

    fn clear_response(&mut self) {
        self.response.clear();
        self.cursor.clear();
    }

    fn get_response(&mut self, command: &Command<'_>) -> Result<(core::ops::Range<usize>, Status), Refusal> {
        if self.chain.is_active() {
            self.chain.abort();
            self.security.spend_proofs();
        }
        if !self.cursor.is_pending() {
            return Err(rules::NOTHING_PENDING.refuse());
        }
        Ok(self.cursor.take(command.response_limit()))
    }

    fn may_be_chained(&self, instruction: u8) -> bool {
        self.application == Application::Piv && piv::may_be_chained(instruction)
    }

    fn push(&mut self, command: &Command<'_>) -> Result<Progress, Refusal> {
        self.chain.push(command).map_err(|_| {
            self.security.spend_proofs();
            rules::CHAIN_TOO_LONG.refuse()
        })
    }
}

/// Plain interindustry commands on the basic channel pass.
fn check_class(class: Class) -> Result<(), Refusal> {
    if !class.is_interindustry() {
        return Err(rules::CLASS.refuse());
    }
    if class.channel() != 0 {
        return Err(rules::CHANNEL.refuse());
    }
    if class.secure_messaging() != SecureMessaging::None {
        return Err(rules::SECURE_MESSAGING.refuse());
    }
    Ok(())
}

fn dispatch<P: Platform>(
    application: &mut Application,
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    if command.instruction == SELECT {
        return select(application, context, command);
    }
    match application {
        Application::Piv => piv::run(context, &piv::Command::try_from(command)?),
        Application::IssuerSecurityDomain => Err(rules::ISSUER_DOMAIN.refuse()),
    }
}

/// SELECT by name (SP 800-73-5 part 2, 3.1.1).
///
/// Selecting the application that is selected already leaves its security status; selecting another one clears it;
/// a name that is not on the card changes nothing.
fn select<P: Platform>(
    application: &mut Application,
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    // P2 0C asks for no answer; OpenSC sends it while it looks for other cards.
    let wants_answer = match (command.p1, command.p2) {
        (0x04, 0x00) => true,
        (0x04, 0x0C) => false,
        (0x00..=0x03 | 0x08 | 0x09, _) => return Err(rules::SELECT_FILE.refuse()),
        _ => return Err(rules::SELECT_P1P2.refuse()),
    };
    let selected = by_name(command.data).ok_or(rules::SELECT_UNKNOWN.refuse())?;
    if selected != *application {
        context.security.leave_application();
        *application = selected;
    }
    match selected {
        _ if !wants_answer => Ok(()),
        Application::Piv => piv::application_property_template(context.profile, context.response),
        Application::IssuerSecurityDomain => {
            context.response.extend_from_slice(&ISSUER_SECURITY_DOMAIN_ANSWER)?;
            Ok(())
        }
    }
}

/// The application with this name. The PIV application answers to its full name, to the name without version
/// (part 1, 2.2) and to the bare RID, with which YubiKey tools select it.
fn by_name(name: &[u8]) -> Option<Application> {
    const LENGTHS: [usize; 3] = [5, 9, 11];
    if LENGTHS.contains(&name.len()) && piv::AID.starts_with(name) {
        return Some(Application::Piv);
    }
    // GlobalPlatform 11.9: SELECT without a name selects the issuer security domain.
    (name.is_empty() || name == ISSUER_SECURITY_DOMAIN).then_some(Application::IssuerSecurityDomain)
}
