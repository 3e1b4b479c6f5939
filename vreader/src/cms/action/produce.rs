//! A card maker's machine: writes a card file with a card that is issued already.
//!
//! That is how Common Access Cards come to be: their containers are written through the issuer's secure channel, which is not among the
//! commands of a user's card. From then on the card is managed like any other. `Cms::issue` is the way for cards that are written by
//! commands.

use std::{fs, path::Path};

use card_sim::{key::KeyReference, profile::Profile};
use zeroize::Zeroizing;

use crate::{
    card_client::{CardIdentity, Line},
    clock::Time,
    cms::{
        Cms, CmsError, authority,
        database::{
            AuditEntry, AuthorityRow, CardRow, CredentialRow, HolderRow, NewAuthority, NewCredential, Role,
            keep, place,
        },
        state::DeviceState,
    },
    console::Console,
    emulated::EmulatedCard,
    image::FlashSize,
    issue::{Authority, Date, IssuedCard, Request, issue_under_all},
    reader::{InsertedCard, Interface},
};

/// A card that was made.
pub struct Produced {
    /// Its row.
    pub card: CardRow,
    /// Its PIV Authentication certificate is hidden.
    pub hidden: bool,
}

/// The container of the ID certificate, which PIV does not have.
const ID_CONTAINER: &str = "0100";

/// Names of the authorities of Common Access Cards, as `issue::cac` gives them.
const ID: &str = " ID ";
const EMAIL: &str = " EMAIL ";

impl Cms {
    /// Makes a card file with an issued card of this stock for a holder.
    pub fn produce(
        &mut self,
        path: &Path,
        profile: &'static Profile,
        holder: &str,
        (issued, expires): (Option<Date>, Option<Date>),
        pin: Option<&str>,
    ) -> Result<Produced, CmsError> {
        let action = "produce";
        self.audited(action, None, |cms| {
            let holder = cms.holder(holder)?;
            let issued = issued.unwrap_or_else(|| cms.now().date());
            let mut request = Request {
                person: Some(holder.person()),
                issued: Some(issued),
                expires,
                ..Request::for_profile(profile)
            };
            if let Some(pin) = pin {
                request.pin = Zeroizing::new(pin.to_owned());
            }
            let authorities = cms.authorities_of_cac()?;
            let pki = cms.pki()?;
            let made = issue_under_all(&request, pki, authorities, &mut cms.crypto, &mut |_| {})?;
            let size = FlashSize::DEFAULT;
            let mut file = EmulatedCard::create(path, size, profile, profile.default_tries, &made)
                .map_err(|error| CmsError::Unsupported(error.to_string()))?;
            file.power_on(Interface::Contact);
            let taken_in = cms.take_in(&mut file, &holder, &request, &made);
            if taken_in.is_err() {
                drop(file);
                // A card that nobody manages is no card of ours; the error is the one that matters.
                let _ = fs::remove_file(path);
            }
            taken_in
        })
    }

    fn take_in(
        &mut self,
        file: &mut EmulatedCard,
        holder: &HolderRow,
        request: &Request,
        made: &IssuedCard,
    ) -> Result<Produced, CmsError> {
        let identity = CardIdentity::read(&mut Line::local(file))?;
        let mut certificates = certificates(made)?;
        if made.cac.is_some() {
            let mut line = Line::local(file);
            let unreadable = |error: crate::console::ConsoleError| CmsError::Unsupported(error.to_string());
            let listed =
                Console::new(&mut line, &[]).and_then(|mut console| console.certificates(self.now()));
            let identity = listed.map_err(unreadable)?.certificates.into_iter();
            certificates.extend(
                identity.filter(|listed| listed.container == ID_CONTAINER).map(|listed| (None, listed.der)),
            );
        }
        let (now, entry) = (self.now(), self.done("produce", None, None, &identity.to_string()));
        let hidden = made.cac.as_ref().is_some_and(|cac| cac.piv_authentication_hidden);
        let card = self.database.write(|connection| {
            if let Some(cac) = &made.cac {
                for authority in [&cac.id_ca, &cac.email_ca] {
                    let name = authority.subject().to_string();
                    AuthorityRow::insert(
                        connection,
                        &NewAuthority { role: Role::Cac, name: &name, authority },
                    )?;
                }
            }
            // A Common Access Card's PUK is for nobody.
            let puk = request.cac.is_none().then_some(&made.puk);
            let id = CardRow::insert(connection, &identity, &made.management_key, puk)?;
            let missing = || CmsError::NotFound(format!("card {id}"));
            let mut card = CardRow::find(connection, id)?.ok_or_else(missing)?;
            // The maker's machine did all that stands between stock and use.
            card.state = DeviceState::Issued;
            card.holder = Some(holder.id);
            (card.issued, card.expires) = (Some(made.issued), Some(made.expires));
            card.numbers = Some(made.numbers.clone());
            for (slot, certificate) in &certificates {
                let credential = write(connection, &card, (*slot, certificate), made, now)?;
                match slot {
                    Some(KeyReference::PivAuthentication) if hidden => card.hidden = Some(credential),
                    Some(slot) => place(connection, id, *slot, credential)?,
                    None => {}
                }
            }
            card.save(connection)?;
            AuditEntry { card: Some(id), ..entry }.insert(connection)?;
            Ok::<_, CmsError>(card)
        })?;
        Ok(Produced { card, hidden })
    }

    /// The authorities for ID and for e-mail, if a Common Access Card was made before.
    fn authorities_of_cac(&self) -> Result<Option<[Authority; 2]>, CmsError> {
        let rows = self.authorities()?;
        let find = |part: &str| {
            let row = rows.iter().find(|row| row.role == Role::Cac && row.name.contains(part));
            row.map(|row| self.usable(row.clone())).transpose()
        };
        Ok(find(ID)?.zip(find(EMAIL)?).map(|((_, id), (_, email))| [id, email]))
    }
}

fn write(
    connection: &rusqlite::Connection,
    card: &CardRow,
    (slot, certificate): (Option<KeyReference>, &[u8]),
    made: &IssuedCard,
    now: Time,
) -> Result<i64, CmsError> {
    let name = authority::issuer_name(certificate)?;
    let authority = AuthorityRow::by_name(connection, &name)?.ok_or(CmsError::MissingAuthority(name))?;
    let key = made.keys.iter().find(|(reference, ..)| Some(*reference) == slot);
    let kept = key.filter(|_| slot == Some(KeyReference::KeyManagement)).zip(card.holder);
    let escrow = kept.map(|((_, key, _), holder)| keep(connection, holder, key)).transpose()?;
    Ok(CredentialRow::insert(
        connection,
        &NewCredential { card: card.id, authority: authority.id, certificate, since: now, escrow },
    )?)
}

/// A certificate in DER, with its key reference if it has one in PIV.
type Certified = (Option<KeyReference>, Vec<u8>);

/// The certificates on a card, with their key references. Those of the CAC applets that PIV has too are not here twice; the hidden one is.
fn certificates(made: &IssuedCard) -> Result<Vec<Certified>, CmsError> {
    let mut found = Vec::new();
    for slot in KeyReference::ASYMMETRIC {
        let tag = crate::issue::certificate_tag(slot);
        let object = made.objects.iter().find(|(object, _)| Some(object.get()) == tag);
        if let Some((_, object)) = object {
            let unreadable = |_| CmsError::Client(crate::card_client::ClientError::Malformed("the new card"));
            let contents = apdu::tlv_ber::Reader::new(object).expect(0x53_u8.into()).map_err(unreadable)?;
            found.push((Some(slot), crate::card_client::certificate_in(contents)?));
        }
    }
    Ok(found)
}
