//! The card: power, application selection, command chaining, GET RESPONSE, dispatch.
//!
//! Bytes in, bytes out. Promise: whatever the bytes, [`Card::transmit`] returns a status word, in bounded time and
//! without a panic; a refused command has changed nothing but counters that the standard says it spends.
//! Follows ISO/IEC 7816-4 (transport) and SP 800-73-5 part 2, section 3 (selection and security status).

use apdu::{Class, Command, CommandChain, Progress, Response, ResponseCursor, SecureMessaging, Status};
use heapless::Vec;
use zeroize::Zeroize;

#[cfg(feature = "cac")]
use crate::cac;
#[cfg(feature = "yubico")]
use crate::yubikey::Applet;
use crate::{
    discovery::PinUsagePolicy,
    interface::Interface,
    key::{self, KeyReference},
    piv::{self, Context},
    platform::Platform,
    profile::{Antenna, Profile, Reselection},
    refusal::{Refusal, rules},
    security::{Channel, SecurityStatus},
    sm::{CipherSuite, Session},
    store::{Record, Store, StoreError},
};

/// Longest plain data field of a protected command, in bytes: a template with an RSA-4096 block, and more.
const PLAIN_CAPACITY: usize = 1024;

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

/// An application on the card. The CAC applets are one here: going from one to another changes no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Application {
    /// Selected after a reset (SP 800-73-5 part 2, 2.3.1).
    #[default]
    Piv,
    /// The card's own domain. It can be selected, as on every real card, and does nothing else here; on a Common Access Card, where it
    /// has another name, it says which card this is.
    IssuerSecurityDomain,
    #[cfg(feature = "cac")]
    Cac,
    /// One of a YubiKey's beside PIV.
    #[cfg(feature = "yubico")]
    YubiKey(Applet),
}

impl Application {
    /// What a card of this stock has selected after a reset.
    fn after_reset(profile: &Profile) -> Self {
        if profile.has_piv() { Self::Piv } else { Self::IssuerSecurityDomain }
    }
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
    /// The card has a key and a certificate for secure messaging, of this suite.
    secure_messaging: Option<CipherSuite>,
    powered: bool,
    volatile: Volatile,
    refusal: Option<Refusal>,
}

/// All that a loss of power takes away.
#[derive(Default)]
struct Volatile {
    interface: Interface,
    application: Application,
    #[cfg(feature = "cac")]
    cac: cac::State,
    security: SecurityStatus,
    session: Option<Session>,
    chain: CommandChain<COMMAND_CAPACITY>,
    response: Vec<u8, RESPONSE_CAPACITY>,
    cursor: ResponseCursor,
}

impl Volatile {
    /// Forgets everything, in place: the buffers are too large to be moved around.
    fn clear(&mut self, profile: &Profile, interface: Interface) {
        self.application = Application::after_reset(profile);
        #[cfg(feature = "cac")]
        self.cac.clear();
        self.interface = interface;
        self.security = SecurityStatus::fresh(match profile.choices.antenna {
            Antenna::Restricted => interface,
            Antenna::LikeContacts => Interface::Contact,
        });
        self.session = None;
        self.chain.abort();
        self.response.zeroize();
        self.cursor.clear();
    }
}

impl<P: Platform> Card<P> {
    /// The card that the platform's store holds, without power. Its stock is the built-in one that the store names.
    pub fn new(mut platform: P) -> Result<Self, OpenError> {
        let mut name = Vec::<u8, 32>::new();
        let found = platform.parts().store.read(Record::Profile, &mut name).map_err(OpenError::Store)?;
        if !found {
            return Err(OpenError::NotPersonalised);
        }
        let name = core::str::from_utf8(&name).map_err(|_| OpenError::UnknownProfile)?;
        let profile = Profile::find(name).ok_or(OpenError::UnknownProfile)?;
        Self::of_stock(platform, profile)
    }

