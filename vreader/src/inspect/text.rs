//! The report for people.

use std::fmt;

use super::{
    common_access::PivAuthentication,
    report::{CertificateEntry, Counter, DateSource, Dated, KeyMatch, OriginName, Report},
};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_facts(f)?;
        self.write_keys(f)?;
        self.write_certificates(f)?;
        self.write_common_access(f)?;
        self.write_objects(f)?;
        self.write_problems(f)
    }
}

impl Report {
    fn write_facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = self.holder.as_ref();
        let numbers = &self.identifiers;
        let organization = holder.map(|holder| holder.organization.join(", "));
        let facts = [
            ("Card", Some(format!("{} ({})", self.profile, self.label))),
            ("Holder", Some(holder.map_or_else(|| "not known".to_owned(), |holder| holder.name.clone()))),
            ("Affiliation", holder.and_then(|holder| holder.affiliation.clone())),
            ("Organization", organization.filter(|lines| !lines.is_empty())),
            ("Issued", Some(dated(self.issued.as_ref()))),
            ("Expires", Some(dated(self.expires.as_ref()))),
            ("FASC-N", numbers.fascn_text.clone().or_else(|| numbers.fascn_hex.clone())),
            ("Card UUID", numbers.card_uuid.map(|uuid| uuid.to_string())),
            ("Cardholder UUID", numbers.cardholder_uuid.map(|uuid| uuid.to_string())),
            ("Card serial", numbers.agency_card_serial_number.clone()),
            ("Issuer", numbers.issuer_identification.clone()),
            ("Card identifier", numbers.card_identifier.clone()),
            ("PIN", Some(tries(self.pin))),
            ("PUK", Some(tries(self.puk))),
            ("Global PIN", self.global_pin.map(tries)),
            ("Primary finger", self.fingers.first().copied().map(tries)),
            ("Secondary finger", self.fingers.get(1).copied().map(tries)),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                writeln!(f, "{name:<16} {value}")?;
            }
        }
        Ok(())
    }

    fn write_keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nKeys")?;
        for slot in &self.slots {
            let origin = match slot.origin {
                OriginName::Generated => "generated",
                OriginName::Imported => "imported",
            };
            let certificate = if slot.has_certificate { "" } else { ", no certificate" };
            let (reference, name, algorithm) = (&slot.reference, &slot.name, slot.algorithm);
            writeln!(f, "  {reference}  {name:<25} {algorithm:<8} {origin}{certificate}")?;
        }
        if self.slots.is_empty() {
            writeln!(f, "  none")?;
        }
        Ok(())
    }

    fn write_certificates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nCertificates")?;
        for certificate in &self.certificates {
            write!(f, "{certificate}")?;
        }
        if self.certificates.is_empty() {
            writeln!(f, "  none")?;
        }
        Ok(())
    }

    fn write_common_access(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cac) = &self.common_access else { return Ok(()) };
        writeln!(f, "\nCAC containers")?;
        for container in &cac.containers {
            writeln!(f, "  {:<6}  {:>5} bytes  {}", container.id, container.length, container.name)?;
        }
        if let Some(edipi) = &cac.edipi {
            writeln!(f, "  EDIPI {edipi}")?;
        }
        if let Some(expires) = cac.expires {
            writeln!(f, "  expires on {expires} (Person Instance)")?;
        }
        if !cac.hidden.is_empty() {
            writeln!(f, "  not shown without the PIN: {}", cac.hidden.join(", "))?;
        }
        match cac.piv_authentication {
            Some(PivAuthentication::Active) => writeln!(f, "  PIV Authentication certificate: active"),
            Some(PivAuthentication::Hidden) => {
                writeln!(f, "  PIV Authentication certificate: hidden, not activated")
            }
            None => writeln!(f, "  no PIV application: 9A, 9E and the data objects are out of reach"),
        }
    }

    fn write_objects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nData objects")?;
        let (empty, filled): (Vec<_>, Vec<_>) = self.objects.iter().partition(|object| object.empty);
        for object in filled {
            writeln!(f, "  {:<6}  {:>5} bytes  {}", object.tag, object.length, object.name)?;
        }
        match empty.as_slice() {
            [] => {}
            [one] => writeln!(f, "  {:<6}  empty        {}", one.tag, one.name)?,
            more => writeln!(f, "  and {} empty containers", more.len())?,
        }
        if self.objects.is_empty() {
            writeln!(f, "  none")?;
        }
        Ok(())
    }

    fn write_problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nProblems")?;
        for problem in &self.problems {
            writeln!(f, "  {:<6}  {}: {}", problem.tag, problem.object, problem.problem)?;
        }
        Ok(())
    }
}

impl fmt::Display for CertificateEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot.as_deref().unwrap_or("--");
        let compressed = if self.compressed { " (compressed)" } else { "" };
        let key = match self.key_match {
            KeyMatch::Matches => ", matches the slot",
            KeyMatch::Differs => ", DIFFERS from the key in the slot",
            KeyMatch::NoKey => "",
        };
        writeln!(f, "  {slot}  {}{compressed}", self.container)?;
        let subject = if self.subject.is_empty() { "(empty)" } else { &self.subject };
        writeln!(f, "      subject  {subject}")?;
        writeln!(f, "      issuer   {}", self.issuer)?;
        writeln!(f, "      serial   {}", self.serial_number)?;
        writeln!(f, "      valid    {} to {}", self.not_before, self.not_after)?;
        writeln!(f, "      key      {}{key}", self.algorithm)
    }
}

fn dated(date: Option<&Dated>) -> String {
    let Some(Dated { date, source }) = date else { return "not known".to_owned() };
    match source {
        DateSource::EarliestCertificate(slot) => format!("{date} (begin of certificate {slot})"),
        DateSource::Chuid => date.to_string(),
        DateSource::PersonInstance => format!("{date} (Person Instance)"),
        DateSource::PrintedInformation => format!("{date} (as printed)"),
    }
}

fn tries(counter: Counter) -> String {
    match counter {
        Counter { tries_left: 0, tries_total } => format!("blocked, 0 of {tries_total} tries left"),
        Counter { tries_left, tries_total } => format!("{tries_left} of {tries_total} tries left"),
    }
}
