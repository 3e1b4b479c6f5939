//! Who the holder of a look-alike is, which numbers its card has, and how long it lives: as the original's CHUID and
//! certificates say. What they do not say is a sample's.

use card_sim::key::KeyReference;
use x509_cert::Certificate;

use super::{Model, Secrets, request};
use crate::issue::{
    IssueError, Plan, VirtualContact, cac, chuid,
    date::Date,
    fascn::{self, Fascn},
    pairing_code,
    person::{CardNumbers, Person},
    randomness::Randomness,
    uuid::Uuid,
};

/// The holder, the numbers and the life of the original.
pub(super) fn plan(model: &Model, secrets: &Secrets) -> Result<Plan, IssueError> {
    let randomness = Randomness::new(secrets.seed);
    let element = |wanted| {
        let elements = model.chuid.as_deref().unwrap_or_default();
        elements.iter().find(|(found, _)| *found == wanted).map(|(_, value)| value.as_slice())
    };
    let mut rng = randomness.source("person")?;
    let named = common_name(model).map(|name| holder_name(&name));
    let name = named.as_ref().map(|(name, _)| name.as_str());
    let mut person = Person::sample(&mut rng, name).or_else(|_| Person::sample(&mut rng, None))?;
    let mut numbers = CardNumbers::sample(&mut randomness.source("card numbers")?, &person)?;
    if let Some(Ok(fascn)) = element(chuid::tag::FASCN).map(<[u8; fascn::LENGTH]>::try_from) {
        numbers.fascn_bytes = fascn;
        if let Ok(fascn) = Fascn::decode(&fascn) {
            person.identifier = fascn.person_identifier;
            numbers.fascn = fascn;
        }
    }
    if let Some(Ok(guid)) = element(chuid::tag::GUID).map(<[u8; 16]>::try_from) {
        numbers.guid = Uuid(guid);
    }
    if let Some(Ok(uuid)) = element(chuid::tag::CARDHOLDER_UUID).map(<[u8; 16]>::try_from) {
        person.uuid = Uuid(uuid);
    }
    if let Some((_, Some(edipi))) = named {
        person.identifier = edipi;
    }
    let holder = if model.applets.is_some() { Some(common_access_holder(&mut person)?) } else { None };
    let (issued, expires) = life(model, element(chuid::tag::EXPIRATION_DATE));
    let request = request(model, secrets);
    let pairing_code = match request.features.virtual_contact {
        Some(VirtualContact::Pairing) => Some(pairing_code(randomness)?),
        _ => None,
    };
    Ok(Plan {
        randomness,
        person,
        numbers,
        issued,
        expires,
        pki_from: issued,
        pin: secrets.pin.clone(),
        puk: secrets.puk.clone(),
        global_pin: request.features.padded_global_pin()?,
        pairing_code,
        holder,
    })
}

/// The person as a Common Access Card names one; a name that it cannot write becomes a sample one.
fn common_access_holder(person: &mut Person) -> Result<cac::Holder, IssueError> {
    let holder = cac::Holder::new(person, true).or_else(|_| {
        "Sample Holder".clone_into(&mut person.name);
        cac::Holder::new(person, true)
    })?;
    holder.rename(person);
    Ok(holder)
}

/// The certificates that say who the holder is, the most telling first.
fn all_certificates(model: &Model) -> impl Iterator<Item = &Certificate> {
    let piv = model.certificates.iter().filter(|with| {
        !matches!(with.reference, KeyReference::Retired(_) | KeyReference::CardAuthentication)
    });
    model.common_access.iter().map(|(_, certificate)| certificate).chain(piv.map(|with| &with.certificate))
}

fn common_name(model: &Model) -> Option<String> {
    all_certificates(model).find_map(|certificate| {
        let name = certificate.tbs_certificate().subject().common_name().ok()??;
        Some(name.value().into_owned())
    })
}

/// A name as people say it, and the EDIPI: of LAST.FIRST.MIDDLE.EDIPI, as the DoD writes it.
fn holder_name(common_name: &str) -> (String, Option<u64>) {
    let parts: Vec<_> = common_name.split('.').collect();
    if let [last, first, middle @ .., edipi] = parts.as_slice()
        && edipi.len() == 10
        && let Ok(number) = edipi.parse()
    {
        let words: Vec<_> = [*first].into_iter().chain(middle.iter().copied()).chain([*last]).collect();
        return (words.join(" "), Some(number));
    }
    (common_name.to_owned(), None)
}

/// First and last day: of the certificates that came with the card, and of the CHUID.
fn life(model: &Model, expiration: Option<&[u8]>) -> (Date, Date) {
    let validity = |certificate: &Certificate| *certificate.tbs_certificate().validity();
    let days = all_certificates(model).map(validity);
    let issued =
        days.map(|days| Date::from(days.not_before.to_date_time())).min().unwrap_or_else(Date::today);
    let last = || {
        all_certificates(model).map(|certificate| validity(certificate).not_after.to_date_time().into()).max()
    };
    let expires = expiration.and_then(Date::from_compact).or_else(last).unwrap_or(issued);
    (issued, expires.max(issued))
}

/// The last day of the certificate that lives longest.
pub(super) fn last_day(model: &Model) -> Option<Date> {
    let of_piv = model.certificates.iter().map(|with| &with.certificate);
    let all = of_piv.chain(model.common_access.iter().map(|(_, certificate)| certificate));
    all.map(|certificate| certificate.tbs_certificate().validity().not_after.to_date_time().into()).max()
}