    /// The same for a platform that knows the stock: one that may be described elsewhere.
    pub fn of_stock(mut platform: P, profile: &'static Profile) -> Result<Self, OpenError> {
        let secure_messaging = cipher_suite(&platform.parts().store).map_err(OpenError::Store)?;
        let volatile = Volatile::default();
        Ok(Self { platform, profile, secure_messaging, powered: false, volatile, refusal: None })
    }

    /// The card's stock.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The answer to reset through the interface that had the power last.
    pub fn atr(&self) -> &'static [u8] {
        match self.volatile.interface {
            Interface::Contact => self.profile.atr,
            Interface::Contactless => self.profile.contactless_atr,
        }
    }

    /// The platform, for those who keep the card's state.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Gives the card power through its contacts; answers with the answer to reset.
    pub fn power_on(&mut self) -> &'static [u8] {
        self.power_on_through(Interface::Contact)
    }

    /// Gives the card power through this interface; answers with the answer to reset.
    pub fn power_on_through(&mut self, interface: Interface) -> &'static [u8] {
        self.volatile.clear(self.profile, interface);
        self.powered = true;
        self.atr()
    }

    /// Takes the power away.
    pub fn power_off(&mut self) {
        self.volatile.clear(self.profile, self.volatile.interface);
        self.powered = false;
    }

    /// Warm reset, through the same interface; answers with the answer to reset.
    pub fn reset(&mut self) -> &'static [u8] {
        self.power_on_through(self.volatile.interface)
    }

    /// Why the last command was refused, if it was; also what a protected answer says inside.
    pub fn last_refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Runs one command.
    ///
    /// Answers longer than the command's Le come in parts: `61xx`, then GET RESPONSE.
    pub fn transmit(&mut self, command: &[u8]) -> Response<'_> {
        self.refusal = None;
        match self.receive(command) {
            Ok((range, status)) => {
                Response { data: self.volatile.response.get(range).unwrap_or_default(), status }
            }
            Err(refusal) => {
                self.volatile.refuse(command);
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
            Ok(command) => {
                volatile.check_class(&command, self.profile, self.secure_messaging).map(|()| command)
            }
            Err(refusal) => Err(refusal),
        };
        let command = command.inspect_err(|_| volatile.interrupt())?;

        if command.instruction == GET_RESPONSE && !command.class.is_chained() {
            return volatile.get_response(&command);
        }
        volatile.clear_response();
        if command.class.is_chained() && !volatile.may_be_chained(&command, self.profile) {
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
        if last.class.secure_messaging() != SecureMessaging::None {
            return self.run_protected(last);
        }
        let Self { platform, profile, secure_messaging, volatile, .. } = self;
        let Volatile { security, session, chain, response, .. } = volatile;
        let mut place = Place {
            application: &mut volatile.application,
            #[cfg(feature = "cac")]
            cac: &mut volatile.cac,
        };
        let result = {
            let collected = chain.command();
            let command = collected.as_ref().unwrap_or(last);
            run_opened(
                Context::<P> {
                    platform: platform.parts(),
                    security,
                    profile,
                    secure_messaging: *secure_messaging,
                    session,
                    response,
                },
                &mut place,
                command,
            )
        };
        chain.abort();
        result
    }

    /// Runs a protected command. Whatever is refused inside, the answer is a protected one; what is wrong with the
    /// protection itself ends the session.
    #[inline(never)]
    fn run_protected(&mut self, last: &Command<'_>) -> Result<(), Refusal> {
        let Self { platform, profile, secure_messaging, volatile, refusal, .. } = self;
        let Volatile { security, session, chain, response, .. } = volatile;
        let mut place = Place {
            application: &mut volatile.application,
            #[cfg(feature = "cac")]
            cac: &mut volatile.cac,
        };
        let mut open = session.take().ok_or(rules::SM_SESSION.refuse())?;
        if *place.application != Application::Piv || !piv::may_be_protected(last) {
            return Err(rules::SM_COMMAND.refuse());
        }
        let header = [last.instruction, last.p1, last.p2];
        let mut plain = Plain::default();
        let collected = chain.command();
        open.open_command(header, collected.as_ref().unwrap_or(last).data, &mut plain.0)?;
        let command = last.opened(&plain.0);

        let policy = PinUsagePolicy::load(&platform.parts().store)?;
        let paired = security.paired() || !policy.pairing_code_needed();
        security.set_channel(Channel {
            protected: true,
            virtual_contact: policy.virtual_contact_interface() && paired,
        });
        let result = run_opened(
            Context::<P> {
                platform: platform.parts(),
                security,
                profile,
                secure_messaging: *secure_messaging,
                session,
                response,
            },
            &mut place,
            &command,
        );
        chain.abort();
        *refusal = result.err();
        open.protect_response(refusal.map_or(Status::Ok, |refusal| refusal.status).to_u16(), response)?;
        *session = Some(open);
        Ok(())
    }
}

