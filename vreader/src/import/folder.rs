//! The files of a folder: which there are, which of several generations is the card's, and reading them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use card_sim::card::RESPONSE_CAPACITY;
use zeroize::Zeroizing;

use super::{
    Finding, ImportError,
    layout::{KEYS, OBJECTS},
};

/// The longest file that is read. Nothing longer goes on a card in one piece; a PKCS #12 file is little longer than
/// what is in it.
const LIMIT: usize = RESPONSE_CAPACITY - TAG_AND_LENGTH;
/// `53 82 XX XX`
const TAG_AND_LENGTH: usize = 4;
/// Words of names with fewer letters are alike only when they are the same.
const ABBREVIATION: usize = 3;

/// A folder with the names of its files.
#[derive(Default)]
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<Name>,
}

/// A name `N - description` or `N - description.extension`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    number: u8,
    extension: String,
    full: String,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Io { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // What is a folder or cannot be looked at is found out when it is read.
            files.extend(entry.file_name().to_str().and_then(Name::parse));
        }
        files.sort_by(|one, other| one.full.cmp(&other.full));
        Ok(Self { path: path.to_owned(), files })
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// The bytes of a file, which may be a private key.
    pub(super) fn read(&self, file: &str) -> Result<Zeroizing<Vec<u8>>, ImportError> {
        let path = self.path(file);
        let failed = |source: io::Error| ImportError::Io { path: path.clone(), source };
        let mut bytes = Zeroizing::new(Vec::new());
        let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX).saturating_add(1);
        File::open(&path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > LIMIT {
            return Err(ImportError::TooLarge { path, limit: LIMIT });
        }
        Ok(bytes)
    }

    /// The file with this number and extension that is the card's. That others differ from it is a finding.
    pub(super) fn choose(
        &self,
        number: u8,
        extension: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<String>, ImportError> {
        let fits = |name: &&Name| name.number == number && name.extension == extension;
        let wanted = words(&self.path.file_name().unwrap_or_default().to_string_lossy());
        let likeness = |name: &&Name| (likeness(&wanted, &name.full), name.full.len());
        let Some(taken) = self.files.iter().filter(fits).max_by_key(likeness) else { return Ok(None) };
        let mut left = Vec::new();
        for other in self.files.iter().filter(fits).filter(|other| *other != taken) {
            if self.read(&other.full)? != self.read(&taken.full)? {
                left.push(other.full.clone());
            }
        }
        if !left.is_empty() {
            findings.push(Finding::Generations { taken: taken.full.clone(), left });
        }
        Ok(Some(taken.full.clone()))
    }

    /// Numbered files that stand for nothing.
    pub(super) fn not_used(&self) -> impl Iterator<Item = String> {
        let objects = OBJECTS.iter().map(|object| (object.number, ""));
        let keys = KEYS.iter().flat_map(|key| [(key.number, "p12"), (key.number, "crt")]);
        let known: BTreeSet<_> = objects.chain(keys).collect();
        self.files
            .iter()
            .filter(move |name| !known.contains(&(name.number, name.extension.as_str())))
            .map(|name| name.full.clone())
    }
}

impl Name {
    fn parse(full: &str) -> Option<Self> {
        let (number, description) = full.split_once(" - ")?;
        // "SP_800-73-4.p12" has an extension, "v1.2" would have none that counts.
        let extension = description.rsplit_once('.').map_or("", |(_, extension)| extension);
        Some(Self {
            number: number.parse().ok()?,
            extension: extension.to_ascii_lowercase(),
            full: full.to_owned(),
        })
    }
}

/// How many of the wanted words a name has, in full or abbreviated.
fn likeness(wanted: &BTreeSet<String>, name: &str) -> usize {
    let name = words(name);
    let alike = |one: &str, other: &str| {
        one == other
            || one.len().min(other.len()) >= ABBREVIATION
                && (one.starts_with(other) || other.starts_with(one))
    };
    wanted.iter().filter(|wanted| name.iter().any(|word| alike(wanted, word))).count()
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Finding, Folder, ImportError, LIMIT, Name};

    fn folder(name: &str, files: &[(&str, &[u8])]) -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(name);
        fs::create_dir(&path).unwrap();
        for (file, bytes) in files {
            fs::write(path.join(file), bytes).unwrap();
        }
        let folder = Folder::open(&path).unwrap();
        (place, folder)
    }

    #[test]
    fn names_begin_with_a_number() {
        let name = |text: &str| Name::parse(text).map(|name| (name.number, name.extension));
        assert_eq!(name("8 - CHUID Object"), Some((8, String::new())));
        assert_eq!(name("3 - ICAM_PIV_Auth_SP_800-73-4.P12"), Some((3, "p12".to_owned())));
        for other in ["CHUID_Signer.crt", "8-CHUID", "x - CHUID", "300 - CHUID", ""] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn the_generation_with_the_folders_words_is_taken() {
        // Names as in cards 28, 16, 25 and 46 of the set.
        for (name, files, taken) in [
            ("28_Disco_Object_Present_Global_PIN_Primary", ["4 - A_B_C.p12", "4 - A_Global_PIN_Prim.p12"], 1),
            (
                "16_Card_Authentication_FASCN_mismatch",
                ["4 - A_Card_Authent_FASCN.p12", "4 - A_Longest_Name_Of_All.p12"],
                0,
            ),
            ("25_Disco_Object_Not_Present", ["4 - ICAM_PIV.p12", "4 - ICAM_PIV_Missing_DO.p12"], 1),
            ("46_Golden_FIPS_201-2_PIV", ["4 - ICAM_PIV.p12", "4 - ICAM_Test_Card_PIV.p12"], 1),
        ] {
            let (_place, folder) = folder(name, &files.map(|file| (file, file.as_bytes())));
            let mut findings = Vec::new();
            let chosen = folder.choose(4, "p12", &mut findings).unwrap();
            assert_eq!(chosen.as_deref(), Some(files[taken]));
            let left = vec![files[1 - taken].to_owned()];
            assert_eq!(findings, [Finding::Generations { taken: files[taken].to_owned(), left }]);
            assert_eq!(folder.choose(4, "", &mut findings).unwrap(), None);
        }
    }

    #[test]
    fn copies_are_no_generations() {
        let (_place, folder) = folder("card", &[("4 - a.p12", b"same"), ("4 - b.p12", b"same")]);
        let mut findings = Vec::new();
        assert!(folder.choose(4, "p12", &mut findings).unwrap().is_some());
        assert_eq!(findings, []);
    }

    #[test]
    fn what_is_longer_than_a_card_is_not_read() {
        let (_place, folder) =
            folder("card", &[("8 - most", &[0; LIMIT]), ("9 - too much", &[0; LIMIT + 1])]);
        assert_eq!(folder.read("8 - most").unwrap().len(), LIMIT);
        assert!(matches!(folder.read("9 - too much"), Err(ImportError::TooLarge { limit: LIMIT, .. })));
        assert!(matches!(folder.read("none"), Err(ImportError::Io { .. })));
    }
}