/// The data of a protected command, wiped as far as there are any.
#[derive(Default)]
struct Plain(Vec<u8, PLAIN_CAPACITY>);

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Where on the card a command goes.
struct Place<'a> {
    application: &'a mut Application,
    #[cfg(feature = "cac")]
    cac: &'a mut cac::State,
}

/// Runs a command that came plain, or was opened.
fn run_opened<P: Platform>(
    mut context: Context<'_, P>,
    place: &mut Place<'_>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    context.security.begin_command();
    let result = dispatch(place, &mut context, command);
    if piv::passes_on_proofs(command.instruction) {
        context.security.pass_on();
    }
    context.security.end_command();
    if result.is_err() {
        context.response.clear();
    }
    result
}

/// The cipher suite of the card in this store, if it has a key and a certificate for secure messaging.
fn cipher_suite(store: &impl Store) -> Result<Option<CipherSuite>, StoreError> {
    let key = key::load_private(store, KeyReference::SecureMessaging)?;
    Ok(key.and_then(|(key, _)| CipherSuite::of_key(key.algorithm())))
}

impl Volatile {
    /// Something came that is no part of what was going on: a chain is rolled back, an answer forgotten.
    fn interrupt(&mut self) {
        self.chain.abort();
        self.clear_response();
        #[cfg(feature = "cac")]
        self.cac.forget_block();
        self.security.spend_proofs();
    }

    /// Whether the selected application takes commands of this class.
    #[cfg_attr(
        not(feature = "cac"),
        expect(unused_variables, reason = "all stocks take the same classes then")
    )]
    fn check_class(
        &self,
        command: &Command<'_>,
        profile: &Profile,
        suite: Option<CipherSuite>,
    ) -> Result<(), Refusal> {
        #[cfg(feature = "cac")]
        if self.application == Application::Cac && cac::takes_class(command) {
            return Ok(());
        }
        #[cfg(feature = "cac")]
        if self.application == Application::IssuerSecurityDomain
            && profile.cac.is_some()
            && cac::card_manager::takes_class(command)
        {
            return Ok(());
        }
        check_class(command.class, suite)
    }

    /// The bytes of a command were refused. If they came under secure messaging, that is its end (part 2, 4.3).
    fn refuse(&mut self, command: &[u8]) {
        let protected = command
            .first()
            .is_some_and(|class| Class::parse(*class).secure_messaging() != SecureMessaging::None);
        if protected {
            self.interrupt();
            self.session = None;
            self.security.set_paired(false);
        }
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

    fn may_be_chained(&self, command: &Command<'_>, profile: &Profile) -> bool {
        self.application == Application::Piv && piv::may_be_chained(command, profile)
    }

    fn push(&mut self, command: &Command<'_>) -> Result<Progress, Refusal> {
        self.chain.push(command).map_err(|_| {
            self.security.spend_proofs();
            rules::CHAIN_TOO_LONG.refuse()
        })
    }
}

/// Interindustry commands on the basic channel pass, plain ones and those under the card's own secure messaging.
fn check_class(class: Class, suite: Option<CipherSuite>) -> Result<(), Refusal> {
    if !class.is_interindustry() {
        return Err(rules::CLASS.refuse());
    }
    if class.channel() != 0 {
        return Err(rules::CHANNEL.refuse());
    }
    match class.secure_messaging() {
        SecureMessaging::None => Ok(()),
        SecureMessaging::HeaderAuthenticated if suite.is_some() => Ok(()),
        _ => Err(rules::SECURE_MESSAGING.refuse()),
    }
}

fn dispatch<P: Platform>(
    place: &mut Place<'_>,
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    if command.instruction == SELECT {
        return select(place, context, command);
    }
    match place.application {
        Application::Piv => piv::run(context, command),
        #[cfg(feature = "cac")]
        Application::IssuerSecurityDomain if context.profile.cac.is_some() => {
            cac::card_manager::run(context, command)
        }
        Application::IssuerSecurityDomain => Err(rules::ISSUER_DOMAIN.refuse()),
        #[cfg(feature = "cac")]
        Application::Cac => cac::run(context, place.cac, command),
        #[cfg(feature = "yubico")]
        Application::YubiKey(applet) => applet.run(context, command),
    }
}

/// SELECT by name (SP 800-73-5 part 2, 3.1.1).
///
/// Selecting the application that is selected already leaves its security status, or does not; selecting another one
/// clears it; a name that is not on the card changes nothing.
fn select<P: Platform>(
    place: &mut Place<'_>,
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    #[cfg(feature = "cac")]
    {
        place.cac.forget_block();
        if *place.application == Application::Cac && matches!((command.p1, command.p2), (0x02, 0x00 | 0x0C)) {
            return cac::select_object(place.cac, command.data);
        }
    }
    // P2 0C asks for no answer; OpenSC sends it while it looks for other cards.
    let wants_answer = match (command.p1, command.p2) {
        (0x04, 0x00) => true,
        (0x04, 0x0C) => false,
        (0x00..=0x03 | 0x08 | 0x09, _) => return Err(rules::SELECT_FILE.refuse()),
        _ => return Err(rules::SELECT_P1P2.refuse()),
    };
    let selected = place.by_name(context, command.data).ok_or(rules::SELECT_UNKNOWN.refuse())?;
    if selected != *place.application || context.profile.choices.reselection == Reselection::Clears {
        context.security.leave_application();
        *context.session = None;
        *place.application = selected;
    }
    match selected {
        _ if !wants_answer => Ok(()),
        Application::Piv => {
            piv::application_property_template(context.profile, context.secure_messaging, context.response)
        }
        #[cfg(feature = "cac")]
        Application::IssuerSecurityDomain if context.profile.cac.is_some() => {
            cac::card_manager::information(context.response)
        }
        Application::IssuerSecurityDomain => {
            context.response.extend_from_slice(&ISSUER_SECURITY_DOMAIN_ANSWER)?;
            Ok(())
        }
        #[cfg(feature = "cac")]
        Application::Cac => place.cac.applet_information(context.response),
        #[cfg(feature = "yubico")]
        Application::YubiKey(applet) => applet.select(context),
    }
}

impl Place<'_> {
    /// The application with this name, if the card has it. An applet of the CAC face is selected by this already.
    fn by_name<P: Platform>(&mut self, context: &Context<'_, P>, name: &[u8]) -> Option<Application> {
        match by_name(name) {
            Some(Application::Piv) if !context.profile.has_piv() => None,
            #[cfg(feature = "cac")]
            Some(Application::IssuerSecurityDomain) if context.profile.cac.is_some() && !name.is_empty() => {
                None
            }
            #[cfg(feature = "cac")]
            None if context.profile.cac.is_some() && cac::card_manager::is_named(name) => {
                Some(Application::IssuerSecurityDomain)
            }
            #[cfg(feature = "cac")]
            // The antenna leads to PIV alone.
            None if let Some(stock) = context.profile.cac
                && context.security.interface() == Interface::Contact
                && cac::select_applet(self.cac, stock, name) =>
            {
                Some(Application::Cac)
            }
            #[cfg(feature = "yubico")]
            None => Applet::by_name(context.profile, name).map(Application::YubiKey),
            found => found,
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
